"""DKIM (RFC 6376): the keys to the signatures that the inspector has read."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from filterd.checks.contract import View
from filterd.dkim import MAX_SIGNATURES, STRANGER, key_question, nearness, signature_hints, verify
from filterd.dns.plans import warm
from filterd.domains import normalise
from filterd.model.authentication import DkimResult, DkimStatus, SignatureFacts
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.model.inspection import Author
from filterd.model.report import CheckReport, Finding, Outcome, Stage

MAX_HINTS: Final = (
    16  # signature fields read before the inspector has chosen those that count; a field is 16 kB at most
)
_MAX_EVIDENCE: Final = 200  # characters
L_TAG: Final = "DKIM_L_TAG"
NOT_OVERSIGNED: Final = "DKIM_NOT_OVERSIGNED"
_BY_STATUS: Final = {status: f"DKIM_{status.name}" for status in DkimStatus}
_NO_ANSWER: Final = Answer(Question("", RRType.TXT), AnswerStatus.NXDOMAIN)  # for a key that cannot have a name


class Selectors(Protocol):
    """Which selectors a domain has signed with; a guess that may be wrong. See filterd.store.SelectorMemory."""

    def recall(self, domain: str) -> tuple[str, ...]:
        """The domain's selectors, () where none are known."""

    def remember(self, domain: str, selector: str) -> None:
        """The domain has signed with this selector."""


class DkimCheck:
    """Asks for all keys at once; those it could guess are in the cache by then."""

    name = "dkim"
    stage = Stage.EOM
    foresees = frozenset({Stage.MAIL, Stage.HEADERS})
    needs: tuple[str, ...] = ()
    symbols = frozenset([L_TAG, NOT_OVERSIGNED, *_BY_STATUS.values()])

    def __init__(self, selectors: Selectors) -> None:
        """Take the memory of selectors, which is asked at MAIL and told what has verified."""
        self._selectors = selectors

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """At MAIL the keys of the sender's domain as remembered, at HEADERS those that the signatures name."""
        if stage is Stage.MAIL:
            domain = normalise(view.envelope.sender_domain)
            pairs = [(domain, selector) for selector in self._selectors.recall(domain)] if domain else []
        elif stage is Stage.HEADERS:
            pairs = hints(view.values(b"dkim-signature"))
        else:
            return None
        asked = {key_question(*pair): None for pair in pairs[:MAX_SIGNATURES]}
        questions = [question for question in asked if question is not None]
        return warm(questions) if questions else None

    def run(self, view: View) -> Plan[CheckReport]:
        """Verify every signature that the inspector has prepared, those for the author first."""
        if view.inspection is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        facts = _ranked(view.inspection.signatures, view.inspection.author)
        if not facts:
            return _report([DkimResult(DkimStatus.NONE)])
        results = yield from _verified(facts)
        for result in results:
            if result.status is DkimStatus.PASS:
                self._selectors.remember(result.domain, result.selector)
        return _report(results)


def hints(values: Sequence[bytes]) -> list[tuple[str, str]]:
    """Domain and selector of the first signatures in a header, each once. Bounded; never raises."""
    found: dict[tuple[str, str], None] = {}
    for value in values[:MAX_HINTS]:
        pair = signature_hints(value)
        if pair is not None:
            found[pair] = None
    return list(found)


def _ranked(signatures: Sequence[SignatureFacts], author: Author) -> list[SignatureFacts]:
    """Those of the author's own domain first, then those of its organisation, then the others."""
    domains = {mailbox.domain for mailbox in author.mailboxes if mailbox.domain}
    if len(signatures) < 2 or not domains:  # noqa: PLR2004  # nothing to put in order
        return list(signatures)
    return sorted(
        signatures,
        key=lambda facts: min([nearness(facts.domain, one) for one in domains]) if facts.domain else STRANGER,
    )


def _verified(signatures: Sequence[SignatureFacts]) -> Plan[list[DkimResult]]:
    """The results in the same order; a key is asked for only where it can change the outcome."""
    keys = [None if one.status is not None else key_question(one.domain, one.selector) for one in signatures]
    questions = tuple(dict.fromkeys([key for key in keys if key is not None]))
    answers = dict(zip(questions, (yield questions), strict=True)) if questions else {}
    return [verify(one, _NO_ANSWER if key is None else answers[key]) for one, key in zip(signatures, keys, strict=True)]


def _report(results: Sequence[DkimResult]) -> CheckReport:
    findings: dict[str, Finding] = {}
    for result in results:
        for symbol in _symbols(result):
            findings.setdefault(symbol, Finding(symbol, _evidence(result)))
    passed = any(result.status is DkimStatus.PASS for result in results)
    failed = [result for result in results if result.status is DkimStatus.TEMPERROR]
    unknown = failed and not passed
    cause = f"{failed[0].reason}: {failed[0].selector}._domainkey.{failed[0].domain}" if unknown else ""
    outcome = Outcome.UNKNOWN if unknown else Outcome.OK
    return CheckReport(DkimCheck.name, outcome, tuple(findings.values()), tuple(results), cause)


def _symbols(result: DkimResult) -> Iterator[str]:
    yield _BY_STATUS[result.status]
    if result.status is DkimStatus.PASS:
        if not result.covers_body:
            yield L_TAG
        if not result.oversigned:
            yield NOT_OVERSIGNED


def _evidence(result: DkimResult) -> tuple[str, ...]:
    signer = f"{result.selector}._domainkey.{result.domain}" if result.domain else ""
    return tuple([text[:_MAX_EVIDENCE] for text in (signer, result.reason) if text])

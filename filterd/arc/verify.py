"""The chain's signatures and their keys (RFC 8617, section 5.2, steps 4 and 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from filterd.dkim import key_question, verify
from filterd.model.authentication import ArcFacts, ArcResult, ArcStatus, DkimResult, DkimStatus, SignatureFacts
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType

MAX_KEYS: Final = 16  # different keys asked for; a chain of 50 sets would take half of a message's lookups

_NO_ANSWER: Final = Answer(Question("", RRType.TXT), AnswerStatus.NXDOMAIN)  # for a key that cannot have a name


@dataclass(frozen=True, slots=True)
class Unverified:
    """Nobody knows whether the chain passes; `cause` says why."""

    cause: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Every signature was looked at; `testing` says that the key of one is published for tests only."""

    result: ArcResult
    testing: bool = False


def evaluate(facts: ArcFacts, remote_ip: str = "") -> Plan[Verified | Unverified]:
    """The outcome of the chain; asks for all keys at once. `remote_ip` is the client's address, for the report.

    One signature that does not verify settles it, whatever could not be looked up besides.
    """
    if facts.status is not None:
        return Verified(ArcResult(facts.status, facts.instance, (), facts.reason, remote_ip))
    signatures = _signatures(facts)
    if not signatures:
        return Unverified("the sets were not read")
    keys = [key_question(one.domain, one.selector) for _, one in signatures]
    questions = tuple(dict.fromkeys([key for key in keys if key is not None]))
    if len(questions) > MAX_KEYS:
        return Unverified(f"more than {MAX_KEYS} different keys")
    answers = dict(zip(questions, (yield questions), strict=True)) if questions else {}
    results = [
        (label, verify(one, _NO_ANSWER if key is None else answers[key]))
        for (label, one), key in zip(signatures, keys, strict=True)
    ]
    return _outcome(facts, results, remote_ip)


def _outcome(facts: ArcFacts, results: Sequence[tuple[str, DkimResult]], remote_ip: str) -> Verified | Unverified:
    sealers = tuple([one.domain for one in facts.seals])
    for label, result in results:
        if result.status not in {DkimStatus.PASS, DkimStatus.TEMPERROR}:
            return Verified(ArcResult(ArcStatus.FAIL, facts.instance, sealers, f"{label}: {result.reason}", remote_ip))
    for label, result in results:
        if result.status is DkimStatus.TEMPERROR:
            key = f"{result.selector}._domainkey.{result.domain}"
            return Unverified(f"temperror: {label}: {result.reason}: {key}")
    # RFC 8617, section 5.2, step 5: zero where all message signatures verify; here only the newest one was looked at.
    oldest_pass = 0 if facts.instance == 1 else None
    passed = ArcResult(ArcStatus.PASS, facts.instance, sealers, "", remote_ip, oldest_pass)
    return Verified(passed, any(result.testing for _, result in results))


def _signatures(facts: ArcFacts) -> list[tuple[str, SignatureFacts]]:
    """All that must verify, the newest first, with names for the report; nothing where one is missing."""
    if facts.message is None or not 1 <= facts.instance == len(facts.seals) == len(facts.results):
        return []
    seals = [(f"ARC-Seal i={facts.instance - index}", seal) for index, seal in enumerate(facts.seals)]
    return [(f"ARC-Message-Signature i={facts.instance}", facts.message), *seals]

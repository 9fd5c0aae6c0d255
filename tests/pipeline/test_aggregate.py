"""What is counted of a message for DMARC reports, what is not, and that a verdict stands whatever happens there."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from filterd.dmarc.record import parse
from filterd.model.aggregate import Sighting, Signature
from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcOverride,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Client, Envelope, Recipient, TrustClass
from filterd.model.verdict import Action, Verdict
from filterd.pipeline import aggregate
from filterd.pipeline.aggregate import disposed, seen
from filterd.pipeline.finish import finish
from filterd.pipeline.transaction import Peer, Transaction
from tests.pipeline.fakes import NOW, Front

RECORD = "v=DMARC1; p=reject; sp=quarantine; rua=mailto:r@a.test"
PASS = DmarcResult(DmarcStatus.PASS, "a.test", "a.test", "a.test", DmarcPolicy.REJECT, dkim_aligned=True)
FAIL = replace(PASS, status=DmarcStatus.FAIL, dkim_aligned=False)
REPORT = "Report Domain: a.test Submitter: b.test Report-ID: <x>"


@dataclass
class Said:
    """A transaction, as far as it is looked at."""

    results: tuple[AuthResult, ...] = (PASS,)
    record: str = RECORD
    trust: TrustClass = TrustClass.STRANGER
    client: Client = field(default_factory=lambda: Client("192.0.2.7"))
    sender: str = "bounce@Sub.A.test"
    recipients: tuple[str, ...] = ("u@here.test",)
    subject: str = ""
    now: float = NOW

    def count(self, action: Action = Action.ACCEPT) -> Sighting | None:
        """What is counted of it."""
        question = Question("_dmarc.a.test", RRType.TXT)
        answers = {question: Answer(question, AnswerStatus.NOERROR, ("unrelated", self.record))}
        transaction = SimpleNamespace(
            trust=self.trust,
            client=self.client,
            now=self.now,
            reports={"all": CheckReport("all", Outcome.OK, auth_results=self.results)},
            envelope=Envelope(self.sender, tuple([Recipient(one, f"<{one}>") for one in self.recipients])),
            lookups=SimpleNamespace(answers=answers if self.record else {}),
            inspection=Inspection(subject=self.subject),
        )
        return seen(transaction, Verdict(action, "code", "text"))  # type: ignore[arg-type]  # a part of one


def test_what_is_counted() -> None:
    """The record, the day and what was found; names in lower case, results as they are."""
    spf = SpfResult(SpfStatus.SOFTFAIL, "sub.a.test", SpfScope.MAILFROM)
    hello = SpfResult(SpfStatus.PASS, "mx.a.test", SpfScope.HELO)
    signature = DkimResult(DkimStatus.PASS, "a.test", "s1")
    counted = Said((hello, spf, signature, PASS)).count()
    assert counted is not None
    assert (counted.day, counted.domain, counted.record) == (int(NOW // 86_400), "a.test", RECORD)
    one = counted.evaluated
    assert (one.source, one.disposition, one.dkim, one.spf, one.reasons) == ("192.0.2.7", "pass", True, False, ())
    assert (one.header_from, one.envelope_from, one.envelope_to) == ("a.test", "sub.a.test", "here.test")
    assert (one.spf_domain, one.spf_result) == ("sub.a.test", "softfail")
    assert one.signatures == (Signature("a.test", "s1", "pass"),)


def test_recipients_of_several_domains_are_nobody() -> None:
    """There is one place for one domain; the null sender leaves its own empty."""
    counted = Said(recipients=("a@x.test", "b@y.test"), sender="").count()
    assert counted is not None
    assert (counted.evaluated.envelope_to, counted.evaluated.envelope_from) == ("", "")


@pytest.mark.parametrize(
    "message",
    [
        Said(trust=TrustClass.LOCAL),
        Said(trust=TrustClass.AUTHENTICATED),
        Said(results=()),
        Said(results=(replace(PASS, status=DmarcStatus.NONE),)),
        Said(results=(replace(PASS, status=DmarcStatus.TEMPERROR),)),
        Said(results=(replace(PASS, status=DmarcStatus.PERMERROR),)),
        Said(client=Client("")),
        Said(record=""),
        Said(record="v=DMARC1; p=reject"),
        Said(record="v=DMARC1; p=reject; rua=https://a.test/"),
        Said(subject=REPORT),
    ],
)
def test_what_is_not_counted(message: Said) -> None:
    """Our own users' mail, what was not evaluated, domains that ask for nothing, and reports."""
    assert message.count() is None


@pytest.mark.parametrize("action", [Action.DEFER, Action.GREYLIST])
def test_what_comes_again_is_counted_then(action: Action) -> None:
    """Once, not with every attempt."""
    assert Said().count(action) is None


def test_a_forged_report_is_counted() -> None:
    """Its Subject alone hides nothing: reports pass."""
    assert Said((FAIL,), subject=REPORT).count(Action.QUARANTINE) is not None


@pytest.mark.parametrize(
    ("result", "action", "expected"),
    [
        (PASS, Action.REJECT, ("pass", ())),  # refused for something else, which is not told
        (replace(PASS, policy=DmarcPolicy.NONE), Action.ACCEPT, ("none", ())),
        (FAIL, Action.REJECT, ("reject", ())),
        (FAIL, Action.DISCARD, ("reject", ())),
        (FAIL, Action.QUARANTINE, ("quarantine", ("local_policy",))),
        (FAIL, Action.ADD_HEADER, ("quarantine", ("local_policy",))),
        (FAIL, Action.ACCEPT, ("none", ("local_policy",))),
        (replace(FAIL, policy=DmarcPolicy.QUARANTINE), Action.REJECT, ("quarantine", ())),
        (replace(FAIL, policy=DmarcPolicy.NONE), Action.REJECT, ("none", ())),
        (replace(FAIL, override=DmarcOverride.MAILING_LIST), Action.ADD_HEADER, ("none", ("mailing_list",))),
        (replace(FAIL, override=DmarcOverride.TRUSTED_FORWARDER), Action.REJECT, ("none", ("trusted_forwarder",))),
    ],
)
def test_dispositions(result: DmarcResult, action: Action, expected: tuple[str, tuple[str, ...]]) -> None:
    """What was done as far as DMARC asks for it, and why where that is less."""
    assert disposed(result, parse(RECORD), action) == expected


@pytest.mark.parametrize(
    ("record", "domain", "policy", "reasons"),
    [
        ("v=DMARC1; p=reject; t=y", "a.test", DmarcPolicy.QUARANTINE, ("policy_test_mode",)),
        ("v=DMARC1; p=none; t=y", "a.test", DmarcPolicy.NONE, ()),
        ("v=DMARC1; p=none; sp=quarantine; t=y", "b.a.test", DmarcPolicy.NONE, ("policy_test_mode",)),
        ("v=DMARC1; p=reject; t=n", "a.test", DmarcPolicy.REJECT, ("local_policy",)),
    ],
)
def test_test_mode(record: str, domain: str, policy: DmarcPolicy, reasons: tuple[str, ...]) -> None:
    """Section 3.1.6: that t=y has lowered the policy is a reason of its own."""
    result = replace(FAIL, domain=domain, policy=policy)
    assert disposed(result, parse(record), Action.QUARANTINE)[1] == reasons


def test_signatures_in_their_order() -> None:
    """Section 3.1.3: those that pass and are aligned first; what is no signature is none."""
    found = (
        DkimResult(DkimStatus.FAIL, "a.test", "f"),
        DkimResult(DkimStatus.PASS, "other.test", "o"),
        DkimResult(DkimStatus.PASS, "sub.a.test", "r"),
        DkimResult(DkimStatus.PASS, "a.test", "s"),
        DkimResult(DkimStatus.NONE),
        DkimResult(DkimStatus.PERMERROR, "a.test"),
        DkimResult(DkimStatus.PERMERROR, "", "x"),
    )
    counted = Said((*found, PASS)).count()
    assert counted is not None
    assert [one.selector for one in counted.evaluated.signatures] == ["s", "r", "o", "f"]


def test_hostile_names() -> None:
    """Whatever an envelope or a signature has in it becomes a short line of ASCII."""
    evil = "\ud800\x00<b>\u202e" * 200
    spf = SpfResult(SpfStatus.NONE, evil, SpfScope.MAILFROM)
    signature = DkimResult(DkimStatus.FAIL, evil, evil)
    counted = Said(
        (spf, signature, PASS), sender=f"u@{evil}", recipients=(f"u@{evil}",), record=RECORD + ";x=\x00"
    ).count()
    assert counted is not None
    one = counted.evaluated
    texts = (one.envelope_from, one.envelope_to, one.spf_domain, one.signatures[0].domain, counted.record)
    assert all(text.isascii() and text.isprintable() and len(text) <= 255 for text in texts)


class Counter:
    """Takes what is counted, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        """Nothing yet."""
        self.taken: list[Sighting] = []
        self._error = error

    def record(self, one: Sighting) -> None:
        """Keep it."""
        if self._error is not None:
            raise self._error
        self.taken.append(one)


def _finished(front: Front, counter: Counter) -> Action:
    transaction = Transaction(replace(front.parts(), aggregates=counter), Peer(Client("198.51.100.7")))
    transaction.mail("anna@sender.test", (), {"i": "4XQ1"})
    transaction.rcpt("user@local.test", "<user@local.test>")
    transaction.end_of_headers()
    try:
        return finish(transaction).verdict.action
    finally:
        transaction.close()


def test_it_is_counted_at_the_end(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with the verdict."""
    one = Said().count()
    assert one is not None
    monkeypatch.setattr(aggregate, "seen", lambda _, verdict: one if verdict.action is Action.ACCEPT else None)
    counter = Counter()
    assert _finished(front, counter) is Action.ACCEPT
    assert counter.taken == [one]


def test_a_verdict_stands_whatever_happens_there(
    front: Front, monkeypatch: pytest.MonkeyPatch, log: list[MutableMapping[str, Any]]
) -> None:
    """Our bug there is logged; the message goes its way."""
    monkeypatch.setattr(aggregate, "seen", lambda *_: Said().count())
    assert _finished(front, Counter(ValueError("oh"))) is Action.ACCEPT
    assert [entry["check"] for entry in log if entry["event"] == "check_crashed"] == ["dmarc reports"]

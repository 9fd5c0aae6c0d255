"""Which released messages pass when somebody brings them back: the very bytes, from hosts of ours, once for each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.model.verdict import Action, DeleteHeader
from filterd.pipeline.finish import Decision
from filterd.pipeline.transaction import Transaction
from filterd.quarantine.marks import FIELD, LIFETIME, Marker, noted
from filterd.quarantine.tokens import FIELD as TOKEN
from tests.pipeline.fakes import NOW, US, Front
from tests.pipeline.test_admission import MESSAGE, STRANGER, TO, Bench
from tests.quarantine.samples import identifier

pytestmark = pytest.mark.threat("QUA-05", "QUA-06")
HELD, OTHER = identifier(), ("fwd@local.test",)
# What a hop that forwards writes on top of it.
HOP = b"Received: from mx by inner; Mon, 23 Nov 2026 10:00:00 +0000\r\n"


@pytest.fixture
def bench(front: Front, tmp_path: Path) -> Bench:
    """A front that would hold anything."""
    return Bench(front, tmp_path)


def marked(bench: Bench, *, ago: float = 0.0, times: int = 1, passes: bool = True) -> bytes:
    """The message as it was released."""
    marker = Marker(bench.keys, lambda: NOW - ago, lambda size: next(bench.numbers).to_bytes(size, "big"))
    return marker.on(MESSAGE, HELD, times, passes=passes)


def state_of(bench: Bench) -> tuple[str, int, str] | None:
    """What the evidence of the only held message says of its earlier release."""
    ((held, _),) = bench.front.custodian.held
    return noted(held.state)


def passed(decision: Decision) -> bool:
    """Whether it passed as it was."""
    return (decision.verdict.action, decision.verdict.code, decision.edits) == (Action.ACCEPT, "returned", ())


def test_passes(bench: Bench) -> None:
    """Nobody reads it, nothing is held; the mark stays, for there may be one more hop."""
    assert passed(bench.finished(HOP + marked(bench), to=OTHER))
    assert (bench.front.inspectors.jobs, bench.front.custodian.held) == ([], [])


def test_from_another_sender(bench: Bench) -> None:
    """Who forwards may put a sender of his own (SRS, an alias with an owner)."""
    assert passed(bench.finished(HOP + marked(bench), sender="owner-list@local.test", to=OTHER))


@pytest.mark.parametrize(
    "above",
    [
        b"",
        HOP * 3,
        b"Received: from x\r\n\tby y\r\nX-Original-To: a@local.test\r\nDelivered-To: a@local.test\r\n",
        b"Return-Path: <anna@sender.test>\r\nReceived-SPF: none\r\nAuthentication-Results: other.test; none\r\n",
    ],
)
def test_what_may_stand_above(bench: Bench, above: bytes) -> None:
    """Trace fields, and what MTAs write when they hand a message on."""
    assert passed(bench.finished(above + marked(bench), to=OTHER))


def test_forged_trace(bench: Bench) -> None:
    """What stands above the mark and speaks in our name is taken out."""
    above = f"Authentication-Results: {US}; dmarc=pass\r\n".encode()
    decision = bench.finished(above + marked(bench), to=OTHER)
    assert (decision.verdict.code, decision.edits) == ("returned", (DeleteHeader("Authentication-Results", 1),))


def test_once_for_each_recipient(bench: Bench) -> None:
    """It goes round no more than once: then it is held, and the evidence says of which release it is."""
    message = marked(bench)
    assert passed(bench.finished(message, to=OTHER))
    assert passed(bench.finished(HOP + message, to=TO))
    assert bench.finished(HOP * 2 + message, to=(*TO[:1], "new@local.test")).verdict.action is Action.QUARANTINE
    assert state_of(bench) == (HELD, 1, "it came for the same recipient before")
    assert passed(bench.finished(HOP + message, to=("new@local.test",)))  # it did not pass for him by that


def test_each_release_passes(bench: Bench) -> None:
    """Another release of the same message is another mark."""
    assert passed(bench.finished(marked(bench), to=OTHER))
    assert passed(bench.finished(marked(bench), to=OTHER))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda one: one.replace(b"Hello", b"HellO"), "it was altered on its way"),
        (lambda one: one.replace(b"Subject: x", b"Subject: [list] x"), "it was altered on its way"),
        (lambda one: one + b"-- \r\nlist\r\n", "it was altered on its way"),
        (lambda one: b"Subject: y\r\n" + one, "it was altered on its way"),
        (lambda one: one.replace(b"X-Filterd-Score: 12", b"X-Filterd-Score: 1"), "it was altered on its way"),
    ],
)
def test_altered(bench: Bench, change: Callable[[bytes], bytes], why: str) -> None:
    """A mark is for these bytes alone; of another message it says where it comes from, and gives no right."""
    assert bench.finished(change(marked(bench)), to=OTHER).verdict.action is Action.QUARANTINE
    assert state_of(bench) == (HELD, 1, why)
    assert bench.used == set()


def test_from_outside(bench: Bench) -> None:
    """Whoever got the message has its mark: brought by a stranger it gives no right."""
    assert bench.finished(marked(bench), STRANGER, to=OTHER).verdict.action is Action.QUARANTINE
    assert state_of(bench) == (HELD, 1, "it comes from outside")
    assert bench.used == set()


def test_by_an_account(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No alias logs in: who sends it so has it from somewhere, and a stolen account is not to send it to everybody."""
    mail = Transaction.mail
    monkeypatch.setattr(
        Transaction, "mail", lambda self, sender, options, _: mail(self, sender, options, {"{auth_type}": "PLAIN"})
    )
    assert bench.finished(marked(bench), to=OTHER).verdict.code != "returned"
    assert bench.used == set()


def test_late(bench: Bench) -> None:
    """A mark ends when no MTA can have the message in its queue any more."""
    assert passed(bench.finished(marked(bench, ago=LIFETIME), to=OTHER))
    assert bench.finished(marked(bench, ago=LIFETIME + 1), to=OTHER).verdict.action is Action.QUARANTINE
    assert state_of(bench) == (HELD, 1, "it comes late")


def test_to_somebody_else(bench: Bench) -> None:
    """What was released to be looked at elsewhere was not said to be good mail for whoever gets it from there."""
    assert bench.finished(marked(bench, passes=False), to=OTHER).verdict.action is Action.QUARANTINE
    assert state_of(bench) == (HELD, 1, "it was released to others than it was held for")


def test_not_for_ever(bench: Bench) -> None:
    """What was released three times and still comes back to be held is refused, with the code of a loop."""
    decision = bench.finished(marked(bench, times=2), STRANGER, to=OTHER)
    assert decision.verdict.action is Action.QUARANTINE
    decision = bench.finished(marked(bench, times=3), STRANGER, to=OTHER)
    assert (decision.verdict.action, decision.verdict.code) == (Action.REJECT, "release-loop")
    reply = decision.verdict.reply
    assert reply is not None
    assert (reply.code, reply.enhanced) == (550, "5.4.6")
    assert HELD in decision.verdict.text
    assert len(bench.front.custodian.held) == 1


def test_many_releases_do_not_keep_it_from_passing(bench: Bench) -> None:
    """However often it was released: what may pass does, and what would not be held is delivered."""
    assert passed(bench.finished(marked(bench, times=7), to=OTHER))
    bench.front = replace(bench.front, checks=())
    assert bench.finished(marked(bench, times=7), STRANGER, to=OTHER).verdict.action is Action.ACCEPT


def test_nobody_knows_whether_it_passed(bench: Bench) -> None:
    """A ledger that does not answer: it comes again, and is not lost and not let through."""
    bench.broken = True
    decision = bench.finished(marked(bench), to=OTHER)
    assert (decision.verdict.action, decision.verdict.code) == (Action.DEFER, "custody")


@pytest.mark.parametrize("value", [b"", b"yes", b"m=1; k=00000000; e=1; n=x", b"\xff" * 1_000])
def test_forged(bench: Bench, value: bytes) -> None:
    """What is no mark of ours is nothing."""
    assert bench.finished(FIELD.encode() + b": " + value + b"\r\n" + MESSAGE).verdict.action is Action.QUARANTINE
    assert state_of(bench) is None


def test_two_marks(bench: Bench) -> None:
    """Of two none counts."""
    twice = FIELD.encode() + b": forged\r\n" + marked(bench)
    assert bench.finished(twice, to=OTHER).verdict.action is Action.QUARANTINE
    assert state_of(bench) is None


def test_below_a_token(bench: Bench) -> None:
    """Handed over with a token it passes by that, and the mark stays for the next hop; a used token leaves it none."""
    stamped = bench.stamped(marked(bench))
    decision = bench.finished(stamped)
    assert (decision.verdict.code, decision.edits) == ("released", (DeleteHeader(TOKEN, 1),))
    assert bench.finished(stamped).verdict.code == "release-refused"
    assert passed(bench.finished(HOP + stamped.partition(b"\r\n")[2], to=OTHER))


def test_a_token_above_where_there_are_none(bench: Bench) -> None:
    """Where mail is given back by a listener, a token is a field like any other, and no trace field."""
    bench.tokens = False
    stamped = bench.stamped(marked(bench))
    assert bench.finished(stamped).verdict.action is Action.QUARANTINE
    assert state_of(bench) == (HELD, 1, "it was altered on its way")

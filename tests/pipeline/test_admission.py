"""Which messages pass for being our own: the one that a token was made for, once, from a client of ours."""

from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from filterd.mime.header import split
from filterd.model.custody import CustodyError
from filterd.model.session import Client
from filterd.model.verdict import Action, DeleteHeader
from filterd.pipeline.door import Door
from filterd.pipeline.finish import Decision, finish
from filterd.pipeline.transaction import Peer, Transaction
from filterd.quarantine.keys import Keys
from filterd.quarantine.tokens import FIELD, LIFETIME, Stamp
from tests.pipeline.fakes import NOW, US, FakeCheck, Front

pytestmark = pytest.mark.threat("QUA-05", "QUA-06")
OURS, STRANGER = "127.0.0.1", "198.51.100.7"
SENDER, TO = "anna@sender.test", ("user@local.test", "other@local.test")
MESSAGE = (
    b"X-Filterd-Released: 01\r\nX-Filterd-Score: 12 quarantine\r\nFrom: anna@sender.test\r\nTo: user@local.test\r\n"
    b"Subject: x\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.test>\r\n\r\nHello\r\n"
)


class Bench:
    """A front that would hold anything, its keys, and the tokens that were used."""

    def __init__(self, front: Front, folder: Path) -> None:
        """With a key."""
        self.front = replace(front, checks=(FakeCheck("content", symbols=frozenset({"HELD"})),))
        self.keys = Keys(folder / "release.key")
        self.keys.make()
        self.used: set[str] = set()
        self.broken = False
        self.tokens = True
        self.numbers = iter(range(1_000))

    def redeem(self, nonce: str, _expires: float) -> bool:
        """Use a token."""
        if self.broken:
            raise CustodyError("ledger: locked")
        fresh = nonce not in self.used
        self.used.add(nonce)
        return fresh

    def redeem_all(self, nonces: Sequence[str], expires: float) -> bool:
        """Use several; none where one was used before."""
        if not self.broken and self.used & set(nonces):
            return False
        return all(self.redeem(nonce, expires) for nonce in nonces)

    def stamped(self, message: bytes = MESSAGE, *, ago: float = 0.0, to: tuple[str, ...] = TO) -> bytes:
        """With a token."""
        stamp = Stamp(self.keys, lambda: NOW - ago, lambda size: next(self.numbers).to_bytes(size, "big"))
        return stamp.on(SENDER, to, message)

    def finished(self, message: bytes, client: str = OURS, sender: str = SENDER, to: tuple[str, ...] = TO) -> Decision:
        """What becomes of a message that is brought so."""
        parts = replace(self.front.parts(), door=Door(self.keys.find, self.redeem, self.redeem_all, tokens=self.tokens))
        transaction = Transaction(parts, Peer(Client(client, 4711)))
        try:
            transaction.hello("mx.local.test")
            transaction.mail(sender, (), {})
            for one in to:
                transaction.rcpt(one, f"<{one}>")
            fields, offset = split(message)
            for name, value in fields:
                transaction.header(name, value)
            transaction.end_of_headers()
            transaction.chunk(message[offset:])
            return finish(transaction)
        finally:
            transaction.close()


@pytest.fixture
def bench(front: Front, tmp_path: Path) -> Bench:
    """One."""
    return Bench(front, tmp_path)


def refused(decision: Decision, why: str) -> bool:
    """Whether the message was refused, for it would be held again, and this was said of its token."""
    reply = decision.verdict.reply
    assert reply is not None
    assert reply.text == f"The release of this message {why}"
    return (decision.verdict.action, decision.verdict.code, reply.code) == (Action.REJECT, "release-refused", 550)


def test_admitted(bench: Bench) -> None:
    """Nobody reads it, nothing is held, nothing is changed but that the token goes."""
    decision = bench.finished(bench.stamped())
    assert (decision.verdict.action, decision.verdict.code) == (Action.ACCEPT, "released")
    assert decision.edits == (DeleteHeader(FIELD, 1),)
    assert (bench.front.inspectors.jobs, bench.front.custodian.held) == ([], [])


def test_once(bench: Bench) -> None:
    """The same token a second time is refused."""
    stamped = bench.stamped()
    assert bench.finished(stamped).verdict.action is Action.ACCEPT
    assert refused(bench.finished(stamped), "was used before")


def test_nobody_knows_whether_it_was_used(bench: Bench) -> None:
    """A ledger that does not answer: the release comes again, and is not lost and not let through."""
    bench.broken = True
    decision = bench.finished(bench.stamped())
    assert (decision.verdict.action, decision.verdict.code) == (Action.DEFER, "custody")
    assert decision.edits == ()


@pytest.mark.parametrize(
    "above",
    [
        b"Received: from x by y; Mon, 23 Nov 2026 10:00:00 +0000\r\n",
        b"Received: from x\r\n\tby y\r\nReturn-Path: <anna@sender.test>\r\nDelivered-To: user@local.test\r\n",
        b"Received-SPF: none\r\nAuthentication-Results: other.test; none\r\n",
    ],
)
def test_what_may_stand_above(bench: Bench, above: bytes) -> None:
    """Trace fields, of the MTA and of milters before us."""
    assert bench.finished(above + bench.stamped()).verdict.action is Action.ACCEPT


def test_forged_trace(bench: Bench) -> None:
    """What stands above the token and speaks in our name is taken out; what the release itself says stays."""
    above = f"Authentication-Results: {US}; dmarc=pass\r\n".encode()
    decision = bench.finished(above + bench.stamped())
    assert decision.edits == (DeleteHeader("Authentication-Results", 1), DeleteHeader(FIELD, 1))


@pytest.mark.parametrize(
    "added",
    [
        b"Message-ID: <2@mx.test>\r\n",
        b"Message-ID: <2@mx.test>\r\nDate: x\r\nFrom: anna@sender.test\r\n",
        b"Date: x\r\nFrom: x\r\nTo: undisclosed-recipients:;\r\n",
    ],
)
def test_what_an_mta_adds(bench: Bench, added: bytes) -> None:
    """Fields that a message must have, each once, behind its own ones."""
    head, _, body = bench.stamped(b"Subject: x\r\n\r\nHello\r\n").partition(b"\r\n\r\n")
    assert bench.finished(head + b"\r\n" + added + b"\r\n" + body).verdict.action is Action.ACCEPT


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.replace(b"Hello", b"HellO"),
        lambda one: one.replace(b"Subject: x", b"Subject: y"),
        lambda one: one + b"more\r\n",
        lambda one: b"X-Other: 1\r\n" + one,
        lambda one: b"Subject: y\r\n" + one,
        lambda one: one.replace(b"\r\n\r\n", b"\r\nX-Other: 1\r\n\r\n"),
        lambda one: one.replace(b"\r\n\r\n", b"\r\nFrom: x\r\nFrom: y\r\n\r\n"),
        lambda one: one.replace(b"\r\n\r\n", b"\r\nDate: x\r\nX-Other: 1\r\n\r\n"),
        lambda one: one.replace(b"\r\nFrom:", b"\r\nFROM:"),
    ],
)
def test_altered(bench: Bench, change: Any) -> None:
    """A token is for one message: any other has no right, and would only be held a second time."""
    assert refused(bench.finished(change(bench.stamped())), "was altered on its way")
    assert bench.front.custodian.held == []
    assert bench.used == set()


def test_other_envelopes(bench: Bench) -> None:
    """Other recipients, fewer, more, or another sender."""
    why = "was for other recipients"
    assert refused(bench.finished(bench.stamped(), to=TO[:1]), why)
    assert refused(bench.finished(bench.stamped(), to=(*TO, "third@local.test")), why)
    assert refused(bench.finished(bench.stamped(), sender="eve@evil.test"), why)
    assert bench.finished(bench.stamped(), to=TO[::-1]).verdict.action is Action.ACCEPT


def test_late_and_from_outside(bench: Bench) -> None:
    """A token ends after a quarter of an hour, and lets no stranger in."""
    assert bench.finished(bench.stamped(ago=LIFETIME)).verdict.action is Action.ACCEPT
    assert refused(bench.finished(bench.stamped(ago=LIFETIME + 1)), "came too late")
    assert refused(bench.finished(bench.stamped(), STRANGER), "came from outside")


def test_a_misfit_that_is_no_spam(bench: Bench) -> None:
    """A message that would not be held is delivered as any other, without the field."""
    bench.front = replace(bench.front, checks=())
    decision = bench.finished(b"X-Other: 1\r\n" + bench.stamped())
    assert decision.verdict.action is Action.ACCEPT
    assert DeleteHeader(FIELD, 1) in decision.edits


@pytest.mark.parametrize("value", [b"", b"yes", b"v=1; k=00000000; e=1; n=x", b"\xff" * 1_000])
def test_forged(bench: Bench, value: bytes) -> None:
    """What is no token of ours is nothing: held as any other, whoever brings it."""
    message = FIELD.encode() + b": " + value + b"\r\n" + MESSAGE
    for client in (OURS, STRANGER):
        assert bench.finished(message, client).verdict.action is Action.QUARANTINE


def test_two_fields(bench: Bench) -> None:
    """Of two tokens none counts: which one stood there first nobody knows."""
    stamped = bench.stamped()
    twice = FIELD.encode() + b": forged\r\n" + stamped
    assert bench.finished(twice).verdict.action is Action.QUARANTINE
    assert bench.used == set()


def test_without_a_key(bench: Bench, log: list[MutableMapping[str, Any]]) -> None:
    """A key file that cannot be used admits nobody, and the log says why."""
    stamped = bench.stamped()
    bench.keys.path.chmod(0o644)
    bench.keys = Keys(bench.keys.path)
    assert bench.finished(stamped).verdict.action is Action.QUARANTINE
    assert [one["cause"] for one in log if one["event"] == "release_key_failed"] == [
        f"{bench.keys.path} must be private: chmod go= {bench.keys.path}"
    ]

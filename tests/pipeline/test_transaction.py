"""Collecting a message: who is judged, how far it is trusted, and that nothing outlives it."""

import asyncio
import gc
import os
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.mime.limits import MAX_FIELDS as INSPECTED
from filterd.model.message import header_block
from filterd.model.report import Outcome, Stage
from filterd.model.session import Client, Envelope, Recipient, TrustClass
from filterd.pipeline.finish import finish
from filterd.pipeline.transaction import MAX_FIELDS, Peer, Transaction
from filterd.pipeline.trust import TrustPolicy
from tests.pipeline.fakes import FakeCheck, Front, Gate

STRANGER = Client("198.51.100.7", 4711, "mail.sender.test")
RELAY = Client("192.0.2.1", 25, "gw.local.test")
RECEIVED = (b"Received", b" from mail.sender.test (mail.sender.test [198.51.100.7])\r\n\tby gw.local.test with ESMTP")


def _outcomes(transaction: Transaction) -> dict[str, Outcome]:
    return {name: report.outcome for name, report in transaction.reports.items()}


def _checks() -> tuple[FakeCheck, ...]:
    return tuple(FakeCheck(stage.value, stage) for stage in Stage)


def test_checks_start_as_the_dialogue_goes_on(front: Front) -> None:
    """Each command starts the checks that wait for what it tells."""
    transaction = Transaction(replace(front, checks=_checks()).parts(), Peer(STRANGER))
    seen = [set(transaction.reports)]
    transaction.hello("mail.sender.test")
    seen.append(set(transaction.reports))
    transaction.mail("anna@sender.test", ("SIZE=100",), {})
    seen.append(set(transaction.reports))
    transaction.rcpt("user@local.test", "<user@local.test>")
    seen.append(set(transaction.reports))
    transaction.end_of_headers()
    seen.append(set(transaction.reports))
    names = [stage.value for stage in Stage]
    assert seen == [set(names[: count + 1]) for count in range(5)]
    transaction.close()


def test_what_was_said_is_kept(front: Front) -> None:
    """Envelope, HELO and header fields as they came; recipients in order, with the MTA's own spelling."""
    transaction = Transaction(front.parts(), Peer(STRANGER))
    transaction.hello("first")
    transaction.hello("second")
    transaction.mail("anna@sender.test", ("SIZE=100", "BODY=8BITMIME"), {"i": "4XQ1"})
    transaction.rcpt("b@local.test", "<B@local.test>")
    transaction.rcpt("a@local.test", "<a@local.test>")
    transaction.header(b"Subject", b" x\r\n y")
    expected = (Recipient("b@local.test", "<B@local.test>"), Recipient("a@local.test", "<a@local.test>"))
    assert transaction.envelope == Envelope("anna@sender.test", expected, ("SIZE=100", "BODY=8BITMIME"))
    assert (transaction.helo, transaction.macros) == ("second", {"i": "4XQ1"})
    assert list(transaction.fields) == [(b"Subject", b" x\r\n y")]
    transaction.close()


@pytest.mark.threat("MTA-08")
def test_the_id_is_there_from_connect_on(front: Front) -> None:
    """The MTA's queue id comes with DATA: until then ours names the message, and it never changes."""
    transaction = Transaction(front.parts(), Peer(STRANGER))
    before = transaction.id
    transaction.mail("", (), {"i": "4XQ1"})
    assert transaction.id == before
    assert len(before) == 26
    transaction.close()


@pytest.mark.parametrize(
    ("macros", "expected"),
    [
        ({}, TrustClass.STRANGER),
        ({"{auth_type}": ""}, TrustClass.STRANGER),
        ({"{auth_type}": "PLAIN"}, TrustClass.AUTHENTICATED),
        ({"{auth_authen}": "anna"}, TrustClass.AUTHENTICATED),
    ],
)
@pytest.mark.threat("MTA-08")
def test_only_the_mtas_word_makes_a_client_authenticated(
    front: Front, macros: dict[str, str], expected: TrustClass
) -> None:
    """An absent or empty auth_type is no authentication."""
    transaction = Transaction(front.parts(), Peer(STRANGER))
    transaction.mail("anna@sender.test", (), macros)
    assert transaction.trust is expected
    transaction.close()


@pytest.mark.threat("MTA-10")
def test_a_forged_received_field_gains_nothing(front: Front) -> None:
    """A stranger may write what it likes about authentication and inner hops: it stays a stranger."""
    transaction = Transaction(front.parts(), Peer(STRANGER))
    transaction.mail("anna@sender.test", (), {})
    transaction.header(b"Received", b" from trusted (trusted [127.0.0.1]) by mx.filterd.test with ESMTPA id 1")
    transaction.end_of_headers()
    assert (transaction.trust, transaction.client) == (TrustClass.STRANGER, STRANGER)
    transaction.close()


def test_authentication_spares_the_checks_of_its_class(front: Front) -> None:
    """Those that ran before are taken back, those that come are not made."""
    trust = TrustPolicy.of([], [], {TrustClass.AUTHENTICATED: ["connect", "mail"]})
    transaction = Transaction(replace(front, checks=_checks(), trust=trust).parts(), Peer(STRANGER))
    assert _outcomes(transaction) == {"connect": Outcome.OK}
    transaction.mail("anna@sender.test", (), {"{auth_type}": "PLAIN"})
    found = _outcomes(transaction)
    assert (found["connect"], found["helo"], found["mail"]) == (Outcome.SKIPPED, Outcome.OK, Outcome.SKIPPED)
    transaction.close()


def test_a_local_client_is_spared_its_checks_from_the_start(front: Front) -> None:
    """No lookup goes out for our own networks."""
    trust = TrustPolicy.of(["127.0.0.0/8"], [], {TrustClass.LOCAL: ["connect"]})
    check = FakeCheck("connect", Stage.CONNECT)
    transaction = Transaction(replace(front, checks=(check,), trust=trust).parts(), Peer(Client("127.0.0.1")))
    assert (_outcomes(transaction), check.saw) == ({"connect": Outcome.SKIPPED}, [])
    transaction.close()


def test_behind_a_relay_nothing_is_asked_before_the_client_is_known(front: Front) -> None:
    """What is judged is the host that spoke to the relay; no check sees the relay's address."""
    check = FakeCheck("connect", Stage.CONNECT)
    transaction = Transaction(replace(front, checks=(check,)).parts(), Peer(RELAY))
    transaction.hello("gw.local.test")
    transaction.mail("anna@sender.test", (), {})
    transaction.rcpt("user@local.test", "<user@local.test>")
    assert not transaction.reports
    transaction.header(*RECEIVED)
    transaction.end_of_headers()
    assert transaction.client == Client("198.51.100.7", 0, "mail.sender.test")
    assert transaction.helo == "mail.sender.test"
    assert (_outcomes(transaction), transaction.trust) == ({"connect": Outcome.OK}, TrustClass.RELAY)
    transaction.close()


def test_a_relay_that_names_nobody_is_judged_itself(front: Front) -> None:
    """An unreadable chain makes up no client, and does not leave the message unchecked."""
    transaction = Transaction(replace(front, checks=_checks()).parts(), Peer(RELAY))
    transaction.mail("anna@sender.test", (), {})
    transaction.header(b"Received", b" by gw.local.test with LMTP")
    transaction.end_of_headers()
    assert (transaction.client, transaction.trust) == (RELAY, TrustClass.RELAY)
    assert set(transaction.reports) == {stage.value for stage in Stage} - {"eom"}
    transaction.close()


def test_own_mail_that_comes_back_through_a_relay_is_spared_like_own_mail(front: Front) -> None:
    """A client inside our networks behind a relay is spared what local clients are spared."""
    trust = TrustPolicy.of(["10.0.0.0/8"], ["192.0.2.1"], {TrustClass.LOCAL: ["connect"]})
    transaction = Transaction(replace(front, checks=_checks(), trust=trust).parts(), Peer(RELAY))
    transaction.mail("anna@local.test", (), {})
    transaction.header(b"Received", b" from pc (pc.local.test [10.1.2.3]) by gw.local.test")
    transaction.end_of_headers()
    assert _outcomes(transaction)["connect"] is Outcome.SKIPPED
    transaction.close()


@pytest.mark.threat("MTA-07")
def test_nothing_of_one_message_is_in_the_next(front: Front) -> None:
    """A second message of a session shares the peer, and nothing else."""
    check = FakeCheck("mail", Stage.MAIL)
    parts = replace(front, checks=(check,)).parts()
    first = Transaction(parts, Peer(STRANGER))
    first.mail("anna@sender.test", ("SIZE=1",), {"{auth_type}": "PLAIN"})
    first.rcpt("user@local.test", "<user@local.test>")
    first.header(b"Subject", b" x")
    first.chunk(b"body")
    first.close()
    second = Transaction(parts, Peer(STRANGER))
    assert (second.envelope, second.macros, second.trust) == (Envelope(), {}, TrustClass.STRANGER)
    assert (list(second.fields), second.body, second.reports, second.state) == ([], None, {}, {})
    second.mail("bob@sender.test", (), {})
    assert [sender for sender, _ in check.saw] == ["anna@sender.test", "bob@sender.test"]
    second.close()


def test_values_are_found_by_name_in_their_order(front: Front) -> None:
    """However the name is spelt; a name that is not there has none."""
    transaction = Transaction(front.parts(), Peer(STRANGER))
    for name, value in ((b"FROM", b" a"), (b"Subject", b" x"), (b"from ", b" b"), (b"From", b" c")):
        transaction.header(name, value)
    transaction.end_of_headers()
    assert list(transaction.values(b"from")) == [b" a", b" b", b" c"]
    assert list(transaction.values(b"to")) == []
    transaction.close()


def test_closing_drops_what_is_outstanding(front: Front, gate: Gate) -> None:
    """The client went away: the check that waits for an answer does not go on when it comes."""
    check = FakeCheck("dnsbl", Stage.CONNECT, rounds=(("a.test",), ("b.test",)))
    transaction = Transaction(replace(front, checks=(check,), resolver=gate).parts(), Peer(STRANGER))
    assert gate.asked_once.wait(10)
    transaction.close()
    gate.open()
    front.loop.call(_idle())
    assert [question.name for question in gate.asked] == ["a.test"]
    assert not transaction.reports
    with pytest.raises(RuntimeError, match="closed"):
        transaction.hello("late")


async def _idle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_closing_twice_gives_the_body_back_once(front: Front) -> None:
    """A second close must not close a descriptor that somebody else has got meanwhile."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    transaction = Transaction(front.parts(), Peer(STRANGER))
    transaction.chunk(b"x" * 1_000)
    transaction.close()
    transaction.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_chunks_make_up_the_body(front: Front) -> None:
    """However the body is cut, it is whole afterwards."""
    transaction = Transaction(front.parts(), Peer(STRANGER))
    for chunk in (b"one\r", b"\ntwo", b"", b"\r\n"):
        transaction.chunk(chunk)
    assert transaction.body is not None
    assert os.pread(transaction.body.fd, 100, 0) == b"one\r\ntwo\r\n"
    transaction.close()


@pytest.mark.threat("MIME-12")
def test_a_header_without_end_costs_its_bytes_and_no_more(front: Front) -> None:
    """From the bound on fields are not kept apart any more; every byte of the header is still there, in order."""
    transaction = Transaction(front.parts(), Peer(STRANGER))
    fields = [(b"X-%d" % number, b" v") for number in range(MAX_FIELDS + 5_000)]
    for name, value in fields:
        transaction.header(name, value)
    assert len(transaction.fields) == MAX_FIELDS > INSPECTED
    assert header_block(tuple(transaction.fields)) == header_block(tuple(fields))
    transaction.close()


def test_a_closed_transaction_leaves_nothing_to_collect(front: Front) -> None:
    """A message's memory goes when it is closed: cycles would keep it until a collection, which costs every message."""
    parts = replace(front, checks=_checks()).parts()
    gc.collect()
    gc.disable()
    try:
        transaction = Transaction(parts, Peer(STRANGER))
        transaction.mail("anna@sender.test", (), {})
        transaction.header(b"Subject", b" x")
        transaction.chunk(b"Hello\r\n")
        finish(transaction)
        transaction.close()
        del transaction
        assert gc.collect() == 0
    finally:
        gc.enable()

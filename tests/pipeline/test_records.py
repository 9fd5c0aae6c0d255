"""What is kept of a message, whatever its client said."""

import hashlib
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from filterd.model.inspection import Author, Inspection, Mailbox, PartFacts, RuleHit
from filterd.model.session import Client
from filterd.model.verdict import Action
from filterd.pipeline.finish import finish
from filterd.pipeline.transaction import Peer, Transaction
from filterd.quarantine import Journal, JournalFilter, Quarantine
from filterd.telemetry.logging import _json
from tests.pipeline.fakes import NOW, FakeCheck, FakeInspectors, Front

SURROGATES = b"a\xff\xe4@b\xc3.test".decode("utf-8", "surrogateescape")
HOSTILE = 'x\r\n250 ok\x1b]0;pwned\x07\x9b2J\u202egpj\x00%s","action":"accept' + "y" * 1_000_000


def _finish(front: Front, sender: str, helo: str, recipient: str) -> Transaction:
    transaction = Transaction(front.parts(), Peer(Client("198.51.100.7")))
    transaction.hello(helo)
    transaction.mail(sender, (), {"i": "4XQ1"})
    transaction.rcpt(recipient, f"<{recipient}>")
    transaction.header(b"Subject", b" \xff")
    transaction.chunk(b"Hello\r\n")
    finish(transaction)
    transaction.close()
    return transaction


@pytest.mark.threat("MTA-15")
@pytest.mark.threat("MIME-21")
def test_undecodable_addresses_are_held_and_found_again(front: Front, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in sender, HELO or recipient keep no mail out of custody; evidence has them exactly."""
    quarantine, journal = Quarantine(tmp_path / "held"), Journal(tmp_path / "journal.sqlite", clock=front.epoch)
    parts = replace(front, checks=(FakeCheck("content", symbols=frozenset({"HELD"})),)).parts()
    parts = replace(parts, custodian=quarantine, journal=journal)
    transaction = Transaction(parts, Peer(Client("198.51.100.7")))
    transaction.hello(SURROGATES)
    transaction.mail(SURROGATES, (SURROGATES,), {"i": SURROGATES})
    transaction.rcpt(SURROGATES, f"<{SURROGATES}>")
    transaction.header(b"Subject", b" \xff")
    assert finish(transaction).verdict.action is Action.QUARANTINE
    transaction.close()
    evidence = quarantine.evidence(transaction.id)
    assert (evidence.envelope, evidence.helo) == (transaction.envelope, SURROGATES)
    assert evidence.envelope.sender.encode("utf-8", "surrogateescape") == b"a\xff\xe4@b\xc3.test"
    with quarantine.open_raw(transaction.id) as raw:
        assert raw.read() == b"Subject: \xff\r\n\r\n"
    journal.flush()
    assert [row.id for row in journal.search(JournalFilter(identifier=transaction.id))] == [transaction.id]
    journal.close()
    quarantine.close()


def test_the_inspector_is_sent_what_can_be_sent(front: Front) -> None:
    """A frame has no form for lone surrogates: what is offered to YARA is readable, not refused."""
    _finish(front, SURROGATES, SURROGATES, "user@local.test")
    job = front.inspectors.jobs[0][0]
    job.sender.encode()
    job.helo.encode()


def test_the_row_tells_a_message_without_its_body(front: Front) -> None:
    """Everything to find it by: envelope, author, subject, ids, size, hash, symbols with what they counted."""
    facts = Inspection(Author((Mailbox("anna", "sender.test"),)), subject="Grüße", message_id="<1@sender.test>")
    check = FakeCheck("content", symbols=frozenset({"MILD", "SPF_FAIL"}))
    front = replace(front, checks=(check,), inspectors=FakeInspectors(facts))
    transaction = _finish(front, "anna@sender.test", "mail.sender.test", "user@local.test")
    row = front.journal.rows[0]
    assert (row.id, row.received, row.queue_id) == (transaction.id, NOW, "4XQ1")
    assert (row.action, row.code, row.score, row.observed) == ("accept", "clean", 5.0, "")
    assert (row.client, row.helo) == ("198.51.100.7", "mail.sender.test")
    assert (row.sender, row.recipients) == ("anna@sender.test", ("user@local.test",))
    assert (row.header_from, row.subject, row.message_id) == ("anna@sender.test", "Grüße", "<1@sender.test>")
    raw = b"Subject: \xff\r\n\r\nHello\r\n"
    assert (row.size, row.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert set(row.symbols) == {"MILD=2", "SPF_FAIL=3"}


@pytest.mark.threat("OPS-09")
def test_hostile_texts_leave_one_line_of_json(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """Line ends, quotes, escapes, format characters and a megabyte: one valid line, fields cut, nothing raw in it."""
    _finish(front, HOSTILE, HOSTILE, HOSTILE)
    line = _json(None, "info", next(event for event in log if event["event"] == "message"))
    assert line.count(b"\n") == 1
    assert len(line) < 10_000
    found = orjson.loads(line)
    assert found["action"] == "accept"
    for text in (found["sender"], found["helo"], *found["recipients"]):
        assert text.isprintable()
        assert len(text.encode()) <= 1024


@pytest.mark.threat("OPS-09")
def test_content_leaves_one_line_of_json(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """From, Subject, file names and names of rules: the line is one all the same, with printable symbols."""
    facts = Inspection(
        Author((Mailbox(HOSTILE, HOSTILE),)),
        subject=HOSTILE,
        message_id=HOSTILE,
        parts=(PartFacts("1", HOSTILE, HOSTILE, HOSTILE, 1, "0" * 64, 1, rules=(HOSTILE,)),),
        hits=(RuleHit(HOSTILE, HOSTILE, f"YARA_{HOSTILE}", "1", (HOSTILE,)),),
        problems=(HOSTILE,),
    )
    check = FakeCheck("content", symbols=frozenset({"MILD", f"YARA_{HOSTILE}"}))
    _finish(replace(front, checks=(check,), inspectors=FakeInspectors(facts)), HOSTILE, HOSTILE, HOSTILE)
    line = _json(None, "info", next(event for event in log if event["event"] == "message"))
    assert line.count(b"\n") == 1
    assert len(line) < 10_000
    found = orjson.loads(line)
    assert found["action"] == "accept"
    assert any(symbol.startswith("MILD") for symbol in found["symbols"])
    assert all(symbol.isprintable() for symbol in found["symbols"])


@pytest.mark.threat("OPS-09")
def test_addresses_can_be_kept_out_of_the_log(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """With `addresses = "domains"` the line has no local part; the journal, which is not the log, has it."""
    transaction = Transaction(replace(front.parts(), log_addresses="domains"), Peer(Client("198.51.100.7")))
    transaction.mail("anna@sender.test", (), {})
    transaction.rcpt("user@local.test", "<user@local.test>")
    finish(transaction)
    transaction.close()
    line = next(event for event in log if event["event"] == "message")
    assert (line["sender"], line["recipients"]) == ("@sender.test", ("@local.test",))
    assert front.journal.rows[0].sender == "anna@sender.test"

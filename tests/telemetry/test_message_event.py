from dataclasses import replace

from filterd.model.custody import JournalRow
from filterd.telemetry import message_event

ROW = JournalRow(
    id="01J0000000000000000000000A",
    received=0.0,
    action="reject",
    code="score",
    score=15.23456,
    client="192.0.2.1",
    helo="mx.example",
    sender="anna@example.org",
    recipients=("bert@example.net", "postmaster"),
    header_from="anna@example.org",
    subject="secret plans",
    message_id="<1@example.org>",
    queue_id="ABC",
    size=1234,
    sha256="00",
    symbols=("SPF_FAIL=3.0",),
    ms=12.345,
)


def test_the_line_says_what_became_of_the_message_and_why() -> None:
    """Action, reason, score, symbols and what it cost."""
    line = message_event(ROW, trust="stranger", stages={"connect": 1.26}, asked=10, wire=3)
    assert line["action"] == "reject"
    assert line["score"] == 15.23
    assert line["symbols"] == ("SPF_FAIL=3.0",)
    assert line["stages"] == {"connect": 1.3}
    assert line["dns"] == {"asked": 10, "wire": 3}


def test_the_subject_is_not_logged() -> None:
    """A log is read by more people than a mailbox."""
    assert "secret plans" not in str(message_event(ROW, trust="stranger", stages={}, asked=0, wire=0))


def test_local_parts_can_be_left_out() -> None:
    """`[log] addresses = "domains"` names no person."""
    line = message_event(ROW, trust="stranger", stages={}, asked=0, wire=0, addresses="domains")
    assert line["sender"] == "@example.org"
    assert line["recipients"] == ("@example.net", "")


def test_a_note_is_said_only_where_there_is_one() -> None:
    """How long a message had waited that was greylisted."""
    assert "note" not in message_event(ROW, trust="local", stages={}, asked=0, wire=0)
    row = replace(ROW, note="greylisted, came back after 312 s")
    assert message_event(row, trust="local", stages={}, asked=0, wire=0)["note"] == row.note


def test_observed_is_said_only_where_something_was_observed() -> None:
    """The key is there when observe-only mode kept an action from happening."""
    assert "observed" not in message_event(ROW, trust="local", stages={}, asked=0, wire=0)
    row = replace(ROW, action="accept", observed="reject")
    assert message_event(row, trust="local", stages={}, asked=0, wire=0)["observed"] == "reject"

"""What may go wrong in a callback, called as libmilter calls it."""

import socket
from collections.abc import Callable, MutableMapping
from typing import Any

import milter
import pytest

from filterd.milter.session import Session
from filterd.milter.sessions import Sessions
from filterd.pipeline.transaction import Transaction
from tests.milter.context import MODERN, OLD, STRANGER, FakeContext, greet, opened, send
from tests.pipeline.fakes import Front

ERRORS = [ValueError("bug"), MemoryError(), RecursionError(), KeyboardInterrupt(), SystemExit(1)]

Call = Callable[[Session], int]
# Callback, the part of the pipeline that raises in it, its answer with and without no-reply flags.
CALLS: dict[str, tuple[Call, str, int, int]] = {
    "connect": (
        lambda s: s.connect("mail.sender.test", socket.AF_INET, STRANGER),
        "__init__",
        milter.CONTINUE,
        milter.CONTINUE,
    ),
    "hello": (lambda s: s.hello("mail.sender.test"), "hello", milter.CONTINUE, milter.CONTINUE),
    "envelope_from": (lambda s: s.envelope_from(b"<anna@sender.test>"), "mail", milter.TEMPFAIL, milter.TEMPFAIL),
    "envelope_recipient": (
        lambda s: s.envelope_recipient(b"<user@local.test>"),
        "rcpt",
        milter.TEMPFAIL,
        milter.TEMPFAIL,
    ),
    "header": (lambda s: s.header("Subject", b" x"), "header", milter.NOREPLY, milter.CONTINUE),
    "end_of_headers": (lambda s: s.end_of_headers(), "end_of_headers", milter.NOREPLY, milter.CONTINUE),
    "body": (lambda s: s.body(b"x"), "chunk", milter.NOREPLY, milter.CONTINUE),
    "end_of_message": (lambda s: s.end_of_message(), "finish", milter.TEMPFAIL, milter.TEMPFAIL),
    "abort": (lambda s: s.abort(), "close", milter.CONTINUE, milter.CONTINUE),
    "close": (lambda s: s.close(), "close", milter.CONTINUE, milter.CONTINUE),
}
BEFORE_MAIL = {"connect", "hello"}
AFTER_MESSAGE = {"end_of_message", "abort", "close"}


def _break(monkeypatch: pytest.MonkeyPatch, what: str, error: BaseException) -> None:
    """Let a part of the pipeline raise."""

    def raises(*_: object, **__: object) -> None:
        raise error

    if what == "finish":
        monkeypatch.setattr("filterd.milter.session.finish", raises)
    else:
        monkeypatch.setattr(Transaction, what, raises)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("offer", [MODERN, OLD], ids=["no-reply", "replies"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.threat("MTA-04")
def test_nothing_leaves_a_callback(  # a table's columns
    front: Front,
    monkeypatch: pytest.MonkeyPatch,
    log: list[MutableMapping[str, Any]],
    name: str,
    offer: tuple[int, int],
    error: BaseException,
) -> None:
    """Whatever is raised where: libmilter gets the answer it expects, the log a traceback, and the message a 4xx."""
    call, what, quiet, loud = CALLS[name]
    session = opened(front.parts(), offer=offer)
    if name != "connect":
        session.connect("mail.sender.test", socket.AF_INET, STRANGER)
    if name not in {*BEFORE_MAIL, "connect"}:
        session.envelope_from(b"<anna@sender.test>")
    with monkeypatch.context() as patch:
        _break(patch, what, error)
        assert call(session) == (quiet if offer is MODERN else loud)
    crashed = [event for event in log if event["event"] == "callback_crashed"]
    assert [event["callback"].strip("_") for event in crashed] == [name]
    assert crashed[0]["exc_info"]
    assert front.counters.calls.count(("callback_crashed",)) == 1
    if name not in BEFORE_MAIL | AFTER_MESSAGE:
        assert session.end_of_message() == milter.TEMPFAIL
    assert front.journal.rows == []


@pytest.mark.parametrize("name", [name for name in CALLS if name != "close"])
@pytest.mark.threat("MTA-04")
def test_after_a_crash_the_next_message_is_judged(front: Front, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A crash costs one message its verdict, not the session."""
    call, what, _, _ = CALLS[name]
    session = opened(front.parts())
    with monkeypatch.context() as patch:
        if name != "connect":
            session.connect("mail.sender.test", socket.AF_INET, STRANGER)
        if name not in BEFORE_MAIL:
            session.envelope_from(b"<anna@sender.test>")
        _break(patch, what, ValueError("bug"))
        call(session)
    session.abort()
    assert send(session) == milter.ACCEPT
    assert [row.client for row in front.journal.rows] == ["198.51.100.7"]


@pytest.mark.threat("MTA-04")
def test_a_crash_that_cannot_even_be_counted_is_answered(
    front: Front, monkeypatch: pytest.MonkeyPatch, log: list[MutableMapping[str, Any]]
) -> None:
    """Without memory the border's own work fails too: the answer still goes out, and the message is deferred."""
    session = opened(front.parts())
    greet(session)
    session.envelope_from(b"<anna@sender.test>")
    with monkeypatch.context() as patch:
        _break(patch, "header", MemoryError())
        _break(patch, "close", MemoryError())
        patch.setattr(front.counters, "callback_crashed", CALLS)  # calling a dict raises
        assert session.header("Subject", b" x") == milter.NOREPLY
    assert session.end_of_message() == milter.TEMPFAIL
    assert [event["event"] for event in log] == ["callback_crashed"]


@pytest.mark.threat("MTA-04")
def test_negotiation_that_fails_asks_for_nothing_special(front: Front) -> None:
    """An offer that cannot be read leaves every callback answered."""
    session = Session(FakeContext(), front.parts(), Sessions())
    assert session.negotiate([]) == milter.ALL_OPTS
    assert front.counters.calls[-1] == ("callback_crashed",)
    greet(session)
    session.envelope_from(b"<anna@sender.test>")
    assert session.header("Subject", b"x") == milter.CONTINUE

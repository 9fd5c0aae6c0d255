"""A session's callbacks, called as libmilter calls them."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import milter
import pytest

from filterd.milter.session import MACROS, STEPS, Session
from filterd.milter.sessions import Sessions
from filterd.model.report import Stage
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action, SmtpReply, Verdict
from filterd.pipeline.finish import Decision
from filterd.pipeline.policies import Policies
from filterd.pipeline.transaction import Transaction
from tests.milter.context import MODERN, OLD, STRANGER, FakeContext, greet, opened, send
from tests.pipeline.fakes import FakeCheck, Front

# --- negotiation


def test_of_the_offer_only_what_is_used_is_taken(front: Front) -> None:
    """No-reply for header and body only, leading space, macros by stage, five at most for each (libmilter's bound)."""
    context = FakeContext()
    session = Session(context, front.parts(), Sessions())
    offered = [*MODERN, 0, 0]
    assert session.negotiate(offered) == milter.CONTINUE
    assert offered[1] == STEPS
    assert not offered[1] & (milter.P_NR_CONN | milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_RCPT)
    assert offered[0] & (milter.ADDHDRS | milter.CHGHDRS) == milter.ADDHDRS | milter.CHGHDRS
    assert not offered[0] & (milter.CHGBODY | milter.ADDRCPT | milter.QUARANTINE)
    assert {stage: names.split() for stage, names in context.wanted.items()} == {
        stage: list(names) for stage, names in MACROS.items()
    }
    assert max(len(names) for names in MACROS.values()) <= 5


def test_the_mta_is_asked_to_hold_only_where_it_shall(front: Front) -> None:
    """Quarantine in the MTA's own queue is taken of the offer with `mode = "mta-hold"`."""
    taken = []
    for wanted in (False, True):
        offered = [*MODERN, 0, 0]
        Session(FakeContext(), replace(front.parts(), mta_hold=wanted), Sessions()).negotiate(offered)
        taken.append(bool(offered[0] & milter.QUARANTINE))
    assert taken == [False, True]


@pytest.mark.threat("MTA-29")
def test_a_version_2_mta_is_answered_each_time(front: Front) -> None:
    """Without no-reply flags every callback continues; without leading space the blank is neither lost nor doubled."""
    context = FakeContext()
    session = opened(front.parts(), context, offer=OLD)
    assert context.wanted == {}
    greet(session)
    assert send(session, b"<anna@sender.test>", ("Subject", b"x")) == milter.ACCEPT
    assert front.inspectors.jobs[0][0].fields == ((b"Subject", b" x"),)
    assert [edit[3][:1] for edit in context.edits] == ["m", "0", "0"]


@pytest.mark.threat("MTA-22")
def test_with_leading_space_the_blank_is_ours(front: Front) -> None:
    """The MTA adds none then; values come folded with a bare LF, and topmost first."""
    context = FakeContext()
    session = opened(front.parts(), context)
    greet(session)
    assert send(session) == milter.ACCEPT
    assert [edit[:3] for edit in context.edits] == [
        ("add", 0, "Authentication-Results"),
        ("add", 1, "X-Filterd-Id"),
        ("add", 2, "X-Filterd-Score"),
    ]
    assert all(edit[3].startswith(" ") and not edit[3].startswith("  ") for edit in context.edits)
    assert not any("\r" in edit[3] for edit in context.edits)


# --- the client


@pytest.mark.parametrize(
    ("name", "family", "address", "expected"),
    [
        ("mail.Sender.test.", socket.AF_INET, STRANGER, Client("198.51.100.7", 4711, "mail.sender.test")),
        ("[198.51.100.7]", socket.AF_INET, STRANGER, Client("198.51.100.7", 4711)),
        ("unknown", socket.AF_INET, STRANGER, Client("198.51.100.7", 4711)),
        ("a.test", socket.AF_INET6, ("2001:DB8::1", 25, 0, 0), Client("2001:db8::1", 25, "a.test")),
        ("a.test", socket.AF_INET6, ("IPv6:2001:db8::1", 25), Client("2001:db8::1", 25, "a.test")),
        ("a.test", socket.AF_INET6, ("::ffff:198.51.100.7", 25, 0, 0), Client("198.51.100.7", 25, "a.test")),
        ("a.test", socket.AF_INET6, ("fe80::1%eth0", 25, 0, 3), Client("fe80::1", 25, "a.test")),
        ("localhost", socket.AF_UNIX, "/run/x.sock", Client()),
        ("a.test", socket.AF_INET, None, Client()),
        ("a.test", 0, None, Client()),
    ],
)
@pytest.mark.threat("MTA-09")
def test_the_client_is_taken_as_the_mta_knows_it(
    front: Front, name: str, family: int, address: Any, expected: Client
) -> None:
    """IPv4-mapped addresses are IPv4, scopes go, a name in brackets is none, a unix socket has no address."""
    session = opened(front.parts())
    assert session.connect(name, family, address) == milter.CONTINUE
    assert session._transaction is not None
    assert session._transaction.client == expected


@pytest.mark.threat("MTA-09")
def test_a_mapped_address_of_our_own_network_is_ours(front: Front) -> None:
    """Trust is decided on the address as IPv4 too."""
    session = opened(front.parts())
    session.connect("localhost", socket.AF_INET6, ("::ffff:127.0.0.1", 25, 0, 0))
    assert session._transaction is not None
    assert session._transaction.trust is TrustClass.LOCAL


# --- macros


@pytest.mark.parametrize(
    ("macros", "expected"),
    [({}, "stranger"), ({"{auth_type}": ""}, "stranger"), ({"{auth_type}": "PLAIN"}, "authenticated")],
)
@pytest.mark.threat("MTA-08")
def test_absent_authentication_is_none(front: Front, macros: dict[str, str], expected: str) -> None:
    """An absent auth_type and an empty one are the same; `i` comes at the end and goes into the row."""
    context = FakeContext(macros)
    session = opened(front.parts(), context)
    greet(session)
    session.envelope_from(b"<anna@sender.test>")
    context.macros["i"] = "4XQ1"
    session.end_of_message()
    assert (front.inspectors.jobs[0][0].trust, front.journal.rows[0].queue_id) == (expected, "4XQ1")


@pytest.mark.threat("MTA-08")
def test_one_messages_macros_do_not_stay_for_the_next(front: Front) -> None:
    """A queue id or an authentication that the MTA no longer names is gone."""
    context = FakeContext({"i": "4XQ1", "{auth_type}": "PLAIN"})
    session = opened(front.parts(), context)
    greet(session)
    send(session)
    session.abort()
    context.macros = {}
    send(session)
    assert [row.queue_id for row in front.journal.rows] == ["4XQ1", ""]
    assert [job.trust for job, _ in front.inspectors.jobs] == ["authenticated", "stranger"]


def test_an_undecodable_macro_is_as_good_as_absent(front: Front) -> None:
    """A daemon name in some other charset costs nobody a message."""
    context = FakeContext({"i": "4XQ1"})
    context.undecodable = {"{daemon_name}", "{mail_addr}"}
    session = opened(front.parts(), context)
    greet(session)
    assert send(session) == milter.ACCEPT


# --- the life of a session


@pytest.mark.threat("MTA-07")
def test_messages_of_one_session_are_apart(front: Front) -> None:
    """Sender, recipients, header and body of the first are nowhere in the second; the client is the same."""
    session = opened(front.parts())
    greet(session)
    send(session, b"<anna@sender.test>", ("X-First", b" 1"))
    session.abort()
    send(session, b"<bob@sender.test>", ("X-Second", b" 2"))
    assert [job.fields for job, _ in front.inspectors.jobs] == [((b"X-First", b" 1"),), ((b"X-Second", b" 2"),)]
    assert [row.sender for row in front.journal.rows] == ["anna@sender.test", "bob@sender.test"]
    assert {(row.recipients, row.client, row.helo) for row in front.journal.rows} == {
        (("user@local.test",), "198.51.100.7", "mail.sender.test")
    }
    assert len({row.id for row in front.journal.rows}) == 2


@pytest.mark.parametrize("reset", [True, False], ids=["after RSET", "without RSET"])
@pytest.mark.threat("MTA-07")
def test_a_second_mail_begins_a_new_message(front: Front, *, reset: bool) -> None:
    """The sender's checks run for the second sender, whether the MTA sent an abort between them or not."""
    check = FakeCheck("spf", Stage.MAIL)
    session = opened(replace(front, checks=(check,)).parts())
    greet(session)
    session.envelope_from(b"<anna@sender.test>")
    if reset:
        session.abort()
    session.envelope_from(b"<bob@sender.test>")
    assert [sender for sender, _ in check.saw] == ["anna@sender.test", "bob@sender.test"]


def test_the_second_message_has_its_helo_too(front: Front) -> None:
    """What waits for HELO starts for every message of a session, though the client says it once."""
    check = FakeCheck("helo", Stage.HELO)
    session = opened(replace(front, checks=(check,)).parts())
    greet(session)
    for count in (1, 2):
        session.envelope_from(b"<anna@sender.test>")
        assert len(check.saw) == count
        session.abort()


def _broken(*_: object) -> None:
    raise ValueError("bug")


@pytest.mark.parametrize("end", ["end_of_message", "abort", "close", "crash", "next"])
@pytest.mark.threat("MTA-07")
def test_however_a_message_ends_its_body_is_given_back(front: Front, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """By its verdict, an abort, a close, a crash or the next MAIL: no descriptor is left."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    session = opened(front.parts())
    greet(session)
    session.envelope_from(b"<anna@sender.test>")
    session.body(b"Hello\r\n")
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    if end == "crash":
        monkeypatch.setattr(Transaction, "header", _broken)
        session.header("Subject", b" x")
    elif end == "next":
        session.envelope_from(b"<bob@sender.test>")
    else:
        getattr(session, end)()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_was_asked_at_connect_serves_the_first_message(front: Front) -> None:
    """The lookups that CONNECT started are not thrown away at MAIL."""
    check = FakeCheck("dnsbl", Stage.CONNECT)
    session = opened(replace(front, checks=(check,)).parts())
    greet(session)
    send(session)
    assert len(check.saw) == 1


@pytest.mark.threat("MTA-07")
def test_end_of_message_without_header_or_mail(front: Front) -> None:
    """An end without anything before it: a verdict where there was a sender, else a deferral."""
    session = opened(front.parts())
    assert session.end_of_message() == milter.TEMPFAIL
    greet(session)
    session.envelope_from(b"<>")
    assert session.end_of_message() == milter.ACCEPT


@pytest.mark.threat("MTA-28")
def test_commands_out_of_order_are_answered(front: Front) -> None:
    """Whatever comes before CONNECT and MAIL: the answer libmilter expects, and no message of it."""
    session = opened(front.parts())
    assert session.hello("mail.sender.test") == milter.CONTINUE
    assert session.envelope_recipient(b"<user@local.test>") == milter.CONTINUE
    assert session.header("Subject", b" x") == milter.NOREPLY
    assert session.end_of_headers() == milter.NOREPLY
    assert session.body(b"x") == milter.NOREPLY
    assert session.abort() == milter.CONTINUE
    assert session.close() == milter.CONTINUE
    assert front.journal.rows == []


@pytest.mark.threat("MTA-07")
def test_close_without_connect_is_counted(front: Front) -> None:
    """Sessions count up and down whatever came between."""
    sessions = Sessions()
    for greeted in (True, False):
        session = opened(front.parts(), sessions=sessions)
        assert sessions.open == 1
        if greeted:
            greet(session)
            session.envelope_from(b"<anna@sender.test>")
        session.close()
        assert sessions.open == 0


def test_a_second_ehlo_replaces_the_first(front: Front) -> None:
    """After STARTTLS the client says who it is again, and that counts; for later messages too."""
    session = opened(front.parts())
    greet(session)
    session.hello("second.sender.test")
    send(session)
    session.abort()
    send(session)
    assert [row.helo for row in front.journal.rows] == ["second.sender.test"] * 2


# --- bytes


@pytest.mark.threat("MTA-15")
def test_bytes_are_kept_exactly(front: Front) -> None:
    """Latin-1 and broken UTF-8 in values and addresses come out as they went in; folds become CRLF once."""
    session = opened(front.parts())
    greet(session)
    fields = (("Subject", b" Gr\xfc\xdfe\n\t\xff\xfe"), ("X-Folded", b" a\r\n b\n c"))
    send(session, b"<a\xff\xe4@b.test>", *fields)
    assert front.inspectors.jobs[0][0].fields == (
        (b"Subject", b" Gr\xfc\xdfe\r\n\t\xff\xfe"),
        (b"X-Folded", b" a\r\n b\r\n c"),
    )
    assert front.journal.rows[0].sender.encode("utf-8", "surrogateescape") == b"a\xff\xe4@b.test"


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        (b"<>", ""),
        (b"<a@b.test>", "a@b.test"),
        (b"a@b.test", "a@b.test"),
        (b" <A@B.test> ", "A@B.test"),
        (b"<a@b.test", "<a@b.test"),
        (b'<"a b"@c.test>', '"a b"@c.test'),
    ],
)
def test_addresses_lose_their_brackets(front: Front, raw: bytes, address: str) -> None:
    """Only a whole pair; spelling stays; recipients keep the MTA's own form beside it."""
    session = opened(front.parts())
    greet(session)
    session.envelope_from(raw)
    session.envelope_recipient(raw)
    assert session._transaction is not None
    assert session._transaction.envelope.sender == address
    recipient = session._transaction.envelope.recipients[0]
    assert (recipient.address, recipient.exact) == (address, raw.decode())


@pytest.mark.threat("MTA-19")
@pytest.mark.parametrize(
    ("raw", "policies", "resolved"),
    [
        (b"<@relay.test:user@local.test>", Policies({}, "+"), "user@local.test"),
        (b"<user@local.test;>", Policies({}, "+"), "user@local.test"),
        (b"<user@local.test>", Policies({}, "+"), ""),
        (b"<@relay.test:user@local.test>", None, ""),
    ],
)
def test_the_mta_is_asked_what_an_odd_spelling_means(
    front: Front, raw: bytes, policies: Policies | None, resolved: str
) -> None:
    """Only where it is odd, and only where it matters whose mail it is."""
    context = FakeContext({"{rcpt_addr}": "user@local.test"})
    session = opened(replace(front, policies=policies).parts(), context)
    greet(session)
    session.envelope_from(b"<anna@sender.test>")
    session.envelope_recipient(raw)
    assert session._transaction is not None
    assert session._transaction.envelope.recipients[0].resolved == resolved


@pytest.mark.threat("MTA-19")
@pytest.mark.parametrize("known", [False, True])
def test_an_mta_that_does_not_say_is_believed_as_it_spells(front: Front, known: bool) -> None:  # noqa: FBT001  # a parameter
    """No such macro, or one that is no UTF-8: nothing is known, nothing is raised."""
    context = FakeContext({"{rcpt_addr}": "x"} if known else {})
    context.undecodable = {"{rcpt_addr}"} if known else set()
    session = opened(replace(front, policies=Policies({}, "+")).parts(), context)
    greet(session)
    session.envelope_from(b"<anna@sender.test>")
    assert session.envelope_recipient(b"<<user@local.test>>") == milter.CONTINUE
    assert session._transaction is not None
    assert session._transaction.envelope.recipients[0].resolved == ""


# --- verdicts

REPLIES = {
    Action.REJECT: SmtpReply(550, "5.7.1", "100 % sure"),
    Action.DEFER: SmtpReply(451, "4.7.1", "50 % sure"),
    Action.GREYLIST: SmtpReply(451, "4.7.1", "50 % sure"),
}


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (Action.ACCEPT, milter.ACCEPT),
        (Action.ADD_HEADER, milter.ACCEPT),
        (Action.DEFER, milter.TEMPFAIL),
        (Action.GREYLIST, milter.TEMPFAIL),
        (Action.QUARANTINE, milter.DISCARD),
        (Action.REJECT, milter.REJECT),
        (Action.DISCARD, milter.DISCARD),
    ],
)
@pytest.mark.threat("MTA-21")
def test_every_action_has_its_code(front: Front, monkeypatch: pytest.MonkeyPatch, action: Action, code: int) -> None:
    """What libmilter is told follows from the action, and the reply from the verdict."""
    verdict = Verdict(action, "score", "text", reply=REPLIES.get(action))
    monkeypatch.setattr("filterd.milter.session.finish", lambda _: Decision(verdict, ()))
    context = FakeContext()
    session = opened(front.parts(), context)
    greet(session)
    assert send(session) == code
    expected = {milter.REJECT: ("550", "5.7.1", "100 %% sure"), milter.TEMPFAIL: ("451", "4.7.1", "50 %% sure")}
    assert context.reply == expected.get(code)


@pytest.mark.threat("MTA-02")
def test_a_held_message_is_discarded_only_after_it_is_kept(front: Front) -> None:
    """DISCARD goes out when custody has returned, and never where it has not."""
    check = FakeCheck("content", symbols=frozenset({"HELD"}))
    session = opened(replace(front, checks=(check,)).parts())
    greet(session)
    assert send(session) == milter.DISCARD
    assert len(front.custodian.held) == 1
    front.custodian.error = "No space left on device"
    session.abort()
    assert send(session) == milter.TEMPFAIL
    assert len(front.custodian.held) == 1

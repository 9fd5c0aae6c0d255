"""filterd on the wire: a whole daemon, spoken to in raw packets."""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from filterd.pipeline.deferral import MAX_DEFERRAL
from tests.milter.wire import REFUSED, front, greeted, judged, mail, metric, quarantined
from tests.support.daemon import Filterd
from tests.support.miltertalk import (
    ACCEPT,
    DISCARD,
    HDR_LEADSPC,
    NR_BODY,
    NR_CONNECT,
    NR_HEADERS,
    NR_HELO,
    NR_MAIL,
    Answer,
    Mail,
    MilterGoneError,
    Offer,
    Session,
)
from tests.support.process import wait_until
from tests.support.smtp import Pose
from tests.support.world import STRANGER, eicar_zip, message, signed, with_attachment

pytestmark = pytest.mark.integration

CLEAN = message("alice@aligned.test", "Minutes of Monday")
OLD = Offer(2, 0x3F, 0x7F)
PLAIN = Offer(steps=0x1FFFFF & ~HDR_LEADSPC)
FORGED = (b"Authentication-Results", b" mx.filterd.test; dmarc=pass header.from=bank.test")
FOREIGN = (b"Authentication-Results", b" mx.other.test; spf=pass")


def _results(answer: Answer) -> bytes:
    """The value of our Authentication-Results field."""
    index, name, value = answer.added[0]
    assert (index, name) == (0, b"Authentication-Results")
    return value


# --- negotiation


def test_only_what_may_be_quiet_is_quiet(daemon: Filterd) -> None:
    """Header and body need no answer; CONNECT and MAIL have one, or Postfix would hold them back until DATA."""
    with Session(daemon.listen, Offer()) as session:
        assert session.steps & (NR_HEADERS | NR_BODY | HDR_LEADSPC) == NR_HEADERS | NR_BODY | HDR_LEADSPC
        assert not session.steps & (NR_CONNECT | NR_HELO | NR_MAIL)
        assert session.wanted_macros[2][:2] == ("i", "{auth_type}")


@pytest.mark.parametrize("offer", [Offer(), OLD, PLAIN], ids=["modern", "version 2", "no leading space"])
@pytest.mark.threat("MTA-29")
def test_old_and_new_mtas_get_the_same_verdict(daemon: Filterd, offer: Offer) -> None:
    """A signed message verifies under every protocol version: its bytes were put together as they were sent."""
    with greeted(daemon, offer=offer) as session:
        answer = session.message(mail(signed(CLEAN, now=int(time.time()))))
    assert answer.code == ACCEPT
    assert b"dkim=pass" in _results(answer)
    assert b"dmarc=pass" in _results(answer)


# --- edits


@pytest.mark.parametrize("before", [0, 1, 50])
@pytest.mark.parametrize("offer", [Offer(), PLAIN], ids=["leading space", "none"])
@pytest.mark.threat("MTA-22")
def test_our_results_stand_topmost_with_one_blank(daemon: Filterd, offer: Offer, before: int) -> None:
    """However many others there are: inserted at 0, one blank behind the colon, folded, no line above 78 columns."""
    fields = [FOREIGN] * before
    with greeted(daemon, offer=offer) as session:
        whole = mail(CLEAN)
        answer = session.message(Mail(whole.sender, fields=[*fields, *whole.fields], body=whole.body))
        ours = bool(session.steps & HDR_LEADSPC)
    assert [(index, name) for index, name, _ in answer.added] == [
        (0, b"Authentication-Results"),
        (1, b"X-Filterd-Id"),
        (2, b"X-Filterd-Score"),
    ]
    for _, name, value in answer.added:
        line = name + b":" + (b"" if ours else b" ") + value
        assert line[len(name) + 1 : len(name) + 2] == b" "
        assert line[len(name) + 2 : len(name) + 3] != b" "
        assert max(len(part.expandtabs(8)) for part in line.split(b"\n")) <= 78
    assert answer.changed == []


@pytest.mark.threat("AR-01")
@pytest.mark.threat("AR-03")
def test_forged_fields_are_deleted_from_the_highest_index_down(daemon: Filterd) -> None:
    """Five of ours among five of others, and our own namespace: all deletions, in an order no MTA can get wrong."""
    fields = [FORGED, FOREIGN] * 5 + [(b"X-Filterd-Score", b" -100"), (b"X-Spam-Flag", b" NO")]
    with greeted(daemon) as session:
        whole = mail(CLEAN)
        answer = session.message(Mail(whole.sender, fields=[*fields, *whole.fields], body=whole.body))
    assert {value for _, _, value in answer.changed} == {b""}
    deleted = [index for index, name, _ in answer.changed if name == b"Authentication-Results"]
    assert deleted == [9, 7, 5, 3, 1]
    assert {name for _, name, _ in answer.changed} == {b"Authentication-Results", b"X-Filterd-Score", b"X-Spam-Flag"}
    letters = [letter for letter, _ in answer.edits]
    assert letters == sorted(letters, key=b"mi".index)


# --- verdicts


def test_a_listed_client_is_refused_with_a_reply(daemon: Filterd) -> None:
    """5xx with an enhanced code, a generic text, and an id that the log knows."""
    with greeted(daemon, REFUSED) as session:
        answer, event = judged(daemon, session, mail(message("eve@bulk.test", "Hello"), "eve@bulk.test"))
    assert (event["action"], event["code"]) == ("reject", "listed")
    assert answer.text == f"550 5.7.1 Client host refused; ask postmaster about {event['id'][-10:]}"
    assert answer.edits == ()


def test_malware_is_refused_or_held_and_never_delivered(daemon: Filterd) -> None:
    """EICAR in a zip is found through the whole daemon."""
    with greeted(daemon) as session:
        raw = with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip())
        answer, event = judged(daemon, session, mail(raw))
    assert event["action"] in {"quarantine", "reject"}
    assert answer.refuses or answer.code == DISCARD


@pytest.mark.threat("MTA-20")
def test_a_held_message_is_discarded_once_it_is_kept(daemon: Filterd) -> None:
    """The MTA is told to drop it: its evidence is on disk by then, once."""
    with greeted(daemon, STRANGER) as session:
        spoof = mail(message("ceo@strict.test", "Urgent transfer"), "x@elsewhere.test")
        before = len(quarantined(daemon))
        answer, event = judged(daemon, session, spoof)
    assert (answer.code, answer.edits) == (DISCARD, ())
    assert event["code"] == "dmarc-reject"
    assert len(quarantined(daemon)) == before + 1
    assert quarantined(daemon)[-1] == event["id"]


def test_deferring_is_bounded_below_what_mtas_try() -> None:
    """RFC 5321, section 4.5.4.1: a sender gives up after 4 to 5 days; we hold long before."""
    assert MAX_DEFERRAL < 24 * 3600


# --- sessions


@pytest.mark.threat("MTA-07")
def test_two_messages_of_a_session_are_apart(daemon: Filterd) -> None:
    """The second is judged by its own sender, header and body, and has an id of its own."""
    with greeted(daemon) as session:
        first, one = judged(daemon, session, mail(signed(CLEAN, now=int(time.time()))))
        second, two = judged(daemon, session, mail(message("bob@hard.test", "Hi"), "bob@hard.test"))
    assert b"dkim=pass" in _results(first)
    assert b"dkim=none" in _results(second)
    assert b"smtp.mailfrom=bob@hard.test" in _results(second)
    assert (one["sender"], two["sender"]) == ("alice@aligned.test", "bob@hard.test")
    assert one["id"] != two["id"]


@pytest.mark.threat("MTA-07")
def test_rset_after_the_header_leaves_nothing(daemon: Filterd) -> None:
    """Header, sender and recipients of a message that was given up are not in the next."""
    with greeted(daemon) as session:
        session.mail("<bob@hard.test>")
        session.rcpt("<lost@local.test>")
        session.header(b"X-Filterd-Forged", b" x")
        session.eoh()
        session.abort()
        answer, event = judged(daemon, session, mail(CLEAN))
    assert (event["sender"], event["recipients"]) == ("alice@aligned.test", ["user@local.test"])
    assert answer.changed == []
    assert event["size"] == len(CLEAN)


@pytest.mark.threat("MTA-07")
def test_an_end_without_a_header_is_judged(daemon: Filterd) -> None:
    """MAIL, RCPT and the end of message: held or refused or accepted, but answered."""
    with greeted(daemon) as session:
        session.mail("<alice@aligned.test>")
        session.rcpt("<user@local.test>")
        assert session.eom({"i": "4XQ0"}).code in {ACCEPT, DISCARD}


@pytest.mark.threat("MTA-07")
def test_sessions_leave_nothing_behind(daemon: Filterd) -> None:
    """2,000 sessions and messages, cut off at every stage: descriptors, threads and the session gauge are as before."""
    _cycles(daemon, 100)
    process = front(daemon)
    with greeted(daemon) as session:  # the journal's files are opened for the first message that is judged
        session.mail("<alice@aligned.test>")
        session.rcpt("<user@local.test>")
        session.eom({"i": "4XQ0"})
    wait_until(lambda: any("journal.sqlite-shm" in file.path for file in process.open_files()), "the journal is open")
    wait_until(lambda: metric(daemon, "filterd_sessions") == 0, "no session open")
    before = process.num_fds(), process.num_threads()
    _cycles(daemon, 2_000)
    wait_until(lambda: metric(daemon, "filterd_sessions") == 0, "no session open")
    wait_until(lambda: process.num_fds() <= before[0], "no more descriptors than before")
    assert process.num_threads() <= before[1] + 2


def _cycles(daemon: Filterd, count: int) -> None:
    """Sessions of two messages each that end at a different stage, every third one without a word."""
    for number in range(count // 2):
        session = Session(daemon.listen)
        commands = _commands(session)[: number % 9]
        for command in commands:
            command()
        if len(commands) > 3:
            session.abort()
            for command in commands[3:]:
                command()
        if number % 3:
            session.quit()
        session.drop()


def _commands(session: Session) -> list[Callable[[], object]]:
    return [
        lambda: session.negotiate(Offer()),
        lambda: session.connect("mail.aligned.test", "192.0.2.10"),
        lambda: session.helo("mail.aligned.test"),
        lambda: session.mail("<alice@aligned.test>"),
        lambda: session.rcpt("<user@local.test>"),
        lambda: session.header(b"Subject", b" x"),
        session.eoh,
        lambda: session.body(b"x" * 100),
    ]


@pytest.mark.threat("MTA-27")
def test_idle_sessions_hold_nobody_up(daemon: Filterd) -> None:
    """With 300 idle sessions one more is served at once, and none of them costs more than 100 kB."""
    process = front(daemon)
    with ExitStack() as stack:
        with greeted(daemon) as warm:
            warm.message(mail(CLEAN))
        before = process.memory_info().rss
        for _ in range(300):
            stack.enter_context(greeted(daemon))
        grown = process.memory_info().rss - before
        with greeted(daemon) as session:
            started = time.monotonic()
            assert session.message(mail(CLEAN)).code == ACCEPT
            assert time.monotonic() - started < 10  # no measure of speed: a queue behind idle ones would be for ever
        assert metric(daemon, "filterd_sessions") >= 300
    assert grown / 300 <= 100_000
    wait_until(lambda: metric(daemon, "filterd_sessions") == 0, "all closed")


# --- what the MTA tells


@pytest.mark.parametrize(
    ("macros", "trust"),
    [({}, "stranger"), ({"{auth_type}": ""}, "stranger"), ({"{auth_type}": "PLAIN"}, "authenticated")],
)
@pytest.mark.threat("MTA-08")
def test_authentication_and_queue_id_come_by_macro(daemon: Filterd, macros: dict[str, str], trust: str) -> None:
    """`i` is there at the end only and stands in the log; an empty auth_type is none; client_addr is not needed."""
    with greeted(daemon, STRANGER) as session:
        session.mail("<bob@hard.test>", macros=macros)
        session.rcpt("<user@local.test>", macros={"{rcpt_addr}": "user@local.test"})
        session.data({"i": "4XQMACRO"})
        session.header(b"Subject", b" x")
        session.eoh()
        session.eom({"i": "4XQMACRO"})
    wait_until(lambda: daemon.events("message")[-1]["queue_id"] == "4XQMACRO", "its line")
    event = daemon.events("message")[-1]
    assert (event["trust"], event["client"]) == (trust, STRANGER.address)


@pytest.mark.threat("MTA-08")
def test_authentication_ends_with_its_message(daemon: Filterd) -> None:
    """What one MAIL said of its client does not hold for the next."""
    with greeted(daemon, STRANGER) as session:
        for macros in ({"{auth_type}": "PLAIN", "{auth_authen}": "bob"}, {"{mail_addr}": "bob@hard.test"}):
            session.mail("<bob@hard.test>", macros=macros)
            session.rcpt("<user@local.test>")
            session.header(b"Subject", b" x")
            session.eoh()
            session.eom({"i": f"4XQA{len(macros)}{'{auth_type}' in macros}"})
            session.abort()
    wait_until(lambda: daemon.events("message")[-1]["queue_id"] == "4XQA1False", "its line")
    assert [event["trust"] for event in daemon.events("message")[-2:]] == ["authenticated", "stranger"]


@pytest.mark.parametrize(
    ("address", "client", "trust"),
    [
        ("/var/run/some.sock", "", "local"),
        ("", "", "local"),
        ("2001:db8::7", "2001:db8::7", "stranger"),
        ("::ffff:192.0.2.10", "192.0.2.10", "stranger"),
        ("::ffff:127.0.0.1", "127.0.0.1", "local"),
        ("127.0.0.1", "127.0.0.1", "local"),
    ],
)
@pytest.mark.threat("MTA-09")
def test_the_clients_address_reaches_the_checks(daemon: Filterd, address: str, client: str, trust: str) -> None:
    """Unix sockets and unknown clients have none; a mapped IPv4 address is IPv4 for lists and trust."""
    with greeted(daemon, Pose(address, "mail.aligned.test", "mail.aligned.test")) as session:
        _, event = judged(daemon, session, mail(CLEAN))
    assert (event["client"], event["trust"]) == (client, trust)


@pytest.mark.threat("MTA-09")
def test_a_scoped_address_is_no_reason_to_fall_silent(daemon: Filterd) -> None:
    """A scope is nothing libmilter takes: the session ends or goes on without an address; the next one is served."""
    with Session(daemon.listen, Offer()) as session, suppress(MilterGoneError):
        session.connect("a.test", "fe80::1%eth0")
    with greeted(daemon) as session:
        assert session.message(mail(CLEAN)).code == ACCEPT

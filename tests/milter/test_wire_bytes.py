"""Bytes on the wire: of every charset, cut anywhere, too many, and what no MTA sends."""

import struct
import time
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise

import pytest

from tests.milter.wire import front, greeted, judged, mail, metric, row
from tests.support.daemon import Filterd
from tests.support.miltertalk import (
    ACCEPT,
    CHUNK,
    DISCARD,
    Answer,
    MilterGoneError,
    Offer,
    Session,
)
from tests.support.process import wait_until
from tests.support.world import EICAR, GOOD, eicar_zip, message, signed, with_attachment

pytestmark = pytest.mark.integration

CLEAN = message("alice@aligned.test", "Minutes of Monday")


def _results(answer: Answer) -> bytes:
    """The value of our Authentication-Results field."""
    index, name, value = answer.added[0]
    assert (index, name) == (0, b"Authentication-Results")
    return value


# --- bytes


@pytest.mark.threat("MTA-15")
def test_eight_bit_headers_and_addresses_are_kept_exactly(daemon: Filterd) -> None:
    """Latin-1 and broken UTF-8 in the header still verify; a sender that is no UTF-8 is judged and written down."""
    raw = signed(CLEAN.replace(b"Minutes", b"Gr\xfc\xdfe \xff\xfe \xe2\x82"), now=int(time.time()))
    with greeted(daemon) as session:
        answer, event = judged(daemon, session, mail(raw))
        assert b"dkim=pass" in _results(answer)
        assert row(daemon, event["id"]).sha256 == sha256(raw).hexdigest()
        session.mail("<al\udcff\udce4@aligned.test>")
        session.rcpt("<us\udcffer@local.test>")
        session.header(b"Subject", b" \xff")
        session.eoh()
        assert session.eom({"i": "4XQBYTES"}).code in {ACCEPT, DISCARD}
    wait_until(lambda: daemon.events("message")[-1]["queue_id"] == "4XQBYTES", "its line")
    event = daemon.events("message")[-1]
    assert (event["sender"], event["recipients"]) == ("al\\udcff\\udce4@aligned.test", ["us\\udcffer@local.test"])
    assert row(daemon, event["id"]).queue_id == "4XQBYTES"


@pytest.mark.parametrize(
    "raw",
    [
        with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip()),
        with_attachment("alice@aligned.test", "Ünicode ✓", "a.txt", "Größe ✓ ".encode() * 30 + EICAR),
        signed(CLEAN, now=1_800_000_000),
    ],
    ids=["zip", "text", "signed"],
)
@pytest.mark.threat("MTA-16")
def test_however_a_body_is_cut_the_verdict_is_the_same(daemon: Filterd, raw: bytes) -> None:
    """Chunks that cut base64 lines, boundaries and characters: same action, symbols, size and digest."""
    found = []
    with greeted(daemon) as session:
        for chunk in (CHUNK, 1, 2, 7, 76, 77, 78, 1_000):
            _, event = judged(daemon, session, mail(raw, chunk=chunk))
            kept = row(daemon, event["id"])
            found.append((event["action"], event["code"], event["symbols"], kept.size, kept.sha256))
    assert all(one == other for one, other in pairwise(found))
    assert found[0][3] == len(raw)


# --- what no MTA sends


@pytest.mark.parametrize("size", [60_000, 65_533, 65_534, 65_536, 70_000, 200_000])
@pytest.mark.threat("MTA-11")
@pytest.mark.threat("MTA-12")
def test_a_packet_of_any_size_leaves_the_daemon_alive(daemon: Filterd, size: int) -> None:
    """A field as long as MTAs send is judged; beyond libmilter's bound the session ends, never as an acceptance."""
    pid = front(daemon).pid
    with greeted(daemon) as session:
        session.mail("<alice@aligned.test>")
        session.rcpt("<user@local.test>")
        session.header(b"X-Long", b" " + b"x" * (size - len(b"X-Long\0 \0")))
        session.eoh()
        try:
            answer: Answer | None = session.eom({"i": "4XQ2"})
        except (MilterGoneError, BrokenPipeError):
            answer = None
    if size <= 65_534:
        assert answer is not None
    assert answer is None or answer.code in {ACCEPT, DISCARD} or answer.refuses
    if size > 65_536:
        assert answer is None
    _still_serving(daemon, pid)


GARBAGE = [
    b"\0\0\0\1X",
    b"\0\0\0\0",
    b"\xff\xff\xff\xffO",
    b"\0\0\0\5O\0\0\0\6",
    b"\0\0\0\rO" + struct.pack(">III", 1, 0, 0),
    b"\0\0\0\rO" + struct.pack(">III", 99, 0xFFFFFFFF, 0xFFFFFFFF) + b"\0\0\0\1E",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    bytes(range(256)) * 300,
    b"\0\0\0\4Cabc",
    b"\0\0\0\5DCabc",
    b"\0\0\0\1B\0\0\0\1L\0\0\0\1N\0\0\0\1E",
    b"\0\0\0\1",
]


@pytest.mark.parametrize("negotiated", [False, True], ids=["first", "after negotiation"])
@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.threat("MTA-28")
def test_garbage_ends_its_session_and_no_other(daemon: Filterd, data: bytes, *, negotiated: bool) -> None:
    """Unknown commands, lengths that lie, truncated packets, another protocol: the process lives and serves."""
    pid = front(daemon).pid
    with Session(daemon.listen, Offer() if negotiated else None) as session, suppress(OSError):
        session.raw(data)
    _still_serving(daemon, pid)


def test_all_that_left_no_session_behind(daemon: Filterd) -> None:
    """Whatever was sent: when the MTA has closed, nothing is counted as open."""
    wait_until(lambda: metric(daemon, "filterd_sessions") == 0, "no session open")


def _still_serving(daemon: Filterd, pid: int) -> None:
    assert front(daemon).pid == pid
    with greeted(daemon, GOOD) as session:
        assert session.message(mail(CLEAN)).code == ACCEPT

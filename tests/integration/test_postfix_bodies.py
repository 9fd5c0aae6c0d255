"""Bodies through a real Postfix: cut into chunks anywhere, with bare line ends, and very large."""

import base64
import concurrent.futures
import hashlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import fronts, memory
from tests.support.smtp import SmtpClient
from tests.support.stack import Outcome, Stack
from tests.support.world import GOOD, eicar_zip, message, signed, with_attachment

CHUNK = 65_535  # bytes of body that Postfix hands over at once
SMUGGLED = "MAIL FROM:<eve@evil.test>\r\nRCPT TO:<{}>\r\nDATA\r\nFrom: ceo@strict.test\r\nSubject: smuggled\r\n\r\nx"
FALSE_ENDS = {
    "LF dot LF": b"\n.\n",
    "LF dot CRLF": b"\n.\r\n",
    "CRLF dot LF": b"\r\n.\n",
    "CR dot CR": b"\r.\r",
    "CRLF dot CR": b"\r\n.\r",
    "LF dot CR": b"\n.\r",
    "CR dot CRLF": b"\r.\r\n",
    "NUL": b"\r\n\0.\r\n",
}
MEGABYTE = 1_000_000
ANALYSED = 50 * MEGABYTE  # bytes of a message that are read; beyond it a message is held
FRONT_GROWTH = 30 * MEGABYTE  # of a front's own memory, whatever the message: a body is never joined there


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The world."""
    with Stack() as running:
        yield running


# --- chunks


def padded(mail: bytes, mark: bytes, inside: int) -> bytes:
    """The message with its first text lengthened so that `mark` begins `inside` bytes before the chunk's border."""
    head, _, body = mail.partition(b"\r\n\r\n")
    anchor = body.index(b"phone")
    missing = CHUNK - inside - body.rindex(mark)
    lines = b"".join(b"%07d\r\n" % number for number in range(missing // 9))
    filler = lines + b"-" * (missing - len(lines))
    cut = head + b"\r\n\r\n" + body[:anchor] + filler + body[anchor:]
    assert cut.partition(b"\r\n\r\n")[2][CHUNK - inside :].startswith(mark)
    return cut


EICAR = with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip())
CUTS = {
    "base64 line": padded(EICAR, base64.b64encode(eicar_zip())[:40], 17),
    "boundary": padded(EICAR, b"--=_edge\r\nContent-Type: application", 5),
    "CRLF": padded(EICAR, b"\r\n--=_edge\r\nContent-Type: application", 1),
    "field name": padded(EICAR, b"Content-Transfer-Encoding: base64", 10),
}


@pytest.mark.threat("MTA-16")
@pytest.mark.parametrize("name", CUTS)
def test_cut_anywhere(stack: Stack, name: str) -> None:
    """A border inside a line, a boundary or a field hides nothing: refused for the same symbols as in one piece."""
    whole, cut = stack.send(EICAR), stack.send(CUTS[name])
    assert (cut.code, cut.symbols) == (550, whole.symbols)
    assert stack.row(cut).sha256 == hashlib.sha256(CUTS[name]).hexdigest()


@pytest.mark.threat("MTA-16")
def test_cut_character(stack: Stack) -> None:
    """A border inside a UTF-8 character changes nothing: the message arrives byte for byte, and its signature holds."""
    text = "é" * 33 + "\r\n"
    mail = message("alice@aligned.test", "Minutes", text * 3_000 + "x" + text * 3_000)
    body = mail.partition(b"\r\n\r\n")[2]
    borders = range(CHUNK, len(body), CHUNK)
    assert any(body[border] & 0xC0 == 0x80 for border in borders)
    mail = signed(mail, now=int(time.time()))
    arrived = stack.arrived(stack.send(mail))
    assert arrived.rest == mail
    assert b"dkim=pass" in arrived.value("Authentication-Results")


# --- smuggling


@pytest.mark.threat("MTA-25")
@pytest.mark.parametrize("name", FALSE_ENDS)
def test_smuggling(stack: Stack, name: str) -> None:
    """From outside mynetworks a false end of data ends nothing: one message, whose whole body was judged."""
    (victim,) = stack.recipients()
    mail = message("alice@aligned.test", "Hello") + b"x" + FALSE_ENDS[name] + SMUGGLED.format(victim).encode()
    with SmtpClient(stack.postfix.port, GOOD) as client:
        outcome = stack.send(mail, client=client, stuff=False)
        assert client.command("NOOP").code == 250  # the dialogue is in step: nothing of the body was a command
    assert outcome.code == 250
    rest = stack.kept(outcome)
    assert b"Subject: smuggled" in rest
    assert stack.row(outcome).sha256 == hashlib.sha256(rest).hexdigest()
    stack.postfix.wait_empty()
    assert stack.copies([victim]) == []


# --- size


class Watch:
    """Samples the fronts' memory while something runs."""

    def __init__(self, pids: list[int]) -> None:
        """Note what they take now."""
        self.before = {pid: memory(pid) for pid in pids}
        self.most = dict(self.before)
        self._over = threading.Event()

    def run(self, work: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Do the work and give back what it gives."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            return work()
        finally:
            self._over.set()
            thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for pid, most in self.most.items():
                now = memory(pid)
                self.most[pid] = {name: max(most[name], now[name]) for name in most}

    def growth(self, name: str) -> int:
        """The most that a process grew in this field of smaps_rollup."""
        return max(self.most[pid][name] - self.before[pid][name] for pid in self.before)


@pytest.mark.threat("MTA-30")
def test_fifty_megabytes(stack: Stack) -> None:
    """Below the limit of analysis a message is accepted, above it held whole; a front's memory does not follow them."""
    data = bytes(range(256)) * (36 * MEGABYTE // 256)
    small = with_attachment("alice@aligned.test", "Plans", "plans.bin", data)
    large = with_attachment("alice@aligned.test", "Plans", "plans.bin", data + bytes(MEGABYTE))
    assert len(small) < ANALYSED < len(large)
    stack.send(message("alice@aligned.test", "Hello"))
    watch = Watch(fronts(stack.filterd))

    def work() -> list[Outcome]:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(stack.send, (small, large)))

    accepted, held = watch.run(work)
    assert (accepted.action, held.action, held.event["code"]) == ("accept", "quarantine", "unscannable-size")
    assert stack.arrived(accepted).rest == small
    (entry,) = stack.held(held)
    assert stack.raw(entry) == large
    assert watch.growth("Pss_Anon") < FRONT_GROWTH
    assert watch.growth("Pss") < FRONT_GROWTH + len(small) + len(large)  # the bodies themselves, mapped to be hashed

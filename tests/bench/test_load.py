"""The load generator against a milter of a few lines: what it sends, what it notes, whom it waits for."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.load import Generator, Job
from tests.bench.messages import Message, build
from tests.bench.packets import bursts
from tests.bench.passes import Batch, problems
from tests.support.miltertalk import CHUNK, HDR_LEADSPC, NO_DATA, NR_BODY, NR_EOH, NR_HEADERS
from tests.support.process import open_folder

pytestmark = pytest.mark.integration

STEPS = NR_HEADERS | NR_EOH | NR_BODY | HDR_LEADSPC | NO_DATA
RESULTS = (
    b"mx.test;\n\tspf=pass smtp.helo=h.test;\n\tspf=fail reason=x smtp.mailfrom=a@b.test;\n\tdkim=pass header.d=b.test"
)
SILENT = b"DLNB"
NOW = 1_790_000_000.0


class FewLines:
    """A milter that accepts all, adds one field, and keeps the letters of every session."""

    def __init__(self, path: Path, steps: int) -> None:
        """Listen."""
        self.sessions: list[str] = []
        self._steps = steps
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No further sessions. The thread in accept() hears of the shutdown alone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        letters = ""
        with connection, connection.makefile("rb") as stream:
            while head := stream.read(4):
                data = stream.read(struct.unpack(">I", head)[0])
                letters += data[:1].decode()
                for answer in self._answers(data[:1]):
                    connection.sendall(struct.pack(">I", len(answer)) + answer)
                if data[:1] == b"Q":
                    break
        self.sessions.append(letters)

    def _answers(self, letter: bytes) -> list[bytes]:
        if letter == b"O":
            return [b"O" + struct.pack(">III", 6, 0x1FF, self._steps)]
        if letter == b"E":
            return [b"p", b"i" + struct.pack(">I", 0) + b"Authentication-Results\0 " + RESULTS + b"\0", b"a"]
        quiet = SILENT if self._steps else b"D"
        return [] if letter in quiet or letter in b"AQ" else [b"c"]


@contextmanager
def milter(steps: int = STEPS) -> Iterator[tuple[FewLines, str, Path]]:
    """One that runs, its address, and a folder."""
    with open_folder() as folder:
        one = FewLines(folder / "m.sock", steps)
        try:
            yield one, f"unix:{folder}/m.sock", folder
        finally:
            one.close()


def sent(
    messages: tuple[Message, ...], steps: int, *, concurrency: int = 4, pace: float = 0.0
) -> tuple[FewLines, list[str]]:
    """The milter after all messages were sent, and what was wrong with them."""
    with milter(steps) as (one, address, folder):
        batch = Batch.store(folder / "m.bin", messages)
        done = Generator().run(Job(str(batch.path), address, batch.everything, concurrency, pace))
        assert [entry.error for entry in done.sent] == [""] * len(messages)
        assert {entry.edits for entry in done.sent} == {1}
        assert {(entry.spf, entry.dkim) for entry in done.sent} == {("fail", "pass")}
        return one, list(problems(done.sent, batch.messages))


@pytest.mark.parametrize("steps", [STEPS, 0])
def test_sessions_are_whole(steps: int) -> None:
    """Every message is a session from negotiation to quit, with or without answers to header and body."""
    messages = build(count=12, now=NOW)
    one, _ = sent(messages, steps)
    assert len(one.sessions) >= len(messages)
    shape = [letters for letters in one.sessions if "E" in letters]
    assert len(shape) == len(messages)
    assert all(letters.startswith("ODCDHDMDR") and letters.endswith("DEAQ") for letters in shape)
    assert all(("DT" in letters) is (steps == 0) for letters in shape)


def test_large_bodies_come_in_chunks() -> None:
    """As many body packets arrive as the largest body has chunks."""
    message = replace(max(build(count=12, now=NOW), key=lambda one: len(one.raw)), number=0)
    one, _ = sent((message,), STEPS)
    body = message.raw.partition(b"\r\n\r\n")[2]
    assert max(letters.count("B") for letters in one.sessions) == -(-len(body) // CHUNK)


def test_wrong_words_are_problems() -> None:
    """A result in the added field that is not the message's own is reported, once for each message."""
    messages = build(count=12, now=NOW)
    _, found = sent(messages, STEPS)
    assert len(found) == sum((message.spf, message.dkim) != ("fail", "pass") for message in messages)


def test_pace_counts_the_clients_commands() -> None:
    """Five pauses stand between connection and content, however many commands the milter asked to be told."""
    message = build(count=1, now=NOW)[0]
    for steps in (STEPS, 0, STEPS | 0x3F000):
        assert sum(burst.pauses for burst in bursts(message, steps)) == 5

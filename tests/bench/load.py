"""The load generator, a process of its own: `python -m tests.bench.load` reads jobs and writes results, a line each.

One thread on epoll speaks as the MTA for all sessions at once; packets are made before the clock starts. A message is
one milter connection. Its end-of-message wait runs from the moment its content is handed over (header, body and end of
message leave in one burst, as with Postfix) to the final answer; its whole time from connect().
"""

import errno
import heapq
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import msgspec

from tests.bench.messages import Message
from tests.bench.packets import EDIT, EOM, FINAL, GO_ON, SKIP, Burst, bursts, goodbye, negotiation, verdicts
from tests.support.miltertalk import Offer

PATIENCE: Final = 120.0  # seconds for one answer
BACKLOG_PAUSE: Final = 0.001  # seconds until a connection refused for a full backlog is tried again
RECEIVE: Final = 65_536
QUIET: Final = 0.5  # seconds of epoll without anything to do


@dataclass(frozen=True, slots=True)
class Job:
    """Send `numbers` of the set in the file `messages`, in order, so many sessions at once.

    `pace` is seconds between the client's commands; sessions then start evenly spread over one such pause.
    """

    messages: str
    address: str
    numbers: tuple[int, ...]
    concurrency: int
    pace: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one message: seconds, the final answer's letter (none: see `error`), how many edits came along.

    `at` is when it ended, by the clock that all processes of a machine share (CLOCK_MONOTONIC).
    """

    number: int
    eom: float
    whole: float
    verdict: str
    edits: int
    spf: str = ""
    dkim: str = ""
    error: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """A job's end: every message, the seconds it took, the generator's own CPU seconds."""

    sent: tuple[Sent, ...]
    seconds: float
    cpu: float


@dataclass(slots=True)
class _Session:
    """One session at work."""

    message: Message
    sock: socket.socket
    began: float
    plan: tuple[Burst, ...] = ()
    step: int = -1  # of the plan; -1: negotiating
    content_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    edits: list[bytes] = field(default_factory=list)
    unsent: memoryview | None = None
    deadline: float = 0.0


class Generator:
    """Runs jobs. Packets are kept per message set and protocol steps."""

    def __init__(self) -> None:
        """Nothing loaded yet."""
        self._path = ""
        self._messages: tuple[Message, ...] = ()
        self._plans: dict[tuple[int, int], tuple[Burst, ...]] = {}

    def prepare(self, job: Job) -> None:
        """Load the set, and learn from one connection what the milter wants, so that all packets are made."""
        if self._path != job.messages:
            self._plans = {}
            self._messages = msgspec.msgpack.decode(Path(job.messages).read_bytes(), type=tuple[Message, ...])
            self._path = job.messages
        steps = _asked_steps(job.address)
        for number in job.numbers:
            self.plan(number, steps)

    def plan(self, number: int, steps: int) -> tuple[Burst, ...]:
        """The packets of one message."""
        known = self._plans.get((number, steps))
        if known is None:
            known = self._plans[number, steps] = bursts(self._messages[number], steps)
        return known

    def run(self, job: Job) -> Done:
        """Send everything."""
        self.prepare(job)
        return _Run(self, job, [self._messages[number] for number in job.numbers]).run()


class _Run:
    """One job."""

    def __init__(self, generator: Generator, job: Job, messages: list[Message]) -> None:
        self._generator = generator
        self._job = job
        self._todo: Iterator[Message] = iter(messages)
        self._epoll = select.epoll()
        self._sessions: dict[int, _Session] = {}
        self._timers: list[tuple[float, int, _Session | None]] = []
        self._timer_number = 0
        self._open = 0
        self.sent: list[Sent] = []

    def run(self) -> Done:
        cpu, began = time.process_time(), time.perf_counter()
        for slot in range(self._job.concurrency):
            self._later(self._job.pace * slot / self._job.concurrency, None)
        self._open = self._job.concurrency
        while self._open:
            self._due()
            wait = min(QUIET, max(0.0, self._timers[0][0] - time.perf_counter())) if self._timers else QUIET
            for fd, events in self._epoll.poll(wait):
                session = self._sessions.get(fd)
                if session is not None:
                    self._event(session, events)
            self._overdue()
        self._epoll.close()
        return Done(tuple(self.sent), time.perf_counter() - began, time.process_time() - cpu)

    # --- time

    def _later(self, seconds: float, session: _Session | None) -> None:
        """Go on with a session, or start the next message of a slot (None), after so many seconds."""
        self._timer_number += 1
        heapq.heappush(self._timers, (time.perf_counter() + seconds, self._timer_number, session))

    def _due(self) -> None:
        now = time.perf_counter()
        while self._timers and self._timers[0][0] <= now:
            session = heapq.heappop(self._timers)[2]
            if session is None:
                self._start()
            elif session.sock.fileno() >= 0:
                self._send_burst(session)

    def _overdue(self) -> None:
        now = time.perf_counter()
        for session in [one for one in self._sessions.values() if one.deadline < now]:
            self._end(session, "", f"no answer within {PATIENCE:.0f} s")

    # --- one session

    def _start(self) -> None:
        message = next(self._todo, None)
        if message is None:
            self._open -= 1
            return
        began = time.perf_counter()
        sock = self._connected()
        session = _Session(message, sock, began, deadline=began + PATIENCE)
        self._sessions[sock.fileno()] = session
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._send(session, negotiation(Offer()))

    def _connected(self) -> socket.socket:
        """A connection; a full backlog is waited for (the wait counts)."""
        while True:
            sock = _dial(self._job.address)
            if sock is not None:
                return sock
            time.sleep(BACKLOG_PAUSE)

    def _send(self, session: _Session, data: bytes | memoryview) -> None:
        try:
            count = session.sock.send(data)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self._end(session, "", f"send: {error.strerror}")
            return
        if count < len(data):
            if session.unsent is None:
                self._epoll.modify(session.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
            session.unsent = memoryview(data)[count:]
        elif session.unsent is not None:
            session.unsent = None
            self._epoll.modify(session.sock.fileno(), select.EPOLLIN)

    def _event(self, session: _Session, events: int) -> None:
        if events & select.EPOLLOUT and session.unsent is not None:
            self._send(session, session.unsent)
        if not events & ~select.EPOLLOUT or session.sock.fileno() < 0:
            return
        try:
            data = session.sock.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(session, "", f"receive: {error.strerror}")
            return
        if not data:
            self._end(session, "", "the milter closed the connection")
            return
        session.received += data
        self._packets(session)

    def _packets(self, session: _Session) -> None:
        """Take every whole packet that has come."""
        buffer = session.received
        start = 0
        while len(buffer) - start >= 5:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if len(buffer) - start < 4 + length:
                break
            letter, data = buffer[start + 4], bytes(buffer[start + 5 : start + 4 + length])
            start += 4 + length
            self._packet(session, letter, data)
            if session.sock.fileno() < 0:
                return
        del buffer[:start]

    def _packet(self, session: _Session, letter: int, data: bytes) -> None:
        if session.step < 0:
            session.plan = self._generator.plan(session.message.number, struct.unpack(">III", data[:12])[2])
            self._next(session)
        elif letter in EDIT and session.plan[session.step].letter == EOM:
            session.edits.append(data)
        elif letter == GO_ON and session.plan[session.step].letter != EOM:
            self._next(session)
        elif letter == SKIP:
            while session.plan[session.step + 1].letter == b"B":
                session.step += 1
            self._next(session)
        elif letter in FINAL:
            self._end(session, chr(letter), "")

    def _next(self, session: _Session) -> None:
        session.step += 1
        burst = session.plan[session.step]
        if self._job.pace and burst.pauses:
            self._later(self._job.pace * burst.pauses, session)
            session.deadline = time.perf_counter() + self._job.pace * burst.pauses + PATIENCE
        else:
            self._send_burst(session)

    def _send_burst(self, session: _Session) -> None:
        burst = session.plan[session.step]
        now = time.perf_counter()
        session.deadline = now + PATIENCE
        if burst.content and not session.content_at:
            session.content_at = now
        self._send(session, burst.data)

    def _end(self, session: _Session, verdict: str, error: str) -> None:
        now = time.perf_counter()
        if not error:
            try:
                session.sock.send(goodbye())
            except OSError as problem:
                error = f"goodbye: {problem.strerror}"
        self._sessions.pop(session.sock.fileno(), None)
        session.sock.close()
        spf, dkim = verdicts(session.edits)
        eom = now - session.content_at if session.content_at else 0.0
        number, edits = session.message.number, len(session.edits)
        self.sent.append(Sent(number, eom, now - session.began, verdict, edits, spf, dkim, error, time.monotonic()))
        self._later(0.0, None)


def _dial(address: str) -> socket.socket | None:
    """A non-blocking connection to "unix:/path" or "inet:PORT@HOST", None while the backlog is full."""
    kind, _, rest = address.partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        target: str | tuple[str, int] = rest
    else:
        port, _, host = rest.partition("@")
        sock = socket.socket(socket.AF_INET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = (host, int(port))
    if kind == "unix":
        sock.setblocking(False)
    try:
        sock.connect(target)
    except BlockingIOError:
        sock.close()
        return None
    except OSError as error:
        sock.close()
        if error.errno == errno.EAGAIN:
            return None
        raise
    sock.setblocking(False)
    return sock


def _asked_steps(address: str) -> int:
    """The protocol steps the milter chooses."""
    while (sock := _dial(address)) is None:
        time.sleep(BACKLOG_PAUSE)
    with sock:
        sock.settimeout(PATIENCE)
        sock.sendall(negotiation(Offer()))
        answer = b""
        while len(answer) < 17:
            more = sock.recv(RECEIVE)
            if not more:
                raise ConnectionError("the milter closed the connection while it was asked what it wants")
            answer += more
        sock.sendall(goodbye()[5:])
    return cast("int", struct.unpack(">III", answer[5:17])[2])


def main() -> None:
    """Serve jobs from standard input."""
    generator = Generator()
    for line in sys.stdin:
        done = generator.run(msgspec.json.decode(line, type=Job))
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

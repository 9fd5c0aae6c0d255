"""The stub resolver: one question in, one answer out, through the loop it was made for, within a bounded time."""

import asyncio
import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import Final, TypeAlias

from filterd.dns.codec import FORMERR, NOTIMP, Reply, decode, encode_query, encode_question
from filterd.dns.nameserver import Entropy, Nameserver
from filterd.dns.server import Attempt, Channel, Server
from filterd.dns.tcp import exchange
from filterd.model.dns import Answer, AnswerStatus, Question

Done: TypeAlias = Callable[[Answer], None]

LIFETIME: Final = 5.0  # seconds for one question in all
TIMER_SLACK: Final = 0.001  # seconds; uvloop's clock counts milliseconds
TRY_TIMEOUT: Final = 1.0  # seconds until it is sent once more; answers to earlier tries still count
MAX_OUTSTANDING: Final = 10_000  # questions under way; some KB each, and far more than any name server takes
MAX_TCP: Final = 32  # connections at a time; the rest wait their turn within their lifetime
PROBE_EVERY: Final = 1.0  # seconds between questions to servers that have been silent for a whole lifetime
TCP_TIMEOUT: Final = 2.0  # seconds for connection, question and answer

INVALID_NAME: Final = "invalid name"
_CASE_BITS: Final = bytes([0x20 if chr(byte) in ascii_lowercase else 0 for byte in range(256)])
_NO_EDNS: Final = frozenset({FORMERR, NOTIMP})  # what servers from before EDNS answer to it (RFC 6891, section 7)


def invalid(question: Question, now: float = 0.0) -> Answer:
    """The answer for a name that cannot be in the DNS: it certainly does not exist, and asking would tell nothing."""
    return Answer(question, AnswerStatus.NXDOMAIN, rcode=3, received=now, cause=INVALID_NAME)


class StubResolver:
    """Asks recursive name servers over UDP, and over TCP where an answer was truncated or looks forged.

    All methods belong to the loop's thread. Sockets are opened at the first question, so a resolver made before a fork
    does no harm. The servers are asked in the order given; one that failed to answer lately goes to the end. Where none
    has answered anything for a whole lifetime nobody waits any more: questions fail at once, and one a second is sent
    for its own sake, to learn when they are back.
    """

    def __init__(
        self,
        nameservers: Sequence[Nameserver],
        loop: AbstractEventLoop,
        *,
        lifetime: float = LIFETIME,
        try_timeout: float = TRY_TIMEOUT,
        clock: Callable[[], float] = time.time,
        entropy: Entropy | None = None,
        trusted: bool | None = None,
    ) -> None:
        """`clock` stamps answers (epoch seconds). `trusted` None: AD is believed where the server is on loopback."""
        self._loop = loop
        self._entropy = entropy or Entropy()
        self._servers = [Server(address, loop, self, self._entropy, trusted=trusted) for address in nameservers]
        self._lifetime = lifetime
        self._try_timeout = try_timeout
        self._clock = clock
        self._outstanding: set[Attempt] = set()
        # Every try waits equally long, so the oldest deadline is always at the left and one timer serves all.
        self._deadlines: deque[tuple[float, int, Attempt]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tcp_slots = asyncio.Semaphore(MAX_TCP)
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_probe = 0.0
        self._closed = False

    def ask(self, question: Question, done: Done) -> None:
        """Ask and call `done` once, with an answer in every case; it may be called before this returns."""
        try:
            section = encode_question(question)
        except ValueError:
            done(invalid(question, self._clock()))
            return
        now = self._loop.time()
        attempt = Attempt(question, section, done, now + self._lifetime)
        if self._closed or len(self._outstanding) >= MAX_OUTSTANDING:
            self._fail(attempt, "closed" if self._closed else "overload")
            return
        # A list is quicker than all(), and a server that is well costs no call.
        if not [server for server in self._servers if not server.down_until or not server.silent(now, self._lifetime)]:
            self._fail(attempt, "no nameserver")
            if now < self._next_probe:
                return
            self._next_probe = now + PROBE_EVERY
            attempt = Attempt(question, section, _nobody, now + self._lifetime)
        self._outstanding.add(attempt)
        self._try(attempt, "no nameserver")

    async def resolve(self, question: Question) -> Answer:
        """The same as a coroutine; cancelling it leaves the question under way."""
        future: asyncio.Future[Answer] = self._loop.create_future()
        self.ask(question, lambda answer: None if future.done() else future.set_result(answer))
        return await future

    def close(self) -> None:
        """End: what is outstanding is answered TEMPFAIL "closed", sockets are closed."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for attempt in tuple(self._outstanding):
            self._fail(attempt, "closed")
        for server in self._servers:
            server.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What sockets report.

    def received(self, channel: Channel, packet: bytes) -> None:
        """Match a datagram to its question. What does not fit is ignored: if forged, the right one may follow."""
        if len(packet) < 12:  # noqa: PLR2004  # RFC 1035, section 4.1.1: the header
            return
        attempt = channel.pending.get(packet[0] << 8 | packet[1])
        if attempt is None:
            return
        server = channel.server
        if not packet.startswith(attempt.cased, 12):
            self._unlike(attempt, server, packet)
            return
        try:
            reply = decode(packet, attempt.question)
        except ValueError:
            # The right id and question: not a stray packet. TCP gives the server a second chance.
            self._over_tcp(attempt, server)
            return
        server.answered()
        self._settle(attempt, server, reply, edns=attempt.edns)

    def broken(self, channel: Channel) -> None:
        """ICMP said that nobody listens: every question on this socket goes on to the next server at once."""
        attempts = set(channel.pending.values())
        channel.server.failed(self._loop.time())
        channel.server.discard(channel)
        for attempt in attempts:
            if attempt.finished or attempt.over_tcp:
                continue
            attempt.failed += (channel.server,)
            attempt.forget(channel)
            self._try(attempt, "no nameserver")

    # The life of a question.

    def _try(self, attempt: Attempt, cause: str) -> None:
        """Send to the next server that may still know, or give up with `cause`."""
        now = self._loop.time()
        while (server := self._next(attempt, now)) is not None:
            attempt.tries += 1
            try:
                channel, identifier = server.channel()
            except OSError:
                server.failed(now)
                attempt.failed += (server,)
                cause = "no nameserver"
                continue
            attempt.register(channel, identifier)
            self._watch(attempt, now)
            try:
                channel.send(encode_query(identifier, self._cased(attempt, server), edns=attempt.edns))
            except BlockingIOError:
                return  # the send buffer is full: as if the packet were lost on the way
            except OSError:
                # The error may be another question's on this socket, and whoever sees it first takes it away.
                self.broken(channel)
            return
        self._fail(attempt, cause)

    def _next(self, attempt: Attempt, now: float) -> Server | None:
        """The server for the next try: healthy ones first, none twice before the others had their turn."""
        candidates = self._servers
        if attempt.failed:
            candidates = [server for server in candidates if server not in attempt.failed]
        if len(candidates) < 2:  # noqa: PLR2004  # the usual case: no choice
            return candidates[0] if candidates else None
        return min(candidates, key=lambda server: (attempt.asked(server), server.down(now)))

    def _cased(self, attempt: Attempt, server: Server) -> bytes:
        """The question section as sent: towards a distant server in random case, which the answer must repeat."""
        if attempt.cased is attempt.section:
            if server.local:
                return attempt.section
            section = attempt.section
            mask = int.from_bytes(section[:-4].translate(_CASE_BITS) + bytes(4), "big")
            flips = int.from_bytes(self._entropy.take(len(section)), "big") & mask
            attempt.cased = (int.from_bytes(section, "big") ^ flips).to_bytes(len(section), "big")
        return attempt.cased

    def _unlike(self, attempt: Attempt, server: Server, packet: bytes) -> None:
        """A packet with the right id whose question section is not what was sent."""
        section = attempt.section
        if packet[12 : 12 + len(section)].lower() == section.lower():
            # The right name in the wrong case: a forgery, or a server that does not keep case. TCP tells them apart.
            self._over_tcp(attempt, server)
        elif packet[4:6] == b"\0\0" and packet[2] & 0x80 and packet[3] & 0x0F:
            # Servers that do not understand a query may leave the question out of their error.
            rcode = packet[3] & 0x0F
            reply = Reply(AnswerStatus.TEMPFAIL, rcode=rcode, cause="formerr" if rcode == FORMERR else f"rcode {rcode}")
            self._settle(attempt, server, reply, edns=attempt.edns)

    def _settle(self, attempt: Attempt, server: Server, reply: Reply, *, edns: bool) -> None:
        """Act on a server's word: the answer, or another way to get one."""
        if reply.truncated:
            self._over_tcp(attempt, server)
        elif reply.status is not AnswerStatus.TEMPFAIL:
            authenticated = reply.authenticated and server.trusted
            self._finish(attempt, reply, authenticated=authenticated)
        elif edns and reply.rcode in _NO_EDNS:
            attempt.edns = False
            attempt.drop()
            self._try(attempt, reply.cause)
        else:
            attempt.failed += (server,)
            attempt.rcode = reply.rcode
            attempt.drop()
            self._try(attempt, reply.cause)

    def _finish(self, attempt: Attempt, reply: Reply, *, authenticated: bool) -> None:
        """Done: an answer."""
        self._end(attempt)
        attempt.done(
            Answer(
                attempt.question,
                reply.status,
                reply.records,
                reply.ttl,
                reply.rcode,
                authenticated,
                self._clock(),
                reply.cause,
            )
        )

    def _fail(self, attempt: Attempt, cause: str) -> None:
        """Done: nobody knows."""
        self._end(attempt)
        attempt.done(
            Answer(attempt.question, AnswerStatus.TEMPFAIL, rcode=attempt.rcode, received=self._clock(), cause=cause)
        )

    def _end(self, attempt: Attempt) -> None:
        """Let go of what the question held."""
        attempt.finished = True
        attempt.drop()
        self._outstanding.discard(attempt)

    # Time.

    def _watch(self, attempt: Attempt, now: float) -> None:
        """Come back to this try when its time is over."""
        due = now + self._try_timeout
        if due >= attempt.deadline:
            # The last try is shorter than the others, which the common queue cannot hold in order.
            self._loop.call_at(attempt.deadline, self._expired, attempt)
            return
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].finished:
            deadlines.popleft()
        deadlines.append((due, attempt.tries, attempt))
        if self._timer is None:
            self._timer = self._loop.call_at(deadlines[0][0], self._tick)

    def _tick(self) -> None:
        """Try again whatever has waited long enough, and sleep until the next one has."""
        self._timer = None
        now = self._loop.time()
        deadlines = self._deadlines
        while deadlines and (deadlines[0][2].finished or deadlines[0][0] <= now + TIMER_SLACK):
            _, number, attempt = deadlines.popleft()
            if not attempt.finished and attempt.tries == number and not attempt.over_tcp:
                self._blame(attempt, now)
                self._try(attempt, "timeout")
        if deadlines and self._timer is None:
            self._timer = self._loop.call_at(deadlines[0][0], self._tick)

    def _expired(self, attempt: Attempt) -> None:
        """The question's own time is over."""
        if not attempt.finished:
            self._blame(attempt, self._loop.time())
            self._fail(attempt, "timeout")

    @staticmethod
    def _blame(attempt: Attempt, now: float) -> None:
        """Count a silence against the server that was asked last."""
        server = attempt.last_server()
        if server is not None:
            server.failed(now)

    # TCP.

    def _over_tcp(self, attempt: Attempt, server: Server) -> None:
        """Ask the same server again over TCP (RFC 7766)."""
        attempt.drop()
        attempt.over_tcp = True
        task = self._loop.create_task(self._ask_tcp(attempt, server))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_tcp(self, attempt: Attempt, server: Server) -> None:
        """One question over one connection; a failure counts against the server and the next one is tried."""
        identifier = int.from_bytes(self._entropy.take(2), "big")
        query = encode_query(identifier, attempt.section, edns=attempt.edns)
        remaining = attempt.deadline - self._loop.time()
        try:
            async with asyncio.timeout(remaining), self._tcp_slots, asyncio.timeout(TCP_TIMEOUT):
                packet = await exchange(server.address, query)
            if packet[:2] != query[:2] or packet[12 : 12 + len(attempt.section)].lower() != attempt.section.lower():
                raise ValueError("answers something else")  # noqa: TRY301  # handled like any malformed answer
            reply = decode(packet, attempt.question)
        except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
            cause = "malformed" if isinstance(error, ValueError) else "tcp failed"
            if isinstance(error, TimeoutError):
                cause = "timeout"
            reply = Reply(AnswerStatus.TEMPFAIL, cause=cause)
        if attempt.finished:
            return
        attempt.over_tcp = False
        if reply.truncated:
            reply = Reply(AnswerStatus.TEMPFAIL, rcode=reply.rcode, cause="truncated")
        self._settle(attempt, server, reply, edns=False)


def _nobody(_answer: Answer) -> None:
    """Nobody waits for a probe's answer: that one came says enough."""

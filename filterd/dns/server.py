"""What the stub resolver knows of a name server: its sockets, its health, and the questions on their way to it."""

import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog

from filterd.dns.nameserver import Entropy, Nameserver
from filterd.model.dns import Answer, Question
from filterd.telemetry.events import Event

SOCKETS: Final = 4  # per server: four source ports to guess among, and four kernel buffers
FAILURES: Final = 3  # in a row without an answer, and the server goes to the end of the line
DOWN: Final = 30.0  # seconds there
MAX_DATAGRAM: Final = 65_535  # bytes; an answer larger than we asked for is still read whole
RECEIVE_BUFFER: Final = 1 << 20  # bytes asked for (the kernel caps it); the default drops packets in a burst
QUERIES_PER_SOCKET: Final = 500  # then a fresh source port: guessing must start anew (RFC 5452, section 9.2)
PENDING_PER_SOCKET: Final = 4_096  # questions under way on one socket: a 16th of the ids, so a free one is near
PACKETS_PER_WAKEUP: Final = 64  # datagrams read before other callbacks get their turn

_log = structlog.get_logger("filterd.dns")


class Receiver(Protocol):
    """Who is told what happens on a socket."""

    def received(self, channel: "Channel", packet: bytes) -> None:
        """A datagram from the name server."""

    def broken(self, channel: "Channel") -> None:
        """The name server's host says that nobody listens there."""


class Channel:
    """One connected UDP socket. The kernel drops what comes from elsewhere and reports ICMP errors on it.

    `pending` maps the ids under way to their questions.
    """

    __slots__ = ("_loop", "_receiver", "_socket", "pending", "sent", "server")

    def __init__(self, server: "Server", loop: AbstractEventLoop, receiver: Receiver) -> None:
        """Open and connect, and read in `loop` from now on. OSError where there is no way to that address."""
        host, port = server.address.host, server.address.port
        info = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        family, kind, protocol, _, address = info[0]
        self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        try:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        self._loop = loop
        self._receiver = receiver
        self.server = server
        self.pending: dict[int, Attempt] = {}
        self.sent = 0
        loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, packet: bytes) -> None:
        """Hand a datagram to the kernel. OSError where it does not take it; ConnectionRefusedError: nobody listens."""
        self.sent += 1
        self._socket.send(packet)

    def close(self) -> None:
        """Stop reading and close; once more does nothing."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        """Read what has come, but leave at once where nothing more is expected: a read in vain costs a system call."""
        for _ in range(PACKETS_PER_WAKEUP):
            try:
                packet = self._socket.recv(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                self._receiver.broken(self)
                return
            self._receiver.received(self, packet)
            if not self.pending:
                return


class Server:
    """A name server: its sockets and its health; `down_until` is 0 while it is well."""

    def __init__(
        self,
        address: Nameserver,
        loop: AbstractEventLoop,
        receiver: Receiver,
        entropy: Entropy,
        *,
        trusted: bool | None = None,
    ) -> None:
        """`trusted` None: believed where it is on loopback."""
        self.address = address
        self.local = address.loopback
        self.trusted = self.local if trusted is None else trusted
        self._loop = loop
        self._receiver = receiver
        self._entropy = entropy
        self._channels: list[Channel] = []
        self._retired: list[Channel] = []
        self._turn = 0
        self._failures = 0
        self._since = 0.0  # of the first failure behind its last answer
        self.down_until = 0.0

    def channel(self) -> tuple[Channel, int]:
        """A socket and an id that is free on it. OSError where none can be opened."""
        if len(self._channels) < SOCKETS:
            channel = Channel(self, self._loop, self._receiver)
            self._channels.append(channel)
        else:
            self._turn = turn = (self._turn + 1) % SOCKETS
            channel = self._channels[turn]
            if channel.sent >= QUERIES_PER_SOCKET:
                channel = self._replace(turn)
        pending = channel.pending
        if len(pending) >= PENDING_PER_SOCKET:
            raise OSError("too many questions under way")
        while True:  # at most one id in sixteen is taken
            identifier = int.from_bytes(self._entropy.take(2), "big")
            if identifier not in pending:
                return channel, identifier

    def discard(self, channel: Channel) -> None:
        """Close a socket that reported an error; the next question opens another.

        uvloop reads no more from it: libuv ends its watch over a descriptor at EPOLLERR, whoever takes the error.
        """
        channel.close()
        self._channels = [one for one in self._channels if one is not channel]
        self._retired = [one for one in self._retired if one is not channel]

    def answered(self) -> None:
        """It lives."""
        if self.down_until:
            _log.info(Event.RESOLVER_RETURNED, server=str(self.address))
        self._failures = 0
        self.down_until = 0.0

    def failed(self, now: float) -> None:
        """It gave no answer in time, or nobody listens."""
        if not self._failures:
            self._since = now
        self._failures += 1
        if self._failures >= FAILURES:
            if not self.down_until:
                _log.warning(Event.RESOLVER_FAILING, server=str(self.address))
            self.down_until = now + DOWN

    def down(self, now: float) -> bool:
        """True while others should be asked first."""
        return now < self.down_until

    def silent(self, now: float, seconds: float) -> bool:
        """True where it is down and has answered nothing for so long."""
        return self.down(now) and now - self._since >= seconds

    def close(self) -> None:
        """Close all sockets."""
        for channel in (*self._channels, *self._retired):
            channel.close()
        self._channels.clear()
        self._retired.clear()

    def _replace(self, turn: int) -> Channel:
        """A fresh source port; sockets whose questions are all done are closed, others live until then."""
        fresh = Channel(self, self._loop, self._receiver)
        self._retired.append(self._channels[turn])
        self._channels[turn] = fresh
        for channel in self._retired:
            if not channel.pending:
                channel.close()
        self._retired = [channel for channel in self._retired if channel.pending]
        return fresh


class Attempt:
    """A question under way: what was sent where, and who waits. Plain slots: one is made for each question."""

    __slots__ = (
        "_sent",
        "cased",
        "deadline",
        "done",
        "edns",
        "failed",
        "finished",
        "over_tcp",
        "question",
        "rcode",
        "section",
        "tries",
    )

    def __init__(self, question: Question, section: bytes, done: Callable[[Answer], None], deadline: float) -> None:
        """`section` is the encoded question, `cased` the same as sent; `deadline` in the loop's time."""
        self.question = question
        self.section = section
        self.cased = section
        self.done = done
        self.deadline = deadline
        self.edns = True
        self.over_tcp = False
        self.finished = False
        self.rcode = 0
        self.tries = 0
        self.failed: tuple[Server, ...] = ()  # they said that they cannot answer
        self._sent: list[tuple[Channel, int]] = []

    def asked(self, server: Server) -> int:
        """How often this server was asked, as far as its answers still count."""
        return sum([channel.server is server for channel, _ in self._sent])

    def last_server(self) -> Server | None:
        """Who was asked last."""
        return self._sent[-1][0].server if self._sent else None

    def register(self, channel: Channel, identifier: int) -> None:
        """From now on, packets with this id on this socket are for this question."""
        channel.pending[identifier] = self
        self._sent.append((channel, identifier))

    def forget(self, channel: Channel) -> None:
        """Expect nothing more on this socket."""
        for known, identifier in self._sent:
            if known is channel:
                known.pending.pop(identifier, None)
        self._sent = [sent for sent in self._sent if sent[0] is not channel]

    def drop(self) -> None:
        """Expect nothing more at all."""
        for channel, identifier in self._sent:
            channel.pending.pop(identifier, None)
        self._sent.clear()

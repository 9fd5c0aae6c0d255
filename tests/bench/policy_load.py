"""Requests of a policy service, made beforehand, and a client that costs as little as a client can."""

import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from tests.bench.sites import Site, foreign, shared

REQUEST: Final = (
    "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nhelo_name={helo}\nqueue_id=\n"
    "sender={sender}\nrecipient={recipient}\nrecipient_count=0\nclient_address={address}\nclient_name={name}\n"
    "reverse_client_name={name}\ninstance={instance}\nsasl_method=\nsasl_username=\nsasl_sender=\nsize=12345\n"
    "ccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
    "encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\netrn_domain=\nstress=\nclient_port=4711\n"
    "policy_context=\nserver_address=192.0.2.25\nserver_port=25\ncompatibility_level=3.7\nmail_version=3.7.11\n\n"
)
STRAY_EVERY: Final = 10  # one message in so many comes from a host that its sender's SPF record does not name
SENDERS: Final = 25  # per site
RECIPIENTS: Final = 500
NUMBERS: Final = count(1)  # of messages: each has an instance of its own
END: Final = b"\n\n"
SIZE: Final = 4_096  # bytes; an answer is one line
PATIENCE: Final = 30.0  # seconds without any answer
PASSES: Final = "passes"
HINDERED: Final = "hindered"
_WORDS: Final = {b"dunno": PASSES, b"prepend": PASSES, b"550": HINDERED, b"defer_if_permit": HINDERED}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as it goes over the wire, and whether its client is one that the sender's SPF record fails."""

    wire: bytes
    stray: bool


@dataclass(frozen=True, slots=True)
class Pass:
    """One run over some requests: seconds in all and of the client's own CPU, and what was answered to whom."""

    requests: int
    seconds: float
    client: float
    answers: Counter[tuple[str, bool]]


class StalledError(Exception):
    """The service does not answer."""


def requests(number: int, *, anew: bool = False) -> list[Ask]:
    """So many, each about the one recipient of a message of its own, all of the sites that share the common mail.

    `anew` gives each a sender whom nobody has seen before, at one of these sites.
    """
    sites = [site for site in shared() if site.strict]
    return [_ask(sites[turn % len(sites)], next(NUMBERS), anew=anew) for turn in range(number)]


def _ask(site: Site, number: int, *, anew: bool) -> Ask:
    stray = number % STRAY_EVERY == 0
    which = number % 2
    address = foreign(site, 0) if stray else site.addresses[which]
    name = f"host{site.number}.fdbench-dial0.net" if stray else site.host(which)
    wire = REQUEST.format(
        helo=name,
        sender=f"anna{number if anew else number % SENDERS}@{site.domain}",
        recipient=f"user{number % RECIPIENTS}@local.test",
        address=address,
        name=name,
        instance=f"{number:x}.6745a1b2.0",
    )
    return Ask(wire.encode(), stray)


class Lines(Protocol):
    """Who opens connections to a service, and closes them."""

    def open(self) -> socket.socket:
        """A new one."""

    def close(self, connection: socket.socket) -> None:
        """Hang up."""


def drive(connections: Sequence[socket.socket], asks: Sequence[Ask], lines: Lines, each: int = 0) -> Pass:
    """Ask all of them, one under way on each connection as an smtpd process has it, as fast as answers come.

    With `each` a connection is hung up after so many answers and another one opened, and all of them at the end.
    """
    client = _Client(asks, lines, each)
    began, cpu = time.perf_counter(), time.process_time()
    for connection in connections:
        client.take(connection)
    client.run()
    found = Pass(len(asks), time.perf_counter() - began, time.process_time() - cpu, client.answers)
    client.end()
    return found


class _Client:
    """What is under way on which connection."""

    def __init__(self, asks: Sequence[Ask], lines: Lines, each: int) -> None:
        """Nothing is."""
        self.answers: Counter[tuple[str, bool]] = Counter()
        self._left: Iterator[Ask] = iter(asks)
        self._lines = lines
        self._each = each
        self._poll = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._under_way: dict[int, Ask] = {}
        self._answered: dict[int, int] = {}

    def take(self, connection: socket.socket) -> None:
        """Ask over this one too."""
        if (ask := next(self._left, None)) is not None:
            self._send(ask, self._joined(connection))

    def run(self) -> None:
        """Until all is answered."""
        while self._under_way:
            ready = self._poll.poll(PATIENCE)
            if not ready:
                raise StalledError(f"{len(self._under_way)} requests without an answer for {PATIENCE:g} s")
            for number, _ in ready:
                self._answer(number)

    def end(self) -> None:
        """Hang up, where connections are not to stay."""
        self._poll.close()
        if self._each:
            for connection in self._connections.values():
                self._lines.close(connection)

    def _joined(self, connection: socket.socket) -> int:
        number = connection.fileno()
        self._connections[number], self._answered[number] = connection, 0
        self._poll.register(number, select.EPOLLIN)
        return number

    def _send(self, ask: Ask, number: int) -> None:
        self._under_way[number] = ask
        self._connections[number].sendall(ask.wire)

    def _answer(self, number: int) -> None:
        answer = self._connections[number].recv(SIZE)
        if not answer.endswith(END):
            raise StalledError(f"expected a whole answer, got {answer!r}")
        self.answers[_word(answer), self._under_way.pop(number).stray] += 1
        self._answered[number] += 1
        ask = next(self._left, None)
        if ask is None:
            return
        if self._answered[number] == self._each:
            self._poll.unregister(number)
            self._lines.close(self._connections.pop(number))
            number = self._joined(self._lines.open())
        self._send(ask, number)


def _word(answer: bytes) -> str:
    word = answer.removeprefix(b"action=").split(None, 1)[0].lower()
    return _WORDS.get(word, word.decode("utf-8", "replace"))

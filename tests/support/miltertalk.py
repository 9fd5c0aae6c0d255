"""The MTA's side of the milter protocol, spoken raw: every packet can be sent, also those no MTA would send.

Talks as Postfix does: macros before every command, and commands that need no answer are held back until one does.
Sendmail's or an old MTA's ways are a matter of `Offer`.
"""

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, TypeGuard

TIMEOUT = 30.0  # seconds for one reply
CHUNK = 65535  # bytes; what MTAs send as one body packet
MAX_PACKET = 1 << 24  # bytes; more than any reply

# Protocol steps (SMFIP_*): what a milter may ask the MTA to leave out.
NO_CONNECT, NO_HELO, NO_MAIL, NO_RCPT, NO_BODY, NO_HEADERS, NO_EOH = (1 << bit for bit in range(7))
NR_HEADERS, NO_UNKNOWN, NO_DATA, SKIP, RCPT_REJECTED = (1 << bit for bit in range(7, 12))
NR_CONNECT, NR_HELO, NR_MAIL, NR_RCPT, NR_DATA, NR_UNKNOWN, NR_EOH, NR_BODY, HDR_LEADSPC = (
    1 << bit for bit in range(12, 21)
)
OMIT = {
    b"C": NO_CONNECT,
    b"H": NO_HELO,
    b"M": NO_MAIL,
    b"R": NO_RCPT,
    b"T": NO_DATA,
    b"L": NO_HEADERS,
    b"N": NO_EOH,
    b"B": NO_BODY,
    b"U": NO_UNKNOWN,
}
SILENT = {
    b"C": NR_CONNECT,
    b"H": NR_HELO,
    b"M": NR_MAIL,
    b"R": NR_RCPT,
    b"T": NR_DATA,
    b"L": NR_HEADERS,
    b"N": NR_EOH,
    b"B": NR_BODY,
    b"U": NR_UNKNOWN,
}
CONTINUE, ACCEPT, DISCARD, REJECT, TEMPFAIL, REPLY, SKIP_BODY = b"c", b"a", b"d", b"r", b"t", b"y", b"s"
FINAL = frozenset({CONTINUE, ACCEPT, DISCARD, REJECT, TEMPFAIL, REPLY, SKIP_BODY, b"4"})


class MilterGoneError(ConnectionError):
    """The milter closed the connection."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the MTA says it can do; the default is Postfix' and Sendmail's own offer."""

    version: int = 6
    actions: int = 0x1FF
    steps: int = 0x1FFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """The milter's answer to one command: `code` its letter, `text` of a reply code, and the edits before it."""

    code: bytes
    text: str = ""
    edits: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether the client is told 4xx or 5xx."""
        return self.code in {REJECT, TEMPFAIL, REPLY}

    @property
    def added(self) -> list[tuple[int, bytes, bytes]]:
        """Inserted and appended header fields in order: index (-1 for appended), name, value."""
        fields = []
        for letter, data in self.edits:
            if letter in b"ih":
                index = struct.unpack(">I", data[:4])[0] if letter == b"i" else -1
                name, value = data[4 if letter == b"i" else 0 :].split(b"\0")[:2]
                fields.append((index, name, value))
        return fields

    @property
    def changed(self) -> list[tuple[int, bytes, bytes]]:
        """Changed header fields in order: index, name, value; an empty value deletes."""
        fields = []
        for letter, data in self.edits:
            if letter == b"m":
                name, value = data[4:].split(b"\0")[:2]
                fields.append((struct.unpack(">I", data[:4])[0], name, value))
        return fields

    @property
    def removed(self) -> list[bytes]:
        """Recipients taken away, as spelt."""
        return [data.rstrip(b"\0") for letter, data in self.edits if letter == b"-"]


@dataclass(slots=True)
class Mail:
    """One message for `Session.message`; header values begin right after the colon."""

    sender: str = "<sender@example.test>"
    recipients: Sequence[str] = ("<user@local.test>",)
    fields: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""
    macros: dict[str, str] = field(default_factory=lambda: {"i": "4XQ1"})
    chunk: int = CHUNK


class Session:
    """One milter connection. Every command returns the answer, or None where the milter asked for silence."""

    def __init__(self, address: str, offer: Offer | None = None, *, timeout: float = TIMEOUT) -> None:
        """Connect to "unix:/path" or "inet:PORT@HOST"; with an offer, negotiate at once."""
        self._socket = _connect(address, timeout)
        self._pending = bytearray()
        self.steps = 0
        self.actions = 0
        self.version = 0
        self.wanted_macros: dict[int, tuple[str, ...]] = {}
        if offer is not None:
            self.negotiate(offer)

    def __enter__(self) -> Self:
        """Nothing more."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close without a word."""
        self.drop()

    # --- packets

    def packet(self, letter: bytes, data: bytes = b"") -> None:
        """Queue one packet; it goes out with the next one that needs an answer."""
        self._pending += struct.pack(">I", len(data) + 1) + letter + data

    def flush(self) -> None:
        """Send what is queued."""
        pending, self._pending = self._pending, bytearray()
        if pending:
            self._socket.sendall(pending)

    def raw(self, data: bytes) -> None:
        """Bytes that need be no packet."""
        self.flush()
        self._socket.sendall(data)

    def receive(self) -> tuple[bytes, bytes]:
        """One packet of the milter: letter and data."""
        (length,) = struct.unpack(">I", self._exactly(4))
        if not 0 < length <= MAX_PACKET:
            raise MilterGoneError(f"a packet of {length} bytes")
        data = self._exactly(length)
        return data[:1], data[1:]

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                more = self._socket.recv(count - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise MilterGoneError("the milter closed the connection")
            data += more
        return bytes(data)

    def answer(self) -> Answer:
        """Send what is queued and read up to a final answer, edits and progress on the way."""
        self.flush()
        edits: list[tuple[bytes, bytes]] = []
        while True:
            letter, data = self.receive()
            if letter in FINAL:
                return Answer(letter, data.rstrip(b"\0").decode("utf-8", "replace"), tuple(edits))
            if letter != b"p":
                edits.append((letter, data))

    def command(self, letter: bytes, data: bytes = b"", macros: dict[str, str] | None = None) -> Answer | None:
        """A command with its macros. None: nothing was asked for, or the milter does not want this command at all."""
        if self.steps & OMIT.get(letter, 0):
            return None
        if macros is not None:
            pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in macros.items())
            self.packet(b"D", letter + pairs)
        self.packet(letter, data)
        return None if self.steps & SILENT.get(letter, 0) else self.answer()

    # --- the life of a session

    def negotiate(self, offer: Offer) -> None:
        """Offer, and keep what the milter chose: `version`, `actions`, `steps`, and the macros it asked for."""
        self.packet(b"O", struct.pack(">III", offer.version, offer.actions, offer.steps))
        self.flush()
        letter, data = self.receive()
        if letter != b"O":
            raise MilterGoneError(f"no negotiation but {letter!r}")
        self.version, self.actions, self.steps = struct.unpack(">III", data[:12])
        rest = data[12:]
        while len(rest) > 4:
            (stage,) = struct.unpack(">I", rest[:4])
            names, _, rest = rest[4:].partition(b"\0")
            self.wanted_macros[stage] = tuple(names.decode().split())

    def connect(
        self,
        name: str = "client.test",
        address: str = "192.0.2.1",
        port: int = 4711,
        macros: dict[str, str] | None = None,
    ) -> Answer | None:
        """The client: an IPv4 or IPv6 address, "/path" for a unix socket, or "" for unknown."""
        if not address:
            where = b"U"
        elif address.startswith("/"):
            where = b"L" + struct.pack(">H", 0) + address.encode() + b"\0"
        else:
            where = (b"6" if ":" in address else b"4") + struct.pack(">H", port) + address.encode() + b"\0"
        known = {"j": "mx.filterd.test", "{daemon_name}": "mx.filterd.test", "v": "Postfix 3.7.11"}
        return self.command(b"C", name.encode() + b"\0" + where, known if macros is None else macros)

    def helo(self, name: str = "client.test") -> Answer | None:
        """HELO or EHLO."""
        return self.command(b"H", name.encode("utf-8", "surrogateescape") + b"\0", {})

    def mail(self, sender: str, *parameters: str, macros: dict[str, str] | None = None) -> Answer | None:
        """MAIL FROM, the path with its brackets."""
        return self.command(b"M", _strings(sender, *parameters), macros or {})

    def rcpt(self, recipient: str, *parameters: str, macros: dict[str, str] | None = None) -> Answer | None:
        """RCPT TO, the path with its brackets."""
        return self.command(b"R", _strings(recipient, *parameters), macros or {})

    def data(self, macros: dict[str, str] | None = None) -> Answer | None:
        """DATA; the queue id `i` is among Postfix' macros from here on."""
        return self.command(b"T", b"", macros or {})

    def header(self, name: bytes, value: bytes) -> Answer | None:
        """One header field. The MTA takes the blank after the colon away unless HDR_LEADSPC was agreed."""
        if not self.steps & HDR_LEADSPC:
            value = value.removeprefix(b" ")
        return self.command(b"L", name + b"\0" + value.replace(b"\r\n", b"\n") + b"\0", {})

    def eoh(self) -> Answer | None:
        """End of header."""
        return self.command(b"N", b"", {})

    def body(self, data: bytes, chunk: int = CHUNK) -> Answer | None:
        """The body in chunks; stops where the milter answers SKIP, as an MTA does."""
        answer = None
        for start in range(0, len(data), chunk):
            answer = self.command(b"B", data[start : start + chunk], {})
            if answer is not None and answer.code != CONTINUE:
                break
        return answer

    def eom(self, macros: dict[str, str] | None = None) -> Answer:
        """End of message: the verdict."""
        if macros is not None:
            pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in macros.items())
            self.packet(b"D", b"E" + pairs)
        self.packet(b"E")
        return self.answer()

    def abort(self) -> None:
        """The message is over (RSET, or after every message as Postfix does); the session goes on."""
        self.packet(b"A")
        self.flush()

    def quit(self) -> None:
        """The session is over."""
        self.packet(b"Q")
        self.flush()
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        self._socket.close()

    def message(self, mail: Mail) -> Answer:
        """MAIL up to end of message: the first answer that is not "continue", or the verdict; then abort."""
        answer = self._message(mail)
        self.abort()
        return answer

    def _message(self, mail: Mail) -> Answer:
        for step in (self._envelope, self._content):
            if (answer := step(mail)) is not None:
                return answer
        return self.eom(mail.macros)

    def _envelope(self, mail: Mail) -> Answer | None:
        """MAIL to DATA: the answer that ends the message, None to go on."""
        answer = self.mail(mail.sender, macros={"{mail_addr}": mail.sender.strip("<>")})
        if _ends(answer):
            return answer
        accepted = 0
        for recipient in mail.recipients:
            answer = self.rcpt(recipient, macros={"{rcpt_addr}": recipient.strip("<>")})
            if _ends(answer) and not answer.refuses:
                return answer
            accepted += not _ends(answer)
        if accepted:
            answer = self.data(mail.macros)
        return answer if _ends(answer) else None

    def _content(self, mail: Mail) -> Answer | None:
        """Header fields and body: the answer that ends the message, None to go on."""
        answer = None
        for name, value in mail.fields:
            if _ends(answer := self.header(name, value)):
                return answer
        if not _ends(answer := self.eoh()):
            answer = self.body(mail.body, mail.chunk)
        return answer if _ends(answer) and answer.code != SKIP_BODY else None


def _ends(answer: Answer | None) -> TypeGuard[Answer]:
    """Whether an answer came that is not "continue"."""
    return answer is not None and answer.code != CONTINUE


def _strings(*values: str) -> bytes:
    return b"".join(value.encode("utf-8", "surrogateescape") + b"\0" for value in values)


def _connect(address: str, timeout: float) -> socket.socket:
    kind, _, rest = address.partition(":")
    if kind in {"unix", "local"}:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(rest)
        except OSError:
            connection.close()
            raise
        return connection
    port, _, host = rest.partition("@")
    connection = socket.create_connection((host, int(port)), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def split_message(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """A well-formed message with CRLF line ends as fields (value right after the colon) and body."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\r\n"):
        if line[:1] in {b" ", b"\t"} and fields:
            name, value = fields.pop()
            fields.append((name, value + b"\r\n" + line))
        else:
            name, _, value = line.partition(b":")
            fields.append((name, value))
    return fields, body

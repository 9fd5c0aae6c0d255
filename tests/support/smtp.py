"""A plain SMTP client that sends exactly the bytes it is given and keeps every reply, posing as any host by XCLIENT."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

TIMEOUT = 60.0  # seconds for one reply; above every deadline of the milter under test


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply, `text` with its lines joined by blanks, codes taken off."""

    code: int
    text: str

    def __str__(self) -> str:
        """As one line of the wire."""
        return f"{self.code} {self.text}"


@dataclass(frozen=True, slots=True)
class Pose:
    """The client that Postfix is to see: XCLIENT's NAME, ADDR and HELO; `login` for an authenticated one."""

    address: str
    name: str = "[UNAVAILABLE]"
    helo: str = "client.test"
    login: str = ""

    def arguments(self) -> str:
        """The attributes of the XCLIENT command."""
        address = f"IPV6:{self.address}" if ":" in self.address else self.address
        login = f" LOGIN={self.login}" if self.login else ""
        return f"NAME={self.name} ADDR={address} HELO={self.helo}{login}"


@dataclass(slots=True)
class Sent:
    """What the client was told for one message: replies in order; `last` decided."""

    replies: list[tuple[str, Reply]] = field(default_factory=list)

    @property
    def last(self) -> Reply:
        """The reply that ended it: the first refusal, or that to the final dot."""
        return self.replies[-1][1]

    @property
    def stage(self) -> str:
        """The command that got the last reply: MAIL, RCPT, DATA or "." ."""
        return self.replies[-1][0]


class SmtpClient:
    """One session. `pose` is used right after the first EHLO."""

    def __init__(self, port: int, pose: Pose | None = None, helo: str = "client.test", source: str = "") -> None:
        """Connect to 127.0.0.1, read the banner, say EHLO (twice, with XCLIENT between, for a pose).

        `source` is an address of this host to come from.
        """
        origin = (source, 0) if source else None
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT, origin)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        try:
            self._begin(pose, helo)
        except BaseException:
            self.drop()
            raise

    def _begin(self, pose: Pose | None, helo: str) -> None:
        self.banner = self.reply()
        self.ehlo = self.command(f"EHLO {pose.helo if pose else helo}")
        if pose is not None:
            answer = self.command(f"XCLIENT {pose.arguments()}")
            if answer.code != 220:
                raise ConnectionError(f"XCLIENT: {answer}")
            self.ehlo = self.command(f"EHLO {pose.helo}")

    def __enter__(self) -> Self:
        """Nothing more."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close without QUIT."""
        self.drop()

    def reply(self) -> Reply:
        """Read one reply; ConnectionError where the server hung up."""
        lines = []
        while True:
            line = self._file.readline()
            if not line:
                raise ConnectionError("the server closed the connection")
            lines.append(line[4:].decode("utf-8", "replace").rstrip())
            if line[3:4] != b"-":
                return Reply(int(line[:3]), " ".join(lines))

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._socket.sendall(data)

    def command(self, line: str | bytes) -> Reply:
        """One command line and its reply."""
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def mail(
        self, message: bytes, sender: str, recipients: Sequence[str], parameters: str = "", *, stuff: bool = True
    ) -> Sent:
        """One whole transaction, ended at the first refusal of MAIL or DATA or of every recipient (then RSET).

        `stuff=False` sends the message's dots as they are. A message without a final CRLF gets one.
        """
        sent = Sent()
        sent.replies.append(("MAIL", self.command(f"MAIL FROM:<{sender}>{' ' if parameters else ''}{parameters}")))
        if sent.last.code != 250:
            return sent
        accepted = 0
        for recipient in recipients:
            sent.replies.append(("RCPT", self.command(f"RCPT TO:<{recipient}>")))
            accepted += sent.last.code == 250
        if not accepted:
            self.command("RSET")
            return sent
        sent.replies.append(("DATA", self.command("DATA")))
        if sent.last.code == 354:
            self.send(wire(message) if stuff else message + b"\r\n.\r\n")
            sent.replies.append((".", self.reply()))
        return sent

    def quit(self) -> Reply:
        """QUIT and close."""
        answer = self.command("QUIT")
        self.drop()
        return answer

    def drop(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


def wire(message: bytes) -> bytes:
    """The message as it goes behind DATA: dots doubled, ended by CRLF and the final dot."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


def send(port: int, message: bytes, sender: str, recipients: Sequence[str], pose: Pose | None = None) -> Sent:
    """One session with one message."""
    with SmtpClient(port, pose) as client:
        sent = client.mail(message, sender, recipients)
        client.quit()
        return sent

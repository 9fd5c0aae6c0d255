"""An SMTP server that keeps every message exactly as its bytes came, only the dot-stuffing undone."""

import socketserver
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tests.support.miltertalk import split_message
from tests.support.process import wait_until


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one DATA brought: `data` ends with the CRLF before the final dot; paths come without brackets."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    parameters: tuple[str, ...] = ()

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields in order, values right after the colon, folds as CRLF."""
        return split_message(self.data)[0]

    def values(self, name: str) -> list[bytes]:
        """The values of all fields of that name, topmost first, without surrounding blanks."""
        wanted = name.lower().encode()
        return [value.strip() for key, value in self.fields if key.lower() == wanted]

    @property
    def body(self) -> bytes:
        """What stands behind the empty line."""
        return self.data.partition(b"\r\n\r\n")[2]


class _Session(socketserver.StreamRequestHandler):
    """One SMTP session."""

    server: "Sink"

    def handle(self) -> None:
        self._answer("220 sink.test ESMTP")
        self._parameters: list[str] = []
        self._reset()
        while line := self.rfile.readline():
            verb, _, rest = line.strip().decode("utf-8", "surrogateescape").partition(" ")
            if not self._command(verb.upper(), rest):
                return

    def _command(self, verb: str, rest: str) -> bool:
        """Answer one command; False ends the session."""
        if verb in self.server.answers:
            self._answer(self.server.answers[verb])
        elif verb == "EHLO":
            self._answer("250-sink.test", "250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8", "250 DSN")
        elif verb == "MAIL":
            path, *self._parameters = rest.partition(":")[2].split()
            self._sender = path.strip("<>")
            self._answer("250 ok")
        elif verb == "RCPT":
            self._recipients.append(rest.partition(":")[2].split()[0].strip("<>"))
            self._answer("250 ok")
        elif verb == "DATA":
            self._answer("354 go on")
            self._data()
        elif verb == "QUIT":
            self._answer("221 bye")
            return False
        else:
            self._reset()
            self._answer("250 ok")
        return True

    def _data(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return  # cut off before the final dot: not a message
            lines.append(line[1:] if line.startswith(b".") else line)
        self.server.keep(
            Delivered(self._sender, tuple(self._recipients), b"".join(lines), tuple(self._parameters)),
        )
        self._reset()
        self._answer(self.server.answers.get(".", "250 kept"))

    def _reset(self) -> None:
        self._sender = ""
        self._recipients: list[str] = []
        self._parameters = []

    def _answer(self, *lines: str) -> None:
        self.wfile.write("".join(line + "\r\n" for line in lines).encode())


class Sink(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1, one thread per session; `with Sink() as sink: sink.port`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        """Listen at once, on a port of the system's choice; `answers` replace its own, by command; "." is the end."""
        super().__init__(("127.0.0.1", 0), _Session)
        self.answers = dict(answers or {})
        self.port: int = self.server_address[1]
        self._kept: list[Delivered] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; sessions end with their clients."""
        self.shutdown()
        self.server_close()

    def keep(self, message: Delivered) -> None:
        """Called by the sessions."""
        with self._lock:
            self._kept.append(message)

    @property
    def messages(self) -> list[Delivered]:
        """Everything that came, in order."""
        with self._lock:
            return list(self._kept)

    def wait(self, count: int, within: float = 20.0) -> list[Delivered]:
        """The messages, as soon as there are so many."""
        wait_until(lambda: len(self.messages) >= count, f"{count} messages at the sink", within)
        return self.messages

    def with_header(self, name: str, value: str, within: float = 20.0) -> Delivered:
        """The message whose field `name` contains `value`, as soon as it is there."""
        found: list[Delivered] = []

        def look() -> bool:
            found[:] = [one for one in self.messages if any(value.encode() in text for text in one.values(name))]
            return bool(found)

        wait_until(look, f"a message with {name}: {value} at the sink", within)
        return found[0]

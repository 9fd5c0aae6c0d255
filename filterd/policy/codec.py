"""The policy delegation protocol, sans-I/O: what Postfix sends, line by line, and nothing of what it means."""

from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 8_192  # bytes; Postfix itself cuts attributes at 2,048 characters (line_length_limit)
MAX_LINES: Final = 100  # of one request; Postfix 3.10 sends some 35
MAX_REQUEST: Final = 65_536  # bytes
END: Final = b"\n\n"  # of a request
KIND: Final = "smtpd_access_policy"  # the one kind of request there is
_ENCODING: Final = ("utf-8", "surrogateescape")  # as addresses come from the milter


class PolicyProtocolError(Exception):
    """The peer does not speak the protocol: whatever it meant, it gets no answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. `doubled` says that an attribute was given twice with different values."""

    attributes: dict[str, str]
    doubled: bool = False

    def get(self, name: str) -> str:
        """An attribute's value; what was not sent is as good as empty."""
        return self.attributes.get(name, "")


class Decoder:
    """Bytes of one connection to requests. After a PolicyProtocolError it is of no more use."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._partial = bytearray()  # of a line
        self._attributes: dict[str, str] = {}
        self._doubled = False
        self._lines = 0
        self._size = 0

    @property
    def within(self) -> bool:
        """Whether a request has begun and not ended."""
        return bool(self._lines or self._partial)

    def receive(self, data: bytes) -> list[Request]:
        """The requests that end in this piece. Work is linear in the piece, whatever came before."""
        if not self.within and (request := _whole(data)) is not None:
            return [request]
        first, *others = data.split(b"\n")
        self._partial += first
        if len(self._partial) > MAX_LINE:
            raise PolicyProtocolError(f"a line of more than {MAX_LINE} bytes")
        if not others:
            return []
        lines = [bytes(self._partial), *others[:-1]]
        self._partial[:] = others[-1]
        if len(self._partial) > MAX_LINE:
            raise PolicyProtocolError(f"a line of more than {MAX_LINE} bytes")
        found: list[Request] = []
        for line in lines:
            self._line(line, found)
        return found

    def _line(self, line: bytes, found: list[Request]) -> None:
        line = line.removesuffix(b"\r")  # Postfix ends lines by LF alone; who talks by hand may not
        if not line:
            found.append(self._end())
            return
        self._lines += 1
        self._size += len(line) + 1
        if len(line) > MAX_LINE:
            raise PolicyProtocolError(f"a line of more than {MAX_LINE} bytes")
        if self._lines > MAX_LINES or self._size > MAX_REQUEST:
            raise PolicyProtocolError(f"a request of more than {MAX_LINES} lines or {MAX_REQUEST} bytes")
        name, equals, value = line.decode(*_ENCODING).partition("=")
        if not equals:
            raise PolicyProtocolError("a line without =")
        if self._attributes.setdefault(name, value) != value:
            self._doubled = True

    def _end(self) -> Request:
        if not self._lines:
            raise PolicyProtocolError("a request without attributes")
        request = Request(self._attributes, self._doubled)
        self._attributes, self._doubled, self._lines, self._size = {}, False, 0, 0
        return request


def _whole(data: bytes) -> Request | None:
    """One request and nothing else, as Postfix writes it, in a third of the time; None for anything out of the way."""
    if len(data) > MAX_LINE or data.find(END) != len(data) - len(END) or b"\r" in data:
        return None
    lines = data[: -len(END)].decode(*_ENCODING).split("\n")
    try:
        attributes = dict([line.split("=", 1) for line in lines])
    except ValueError:  # a line without =
        return None
    return Request(attributes) if len(attributes) == len(lines) <= MAX_LINES else None

"""Addresses to listen on, as postmasters write them for Postfix and for libmilter."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

EXPECTED: Final = 'an address such as "unix:/run/filterd/milter.sock", "inet:8891@127.0.0.1" or "inet6:8891@::1"'
MAX_UNIX_PATH: Final = 106  # bytes; sun_path has 107 beside the NUL, and libmilter takes one less
MAX_PORT: Final = 65535
DNS_PORT: Final = 53

_PORT_FIRST = re.compile(r"(?P<port>\d{1,5})(?:@(?P<host>[^@\[\]]+|\[[^@\[\]]+\]))?")  # libmilter: 8891@127.0.0.1
_PORT_LAST = re.compile(r"(?P<host>[^@:\[\]]+|\[[^@\[\]]+\]):(?P<port>\d{1,5})")  # Postfix: 127.0.0.1:8891


class ListenKind(StrEnum):
    """The socket family."""

    UNIX = "unix"
    INET = "inet"
    INET6 = "inet6"


@dataclass(frozen=True, slots=True)
class Listen:
    """A parsed address: `path` for unix, `host` and `port` for the others."""

    kind: ListenKind
    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def libmilter(self) -> str:
        """The form smfi_setconn reads."""
        return f"unix:{self.path}" if self.kind is ListenKind.UNIX else f"{self.kind}:{self.port}@{self.host}"

    @property
    def postfix(self) -> str:
        """The form smtpd_milters reads."""
        if self.kind is ListenKind.UNIX:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"inet:{host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """Read unix:PATH, local:PATH, inet:PORT@HOST, inet6:PORT@HOST, inet:HOST:PORT, HOST:PORT. ValueError otherwise."""
    kind, colon, rest = text.partition(":")
    if colon and kind in {"unix", "local"}:
        if not rest or "\0" in rest or len(rest.encode("utf-8", "surrogateescape")) > MAX_UNIX_PATH:
            raise ValueError(f"expected a path of at most {MAX_UNIX_PATH} bytes behind unix:")
        return Listen(ListenKind.UNIX, path=rest)
    if not colon or kind not in {"inet", "inet6"}:
        kind, rest = "inet", text
    found = _PORT_FIRST.fullmatch(rest) or _PORT_LAST.fullmatch(rest)
    if found is None or not 0 < int(found["port"]) <= MAX_PORT:
        raise ValueError(f"expected {EXPECTED}")
    host = (found["host"] or ("::1" if kind == "inet6" else "127.0.0.1")).strip("[]")
    family = ListenKind.INET6 if kind == "inet6" or ":" in host else ListenKind.INET
    return Listen(family, host=host, port=int(found["port"]))


def parse_nameserver(text: str) -> tuple[str, int]:
    """Read 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353. ValueError otherwise."""
    host, port = text, str(DNS_PORT)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = rest[1:] if bracket and rest.startswith(":") else "" if rest or not bracket else port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        address = str(ip_address(host))
        number = int(port) if port.isascii() and port.isdigit() else 0
    except ValueError:
        number, address = 0, ""
    if not 0 < number <= MAX_PORT:
        raise ValueError(f"expected an IP address with an optional port, got {text!r}")
    return address, number

"""Name servers as addresses, from the configuration or the system, and the randomness that questions need."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

DNS_PORT: Final = 53
RESOLV_CONF: Final = Path("/etc/resolv.conf")
MAX_NAMESERVERS: Final = 8  # more are a configuration error, not resilience
MAX_RESOLV_CONF: Final = 64 << 10  # bytes read of it
ENTROPY_BLOCK: Final = 4_096  # bytes fetched at a time: a system call per question would cost as much as the rest


@dataclass(frozen=True, slots=True)
class Nameserver:
    """Where to ask. `loopback` decides whether its word on DNSSEC (AD) is taken and whether guessing must be feared."""

    host: str
    port: int = DNS_PORT

    @property
    def loopback(self) -> bool:
        """True where no packet leaves the machine."""
        return ip_address(self.host.partition("%")[0]).is_loopback

    def __str__(self) -> str:
        """As configured."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_nameserver(text: str) -> Nameserver:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. ValueError for anything else."""
    host, port = text.strip(), ""
    if host.startswith("["):
        host, closed, port = host[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise ValueError(f"not a name server address: {text!r}")
        port = port[1:]
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65_535):  # noqa: PLR2004  # a port
        raise ValueError(f"not a port: {text!r}")
    ip_address(host.partition("%")[0])
    return Nameserver(host, int(port) if port else DNS_PORT)


def system_nameservers(path: Path = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """The `nameserver` lines of resolv.conf; 127.0.0.1 where there are none (resolv.conf(5)). OSError: unreadable."""
    with path.open(encoding="ascii", errors="replace") as file:
        lines = file.read(MAX_RESOLV_CONF).splitlines()
    found = []
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with suppress(ValueError):  # as the C library does: a line it cannot read is not there
                found.append(Nameserver(parse_nameserver(words[1]).host))
    return tuple(found[:MAX_NAMESERVERS]) or (Nameserver("127.0.0.1"),)


class Entropy:
    """Unpredictable bytes, fetched in blocks."""

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        """`source` gives as many random bytes as asked for."""
        self._source = source
        self._block = b""
        self._used = 0

    def take(self, size: int) -> bytes:
        """`size` bytes that were never given before; at most 4096."""
        start = self._used
        self._used = start + size
        if self._used > len(self._block):
            self._block = self._source(ENTROPY_BLOCK)
            start, self._used = 0, size
        return self._block[start : self._used]

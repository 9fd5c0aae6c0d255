"""Values as MTAs write them into their configuration: lists with braces, times, and addresses of sockets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from filterd.config.listen import Listen, ListenKind, parse_listen

MARGIN_SECONDS: Final = 5.0  # what an MTA must wait beyond our own limit, so that our answer comes first
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_TIME: Final = re.compile(r"(\d{1,9})([smhdw]?)")
_BETWEEN: Final = frozenset(" ,\t\r\n")
_WILDCARDS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared with, never bound to


@dataclass(frozen=True, slots=True)
class Service:
    """A server that an MTA speaks with: its address as written, and what is set for it alone."""

    address: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As Postfix reads it."""
        pairs = [f"{name}={value}" if " " not in value else f"{{ {name}={value} }}" for name, value in self._pairs]
        return f"{{ {', '.join([self.address, *pairs])} }}" if pairs else self.address

    def having(self, name: str, value: str) -> "Service":
        """The same with one more option, or another value of it."""
        return Service(self.address, {**self.options, name: value})

    @property
    def _pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.options.items())


def words(text: str) -> tuple[str, ...]:
    """The items of a Postfix list: parted by blanks and commas, what is in braces is one."""
    found, begin, depth = [], -1, 0
    for place, character in enumerate(text):
        if character == "{":
            depth += 1
        elif character == "}":
            depth = max(0, depth - 1)
        if depth == 0 and character in _BETWEEN:
            if begin >= 0:
                found.append(text[begin:place])
            begin = -1
        elif begin < 0:
            begin = place
    return (*found, text[begin:]) if begin >= 0 else tuple(found)


def without_blanks(text: str) -> str:
    """The same list with commas for blanks: postconf takes no others for a service of master.cf."""
    return ",".join([f"{{{without_blanks(one[1:-1])}}}" if one.startswith("{") else one for one in words(text)])


def service(word: str) -> Service:
    """One of them that is a server: an address, or in braces an address with options."""
    if not word.startswith("{"):
        return Service(word)
    address, *rest = words(word.removeprefix("{").removesuffix("}")) or ("",)
    pairs = [one.strip("{} ").partition("=") for one in rest]
    return Service(address, {name.strip(): value.strip() for name, _, value in pairs})


def seconds(text: str) -> float | None:
    """A time such as 30s, 5m or 100; None for what is none."""
    found = _TIME.fullmatch(text.strip())
    return float(found[1]) * _UNITS[found[2]] if found else None


def target(address: str, base: str = "", *, chroot: bool = False) -> Listen | None:
    """Where a server is that is told this address; None where that cannot be read.

    `base` is where relative paths begin, and absolute ones in a chroot.
    """
    try:
        found = parse_listen(address)
    except ValueError:
        return None
    inside = base and (chroot or not found.path.startswith("/"))
    return Listen(ListenKind.UNIX, path=f"{base}/{found.path.lstrip('/')}") if found.path and inside else found


def same(one: Listen, other: Listen | None) -> bool:
    """Whether who connects to `other` gets where `one` listens."""
    if other is None or bool(one.path) is not bool(other.path):
        return False
    if one.path:
        return os.path.realpath(one.path) == os.path.realpath(other.path)
    hosts = _host(one.host), _host(other.host)
    return one.port == other.port and (hosts[0] == hosts[1] or (hosts[0] in _WILDCARDS and is_loopback(other.host)))


def is_loopback(host: str) -> bool:
    """Whether only this host reaches it."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host(name: str) -> str:
    return "127.0.0.1" if name.lower() == "localhost" else name.strip("[]").lower()

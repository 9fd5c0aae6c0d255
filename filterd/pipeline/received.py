"""Reading who gave a trusted relay the message: the newest Received fields, bounded and linear."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from filterd.domains import normalise_address
from filterd.model.message import HeaderField
from filterd.model.session import Client

MAX_RECEIVED: Final = 10  # fields read; more trusted hops than that is a loop
MAX_FIELD: Final = 2_000  # bytes of one field looked at
_FROM: Final = re.compile(
    rb"\s*from\s+(?P<helo>[^\s()]{1,255})\s*\((?:(?P<name>[^\s()\[\]]{1,255})\s+)?[^\[\]()]{0,64}\[(?P<ip>[^\]]{2,64})\]",
    re.IGNORECASE,
)


def client_behind(fields: Sequence[HeaderField], trusted: Callable[[str], bool]) -> tuple[Client, str] | None:
    """The first host in the Received chain that `trusted` denies, and its HELO name.

    None where the chain ends or cannot be read before: then nobody can be judged but the relay itself.
    """
    received = [value for name, value in fields if name.lower() == b"received"][:MAX_RECEIVED]
    for value in received:
        match = _FROM.match(value[:MAX_FIELD])
        if match is None:
            return None
        address = normalise_address(_text(match["ip"]).removeprefix("IPv6:"))
        if not address:
            return None
        if not trusted(address):
            name = _text(match["name"] or b"")
            return Client(address, 0, "" if name.lower() == "unknown" else name.lower().rstrip(".")), _text(
                match["helo"]
            )
    return None


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace")

"""From a parsed message to its features.

Everything is taken from one text of the message: its header fields, the subject and what a person sees of the body,
lower case, and its structure. There are several views of it (see `views`), each with slots of its own, and each makes
up its own mind (see `weights`). One more has what heuristics have found: words change with the years, tricks less so.
What one view can be talked into, the others have still to believe.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from filterd.classifier.features import EDGES, SIGN_BITS, SIGNS, Features, Receiving
from filterd.classifier.views import BODY, STRUCTURE, SUBJECT, Text, distinct, hashed
from filterd.html import Page
from filterd.mime.message import Message

MAX_HEADER: Final = 3_000  # bytes of all header fields that are looked at, and the rest of the last one
MAX_NAME: Final = 100  # bytes of the name of a field that are looked at
MAX_FIELD: Final = 300  # bytes of its value, characters of the subject and of a name that are looked at
MAX_TEXT: Final = 6_000  # bytes of subject and body that are looked at: spam says it at the top
MAX_STRUCTURE: Final = 2_000  # bytes of what is told of parts, files and hosts
MAX_PARTS: Final = 20  # of a message whose types and names are told
MAX_HOSTS: Final = 40  # of a message that are told
NO_SIGN: Final = EDGES[SIGNS]  # a slot that all messages have: having no signs is one
_OWN: Final = 16  # addresses of recipients that are taken out of the text
_LEAST_OWN: Final = 4  # bytes before the @ of such an address from which on they are taken out by themselves too
_ADDRESS: Final = re.compile(rb"[\w.+=-]{1,64}@[\w.-]{1,255}")
_SENDER: Final = b"from"
_RECIPIENTS: Final = (b"to", b"cc", b"delivered-to", b"x-original-to")


def features_of(
    message: Message,
    subject: str,
    texts: Sequence[str],
    pages: Sequence[Page],
    hosts: Sequence[str],
    receiving: Receiving,
    symbols: Iterable[str] = (),
) -> Features:
    """The features of a parsed message: header fields but those of the receiving side, text, structure, hosts.

    And what heuristics have found, as far as it may be learnt.
    """
    found = hashed(text_of(message, subject, texts, pages, hosts, receiving))
    signs = [_sign(symbol) for symbol in receiving.signs.intersection(symbols)]
    return Features(distinct(np.concatenate([found.slots, np.array([NO_SIGN, *signs], dtype=np.uint32)])))


def _sign(symbol: str) -> int:
    """The slot of a heuristic's symbol."""
    return NO_SIGN + 1 + zlib.crc32(b"sign " + symbol.encode()) % ((1 << SIGN_BITS) - 1)


def text_of(
    message: Message,
    subject: str,
    texts: Sequence[str],
    pages: Sequence[Page],
    hosts: Sequence[str],
    receiving: Receiving,
) -> Text:
    """Everything that is looked at, lower case, without the addresses of who it was sent to."""
    own = _own(message)
    pieces: list[bytes] = []
    starts: list[int] = []
    seeds: list[int] = []
    small: list[tuple[int, int, int]] = []
    size = 0
    for name, value in message.fields:
        if size >= MAX_HEADER:
            break
        lower = name[:MAX_NAME].lower()
        if receiving.has(lower):
            continue
        pieces.append(_without(lower + b":" + value[:MAX_FIELD].lower() + b"\n", own))
        starts.append(size)
        seeds.append(zlib.crc32(lower))
        size += len(pieces[-1])
        if lower == _SENDER:
            small.append((starts[-1], size, seeds[-1]))
    header = size
    parts = ((SUBJECT, subject[:MAX_FIELD]), (BODY, _first([*texts, *[page.text for page in pages]])))
    for seed, text in parts:
        pieces.append(b"\n" + _without(text.lower().encode("utf-8", "replace")[:MAX_TEXT], own) + b"\n")
        starts.append(size)
        seeds.append(seed)
        size += len(pieces[-1])
    structure = "\n".join(_structure(message, pages, hosts)).lower().encode("utf-8", "replace")[:MAX_STRUCTURE]
    small.append((header, starts[-1], SUBJECT))
    data = b"".join([*pieces, structure])
    return Text(data, header, size, (*starts, size), (*seeds, STRUCTURE), tuple(small))


def _first(texts: Sequence[str]) -> str:
    """The beginning of all texts together."""
    found: list[str] = []
    left = MAX_TEXT
    for text in texts:
        found.append(text[:left])
        left -= len(found[-1]) + 1
        if left <= 0:
            break
    return "\n".join(found)


def _own(message: Message) -> list[bytes]:
    """Addresses of recipients and what stands before the @ in them, longest first: whose mail it is, not what."""
    found: dict[bytes, None] = {}
    for name in _RECIPIENTS:
        for value in message.values(name)[:2]:
            found.update(dict.fromkeys(_ADDRESS.findall(value[:MAX_FIELD].lower())))
    addresses = list(found)[:_OWN]
    local = [address.partition(b"@")[0] for address in addresses]
    return sorted({*addresses, *[part for part in local if len(part) >= _LEAST_OWN]}, key=len, reverse=True)


def _without(data: bytes, own: Sequence[bytes]) -> bytes:
    for address in own:
        data = data.replace(address, b"")
    return data


def _structure(message: Message, pages: Sequence[Page], hosts: Sequence[str]) -> list[str]:
    """Types, names and numbers as words."""
    found = [f"parts{_magnitude(len(message.parts))} hosts{_magnitude(len(hosts))}"]
    for part in message.parts[:MAX_PARTS]:
        words = (part.content_type, part.charset, *part.encodings[:1], part.disposition)
        found.append(" ".join([word[:MAX_NAME] for word in words]))
        found += [name[-MAX_FIELD:] for name in part.filenames[:1]]
    for page in pages[:MAX_PARTS]:
        counts = (len(page.links), page.images, len(page.forms), len(page.scripts), len(page.hidden))
        named = zip(("links", "images", "forms", "scripts", "hidden"), counts, strict=True)
        found.append(" ".join([f"{name}{_magnitude(count)}" for name, count in named]))
    return [*found, *[host[:MAX_FIELD] for host in hosts[:MAX_HOSTS]]]


def _magnitude(count: int) -> int:
    """How many binary digits a number has."""
    return count.bit_length()

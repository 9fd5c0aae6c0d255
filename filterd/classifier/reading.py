"""From a parsed message to its features.

Everything is taken from one text of the message: its header fields, the subject and what a person sees of the body,
lower case, and its structure. There are three views of it, each with slots of its own, and each makes up its own mind
(see `weights`): words with the field they stand in and with their neighbours, stretches of GRAM bytes of everything,
and stretches of the header alone. What one view can be talked into, two others have still to believe.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from filterd.classifier.features import BITS, Features, Receiving, Slots
from filterd.classifier.hashing import Hashed, fold
from filterd.html import Page
from filterd.mime.message import Message

GRAM: Final = 6  # bytes
MAX_HEADER: Final = 3_000  # bytes of all header fields that are looked at, and the rest of the last one
MAX_NAME: Final = 100  # bytes of the name of a field that are looked at
MAX_FIELD: Final = 300  # bytes of its value, characters of the subject and of a name that are looked at
MAX_TEXT: Final = 6_000  # bytes of subject and body that are looked at: spam says it at the top
MAX_STRUCTURE: Final = 2_000  # bytes of what is told of parts, files and hosts
MAX_PARTS: Final = 20  # of a message whose types and names are told
MAX_HOSTS: Final = 40  # of a message that are told
_OWN: Final = 16  # addresses of recipients that are taken out of the text
_LEAST_OWN: Final = 4  # bytes before the @ of such an address from which on they are taken out by themselves too
_ADDRESS: Final = re.compile(rb"[\w.+=-]{1,64}@[\w.-]{1,255}")
_RECIPIENTS: Final = (b"to", b"cc", b"delivered-to", b"x-original-to")
_SUBJECT: Final = 3  # seeds of words that stand in no field
_BODY: Final = 5
_STRUCTURE: Final = 7
_PAIR: Final = np.uint64(0x9E3779B97F4A7C15)
_THIRD: Final = np.uint64(3)


def features_of(
    message: Message,
    subject: str,
    texts: Sequence[str],
    pages: Sequence[Page],
    hosts: Sequence[str],
    receiving: Receiving,
) -> Features:
    """The features of a parsed message: header fields but those of the receiving side, text, structure, hosts."""
    text = text_of(message, subject, texts, pages, hosts, receiving)
    found, _ = _hashed(text)
    found.sort()
    if len(found) > 1:
        fresh = np.empty(len(found), dtype=np.bool_)
        fresh[0] = True
        np.not_equal(found[1:], found[:-1], out=fresh[1:])
        found = found[fresh]
    return Features(found)


@dataclass(frozen=True, slots=True)
class Text:
    """What features are taken from: one buffer, and what its stretches are.

    Header fields end at `header`, subject and body at `body`, behind it stands the structure. Words from each offset
    of `starts` on have the seed of the same place in `seeds`.
    """

    data: bytes
    header: int
    body: int
    starts: tuple[int, ...]
    seeds: tuple[int, ...]


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
    shown = "\n".join(
        [subject[:MAX_FIELD], *[text[:MAX_TEXT] for text in texts], *[page.text[:MAX_TEXT] for page in pages]]
    )
    body = _without(("\n" + shown[:MAX_TEXT].lower() + "\n").encode("utf-8", "replace")[:MAX_TEXT], own)
    structure = "\n".join(_structure(message, pages, hosts)).encode("utf-8", "replace")[:MAX_STRUCTURE].lower()
    starts += [size, size + 1 + len(subject[:MAX_FIELD].encode("utf-8", "replace")), size + len(body)]
    seeds += [_SUBJECT, _BODY, _STRUCTURE]
    return Text(b"".join([*pieces, body, structure]), size, size + len(body), tuple(starts), tuple(seeds))


def _hashed(text: Text) -> tuple[Slots, tuple[int, int]]:
    """The slots in the order of the text, not distinct: words, pairs, stretches, stretches of the header.

    And how many words and pairs there are.
    """
    hashed = Hashed(text.data)
    starts, _, words = hashed.words()
    at = np.searchsorted(np.array(text.starts), starts, side="right") - 1
    seeds = (np.array(text.seeds, dtype=np.uint64) << np.uint64(1)) | np.uint64(1)
    words *= seeds[at]
    pairs = words[1:] * _PAIR
    pairs += words[:-1] * _THIRD
    grams = fold(hashed.grams(GRAM, 0, text.body), BITS)
    header = grams[: max(text.header - GRAM + 1, 0)]
    view = np.uint32(1 << BITS)
    counts = len(words), len(pairs)
    return np.concatenate([fold(words, BITS), fold(pairs, BITS), grams + view, header + view + view]), counts


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
        found.append(" ".join([part.content_type, part.charset[:40], *part.encodings[:1], part.disposition]))
        found += [name[-MAX_FIELD:] for name in part.filenames[:1]]
    for page in pages[:MAX_PARTS]:
        counts = (len(page.links), page.images, len(page.forms), len(page.scripts), len(page.hidden))
        named = zip(("links", "images", "forms", "scripts", "hidden"), counts, strict=True)
        found.append(" ".join([f"{name}{_magnitude(count)}" for name, count in named]))
    return [*found, *[host[:MAX_FIELD] for host in hosts[:MAX_HOSTS]]]


def _magnitude(count: int) -> int:
    """How many binary digits a number has."""
    return count.bit_length()

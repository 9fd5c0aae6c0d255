"""Variants by number: a trick, what it hides, and harmless dress around it.

Everything follows from the seed and the number. The dress changes nothing for any reader: an honest message around it,
LF for CRLF where the trick is not about line ends, another part before or behind.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tests.mime.hiding import boundaries, encodings, inside, kinds, names
from tests.mime.hiding.kit import CONTENTS, NAMES, TEXT, TRICKS, Attachment, Trick, attached, multipart

_ENCODINGS: Final = {"MIME-04", "MIME-05", "MIME-06", "MIME-08"}
_STRUCTURES: Final = {"MIME-03", "MIME-07", "MIME-10"}
__all__ = ["Variant", "boundaries", "encodings", "inside", "kinds", "pairs", "renamed", "variants"]


@dataclass(frozen=True)
class Variant:
    """A message that hides an attachment; `name` says how."""

    name: str
    row: str
    item: Attachment
    raw: bytes


def variants(count: int, seed: int) -> Iterator[Variant]:
    """So many variants: all tricks in turns, every spelling of a name, each with another attachment and dress."""
    content = [entry for entry in TRICKS if entry[0] != "MIME-13"]
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        row, function = content[number % len(content)]
        yield _variant(number, row, function, rng.choice(CONTENTS), rng)


def pairs(count: int, seed: int) -> Iterator[Variant]:
    """So many messages of one trick inside of a structure that is another: readers have more than one weakness."""
    inner = [entry for entry in TRICKS if entry[0] in _ENCODINGS]
    outer = [entry for entry in TRICKS if entry[0] in _STRUCTURES]
    for number in range(count):
        rng = random.Random(f"{seed}/pair/{number}")
        _, encode = rng.choice(inner)
        row, structure = outer[number % len(outer)]
        item = rng.choice(CONTENTS)
        part = b"Content-Type: message/rfc822\r\n\r\n" + encode(item, rng)
        yield _variant(number, row, structure, replace(item, part=part), rng, f"{encode.__name__}+{structure.__name__}")


def renamed(seed: int) -> Iterator[Variant]:
    """Every spelling of a name."""
    for number, spelling in enumerate(names.SPELLINGS):
        rng = random.Random(f"{seed}/name/{number}")
        item = rng.choice(NAMES)

        def hide(item: Attachment, _: random.Random, spelling: str = spelling) -> bytes:
            return attached(names.spell(item.name, spelling) + b"\r\n", b"nothing\r\n")

        yield _variant(number, "MIME-13", hide, item, rng, spelling.partition(";")[2] or spelling)


def _variant(number: int, row: str, function: Trick, item: Attachment, rng: random.Random, label: str = "") -> Variant:
    raw = function(item, rng)
    dress = rng.choice(("", "", "inside", "linefeeds", "beside"))
    if dress == "inside":
        raw = multipart(TEXT, b"Content-Type: message/rfc822\r\n\r\n" + raw, boundary=b"=_outside")
    elif dress == "linefeeds" and b"\r" not in raw.replace(b"\r\n", b""):
        raw = raw.replace(b"\r\n", b"\n")
    elif dress == "beside":
        raw = multipart(b"Content-Type: message/rfc822\r\n\r\n" + raw, TEXT, boundary=b"=_outside")
    return Variant(f"{number} {label or function.__name__} {item.name} {dress}", row, item, raw)

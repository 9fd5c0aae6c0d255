"""What messages of one campaign have in common though no two are the same: a sketch of a message, small and comparable.

The words of a message three by three, its subject, the hosts it leads to and the files it brings are one set; of two
messages the share of what both have (Jaccard) says how alike they are. The sketch estimates that: all hashes are dealt
into SLOTS buckets, and of each bucket the smallest is kept (one permutation hashing, Li, Owen and Zhang 2012). What is
made for one recipient alone is taken out before: digits, addresses, long words that nobody speaks.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

SLOTS: Final = 64  # buckets of a sketch; the estimate is off by a sixteenth at most, two times of three
MAX_WORDS: Final = 3_000  # of the text: what is said further down is said by the campaign's other messages, too
MAX_TEXT: Final = 40_000  # characters of the text looked at
MAX_HOSTS: Final = 20
MAX_FILES: Final = 20
MAX_WORD: Final = 24  # characters: longer ones are names of somebody's, or made at random
SUBJECT: Final = 3  # times that a word of the subject counts
HOST: Final = 3  # times that a host counts
FILE: Final = 12  # times that a file counts: bytes are hardly the same by chance
EMPTY: Final = -1  # of a bucket that nothing fell into
_BUCKET: Final = 26  # bits of a hash below those that choose the bucket
_WORD: Final = re.compile(r"[^\W_]+")
_ADDRESS: Final = re.compile(r"\S{1,100}[@/]\S{1,500}|\S{500}\S*")
_DIGITS: Final = re.compile(r"\d+")


def likeness(subject: str, text: str, hosts: Sequence[str], files: Iterable[str]) -> tuple[int, ...]:
    """The sketch, SLOTS numbers; `files` are digests of what is attached. Linear in what is looked at."""
    words = _words(text)
    items = {" ".join(words[start : start + 3]) for start in range(len(words))}
    items |= _often("subject", _words(subject), SUBJECT)
    items |= _often("host", hosts[:MAX_HOSTS], HOST)
    items |= _often("file", list(files)[:MAX_FILES], FILE)
    sketch = [EMPTY] * SLOTS
    for item in items:
        found = _mixed(zlib.crc32(item.encode("utf-8", "replace")))
        bucket, rest = found >> _BUCKET, found & ((1 << _BUCKET) - 1)
        if sketch[bucket] == EMPTY or rest < sketch[bucket]:
            sketch[bucket] = rest
    return tuple(sketch)


def _words(text: str) -> list[str]:
    """Words in small letters, without what is of one message alone."""
    spoken = _DIGITS.sub("0", _ADDRESS.sub(" ", text[:MAX_TEXT].lower()))
    return [word for word in _WORD.findall(spoken) if len(word) <= MAX_WORD][:MAX_WORDS]


def _often(kind: str, values: Iterable[str], times: int) -> set[str]:
    return {f"{kind} {count} {value}" for value in values for count in range(times)}


def _mixed(value: int) -> int:
    """The bits of a checksum spread over each other: those of like words are alike (finaliser of MurmurHash3)."""
    value = (value ^ (value >> 16)) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ (value >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ (value >> 16)

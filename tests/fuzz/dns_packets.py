"""Answers to a question as a hostile or broken server may write them: DNS packets made from their structure.

Bytes changed at random in a good packet mostly break its first pointer or count, and no parser reads on. Here a packet
is written record by record (alias chains in any order, names compressed against any name before them, texts in chunks,
OPT, negative answers), and the writer lies now and then: about a count, a length, a pointer, a class, a section.
"""

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final

from filterd.dns.codec import TYPE_CODES
from filterd.model.dns import Question, RRType

LIES: Final = (0.0, 0.0, 0.01, 0.03, 0.1)  # how often a packet's writer lies, drawn for each packet
OPT: Final = 41
STRANGERS: Final = (1, 2, 12, 15, 16, 28, 65_280)
ODD_TYPES: Final = (0, 1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 46, 47, 99, 250, 255, 257, 65_535)
CHAINS: Final = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 8, 14, 15, 16, 20)  # aliases; 16 are followed
OPTIONS: Final = (b"", b"", b"\0\x0a\0\x08" + b"c" * 8, b"\0\x0f\0\x02\0\x16")
ODD_CLASSES: Final = (0, 3, 254, 255, 1_232)
ODD_TTLS: Final = (0, 1, 60, 300, 86_400, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
ODD_COUNTS: Final = (0, 1, 2, 511, 512, 513, 65_535)
ODD_FLAGS: Final = (0x8180, 0x8580, 0x8400, 0x8000, 0x81A0, 0x8380, 0x8183, 0x8182, 0x8185, 0x818F, 0x0100, 0xA980)

Name = tuple[bytes, ...]  # labels
NAMES: Final[tuple[Name, ...]] = (
    (),
    (b"test",),
    (b"a", b"test"),
    (b"b", b"a", b"test"),
    (b"Mail", b"A", b"tEst"),
    (b"x", b"w", b"test"),
    (b"y", b"test"),
    (b"z" * 63, b"y", b"test"),
    (b"l" * 63, b"l" * 63, b"l" * 63, b"l" * 61),  # 255 octets
    (b"a",) * 127,
    (b"a.b", b"test"),
    (b"a\\", b"\0\xff ", b"test"),
    (b"_dmarc", b"a", b"test"),
)
TOO_LONG: Final[Name] = (b"l" * 63, b"l" * 63, b"l" * 63, b"l" * 62)  # 256 octets


def packet(question: Question, rng: random.Random) -> bytes:
    """One answer to this question."""
    return _Writer(rng, rng.choice(LIES)).packet(question)


class _Writer:
    """One packet on its way."""

    def __init__(self, rng: random.Random, lies: float) -> None:
        self._rng = rng
        self._lies = lies
        self._data = bytearray()
        self._known: dict[Name, int] = {}

    def packet(self, question: Question) -> bytes:
        rng = self._rng
        labels = tuple(question.name.encode().split(b"."))
        answers = self._answers(labels, question.rtype)
        negative = not answers or rng.random() < 0.2
        authority = self._authority() if negative or self._lie() else []
        additional = self._additional()
        flags = 0x8180 | (3 if not answers and rng.random() < 0.5 else 0)
        if self._lie():
            flags = rng.choice(ODD_FLAGS)
        counts = [self._odd(len(section), ODD_COUNTS) for section in (answers, authority, additional)]
        self._data += struct.pack(">6H", rng.randrange(65_536), flags, self._odd(1, ODD_COUNTS), *counts)
        self._known[labels] = 12  # the question itself is written plainly: the caller has compared it
        for start in range(1, len(labels)):
            self._known[labels[start:]] = 12 + sum(len(label) + 1 for label in labels[:start])
        self._data += b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
        self._data += struct.pack(">HH", TYPE_CODES[question.rtype], 1)
        for owner, code, write in (*answers, *authority, *additional):
            self._record(owner, code, write)
        if self._lie():
            del self._data[rng.randrange(12, len(self._data)) :]
        if self._lie():
            self._data += rng.randbytes(rng.randrange(40))
        return bytes(self._data)

    # What stands in it

    def _answers(self, labels: Name, rtype: RRType) -> list["Record"]:
        """An alias chain and what stands at its end, with strangers between them."""
        rng = self._rng
        owner = labels
        found: list[Record] = []
        for _ in range(rng.choice(CHAINS)):
            target = owner if self._lie() else self._alias(len(found))
            found.append((owner, 5, self._named(target)))
            if self._lie():
                found.append((owner, 5, self._named(self._any())))
            owner = target
        if found and rng.random() < 0.05:
            found.append((owner, 5, self._named(rng.choice((labels, owner)))))  # a loop
        code = TYPE_CODES[rtype]
        found += [(owner, code, self._data_of(code)) for _ in range(self._many(rtype))]
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            code = rng.choice(ODD_TYPES if self._lie() else STRANGERS)
            found.append((rng.choice((owner, labels, self._any())), code, self._data_of(code)))
        if rng.random() < 0.3:
            rng.shuffle(found)
        return found

    def _many(self, rtype: RRType) -> int:
        """How many records are the answer: of some types there can be one."""
        few = (0, 1, 1, 1)
        return self._rng.choice(few if rtype in {RRType.CNAME, RRType.SOA} and not self._lie() else (*few, 2, 3, 10))

    def _alias(self, number: int) -> Name:
        return self._any() if self._rng.random() < 0.05 else (b"c%d" % number, *self._rng.choice(NAMES[1:4]))

    def _authority(self) -> list["Record"]:
        owner = self._rng.choice(NAMES[:4])
        return [
            (owner, code, self._data_of(code)) for code in self._rng.choice(((6,), (6,), (), (2, 2), (2, 6), (6, 6)))
        ]

    def _additional(self) -> list["Record"]:
        codes = self._rng.choice(((OPT,), (OPT,), (), (1, OPT), (1, 28)))
        return [((), code, self._data_of(code)) for code in (*codes, *((OPT,) if self._lie() else ()))]

    # How it is written

    def _record(self, owner: Name, code: int, write: Callable[[], None]) -> None:
        rng = self._rng
        self._name(owner)
        rclass, ttl = 1, 300 if rng.random() < 0.7 else rng.choice(ODD_TTLS)
        if code == OPT:
            rclass, ttl = 1_232, rng.choice((0, 0x8000, 0x0001_0000, 0x8000_8000))
            ttl = rng.choice((0x0100_0000, rng.randrange(1 << 32))) if self._lie() else ttl & 0xFFFFFF
        self._data += struct.pack(">HHIH", code, self._odd(rclass, ODD_CLASSES), ttl, 0)
        start = len(self._data)
        write()
        length = len(self._data) - start
        if self._lie():
            length = rng.choice((0, 1, max(length - 1, 0), length + 1, 255, 256, 65_535))
        self._data[start - 2 : start] = length.to_bytes(2, "big")

    def _name(self, labels: Name) -> None:
        """Labels, up to a pointer to where the rest of them has been written before."""
        rng, data = self._rng, self._data
        for start in range(len(labels)):
            known = self._known.get(labels[start:])
            if known is not None and rng.random() < 0.8:
                data += (0xC000 | known).to_bytes(2, "big")
                return
            if self._lie():
                places = (len(data), len(data) + 2, 0, 2, 11, 12, max(len(data) - 1, 0), rng.randrange(0x4000))
                data += (0xC000 | rng.choice(places) & 0x3FFF).to_bytes(2, "big")
                return
            if len(data) < 0x4000:
                self._known.setdefault(labels[start:], len(data))
            label = labels[start].swapcase() if rng.random() < 0.1 else labels[start]
            data.append(rng.choice((0, 64, 128, 191, len(label) + 1)) if self._lie() else len(label))
            data += label
        data += b"" if self._lie() else b"\0"

    def _data_of(self, code: int) -> Callable[[], None]:
        """A writer of a record's data."""
        rng = self._rng
        if code in {2, 5, 12}:
            return self._named(self._any())
        if code == 15:
            return self._named(self._any(), before=struct.pack(">H", rng.choice((0, 10, 10, 20, 65_535))))
        if code == 6:
            numbers = struct.pack(">5I", 1, 2, 3, 4, rng.choice(ODD_TTLS))
            return self._named(self._any(), self._any(), behind=numbers)
        if code == 16:
            return self._plain(self._texts())
        if code == OPT:
            return self._plain(b"\0\x0a\0\x09cc" if self._lie() else rng.choice(OPTIONS))
        size = {1: 4, 28: 16}.get(code, rng.randrange(24))
        return self._plain(rng.randbytes(self._odd(size, (0, 3, 5, 15, 17))))

    def _texts(self) -> bytes:
        """Character-strings of odd lengths."""
        chunks = [
            self._rng.randbytes(self._rng.choice((0, 1, 9, 200, 255))) for _ in range(self._rng.choice((1, 1, 1, 2, 4)))
        ]
        return b"".join(bytes([self._odd(len(chunk), (0, 1, 254, 255)) & 255]) + chunk for chunk in chunks)

    def _named(self, *names: Name, before: bytes = b"", behind: bytes = b"") -> Callable[[], None]:
        def write() -> None:
            self._data.extend(before)
            for name in names:
                self._name(name)
            self._data.extend(behind)

        return write

    def _plain(self, data: bytes) -> Callable[[], None]:
        return lambda: self._data.extend(data)

    def _any(self) -> Name:
        return TOO_LONG if self._lie() else self._rng.choice(NAMES)

    def _lie(self) -> bool:
        return self._rng.random() < self._lies

    def _odd(self, honest: int, odd: Sequence[int]) -> int:
        return self._rng.choice((*odd, honest + 1, max(honest - 1, 0))) if self._lie() else honest


Record = tuple[Name, int, Callable[[], None]]

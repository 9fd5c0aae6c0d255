"""Mail whose kind is known, as the benches of the classifier take it: from an index, without what its hosts added."""

import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.classifier import Features, Receiving, load_receiving
from filterd.heuristics.phrases import load_phrases
from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from filterd.model.message import HeaderField, header_block

RECEIVING = Path(__file__).resolve().parents[2] / "rules" / "classifier.toml"
_ADDRESS = re.compile(rb"[\w.+=-]{1,64}@[\w.-]{1,255}")
_RECIPIENTS = (b"to", b"cc", b"delivered-to", b"x-original-to")


@dataclass(frozen=True, slots=True)
class Mail:
    """One message: its kind, where it was collected, and its header as it stood and as every filter is shown it."""

    path: Path
    spam: bool
    source: str
    fields: tuple[HeaderField, ...]
    stripped: tuple[HeaderField, ...]
    body: bytes

    @property
    def shown(self) -> bytes:
        """The message as every filter is shown it."""
        return header_block(self.stripped) + self.body


def read_mail(index: Path, sources: Sequence[str] = ()) -> list[Mail]:
    """The messages of an index with lines "kind, source, path" or "kind, path", of these sources or of all."""
    receiving = load_receiving(RECEIVING)
    found = []
    for line in index.read_text().splitlines():
        kind, *middle, path = line.split("\t") if "\t" in line else line.split(maxsplit=1)
        source = middle[0] if middle else ""
        if not sources or source in sources:
            found.append(_mail(index.parent / path, kind == "spam", source, receiving))
    return found


def _mail(path: Path, spam: bool, source: str, receiving: Receiving) -> Mail:  # noqa: FBT001  # one of several facts
    raw = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    fields, offset = split(raw)
    own: set[bytes] = set()
    for name, value in fields:
        if name.lower() in _RECIPIENTS:
            own.update(_ADDRESS.findall(value))
    stripped = tuple([(name, _without(value, own)) for name, value in fields if not receiving.has(name.lower())])
    return Mail(path, spam, source, fields, stripped, _without(raw[offset:], own))


def _without(data: bytes, own: set[bytes]) -> bytes:
    for address in own:
        data = data.replace(address, b"")
    return data


def features(mail: Sequence[Mail]) -> Iterator[Features]:
    """The classifier's features of each, as an inspector makes them of what all filters are shown."""
    receiving, phrases = load_receiving(RECEIVING), load_phrases(RECEIVING.with_name("phrases.toml"))
    for one in mail:
        job = InspectionJob(one.path.name, one.stripped, len(one.body), 60.0, time.time(), features=True)
        facts = inspect(job, memoryview(one.body), None, phrases=phrases, receiving=receiving)
        yield Features.unpack(facts.features)


def parted(mail: Sequence[Mail], each: int, seed: int) -> tuple[list[Mail], list[Mail]]:
    """So many of ham and of spam to learn from, in mixed order, and the rest; 0: half of each."""
    chance = random.Random(seed)
    train: list[Mail] = []
    test: list[Mail] = []
    for spam in (False, True):
        kind = [one for one in mail if one.spam is spam]
        chance.shuffle(kind)
        cut = each or len(kind) // 2
        train += kind[:cut]
        test += kind[cut:]
    chance.shuffle(train)
    return train, test

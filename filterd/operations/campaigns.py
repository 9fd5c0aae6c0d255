"""Held mail by campaign: messages that are alike, for a reviewer who decides about all of them at once.

Sketches are made by inspectors, when they are first asked for, and kept in a file of this host: they can always be made
again. Their number is bounded, the newest count.
"""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from filterd.inspectors import InspectorFailure
from filterd.mime.header import split
from filterd.model.custody import CustodyError
from filterd.model.inspection import InspectionJob, Shown
from filterd.operations.likeness import Sketch, groups
from filterd.pipeline.body import Body
from filterd.pipeline.parts import Inspect
from filterd.quarantine import Entry, EntryFilter, Quarantine
from filterd.quarantine.entries import WAITING

MOST: Final = 20_000  # waiting messages that are compared, the newest; a sketch takes 1.5 ms to make
LEAST: Final = 2  # messages that make a campaign
READ: Final = 2_000_000  # bytes of a message that are looked at
SECONDS: Final = 60.0  # an inspector may take for one message: nobody waits for a reply here
PAGE: Final = 1_000  # entries read at once
WINDOW: Final = 64  # messages that are in memory at the same time
VERSION: Final = 1  # of sketches: those that were made otherwise cannot be compared


class _File(msgspec.Struct, array_like=True):
    """What is kept: sketches by the SHA-256 of the message."""

    version: int
    sketches: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Campaign:
    """Messages that are alike, newest first. Any of their ids names it; `id` is that of the newest."""

    entries: tuple[Entry, ...]

    @property
    def id(self) -> str:
        """The newest one's id."""
        return self.entries[0].id

    @property
    def messages(self) -> int:
        """How many, those counted that were sent again."""
        return sum([entry.copies for entry in self.entries])

    @property
    def span(self) -> tuple[float, float]:
        """When the first and the last came, in epoch seconds."""
        times = [entry.received for entry in self.entries]
        return min(times), max(times)

    def senders(self) -> list[tuple[str, int]]:
        """Envelope senders, the most frequent first."""
        return Counter([entry.sender for entry in self.entries]).most_common()

    def subjects(self) -> list[tuple[str, int]]:
        """Subjects, the most frequent first."""
        return Counter([entry.subject for entry in self.entries]).most_common()


def waiting(quarantine: Quarantine) -> tuple[list[Entry], bool]:
    """The newest entries that wait for somebody, newest first, and whether those are all. CustodyError."""
    found: list[Entry] = []
    wanted = EntryFilter(states=WAITING)
    while page := quarantine.entries(wanted, before=found[-1].id if found else None, limit=PAGE):
        found += [entry for entry in page if entry.files]
        if len(found) >= MOST:
            return found[:MOST], False
    return found, True


def campaigns(entries: Sequence[Entry], sketches: Mapping[str, Sketch]) -> list[Campaign]:
    """Entries, newest first, by what they are alike in; also those that are like no other. The largest come first."""
    known = [entry for entry in reversed(entries) if entry.sha256 in sketches]
    grouped = groups([sketches[entry.sha256] for entry in known])
    found = [Campaign(tuple([known[index] for index in reversed(group)])) for group in grouped]
    return sorted(found, key=lambda one: (-one.messages, -one.span[1]))


def campaign_of(found: Sequence[Campaign], identifier: str) -> Campaign | None:
    """The campaign that a message belongs to."""
    return next((one for one in found if any(entry.id == identifier for entry in one.entries)), None)


def missing(entries: Sequence[Entry], known: Mapping[str, Sketch]) -> list[Entry]:
    """Entries without a sketch, one for each message."""
    return list({entry.sha256: entry for entry in entries if entry.sha256 not in known}.values())


def sketched(
    quarantine: Quarantine, inspect: Inspect, workers: int, entries: Sequence[Entry]
) -> Iterator[tuple[str, Sketch]]:
    """The SHA-256 and the sketch of each; an empty one, which is like no other, where it cannot be read."""

    def one(entry: Entry) -> tuple[str, Sketch]:
        try:
            shown = look(quarantine, inspect, entry)
        except (KeyError, CustodyError, OSError, InspectorFailure):
            return entry.sha256, ()
        return entry.sha256, shown.likeness

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(entries), WINDOW):
            yield from pool.map(one, entries[start : start + WINDOW])


def look(quarantine: Quarantine, inspect: Inspect, entry: Entry) -> Shown:
    """A held message as a person would see it. KeyError, CustodyError, OSError, InspectorFailure."""
    with quarantine.open_raw(entry.id) as source:
        raw = source.read(READ)
    fields, offset = split(raw)
    with contextlib.closing(Body()) as body:
        body.append(raw[offset:])
        job = InspectionJob(entry.id, fields, body.size, SECONDS, entry.received)
        facts = inspect.inspect(job, body.fd, time.monotonic() + SECONDS + 1)
    return facts.shown or Shown()


def load(path: Path) -> dict[str, Sketch]:
    """The sketches that are kept; none where there is no such file or it is of another kind: it is made anew."""
    try:
        kept = msgspec.msgpack.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError):
        return {}
    return kept.sketches if kept.version == VERSION else {}


def keep(path: Path, sketches: Mapping[str, Sketch]) -> None:
    """Keep sketches, all at once. OSError."""
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        draft.write_bytes(msgspec.msgpack.encode(_File(VERSION, dict(sketches))))
        draft.chmod(0o600)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

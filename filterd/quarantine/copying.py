"""A copy of the quarantine of one host, made while mail comes and goes: a ledger, and exactly the files that it names.

The ledger is copied first, as of one moment. Of segments only the records are copied that this ledger names, each where
it was, so what was purged before is in no copy. What goes while files are copied is found missing; the live ledger,
which says so before a byte goes, is asked why, and the copied one is told the same. What is missing otherwise is damage
that was there before.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from filterd.quarantine import whereabouts
from filterd.quarantine.blobs import SHA256, BlobDirectory
from filterd.quarantine.changes import Act, append
from filterd.quarantine.database import BUSY, SqliteDatabase
from filterd.quarantine.durable import Fsync
from filterd.quarantine.entries import Actor
from filterd.quarantine.ledger import Ledger
from filterd.quarantine.schema import SCHEMA
from filterd.quarantine.segments import BLOCK, CHUNK, Kind, Segments, Slot
from filterd.quarantine.spool import content_of
from filterd.store.snapshot import snapshot

LEDGER: Final = "ledger.sqlite"
_ENTRIES: Final = "SELECT count(*), coalesce(sum(size), 0) FROM entries WHERE files"
# Slots are SEGMENT:OFFSET:LENGTH with a segment's name of 20 letters; in their order on the disk.
_SLOTS: Final = (
    f"SELECT slot, kind FROM (SELECT body AS slot, {Kind.MESSAGE:d} AS kind FROM entries WHERE files AND body <> ''"  # noqa: S608  # constants
    f" UNION SELECT record, {Kind.EVIDENCE:d} FROM entries WHERE files AND record <> '')"
    " ORDER BY substr(slot, 1, 20), CAST(substr(slot, 22) AS INTEGER)"
)
_BLOBS: Final = "SELECT DISTINCT sha256 FROM entries WHERE files AND body = '' ORDER BY sha256"
_EVIDENCE: Final = "SELECT id FROM entries WHERE files AND record = '' ORDER BY id"

Told = Callable[[int, int], None]


class Piece(NamedTuple):
    """A file of the copy, by its name in the quarantine's folder."""

    name: str
    size: int
    chunks: Iterator[bytes]


@dataclass(slots=True)
class _Missing:
    """What was not there when it was to be copied."""

    slots: set[str] = field(default_factory=set)
    blobs: set[str] = field(default_factory=set)
    evidence: set[str] = field(default_factory=set)

    def concerns(self, entry: whereabouts.Whereabouts) -> bool:
        """Whether it is something of this entry."""
        return (
            not self.slots.isdisjoint((entry.body, entry.record))
            or (not entry.body and entry.sha256 in self.blobs)
            or (not entry.record and entry.id in self.evidence)
        )


class QuarantineCopy:
    """One copy in the making: `take_ledger`, then all of `pieces`, then `settle`; the copied ledger is good then.

    `left_out` are entries whose files went meanwhile, `damaged` those whose files are not there and should be.
    `unneeded` are names of files that were copied before their entry went: what they hold is not to be put back.
    """

    def __init__(self, root: Path, ledger: Path, fsync: Fsync) -> None:
        """`root` is the live quarantine, `ledger` where its ledger's copy is put, a file that is not there."""
        self._root = root
        self._copy = ledger
        self._segments = Segments(root / "segments", fsync)
        self._blobs = BlobDirectory(root / "blobs", root / "drafts", fsync)
        self._missing = _Missing()
        self.entries = 0
        self.bytes = 0  # of messages, as they were held
        self.left_out: list[str] = []
        self.damaged: list[str] = []
        self.unneeded: list[str] = []

    def take_ledger(self, told: Told) -> int:
        """Copy the ledger as it stands now; the number of the copy's schema. sqlite3.Error, OSError, CustodyError.

        A ledger of an earlier release that nobody has used since is brought to this release's schema, in the copy.
        """
        snapshot(self._root / LEDGER, self._copy, told)
        with closing(SqliteDatabase(self._copy)) as copied, copied.reading() as connection:
            self.entries, self.bytes = connection.execute(_ENTRIES).fetchone()
        return SCHEMA.version

    def pieces(self) -> Iterator[Piece]:
        """All files that the copied ledger names. Each one's chunks are read before the next is asked for. OSError."""
        with self._reading() as connection:
            yield from self._segment_pieces(connection)
            for (sha256,) in connection.execute(_BLOBS):
                yield from self._blob(sha256)
            for (identifier,) in connection.execute(_EVIDENCE):
                path = self._root / "evidence" / f"{identifier}.json"
                yield from self._file(f"evidence/{path.name}", path, self._missing.evidence, identifier)

    def settle(self, who: Actor, now: float) -> None:
        """Have the copied ledger say of what was missing what the live one says. CustodyError."""
        if not (self._missing.slots or self._missing.blobs or self._missing.evidence):
            return
        live = Ledger(SqliteDatabase(self._root / LEDGER, busy=BUSY))
        copied = Ledger(SqliteDatabase(self._copy, busy=BUSY))
        with closing(live), closing(copied):
            for entry in list(filter(self._missing.concerns, whereabouts.all_with_files(copied))):
                self._settle_one(entry, live, copied, Act(entry.id, who, now))

    def _settle_one(self, entry: whereabouts.Whereabouts, live: Ledger, copied: Ledger, act: Act) -> None:
        with live.reading() as connection:
            there = whereabouts.of_entry(connection, entry.id)
        if there is not None and there.files:
            self.damaged.append(entry.id)
            return
        self.left_out.append(entry.id)
        with copied.changing() as connection:
            if there is None:
                connection.execute("DELETE FROM entries WHERE id = ?", (entry.id,))
                append(connection, act.row("purge", "was purged while this copy was made"))
            else:
                connection.execute("UPDATE entries SET files = FALSE WHERE id = ?", (entry.id,))
                append(connection, act.row("remove", "its files went while this copy was made"))
            whereabouts.give_up(connection, entry)  # what was copied of its records goes with the first sweep
            if not entry.record:
                self.unneeded.append(f"evidence/{entry.id}.json")
            if not entry.body and not whereabouts.uses(connection, entry.sha256, whereabouts.LOOSE):
                self.unneeded += [f"blobs/{path.parent.name}/{path.name}" for path in self._blobs.paths(entry.sha256)]

    def _segment_pieces(self, connection: sqlite3.Connection) -> Iterator[Piece]:
        rows = ((Slot.of(slot), Kind(kind)) for slot, kind in connection.execute(_SLOTS))
        for name, group in groupby(rows, lambda row: row[0].segment):
            records = list(group)
            try:
                head = self._segments.first_block(name)
            except FileNotFoundError:
                self._missing.slots |= {str(slot) for slot, _ in records}
                continue
            last = records[-1][0]
            size = last.offset + last.length + -last.length % BLOCK
            yield Piece(f"segments/{name}", size, self._records(head, records))

    def _records(self, head: bytes, records: Iterable[tuple[Slot, Kind]]) -> Iterator[bytes]:
        """A segment with these records alone, and zeros between them."""
        yield head
        at = BLOCK
        for slot, kind in records:
            yield from _zeros(slot.offset - at)
            stored = self._record(slot, kind)
            yield stored
            at = slot.offset + len(stored)

    def _record(self, slot: Slot, kind: Kind) -> bytes:
        """As it stands there; zeros where it went meanwhile, also where that is half done, and where it is damaged."""
        try:
            record, stored = self._segments.read_stored(slot, kind)
            if hashlib.sha256(content_of(record)).digest() == record.digest:
                return stored
        except (FileNotFoundError, ValueError):  # DamagedError is one of these
            pass
        self._missing.slots.add(str(slot))
        return bytes(slot.length + -slot.length % BLOCK)

    def _blob(self, sha256: str) -> Iterator[Piece]:
        if SHA256.fullmatch(sha256) is None:
            return
        plain, frame = self._blobs.paths(sha256)
        path = plain if plain.exists() else frame
        for piece in self._file(f"blobs/{sha256[:2]}/{path.name}", path, self._missing.blobs, sha256):
            yield piece if path == frame else piece._replace(chunks=self._hashed(piece.chunks, sha256))

    def _hashed(self, chunks: Iterator[bytes], sha256: str) -> Iterator[bytes]:
        """The same; what is not that message any more is noted, for it is no copy of one."""
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != sha256:
            self._missing.blobs.add(sha256)

    def _file(self, name: str, path: Path, missing: set[str], key: str) -> Iterator[Piece]:
        """A file that never changes, and may go: as long as it is open it is all there."""
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(0)
                yield Piece(name, size, _chunks(file))
        except FileNotFoundError:
            missing.add(key)

    def _reading(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(f"{self._copy}", isolation_level=None))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, CHUNK))
        count -= CHUNK

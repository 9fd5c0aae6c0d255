"""Messages and evidence of ordinary size in segments: what comes at once shares one fsync there and one of the ledger.

While one batch is committed the next one is written. Whether a message is there already is found out in the ledger's
transaction, so no lock is needed: a second copy of it is litter from the beginning.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from filterd.model.custody import CustodyError, Evidence
from filterd.model.message import RawMessage
from filterd.quarantine import whereabouts
from filterd.quarantine.blobs import raw_chunks
from filterd.quarantine.coding import Coding, DamagedError, pack, unpack
from filterd.quarantine.database import AmbiguousCommitError, Connection
from filterd.quarantine.durable import Fsync, Lock, locked
from filterd.quarantine.entries import Entry
from filterd.quarantine.gathering import Gathering, PassOn
from filterd.quarantine.ledger import Ledger, Pending
from filterd.quarantine.segments import Kind, Record, Segments, Slot, has_gaps, size_on_disk

# Bytes of a message, or of its evidence; what is larger becomes a file. Writing that much takes a disk longer than
# making files, and all that came at the same time would wait for it.
SMALL: Final = 256 * 1024
LOCK_WAIT: Final = 2.0  # seconds a hold waits for a repair under way


def content(segments: Segments, slot: Slot, kind: Kind) -> bytes:
    """What a record of these segments holds, whatever its coding; FileNotFoundError, DamagedError."""
    return content_of(segments.read(slot, kind))


def content_of(record: Record) -> bytes:
    """The bytes that were put into it; DamagedError."""
    if record.coding == Coding.NONE:
        return record.data
    if record.coding == Coding.ZSTD:
        return unpack(record.data, SMALL)
    raise DamagedError(f"a coding that this release does not know: {record.coding}")


def was_torn(segments: Segments, slot: Slot, kind: Kind) -> bool:
    """Whether a record that no entry needs is one that a power cut has stopped; FileNotFoundError."""
    record = segments.read(slot, kind)
    with suppress(DamagedError):
        if hashlib.sha256(content(segments, slot, kind)).digest() == record.digest:
            return False
    return has_gaps(record)


def _record(kind: Kind, name: str, digest: bytes, data: bytes, coding: Coding) -> Record:
    """In this coding where that takes fewer blocks of the disk."""
    if coding is Coding.ZSTD:
        frame = pack(data)
        if size_on_disk(len(frame)) < size_on_disk(len(data)):
            return Record(kind, name, digest, frame, coding)
    return Record(kind, name, digest, data)


class Parcel(Pending):
    """A message that waits to be stored; `stored` are the slots of its message and its evidence."""

    __slots__ = ("records", "stored")

    def __init__(self, entry: Entry, encoded: bytes, raw: bytes, coding: Coding) -> None:
        """`raw` has the digest that the entry says; it and the encoded evidence are written in this coding."""
        super().__init__(entry)
        self.records = (
            _record(Kind.MESSAGE, "", bytes.fromhex(entry.sha256), raw, coding),
            _record(Kind.EVIDENCE, entry.id, hashlib.sha256(encoded).digest(), encoded, coding),
        )
        self.stored: tuple[Slot, ...] = ()


def _settle(connection: Connection, batch: Sequence[Parcel]) -> None:
    """Say in which slots they are."""
    places = whereabouts.settled(connection, [(parcel.entry.sha256, str(parcel.stored[0])) for parcel in batch])
    for parcel, place in zip(batch, places, strict=True):
        parcel.slots = place, str(parcel.stored[1])


class Spool:
    """What is small. The ledger says where each message is."""

    def __init__(self, root: Path, ledger: Ledger, fsync: Fsync, coding: Coding) -> None:
        """`root` has the folders segments/ and drafts/; what comes from now on is written in this coding."""
        self._ledger = ledger
        self._drafts = root / "drafts"
        self.segments = Segments(root / "segments", fsync)
        self._coding = coding
        self._gathering = Gathering(self._store)

    def takes(self, evidence: Evidence, encoded: bytes, message: RawMessage) -> bool:
        """Whether it is small."""
        return max(evidence.size, message.body_size, len(encoded)) <= SMALL

    def hold(self, evidence: Evidence, encoded: bytes, message: RawMessage, entry: Entry) -> None:
        """As Files.hold."""
        raw = b"".join(raw_chunks(message))
        if (hashlib.sha256(raw).hexdigest(), len(raw)) != (evidence.sha256, evidence.size):
            raise CustodyError("the message is not the one that the evidence describes")
        self._gathering.do(Parcel(entry, encoded, raw, self._coding))

    def content(self, slot: Slot, kind: Kind) -> bytes:
        """What a record holds, whatever its coding; FileNotFoundError, DamagedError."""
        return content(self.segments, slot, kind)

    def _store(self, batch: Sequence[Parcel], pass_on: PassOn) -> None:
        """Store and commit what came; nothing of it is left where it has an error."""
        with locked(self._drafts, Lock.SHARED, LOCK_WAIT):
            try:
                slots = iter(self.segments.write([record for parcel in batch for record in parcel.records]))
            except OSError as error:
                raise CustodyError(f"quarantine: {type(error).__name__}: {error}") from error
            for parcel in batch:
                parcel.stored = (next(slots), next(slots))
            pass_on()
            self._ledger.add_all(batch, lambda connection: _settle(connection, batch))
            for parcel in batch:
                if parcel.error is not None and not isinstance(parcel.error, AmbiguousCommitError):
                    self._take_back(parcel)

    def _take_back(self, parcel: Parcel) -> None:
        """Erase what was written for a hold that failed, so that a full disk is not filled further by retries."""
        with suppress(OSError):
            for slot in parcel.stored:
                self.segments.erase(slot)

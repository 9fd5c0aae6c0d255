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
from filterd.quarantine.database import AmbiguousCommitError, Connection
from filterd.quarantine.durable import Fsync, Lock, locked
from filterd.quarantine.entries import Entry
from filterd.quarantine.gathering import Gathering, PassOn
from filterd.quarantine.ledger import Ledger, Pending
from filterd.quarantine.segments import Kind, Record, Segments, Slot

# Bytes of a message, or of its evidence; what is larger becomes a file. Writing that much takes a disk longer than
# making files, and all that came at the same time would wait for it.
SMALL: Final = 256 * 1024
LOCK_WAIT: Final = 2.0  # seconds a hold waits for a repair under way


class Parcel(Pending):
    """A message that waits to be stored; `stored` are the slots of its message and its evidence."""

    __slots__ = ("encoded", "raw", "stored")

    def __init__(self, entry: Entry, encoded: bytes, raw: bytes) -> None:
        """`raw` has the digest that the entry says."""
        super().__init__(entry, self._settle)
        self.encoded = encoded
        self.raw = raw
        self.stored: tuple[Slot, ...] = ()

    def records(self) -> tuple[Record, Record]:
        """What is written."""
        return (
            Record(Kind.MESSAGE, "", bytes.fromhex(self.entry.sha256), self.raw),
            Record(Kind.EVIDENCE, self.entry.id, hashlib.sha256(self.encoded).digest(), self.encoded),
        )

    def _settle(self, connection: Connection) -> None:
        body, record = self.stored
        self.slots = whereabouts.settled(connection, self.entry.sha256, str(body)), str(record)


class Spool:
    """What is small. The ledger says where each message is."""

    def __init__(self, root: Path, ledger: Ledger, fsync: Fsync) -> None:
        """`root` has the folders segments/ and drafts/."""
        self._ledger = ledger
        self._drafts = root / "drafts"
        self.segments = Segments(root / "segments", fsync)
        self._gathering = Gathering(self._store)

    def takes(self, evidence: Evidence, encoded: bytes, message: RawMessage) -> bool:
        """Whether it is small."""
        return max(evidence.size, message.body_size, len(encoded)) <= SMALL

    def hold(self, evidence: Evidence, encoded: bytes, message: RawMessage, entry: Entry) -> None:
        """As Files.hold."""
        raw = b"".join(raw_chunks(message))
        if (hashlib.sha256(raw).hexdigest(), len(raw)) != (evidence.sha256, evidence.size):
            raise CustodyError("the message is not the one that the evidence describes")
        self._gathering.do(Parcel(entry, encoded, raw))

    def _store(self, batch: Sequence[Parcel], pass_on: PassOn) -> None:
        """Store and commit what came; nothing of it is left where it has an error."""
        with locked(self._drafts, Lock.SHARED, LOCK_WAIT):
            try:
                slots = iter(self.segments.write([record for parcel in batch for record in parcel.records()]))
            except OSError as error:
                raise CustodyError(f"quarantine: {type(error).__name__}: {error}") from error
            for parcel in batch:
                parcel.stored = (next(slots), next(slots))
            pass_on()
            self._ledger.add_all(batch)
            for parcel in batch:
                if parcel.error is not None and not isinstance(parcel.error, AmbiguousCommitError):
                    self._take_back(parcel)

    def _take_back(self, parcel: Parcel) -> None:
        """Erase what was written for a hold that failed, so that a full disk is not filled further by retries."""
        with suppress(OSError):
            for slot in parcel.stored:
                self.segments.erase(slot)

"""Messages and evidence as files of their own: large ones, and all that earlier releases have kept.

A hold locks the folder of its blob (flock, shared), a removal does so exclusively: no blob goes while a hold counts on
it being there.
"""

from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from filterd.model.custody import CustodyError, Evidence
from filterd.model.message import RawMessage
from filterd.quarantine.blobs import BlobDirectory
from filterd.quarantine.coding import Coding
from filterd.quarantine.database import AmbiguousCommitError
from filterd.quarantine.durable import (
    Draft,
    Fsync,
    Lock,
    locked,
    sync_directory,
    write_draft,
)
from filterd.quarantine.entries import Entry
from filterd.quarantine.ledger import Ledger, TakenError
from filterd.quarantine.whereabouts import used

LOCK_WAIT: Final = 2.0  # seconds a hold waits for a deletion under way, which takes milliseconds
DELETE_WAIT: Final = 10.0  # seconds a deletion waits for holds under way
DISCARD_WAIT: Final = 0.5  # seconds that taking back a failed hold's blob waits for holds beside it


class LooseFiles:
    """What is in blobs/ and evidence/ below `root`; drafts/ are files under way."""

    def __init__(self, root: Path, ledger: Ledger, fsync: Fsync, coding: Coding) -> None:
        """The ledger says which blobs are still needed."""
        self._root = root
        self._ledger = ledger
        self._fsync = fsync
        self._evidence = root / "evidence"
        self._drafts = root / "drafts"
        self.blobs = BlobDirectory(root / "blobs", self._drafts, fsync, coding)

    def hold(self, evidence: Evidence, encoded: bytes, message: RawMessage, entry: Entry) -> None:
        """As Files.hold."""
        try:
            with (
                locked(self._drafts, Lock.SHARED, LOCK_WAIT),
                locked(self.blobs.folder(evidence.sha256), Lock.SHARED, LOCK_WAIT),
            ):
                self._write(evidence, encoded, message)
                self._ledger.add(entry)
        except (CustodyError, OSError, ValueError, TypeError) as error:
            self._discard(evidence, error)
            raise

    def _write(self, evidence: Evidence, encoded: bytes, message: RawMessage) -> None:
        """Both files are fsynced before either is renamed: the disk's journal then commits once, not twice."""
        target = self._path(evidence.id)
        if target.exists():
            raise TakenError("quarantine: this id is taken")
        drafts: list[Draft] = []
        try:
            blob = self.blobs.draft(message, evidence.sha256, evidence.size)
            if blob is not None:
                drafts.append(blob)
            record = write_draft(self._drafts, lambda: (encoded,), self._fsync)
            drafts.append(record)
            path = self.blobs.path(evidence.sha256)
            if blob is not None:
                blob.publish(path)
            record.publish(target)
        finally:
            for draft in drafts:
                draft.discard()
        # A blob that was there may be another hold's, renamed but not yet durable: its folder is synced as well.
        sync_directory(path.parent, self._fsync)
        sync_directory(self._evidence, self._fsync)

    def _discard(self, evidence: Evidence, error: Exception) -> None:
        """Take back the files of a hold that failed, so that a full disk is not filled further by retries."""
        if isinstance(error, AmbiguousCommitError | TakenError):
            return
        with suppress(OSError, CustodyError):
            if self._ledger.entry(evidence.id) is None:
                self._path(evidence.id).unlink(missing_ok=True)
        with (
            suppress(OSError, CustodyError),
            locked(self.blobs.folder(evidence.sha256), Lock.EXCLUSIVE, DISCARD_WAIT),
        ):
            if not used(self._ledger, evidence.sha256):
                self.blobs.remove(evidence.sha256)

    def evidence(self, identifier: str) -> bytes:
        """As Files.evidence."""
        return self._path(identifier).read_bytes()

    def open_raw(self, sha256: str, size: int) -> BinaryIO:
        """As Files.open_raw."""
        return self.blobs.open(sha256, size)

    def restoring(self, sha256: str) -> AbstractContextManager[None]:
        """As Files.restoring."""
        return locked(self.blobs.folder(sha256), Lock.SHARED, LOCK_WAIT)

    def removing(self, sha256: str) -> AbstractContextManager[None]:
        """No hold counts on the blob meanwhile."""
        return locked(self.blobs.folder(sha256), Lock.EXCLUSIVE, DELETE_WAIT)

    def unlink(self, identifier: str, sha256: str) -> None:
        """Remove the files of an entry that the ledger has given up. Under the lock of `removing`."""
        self._path(identifier).unlink(missing_ok=True)
        if not used(self._ledger, sha256):
            self.blobs.remove(sha256)

    def _path(self, identifier: str) -> Path:
        """Callers have checked the id."""
        return self._evidence / f"{identifier}.json"

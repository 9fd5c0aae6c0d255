"""Messages and evidence as files of this host.

A hold locks the folder of its blob (flock, shared), a removal does so exclusively: no blob goes while a hold counts on
it being there.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from filterd.model.custody import CustodyError, Evidence
from filterd.model.message import RawMessage
from filterd.quarantine.blobs import BlobDirectory
from filterd.quarantine.database import AmbiguousCommitError, Connection
from filterd.quarantine.durable import (
    Draft,
    Fsync,
    Lock,
    locked,
    private_directory,
    require_private,
    sync_directory,
    write_draft,
)
from filterd.quarantine.files import Commit
from filterd.quarantine.inventory import Inventory
from filterd.quarantine.ledger import Ledger, TakenError

LOCK_WAIT: Final = 2.0  # seconds a hold waits for a deletion under way, which takes milliseconds
DELETE_WAIT: Final = 10.0  # seconds a deletion waits for holds under way
DISCARD_WAIT: Final = 0.5  # seconds that taking back a failed hold's blob waits for holds beside it


class LocalFiles:
    """See Files. `root` holds blobs/, evidence/ and drafts/, and the ledger."""

    def __init__(self, root: Path, ledger: Ledger, fsync: Fsync) -> None:
        """The ledger says which blobs are still needed."""
        self._root = root
        self._ledger = ledger
        self._fsync = fsync
        self._evidence = root / "evidence"
        self._drafts = root / "drafts"
        self.blobs = BlobDirectory(root / "blobs", self._drafts, fsync)

    def prepare(self) -> None:
        """As Files.prepare; what a crash left half-written is removed."""
        self._root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._root, self._root / "blobs", self._evidence, self._drafts):
            private_directory(folder, self._fsync)
        with suppress(FileNotFoundError):
            require_private(self._root / "ledger.sqlite")
        with suppress(CustodyError), locked(self._drafts, Lock.EXCLUSIVE, 0.0):
            for draft in self._drafts.iterdir():
                draft.unlink(missing_ok=True)

    def hold(self, evidence: Evidence, encoded: bytes, message: RawMessage, commit: Commit) -> None:
        """As Files.hold."""
        try:
            with (
                locked(self._drafts, Lock.SHARED, LOCK_WAIT),
                locked(self.blobs.folder(evidence.sha256), Lock.SHARED, LOCK_WAIT),
            ):
                self._write(evidence, encoded, message)
                commit(None)
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
            if not self._ledger.used(evidence.sha256):
                self.blobs.remove(evidence.sha256)

    def evidence(self, identifier: str) -> bytes:
        """As Files.evidence."""
        return self._path(identifier).read_bytes()

    def open_raw(self, sha256: str) -> BinaryIO:
        """As Files.open_raw."""
        return self.blobs.open(sha256)

    def restoring(self, sha256: str) -> AbstractContextManager[None]:
        """As Files.restoring."""
        return locked(self.blobs.folder(sha256), Lock.SHARED, LOCK_WAIT)

    @contextmanager
    def removing(self, identifier: str, sha256: str) -> Iterator[Callable[[Connection], None]]:
        """As Files.removing."""
        decided: list[Connection] = []
        with locked(self.blobs.folder(sha256), Lock.EXCLUSIVE, DELETE_WAIT):
            yield decided.append
            if decided:
                self._unlink(identifier, sha256)

    def _unlink(self, identifier: str, sha256: str) -> None:
        """Under the lock of the blob's folder."""
        self._path(identifier).unlink(missing_ok=True)
        if not self._ledger.used(sha256):
            self.blobs.remove(sha256)

    def tidy(self) -> None:
        """As Files.tidy: here a crash leaves nothing that is known; `verify` finds it."""

    def inventory(self) -> Inventory:
        """As Files.inventory."""
        return Inventory(self._ledger, self.blobs, self._evidence, self._drafts)

    def _path(self, identifier: str) -> Path:
        """Callers have checked the id."""
        return self._evidence / f"{identifier}.json"

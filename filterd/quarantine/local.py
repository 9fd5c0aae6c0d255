"""Messages and evidence on this host's disk: small ones in segments (spool.py), large ones in files (loose.py)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from filterd.model.custody import CustodyError, Evidence
from filterd.model.message import RawMessage
from filterd.quarantine import whereabouts
from filterd.quarantine.coding import Coding
from filterd.quarantine.database import Connection
from filterd.quarantine.durable import Fsync, Lock, locked, private_directory, require_private
from filterd.quarantine.entries import Entry
from filterd.quarantine.inventory import Survey
from filterd.quarantine.ledger import Ledger
from filterd.quarantine.local_inventory import LocalInventory
from filterd.quarantine.loose import LooseFiles
from filterd.quarantine.segments import Kind, Slot
from filterd.quarantine.spool import Spool

FOLDERS = ("blobs", "evidence", "drafts", "segments")


class LocalFiles:
    """See Files. `root` holds the folders, and the ledger."""

    def __init__(self, root: Path, ledger: Ledger, fsync: Fsync, coding: Coding = Coding.NONE) -> None:
        """The ledger says where everything is, and what is still needed; `coding` is of what comes from now on."""
        self._root = root
        self._ledger = ledger
        self._fsync = fsync
        self._drafts = root / "drafts"
        self.loose = LooseFiles(root, ledger, fsync, coding)
        self.spool = Spool(root, ledger, fsync, coding)

    def prepare(self) -> None:
        """As Files.prepare; what a crash left half-written is removed."""
        self._root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._root, *[self._root / name for name in FOLDERS]):
            private_directory(folder, self._fsync)
        with suppress(FileNotFoundError):
            require_private(self._root / "ledger.sqlite")
        with suppress(CustodyError), locked(self._drafts, Lock.EXCLUSIVE, 0.0):
            for draft in self._drafts.iterdir():
                draft.unlink(missing_ok=True)

    def hold(self, evidence: Evidence, encoded: bytes, message: RawMessage, entry: Entry) -> None:
        """As Files.hold."""
        place = self.spool if self.spool.takes(evidence, encoded, message) else self.loose
        place.hold(evidence, encoded, message, entry)

    def evidence(self, identifier: str) -> bytes:
        """As Files.evidence."""
        found = self._of_entry(identifier)
        if found is None or not found.record:
            return self.loose.evidence(identifier)
        return self.spool.content(Slot.of(found.record), Kind.EVIDENCE)

    def open_raw(self, sha256: str, size: int) -> BinaryIO:
        """As Files.open_raw."""
        with self._ledger.reading() as connection:
            places = whereabouts.of_message(connection, sha256)
        for place in places:
            with suppress(FileNotFoundError):
                if place:
                    return BytesIO(self.spool.content(Slot.of(place), Kind.MESSAGE))
                return self.loose.open_raw(sha256, size)
        raise FileNotFoundError(sha256)

    def restoring(self, sha256: str) -> AbstractContextManager[None]:
        """As Files.restoring: of what is in a segment the ledger's transaction itself sees to that."""
        return self.loose.restoring(sha256)

    @contextmanager
    def removing(self, identifier: str, sha256: str) -> Iterator[Callable[[Connection], None]]:
        """As Files.removing."""
        found = self._of_entry(identifier)
        loose = found is not None and not (found.body and found.record)
        slots: list[str] = []
        decided: list[Connection] = []

        def decide(connection: Connection) -> None:
            decided.append(connection)
            if found is not None:
                slots.extend(whereabouts.give_up(connection, found))

        with self.loose.removing(sha256) if loose else nullcontext():
            yield decide
            if decided and loose:
                self._unlink(identifier, sha256)
        if slots:
            self._erase(slots)

    def _unlink(self, identifier: str, sha256: str) -> None:
        self.loose.unlink(identifier, sha256)

    def _erase(self, slots: list[str]) -> None:
        """Erase what the ledger has given up; what fails is tried again by the next `tidy`."""
        for slot in slots:
            self.spool.segments.erase(Slot.of(slot))
        whereabouts.erased(self._ledger, slots)

    def tidy(self) -> None:
        """As Files.tidy."""
        if slots := whereabouts.litter(self._ledger):
            self._erase(slots)
        self.spool.segments.tidy()

    def inventory(self) -> Survey:
        """As Files.inventory."""
        return LocalInventory(self._ledger, self._root, self.loose.blobs, self.spool.segments)

    def close(self) -> None:
        """As Files.close."""
        self.spool.segments.leave()

    def _of_entry(self, identifier: str) -> whereabouts.Whereabouts | None:
        with self._ledger.reading() as connection:
            return whereabouts.of_entry(connection, identifier)

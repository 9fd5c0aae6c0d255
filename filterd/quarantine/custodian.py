"""Holding a message: bytes, evidence and ledger entry, all on disk before the client hears 250."""

import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from filterd.model.custody import CustodyError, Evidence
from filterd.model.ids import is_id, is_public_id
from filterd.model.message import RawMessage
from filterd.quarantine import changes
from filterd.quarantine import evidence as evidence_format
from filterd.quarantine.aside import aside
from filterd.quarantine.chain import AuditRow, ChainState
from filterd.quarantine.changes import Act, Attempt, Lease, Waiting
from filterd.quarantine.checked import checked
from filterd.quarantine.coding import Coding, DamagedError
from filterd.quarantine.database import BUSY, Database, SqliteDatabase
from filterd.quarantine.digests import Digests
from filterd.quarantine.durable import Fsync
from filterd.quarantine.entries import ENDED, Actor, Entry, EntryFilter, State, entry_of, storable
from filterd.quarantine.files import Files
from filterd.quarantine.inventory import Survey
from filterd.quarantine.ledger import Ledger
from filterd.quarantine.local import LocalFiles
from filterd.quarantine.redeemed import Redeemed

SWEPT: Final = 1_000  # entries swept at once, a commit each, or looked at for what has expired

_HELD: Final = EntryFilter()


class Quarantine:
    """The quarantine under `root`: ledger.sqlite, blobs/, evidence/, drafts/. Implements model.custody.Custodian.

    Thread-safe, shared by all processes of a host, opened at the first use. An unknown or malformed id is `None` or
    KeyError, never a path.
    """

    def __init__(
        self,
        root: Path,
        *,
        busy: float = BUSY,
        clock: Callable[[], float] = time.time,
        fsync: Fsync = os.fsync,
        shared: tuple[Database, Files] | None = None,
        coding: Coding = Coding.NONE,
    ) -> None:
        """`busy` is how many seconds a commit waits for other processes; `clock` gives epoch seconds.

        With `shared` the ledger and the files are where that says, and `root` is of no account. `coding` is what is
        done to messages that come from now on; those that are there are read in either.
        """
        self._clock = clock
        self._database: Database = shared[0] if shared else SqliteDatabase(root / "ledger.sqlite", busy=busy)
        self._ledger = Ledger(self._database)
        self._foreign = shared is not None
        self._files: Files = shared[1] if shared else LocalFiles(root, self._ledger, fsync, coding)
        self._prepared = False

    def prepare(self) -> None:
        """Make the folders, check that they are private, remove what a crash left half-written.

        Done before the first hold in any case; at start it tells early. CustodyError names what is wrong.
        """
        try:
            self._files.prepare()
        except OSError as error:
            raise CustodyError(f"quarantine: {error}") from error
        self._database.prepare()
        self._prepared = True

    def look(self) -> None:
        """Whether the ledger can be used; CustodyError says why not."""
        if self._exists():
            with self._ledger.reading():
                pass

    def hold(self, evidence: Evidence, message: RawMessage) -> str:
        """Store message and evidence durably and give back the id. CustodyError: nothing is visible, nothing kept.

        May be called by libmilter's threads.
        """
        return aside(lambda: self._hold(evidence, message)) if self._foreign else self._hold(evidence, message)

    def _hold(self, evidence: Evidence, message: RawMessage) -> str:
        if not is_id(evidence.id):
            raise CustodyError("quarantine: not an id")
        try:
            if not self._prepared:
                self.prepare()
            self._files.hold(evidence, evidence_format.encode(evidence), message, entry_of(evidence, message))
        except (OSError, ValueError, TypeError) as error:
            raise CustodyError(f"quarantine: {type(error).__name__}: {error}") from error
        return evidence.id

    def entries(self, wanted: EntryFilter = _HELD, *, before: str | None = None, limit: int = 50) -> list[Entry]:
        """Newest first, retries of one message merged into the newest; `before` is the last id of the page before.

        CustodyError where the ledger cannot be read.
        """
        if before is not None and not is_id(before):
            return []
        return self._ledger.entries(wanted, before=before, limit=limit) if self._exists() else []

    def entry(self, identifier: str) -> Entry | None:
        """The entry, or None where there is none of that id."""
        return self._ledger.entry(identifier) if is_id(identifier) and self._exists() else None

    def named(self, public: str) -> list[str]:
        """The ids of what a sender or a digest knows by this name, newest first: one for each policy."""
        return self._ledger.named(public) if is_public_id(public) and self._exists() else []

    def entries_of(self, sha256: str) -> list[str]:
        """The ids of entries that should have the message of this digest, newest first."""
        return self._ledger.entries_of(sha256) if self._exists() else []

    def copies(self, entry: Entry) -> list[Entry]:
        """All entries of the same message in the same state, this one too, newest first."""
        return self._ledger.copies(entry)

    def evidence(self, identifier: str) -> Evidence:
        """What the verdict was made from; KeyError: no such entry or deleted, EvidenceError: unreadable."""
        try:
            return evidence_format.decode(self._files.evidence(self._known(identifier).id))
        except FileNotFoundError:
            raise KeyError(identifier) from None
        except DamagedError as error:
            raise evidence_format.EvidenceError(str(error)) from None

    def open_raw(self, identifier: str) -> BinaryIO:
        """The message as received, byte for byte; KeyError: no such entry or deleted.

        DamagedError, an OSError, here or when it is read to its end: what is stored is not what was held.
        """
        entry = self._known(identifier)
        try:
            return checked(self._files.open_raw(entry.sha256, entry.size), entry.sha256)
        except FileNotFoundError:
            raise KeyError(identifier) from None

    def delete(self, identifier: str, who: Actor) -> str | None:
        """Delete a message with its copies: None where that is done, else why not; KeyError where it never was.

        Its files stay until `sweep`, so that `restore` can undo it.
        """
        with self._ledger.changing() as connection:
            return changes.end(connection, self._act(identifier, who), State.DELETED, "delete")

    def restore(self, identifier: str, who: Actor) -> str | None:
        """Hold again what was deleted or has expired: None where that is done, else why not. KeyError as above."""
        entry = self._known(identifier)
        with self._files.restoring(entry.sha256), self._ledger.changing() as connection:
            return changes.restore(connection, self._act(identifier, who))

    def keep(self, identifier: str, who: Actor, *, on: bool) -> None:
        """Put an entry under legal hold, or end that; KeyError as above."""
        with self._ledger.changing() as connection:
            changes.keep(connection, self._act(identifier, who), on=on)

    def begin_release(
        self, identifier: str, who: Actor, targets: tuple[str, ...], lease: Lease, *, again: bool = False
    ) -> State | None:
        """As changes.begin_release; KeyError where there is no such entry."""
        with self._ledger.changing() as connection:
            return changes.begin_release(connection, self._act(identifier, who), targets, lease, again=again)

    def releases_due(self) -> int:
        """How many releases are due now."""
        if not self._exists():
            return 0
        with self._ledger.reading() as connection:
            return changes.releases_due(connection, self._clock())

    def totals(self) -> dict[str, tuple[int, int]]:
        """How many entries wait for somebody, and the bytes of their messages, by the reason they are held for."""
        if not self._exists():
            return {}
        with self._ledger.reading() as connection:
            return changes.totals(connection)

    def oldest(
        self, codes: Collection[str], before: float, after: tuple[float, str] = (0.0, ""), most: int = SWEPT
    ) -> list[Waiting]:
        """As changes.oldest."""
        if not self._exists():
            return []
        with self._ledger.reading() as connection:
            return changes.oldest(connection, codes, before, after, most)

    def due_release(self, lease: Lease) -> str | None:
        """As changes.due_release, for now."""
        if not self._exists():
            return None
        with self._ledger.changing() as connection:
            return changes.due_release(connection, self._clock(), lease)

    def end_attempt(self, identifier: str, who: Actor, lease: Lease, attempt: Attempt) -> bool:
        """As changes.end_attempt."""
        with self._ledger.changing() as connection:
            return changes.end_attempt(connection, Act(identifier, who, self._clock()), lease, attempt)

    def expire(self, ids: Iterable[tuple[str, str]], who: Actor = changes.DAEMON) -> int:
        """Expire these in one commit, each with why; how many did: not what is kept or waits no more."""
        with self._ledger.changing() as connection:
            return sum([changes.expire(connection, Act(one, who, self._clock()), why) for one, why in ids])

    def sweep(self, before: float, most: int = SWEPT) -> int:
        """Remove the files of what was delivered, deleted or has expired before then; how many entries."""
        if not self._exists():
            return 0
        with self._ledger.reading() as connection:
            found = changes.old(connection, ENDED, before, most)
        self._files.tidy()
        return sum([self._remove_files(identifier, changes.DAEMON, "its time was over") for identifier in found])

    def index(self) -> None:
        """Put texts that came into the index, so that they are found faster; before they are found all the same."""
        while self._ledger.index():
            pass

    def purge(self, identifier: str, who: Actor, why: str) -> bool:
        """Remove an entry and its files for good, now; False under legal hold or while it is released. KeyError."""
        place = self._ledger.place(identifier) if is_id(identifier) and self._exists() else None
        if place is None:
            raise KeyError(identifier)
        with self._files.removing(identifier, place) as files_too, self._ledger.changing() as connection:
            gone = changes.remove(connection, self._act(identifier, who), why)
            if gone:
                files_too(connection)
        if gone:
            self._files.tidy()  # a message that came twice was stored twice, and its second copy may still be there
        return gone

    def _remove_files(self, identifier: str, who: Actor, why: str) -> bool:
        """The ledger says so before a file goes: a crash between leaves a file without an entry, never the reverse."""
        place = self._ledger.place(identifier)
        if place is None:
            return False
        with self._files.removing(identifier, place) as files_too, self._ledger.changing() as connection:
            gone = changes.forget_files(connection, self._act(identifier, who), why)
            if gone:
                files_too(connection)
        return gone

    def note(self, who: Actor, action: str, identifier: str, result: str = "done") -> None:
        """Write into the audit who did what (view, export, learn) with an entry; KeyError where there is none."""
        self._known(identifier)
        with self._ledger.changing() as connection:
            changes.append(connection, self._act(identifier, who).row(action, storable(result)))

    def audit(self, identifier: str) -> list[AuditRow]:
        """Everything done with an entry, oldest first; KeyError where nothing ever was."""
        if not is_id(identifier) or not self._exists():
            raise KeyError(identifier)
        with self._ledger.reading() as connection:
            rows = list(changes.audit(connection, identifier))
        if not rows:
            raise KeyError(identifier)
        return rows

    def newest_audit(self, wanted: changes.AuditFilter, limit: int) -> list[AuditRow]:
        """Rows of the audit of all entries, and of what was done with none or with many, newest first."""
        if not self._exists():
            return []
        with self._ledger.reading() as connection:
            return changes.newest_audit(connection, wanted, limit)

    def note_many(self, who: Actor, action: str, result: str) -> None:
        """Write into the audit who did what with many messages at once."""
        if self._exists():
            with self._ledger.changing() as connection:
                row = AuditRow(0, self._clock(), who.name, who.origin, action, "", storable(result))
                changes.append(connection, row)

    def stats(self, since: float) -> list[tuple[str, str, int, int]]:
        """As Ledger.stats."""
        return self._ledger.stats(since) if self._exists() else []

    def inventory(self) -> Survey:
        """What looks over all files and entries."""
        return self._files.inventory()

    def audit_has(self, head: str) -> bool:
        """Whether the audit's chain has this link."""
        if not self._exists():
            return False
        with self._ledger.reading() as connection:
            return connection.execute("SELECT 1 FROM audit WHERE link = ? LIMIT 1", (head,)).fetchone() is not None

    def verify_audit(self) -> ChainState:
        """Look over the audit's chain."""
        if not self._exists():
            return ChainState(0, 0, "")
        with self._ledger.reading() as connection:
            return changes.verify_audit(connection)

    @property
    def digests(self) -> Digests:
        """Who was told what is held."""
        return Digests(self._ledger)

    @property
    def redeemed(self) -> Redeemed:
        """Which tokens of releases were used."""
        return Redeemed(self._ledger)

    def close(self) -> None:
        """Close this process's connections and files."""
        self._files.close()
        self._ledger.close()

    def _act(self, identifier: str, who: Actor) -> Act:
        """KeyError for what is no id, so that none of those reaches the ledger."""
        if not is_id(identifier) or not self._exists():
            raise KeyError(identifier)
        return Act(identifier, who, self._clock())

    def _known(self, identifier: str) -> Entry:
        entry = self.entry(identifier)
        if entry is None:
            raise KeyError(identifier)
        return entry

    def _exists(self) -> bool:
        """False before the first hold: reading creates nothing."""
        return self._ledger.exists()

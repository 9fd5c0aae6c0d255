"""Messages and evidence that several nodes share, in a directory of a file server or in an object store.

No lock reaches over nodes there, so none is needed: an object's name is used once. The ledger's table `blobs` says
which object holds the message of a digest, and a hold that finds it there stores the message no second time. Whether
the last entry of a message is gone is decided in a ledger's transaction, one of which runs at a time: it takes the
object out of `blobs` and names it in `litter`, and only then is it removed. A hold that counted on it finds, in its own
transaction, that it is no longer in `blobs`, and stores the message anew under another name.

    blobs/ab/DIGEST-TOKEN  raw bytes, with .zst behind it in a frame      evidence/ID.json  evidence

An object is acknowledged before the ledger's commit: what a crash leaves is an object without an entry.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import BinaryIO, Final

from filterd.model.custody import CustodyError, Evidence
from filterd.model.message import RawMessage
from filterd.quarantine.blobs import SHA256, checked_chunks, opened
from filterd.quarantine.coding import SUFFIX, Coding, packed
from filterd.quarantine.database import AmbiguousCommitError, Connection, Database
from filterd.quarantine.entries import Entry
from filterd.quarantine.inventory import Survey
from filterd.quarantine.ledger import Ledger, TakenError
from filterd.quarantine.objects import ObjectStore, message_name
from filterd.quarantine.shared_inventory import SharedInventory

ATTEMPTS: Final = 3  # times a hold stores a message that is removed elsewhere at the same time
LITTER: Final = 1_000  # objects removed in one go that earlier removals left
# Failures after which the ledger may speak of what was stored.
_KEEP: Final = (AmbiguousCommitError, TakenError)


class _GoneError(CustodyError):
    """The object that a hold counted on has been removed meanwhile."""


class SharedFiles:
    """See Files."""

    def __init__(self, database: Database, objects: ObjectStore, coding: Coding = Coding.NONE) -> None:
        """The ledger's own database: what is said there and what is said of entries is said at once.

        `coding` is of what comes from now on.
        """
        self._database = database
        self._ledger = Ledger(database)
        self._objects = objects
        self._coding = coding

    def prepare(self) -> None:
        """As Files.prepare."""
        self._objects.prepare()

    def hold(self, evidence: Evidence, encoded: bytes, message: RawMessage, entry: Entry) -> None:
        """As Files.hold."""
        if SHA256.fullmatch(evidence.sha256) is None:
            raise CustodyError("no SHA-256")
        record = record_of(evidence.id)
        try:
            self._objects.put(record, lambda: (encoded,), new=True)
        except FileExistsError:
            raise TakenError("quarantine: this id is taken") from None
        except BaseException:
            self._remove(record)
            raise
        try:
            self._hold_message(evidence, message, entry)
        except _KEEP:
            raise
        except BaseException:
            self._remove(record)
            raise

    def _hold_message(self, evidence: Evidence, message: RawMessage, entry: Entry) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            known = self._known(evidence)
            name = known or message_name(evidence.sha256, self._coding)
            try:
                if known is None:
                    self._objects.put(name, lambda: self._chunks(evidence, message))
                self._ledger.add(entry, self.claim(evidence.sha256, name, new=known is None))
            except _GoneError:
                if attempt == ATTEMPTS:
                    raise
            except _KEEP:
                raise
            except BaseException:
                if known is None:
                    self._remove(name)
                raise
            else:
                if known is None:
                    self._drop_second(evidence.sha256, name)
                return

    def _chunks(self, evidence: Evidence, message: RawMessage) -> Iterable[bytes]:
        whole = checked_chunks(message, evidence.sha256, evidence.size)
        return packed(whole, evidence.size) if self._coding is Coding.ZSTD else whole

    def _known(self, evidence: Evidence) -> str | None:
        """The object that holds the message already. CustodyError where the ledger names one that is not there."""
        for _ in range(ATTEMPTS):
            name = self.object_of(evidence.sha256)
            if name is None or self._objects.holds(name, size_of(name, evidence.size)):
                return name
            if self.object_of(evidence.sha256) == name:  # nobody has removed it meanwhile
                raise CustodyError(f"quarantine: the store has lost {name}: filterd quarantine verify --repair")
        raise _GoneError("quarantine: the message is removed elsewhere again and again")

    def _drop_second(self, sha256: str, name: str) -> None:
        """Of two nodes that stored one message at the same time, the later one's object is not needed."""
        with suppress(CustodyError):
            if self.object_of(sha256) not in {name, None}:
                self._remove(name)

    def claim(self, sha256: str, name: str, *, new: bool) -> Callable[[Connection], None]:
        """What a hold does in its transaction: make sure that the object is, and stays, the message's."""

        def within(connection: Connection) -> None:
            if new:
                connection.execute(
                    "INSERT INTO blobs (sha256, object) VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, name)
                )
                return
            row = connection.execute("SELECT object FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
            if row is None or row[0] != name:
                raise _GoneError("quarantine: the message was removed elsewhere at the same time")

        return within

    def object_of(self, sha256: str) -> str | None:
        """The name of the object that holds this message."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT object FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
        return str(row[0]) if row else None

    def _remove(self, name: str) -> None:
        """Take back what was stored by a hold that failed; what remains is what a crash would have left."""
        with suppress(OSError, CustodyError):
            self._objects.delete(name)

    def evidence(self, identifier: str) -> bytes:
        """As Files.evidence."""
        with self._objects.open(record_of(identifier)) as source:
            return source.read()

    def open_raw(self, sha256: str, size: int) -> BinaryIO:
        """As Files.open_raw."""
        name = self.object_of(sha256)
        if name is None:
            raise FileNotFoundError(sha256)
        return opened(self._objects.open(name), name, size)

    def restoring(self, sha256: str) -> AbstractContextManager[None]:
        """As Files.restoring: the transaction itself sees to that."""
        del sha256
        return nullcontext()

    @contextmanager
    def removing(self, identifier: str, sha256: str) -> Iterator[Callable[[Connection], None]]:
        """As Files.removing."""
        names: list[str] = []

        def decide(connection: Connection) -> None:
            names.append(record_of(identifier))
            used = connection.execute("SELECT 1 FROM entries WHERE sha256 = ? AND files LIMIT 1", (sha256,)).fetchone()
            row = connection.execute("SELECT object FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
            if row and not used:
                names.append(str(row[0]))
                connection.execute("DELETE FROM blobs WHERE sha256 = ?", (sha256,))
            for name in names:
                connection.execute("INSERT INTO litter (object) VALUES (?) ON CONFLICT DO NOTHING", (name,))

        yield decide
        try:
            self._clear(names)
        except OSError as error:
            raise CustodyError(f"quarantine: the ledger has given its files up, they go later: {error}") from error

    def tidy(self) -> None:
        """As Files.tidy."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT object FROM litter LIMIT ?", (LITTER,)).fetchall()
        self._clear([row[0] for row in rows])

    def lose(self, sha256: str, name: str) -> None:
        """Take an object that is not there out of the ledger: the next copy of that message is stored."""
        with self._database.changing() as connection:
            connection.execute("DELETE FROM blobs WHERE sha256 = ? AND object = ?", (sha256, name))

    def give_up(self, name: str) -> bool:
        """Remove an object that no message is in, or say that one is."""
        with self._database.changing() as connection:
            if connection.execute("SELECT 1 FROM blobs WHERE object = ?", (name,)).fetchone():
                return False
            connection.execute("INSERT INTO litter (object) VALUES (?) ON CONFLICT DO NOTHING", (name,))
        self._clear([name])
        return True

    def _clear(self, names: list[str]) -> None:
        """Remove objects that the ledger has given up; what fails is tried again by the next `tidy`."""
        for name in names:
            self._objects.delete(name)
            with self._database.reading() as connection:
                connection.execute("DELETE FROM litter WHERE object = ?", (name,))

    def close(self) -> None:
        """As Files.close: nothing."""

    def inventory(self) -> Survey:
        """As Files.inventory."""
        return SharedInventory(self._ledger, self._objects, self)


def size_of(name: str, size: int) -> int | None:
    """How many bytes the object of a message of this size has; None where that depends on its content."""
    return None if name.endswith(SUFFIX) else size


def record_of(identifier: str) -> str:
    """Callers have checked the id."""
    return f"evidence/{identifier}.json"

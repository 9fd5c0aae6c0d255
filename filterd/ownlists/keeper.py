"""The lists in one front: always at hand, never waited for."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from filterd.model.store import Store, StoreError
from filterd.ownlists.book import Book
from filterd.ownlists.changing import VERSION, publish, read
from filterd.ownlists.document import MAX_BYTES, Document, DocumentError, decode, encode
from filterd.telemetry.events import Event

FRESH: Final = 2.0  # seconds between two looks: how late a front learns of a change
CLOSE_SECONDS: Final = 1.0  # a look under way is waited for that long
_DIGITS: Final = 15  # of a version that we have written
_log = structlog.get_logger()


class OwnLists:
    """The entries as this front knows them. Thread-safe; `book` never waits and never raises.

    `copy` is the file that keeps the last good copy; None: nothing is kept.
    """

    def __init__(self, store: Store, copy: Path | None = None, *, failed: Callable[[], None] = lambda: None) -> None:
        """Begin with the last good copy; `failed` is told of every look that failed."""
        self._store = store
        self._copy = copy
        self._failed = failed
        self._document = read_copy(copy) or Document()
        self._book = Book(self._document.entries)
        self._trouble = ""
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def book(self) -> Book:
        """The entries."""
        return self._book

    @property
    def version(self) -> int:
        """The version that is in force."""
        return self._document.version

    def start(self) -> None:
        """Look now, and for changes from now on."""
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="ownlists", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def refresh(self) -> bool:
        """Look now. False where the shared state could not be read: what was in force stays."""
        try:
            self._look()
        except (StoreError, DocumentError) as error:
            self._failed()
            if self._trouble != str(error):
                _log.warning(Event.OWN_LISTS_UNREAD, cause=str(error), version=self.version)
            self._trouble = str(error)
            return False
        self._trouble = ""
        return True

    def _look(self) -> None:
        (raw,) = self._store.get_many([VERSION])
        version = int(raw) if raw is not None and raw.isdigit() and len(raw) <= _DIGITS else 0
        if version > self.version:
            document = read(self._store)
            if document is not None and document.version > self.version:
                self._take(document)
        elif version < self.version:
            # The store has lost its data, or was given older ones: nothing that is in force may vanish by that.
            publish(self._store, self._document)
            _log.warning(Event.OWN_LISTS_RESTORED, version=self.version, entries=len(self._document.entries))

    def _take(self, document: Document) -> None:
        self._document, self._book = document, Book(document.entries)
        _log.info(Event.OWN_LISTS_CHANGED, version=document.version, entries=len(document.entries))
        if self._copy is not None:
            write_copy(self._copy, document)

    def _run(self) -> None:
        while not self._closing.wait(FRESH):
            try:
                self.refresh()
            except Exception:  # noqa: BLE001  # the top of this thread: one bad look must not be the last
                self._failed()
                _log.error(Event.OWN_LISTS_UNREAD, exc_info=True)


def read_copy(path: Path | None) -> Document | None:
    """The last good copy; None where there is none that can be read."""
    if path is None:
        return None
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        return decode(path.read_bytes())
    except (OSError, DocumentError):
        return None


def write_copy(path: Path, document: Document) -> None:
    """Keep it, whole or not at all; where it cannot be kept the one before stays."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            file.write(encode(document))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        _log.warning(Event.OWN_LISTS_UNREAD, cause=f"no copy is kept: {error}", version=document.version)
        with suppress(OSError):
            aside.unlink()

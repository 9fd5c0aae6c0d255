"""What a quarantine needs of the place where messages and evidence lie."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from filterd.model.custody import Evidence
from filterd.model.message import RawMessage
from filterd.quarantine.database import Connection
from filterd.quarantine.entries import Entry
from filterd.quarantine.inventory import Survey


class Files(Protocol):
    """Thread-safe. Ids and digests are checked by the caller, or CustodyError; OSError for what a disk does."""

    def prepare(self) -> None:
        """Make what is missing; CustodyError where what is there cannot be used."""

    def hold(self, evidence: Evidence, encoded: bytes, message: RawMessage, entry: Entry) -> None:
        """Store the encoded evidence and the message durably, then commit the entry; on any failure take them back.

        CustodyError or OSError: nothing is visible.
        """

    def evidence(self, identifier: str) -> bytes:
        """The encoded evidence; FileNotFoundError."""

    def open_raw(self, sha256: str, size: int) -> BinaryIO:
        """The message, which has so many bytes; FileNotFoundError. DamagedError, here or when it is read."""

    def restoring(self, sha256: str) -> AbstractContextManager[None]:
        """No file of that message goes meanwhile."""

    def removing(self, identifier: str, sha256: str) -> AbstractContextManager[Callable[[Connection], None]]:
        """Files of an entry go at the end, where what this gives was called in the transaction that says so."""

    def tidy(self) -> None:
        """Remove what earlier removals left when they were interrupted."""

    def inventory(self) -> Survey:
        """What looks over all files and entries."""

    def close(self) -> None:
        """Close what this process has open."""

"""Looking over the whole quarantine: what its files and its ledger say of each other, and putting that right.

A file without an entry is what a crash between the rename and the commit leaves, or what is left of a lost ledger: its
evidence makes an entry again. Files of an entry that was purged or swept are what a crash in the middle of that leaves:
they go. An entry without its files can only come from somebody else's hands.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from filterd.model.custody import Evidence
from filterd.model.ids import is_id
from filterd.model.message import RawMessage
from filterd.quarantine import changes
from filterd.quarantine import evidence as evidence_format
from filterd.quarantine.blobs import BlobDirectory, opened
from filterd.quarantine.changes import Act
from filterd.quarantine.coding import DamagedError
from filterd.quarantine.entries import Actor, Entry, entry_of
from filterd.quarantine.layout import fields_of
from filterd.quarantine.ledger import Ledger, Pending
from filterd.quarantine.whereabouts import LOOSE, Whereabouts, all_with_files, used

CHUNK: Final = 1 << 20  # bytes read at once


class Kind(StrEnum):
    """What is wrong."""

    UNLISTED = "unlisted"  # evidence and message are there, the ledger does not know them
    LEFT = "left"  # files of an entry that was purged or swept
    UNREADABLE = "unreadable"  # evidence that this release cannot read
    ORPHAN = "orphan"  # a message that nothing speaks of
    GONE = "gone"  # an entry whose message or evidence is not there
    ALTERED = "altered"  # a message whose bytes are not those that were held


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `name` is an entry's id or a blob's SHA-256."""

    kind: Kind
    name: str
    text: str
    slot: str = ""  # where it is, in a segment


class Survey(Protocol):
    """What looks over a whole quarantine."""

    def problems(self, *, contents: bool) -> Iterator[Problem]:
        """All that is wrong; with `contents` every message is read and its hash compared. CustodyError, OSError."""

    def mend(self, problem: Problem, who: Actor, now: float) -> str:
        """Mend it where that can be done: what was done, in words, or an empty string. CustodyError, OSError."""


class LooseInventory:
    """Looks over what is in files of their own, and mends what can be mended."""

    def __init__(self, ledger: Ledger, blobs: BlobDirectory, evidence: Path) -> None:
        """The ledger, and where the files are."""
        self._ledger = ledger
        self._blobs = blobs
        self._evidence = evidence

    def problems(self, *, contents: bool) -> Iterator[Problem]:
        """All that is wrong; with `contents` every message is read and its hash compared. CustodyError, OSError."""
        described: dict[str, int] = {}  # digests, with the sizes of what they are of
        seen: set[str] = set()
        for path in self._evidence.glob("*.json"):
            seen.add(path.stem)
            try:
                evidence = evidence_format.decode(path.read_bytes())
            except (ValueError, OSError) as error:
                yield Problem(Kind.UNREADABLE, path.stem, f"{type(error).__name__}: {error}")
                continue
            problem = self._unlisted(path.stem, evidence.sha256)
            described[evidence.sha256] = evidence.size
            if problem is not None:
                yield problem
        for entry in all_with_files(self._ledger):
            if entry.body == LOOSE and entry.sha256 not in described:
                described[entry.sha256] = self._ledger.size_of(entry.sha256)
            missing = self._missing(entry, seen)
            if missing:
                yield Problem(Kind.GONE, entry.id, f"not there: {missing}")
        for sha256, path in self._blobs.files():
            if sha256 not in described:
                yield Problem(Kind.ORPHAN, sha256, "no entry and no evidence speaks of it")
            elif contents and (why := altered(opened(path.open("rb"), path.name, described[sha256]), sha256)):
                yield Problem(Kind.ALTERED, sha256, why)

    def _missing(self, entry: Whereabouts, seen: set[str]) -> str:
        """Which of an entry's files is not there, in words."""
        there = {
            "message": entry.body != LOOSE or self._blobs.exists(entry.sha256),
            "evidence": entry.record != LOOSE or entry.id in seen,
        }
        return " and ".join([word for word, found in there.items() if not found])

    def _unlisted(self, identifier: str, sha256: str) -> Problem | None:
        """What the ledger says of this evidence, where that is not as it should be."""
        if not is_id(identifier):
            return Problem(Kind.UNREADABLE, identifier, "its name is no id")
        entry = self._ledger.entry(identifier)
        if entry is not None:
            return None if entry.files else Problem(Kind.LEFT, identifier, f"was {entry.state}, and its files swept")
        if was_purged(self._ledger, identifier):
            return Problem(Kind.LEFT, identifier, "was purged")
        if not self._blobs.exists(sha256):
            return Problem(Kind.GONE, identifier, "evidence without a message, and the ledger does not know it")
        return Problem(Kind.UNLISTED, identifier, "the ledger does not know it")

    def mend(self, problem: Problem, who: Actor, now: float) -> str:
        """Mend it where that can be done: what was done, in words, or an empty string. CustodyError, OSError.

        No hold is under way meanwhile: what it had written looks like what a crash leaves.
        """
        if problem.kind is Kind.ORPHAN:
            if used(self._ledger, problem.name) or self._speaks_of(problem.name):
                return ""
            self._blobs.remove(problem.name)
            return "removed"
        if problem.kind not in (Kind.UNLISTED, Kind.LEFT):
            return ""
        path = self._evidence / f"{problem.name}.json"
        evidence = evidence_format.decode(path.read_bytes())
        current = self._unlisted(problem.name, evidence.sha256)
        if current is None or current.kind is not problem.kind:
            return ""
        if problem.kind is Kind.UNLISTED:
            return self._list(evidence, who, now)
        path.unlink()
        if not used(self._ledger, evidence.sha256):
            self._blobs.remove(evidence.sha256)
        return "removed"

    def _list(self, evidence: Evidence, who: Actor, now: float) -> str:
        """Make the entry that the evidence speaks of; what was done, in words."""
        try:
            with self._blobs.open(evidence.sha256, evidence.size) as source:
                raw = source.read()
        except DamagedError:
            return ""
        list_again(self._ledger, Pending(replace(entry_in_files(evidence, raw), changed=now)), who, now)
        return "held again"

    def _speaks_of(self, sha256: str) -> bool:
        """Whether any evidence names this blob."""
        mark = sha256.encode()
        return any(mark in path.read_bytes() for path in self._evidence.glob("*.json"))


def list_again(ledger: Ledger, pending: Pending, who: Actor, now: float) -> None:
    """Commit the entry that evidence speaks of; CustodyError."""
    ledger.add_all([pending])
    if pending.error is not None:
        raise pending.error
    with ledger.changing() as connection:
        changes.append(connection, Act(pending.entry.id, who, now).row("repair"))


def was_purged(ledger: Ledger, identifier: str) -> bool:
    """Whether the audit says that somebody wanted it gone for good."""
    with ledger.reading() as connection:
        rows = list(changes.audit(connection, identifier))
    return any(row.action == "purge" and row.result.startswith("address") for row in rows)


def entry_in_files(evidence: Evidence, raw: bytes) -> Entry:
    """The entry that the evidence speaks of."""
    try:
        fields, _ = fields_of(raw, evidence.state)
    except ValueError:
        fields = ()
    body = os.memfd_create("body", os.MFD_CLOEXEC)
    try:
        return entry_of(evidence, RawMessage(fields, body, 0))
    finally:
        os.close(body)


def altered(source: BinaryIO, sha256: str) -> str:
    """What is wrong with the bytes of a message, in words; empty where nothing is. Closes the file."""
    digest = hashlib.sha256()
    try:
        with source:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
    except DamagedError as error:
        return str(error)
    found = digest.hexdigest()
    return "" if found == sha256 else f"its bytes have sha256 {found}"

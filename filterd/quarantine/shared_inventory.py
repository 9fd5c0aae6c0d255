"""Looking over a quarantine that several nodes share: as inventory.py, with objects for files.

No lock keeps the nodes from holding meanwhile. What no entry speaks of may be a hold under way, and is looked at only
when it is older than any of those.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Final, Protocol

from filterd.model.custody import Evidence
from filterd.model.ids import is_id
from filterd.quarantine import changes
from filterd.quarantine import evidence as evidence_format
from filterd.quarantine.blobs import opened
from filterd.quarantine.changes import Act
from filterd.quarantine.coding import DamagedError
from filterd.quarantine.database import Connection
from filterd.quarantine.entries import Actor
from filterd.quarantine.inventory import Kind, Problem, altered, entry_in_files, was_purged
from filterd.quarantine.ledger import Ledger
from filterd.quarantine.objects import ObjectStore, message_name

GRACE: Final = 3_600.0  # seconds; a hold takes a minute at the very most
PAGE: Final = 10_000  # rows read at once

_ROWS: Final = "SELECT sha256, object FROM blobs WHERE sha256 > ? ORDER BY sha256 LIMIT ?"


class Holder(Protocol):
    """What SharedFiles does with objects."""

    def object_of(self, sha256: str) -> str | None:
        """The object that holds this message."""

    def claim(self, sha256: str, name: str, *, new: bool) -> Callable[[Connection], None]:
        """Make sure, in a transaction, that the object is the message's."""

    def removing(self, identifier: str, sha256: str) -> AbstractContextManager[Callable[[Connection], None]]:
        """As Files.removing."""

    def give_up(self, name: str) -> bool:
        """Remove an object that no message is in."""

    def lose(self, sha256: str, name: str) -> None:
        """Take an object that is not there out of the ledger."""


class SharedInventory:
    """See Survey."""

    def __init__(self, ledger: Ledger, objects: ObjectStore, holder: Holder) -> None:
        """The parts of a quarantine that is shared."""
        self._ledger = ledger
        self._objects = objects
        self._holder = holder

    def problems(self, *, contents: bool) -> Iterator[Problem]:
        """As Survey.problems."""
        messages = dict(self._objects.names("blobs/"))
        records = dict(self._objects.names("evidence/"))
        old = time.time() - GRACE
        listed: dict[str, str] = {}
        for sha256, name in self._rows():
            listed[sha256] = name
            if contents and name in messages and (why := self._altered(sha256, name)):
                yield Problem(Kind.ALTERED, sha256, why)
        known = set()
        for entry in self._ledger.with_files():
            record = f"evidence/{entry.id}.json"
            known.add(record)
            message = listed.get(entry.sha256) or self._holder.object_of(entry.sha256) or "nowhere"
            # What came since the store was listed is looked at by itself.
            there = {
                "message": message in messages or self._there(message),
                "evidence": record in records or self._there(record),
            }
            if not all(there.values()) and self._ledger.place(entry.id):
                missing = " and ".join([word for word, found in there.items() if not found])
                yield Problem(Kind.GONE, entry.id, f"not there: {missing}")
        spoken: set[str] = set()
        for record, stored in records.items():
            if record not in known and stored < old:
                problem = self._unlisted(record, spoken)
                if problem is not None:
                    yield problem
        named = set(listed.values())
        for name, stored in messages.items():
            if name not in named and stored < old and _sha256_of(name) not in spoken:
                yield Problem(Kind.ORPHAN, name, "no entry and no evidence speaks of it")

    def _rows(self) -> Iterator[tuple[str, str]]:
        """Digests and their objects."""
        after = ""
        while True:
            with self._ledger.reading() as connection:
                rows = connection.execute(_ROWS, (after, PAGE)).fetchall()
            if not rows:
                return
            yield from rows
            after = rows[-1][0]

    def _unlisted(self, record: str, spoken: set[str]) -> Problem | None:
        """What the ledger says of this evidence, where that is not as it should be."""
        identifier = record.removeprefix("evidence/").removesuffix(".json")
        if not is_id(identifier):
            return Problem(Kind.UNREADABLE, identifier, "its name is no id")
        try:
            sha256 = self._evidence(identifier).sha256
        except FileNotFoundError:
            return None
        except ValueError as error:
            return Problem(Kind.UNREADABLE, identifier, f"{type(error).__name__}: {error}")
        problem = self._unknown(identifier, sha256)
        if problem is not None and problem.kind is Kind.UNLISTED:
            spoken.add(sha256)
        return problem

    def _unknown(self, identifier: str, sha256: str) -> Problem | None:
        """Evidence that can be read: whether the ledger should know it."""
        entry = self._ledger.entry(identifier)
        if entry is not None:
            return None if entry.files else Problem(Kind.LEFT, identifier, f"was {entry.state}, and its files swept")
        if was_purged(self._ledger, identifier):
            return Problem(Kind.LEFT, identifier, "was purged")
        if self._message(sha256) is None:
            return Problem(Kind.GONE, identifier, "evidence without a message, and the ledger does not know it")
        return Problem(Kind.UNLISTED, identifier, "the ledger does not know it")

    def mend(self, problem: Problem, who: Actor, now: float) -> str:
        """As Survey.mend."""
        if problem.kind is Kind.ORPHAN:
            return "removed" if self._holder.give_up(problem.name) else ""
        if problem.kind is Kind.GONE:
            return self._lose(problem.name)
        if problem.kind not in (Kind.UNLISTED, Kind.LEFT):
            return ""
        current = self._unlisted(f"evidence/{problem.name}.json", set())
        if current is None or current.kind is not problem.kind:
            return ""
        evidence = self._evidence(problem.name)
        if problem.kind is Kind.UNLISTED:
            return self._list(evidence, who, now)
        with self._holder.removing(problem.name, evidence.sha256) as files_too, self._ledger.changing() as connection:
            files_too(connection)
        return "removed"

    def _list(self, evidence: Evidence, who: Actor, now: float) -> str:
        """Make the entry that the evidence speaks of."""
        name = self._message(evidence.sha256)
        if name is None:
            return ""
        try:
            with opened(self._objects.open(name), name, evidence.size) as source:
                raw = source.read()
        except DamagedError:
            return ""
        if hashlib.sha256(raw).hexdigest() != evidence.sha256:
            return ""
        known = self._holder.object_of(evidence.sha256)
        kept = known or message_name(evidence.sha256)  # that one may be about to go
        if known is None:
            self._objects.put(kept, lambda: (raw,))
        within = self._holder.claim(evidence.sha256, kept, new=known is None)
        self._ledger.add(replace(entry_in_files(evidence, raw), changed=now), within)
        if known is None:
            self._holder.give_up(name)
        with self._ledger.changing() as connection:
            changes.append(connection, Act(evidence.id, who, now).row("repair"))
        return "held again"

    def _lose(self, identifier: str) -> str:
        """A message that the ledger names and the store has lost: should the like of it come, it is stored again."""
        sha256 = self._ledger.place(identifier)
        name = self._holder.object_of(sha256) if sha256 else None
        if sha256 and name and not self._there(name):
            self._holder.lose(sha256, name)
        return ""

    def _message(self, sha256: str) -> str | None:
        """An object that holds it: the one that the ledger names, or any."""
        return self._holder.object_of(sha256) or next(
            (name for name, _ in self._objects.names(f"blobs/{sha256[:2]}/") if _sha256_of(name) == sha256), None
        )

    def _evidence(self, identifier: str) -> Evidence:
        with self._objects.open(f"evidence/{identifier}.json") as source:
            return evidence_format.decode(source.read())

    def _there(self, name: str) -> bool:
        try:
            self._objects.open(name).close()
        except FileNotFoundError:
            return False
        return True

    def _altered(self, sha256: str, name: str) -> str:
        """What is wrong with the bytes of a message, in words."""
        with suppress(FileNotFoundError):  # it was removed meanwhile
            return altered(opened(self._objects.open(name), name, self._ledger.size_of(sha256)), sha256)
        return ""


def _sha256_of(name: str) -> str:
    return name.rpartition("/")[2].partition("-")[0]

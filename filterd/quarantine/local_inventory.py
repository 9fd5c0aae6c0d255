"""Looking over a quarantine on this host's disk: files of their own (inventory.py), and the records of segments."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

from filterd.model.custody import Evidence
from filterd.model.ids import is_id
from filterd.quarantine import evidence as evidence_format
from filterd.quarantine import whereabouts
from filterd.quarantine.blobs import BlobDirectory
from filterd.quarantine.coding import DamagedError
from filterd.quarantine.durable import Lock, locked
from filterd.quarantine.entries import Actor
from filterd.quarantine.inventory import Kind, LooseInventory, Problem, altered, entry_in_files, list_again, was_purged
from filterd.quarantine.ledger import Ledger, Pending
from filterd.quarantine.segments import Kind as Content
from filterd.quarantine.segments import Segments, Slot
from filterd.quarantine.spool import content, was_torn

LOCK_WAIT: Final = 10.0  # seconds that a repair waits for holds under way


class _Records:
    """What is in all segments: the slots of each message by its digest, and the id of each slot of evidence."""

    def __init__(self, segments: Segments) -> None:
        self.messages: dict[str, list[str]] = {}
        self.evidence: dict[str, str] = {}
        for name in segments.names():
            for slot, record in segments.scan(name):
                if record.kind is Content.MESSAGE:
                    self.messages.setdefault(record.digest.hex(), []).append(str(slot))
                else:
                    self.evidence[str(slot)] = record.name


class LocalInventory:
    """See Survey."""

    def __init__(self, ledger: Ledger, root: Path, blobs: BlobDirectory, segments: Segments) -> None:
        """`root` has the folders evidence/ and drafts/."""
        self._ledger = ledger
        self._drafts = root / "drafts"
        self._segments = segments
        self._loose = LooseInventory(ledger, blobs, root / "evidence")
        self._found: _Records | None = None  # by the last look: what was taken out since then is not there to be read

    def problems(self, *, contents: bool) -> Iterator[Problem]:
        """As Survey.problems."""
        yield from self._loose.problems(contents=contents)
        found = self._found = _Records(self._segments)
        needed = set(whereabouts.litter(self._ledger, -1))  # the next sweep erases it
        for entry in whereabouts.all_with_files(self._ledger):
            needed |= {entry.body, entry.record}
            # What came since the segments were looked through is looked at by itself.
            there = {
                "message": entry.body in ("", *found.messages.get(entry.sha256, ())) or self._holds(entry.body),
                "evidence": not entry.record or entry.record in found.evidence or self._holds(entry.record),
            }
            if not all(there.values()):
                missing = " and ".join([word for word, is_there in there.items() if not is_there])
                yield Problem(Kind.GONE, entry.id, f"not there: {missing}")
        yield from self._strange(found, needed)
        if contents:
            yield from self._altered(found)

    def _holds(self, slot: str) -> bool:
        """Whether there is a record."""
        try:
            wanted = Slot.of(slot)
        except ValueError:
            return False
        return any(at == wanted for at, _ in self._segments.scan(wanted.segment))

    def _strange(self, found: "_Records", needed: set[str]) -> Iterator[Problem]:
        """Records that no entry needs."""
        spoken: set[str] = set()
        for slot, identifier in found.evidence.items():
            if slot in needed:
                continue
            with suppress(FileNotFoundError):  # it was taken out meanwhile
                problem = self._unlisted(identifier, slot, found)
                if problem is not None:
                    yield problem
                    if problem.kind is Kind.UNLISTED:
                        spoken.add(self._evidence(slot).sha256)
        for sha256, slots in found.messages.items():
            for slot in slots:
                if slot not in needed and sha256 not in spoken and not self._needed(sha256, slot):
                    yield Problem(Kind.ORPHAN, sha256, "no entry and no evidence speaks of it", slot)

    def _needed(self, sha256: str, slot: str) -> bool:
        with self._ledger.reading() as connection:
            return whereabouts.uses(connection, sha256, slot)

    def _unlisted(self, identifier: str, slot: str, found: "_Records") -> Problem | None:
        """What the ledger says of this evidence, where that is not as it should be. FileNotFoundError."""
        listed = None
        if is_id(identifier):
            with self._ledger.reading() as connection:
                listed = whereabouts.of_entry(connection, identifier)
        if listed is not None and listed.files and listed.record == slot:
            return None
        evidence = self._readable(identifier, slot)
        if isinstance(evidence, Problem):
            return evidence
        left = ""
        if listed is not None:
            left = "another record is this entry's" if listed.files else "its files were swept"
        elif was_purged(self._ledger, identifier):
            left = "was purged"
        if left:
            return Problem(Kind.LEFT, identifier, left, slot)
        if evidence.sha256 not in found.messages:
            text = "evidence without a message, and the ledger does not know it"
            return Problem(Kind.GONE, identifier, text, slot)
        return Problem(Kind.UNLISTED, identifier, "the ledger does not know it", slot)

    def _readable(self, identifier: str, slot: str) -> Evidence | Problem:
        """Evidence that no entry needs, or what is wrong with it. FileNotFoundError."""
        try:
            evidence = self._evidence(slot)
        except ValueError as error:
            if was_torn(self._segments, Slot.of(slot), Content.EVIDENCE):
                return Problem(Kind.LEFT, identifier, "the host stopped while it was written", slot)
            return Problem(Kind.UNREADABLE, identifier, f"{type(error).__name__}: {error}", slot)
        if not is_id(identifier) or evidence.id != identifier:
            return Problem(Kind.UNREADABLE, identifier, "its name is not the id in it", slot)
        return evidence

    def _altered(self, found: "_Records") -> Iterator[Problem]:
        """Messages whose bytes are not those that were held, and evidence that cannot be read."""
        for sha256, slots in found.messages.items():
            for slot in slots:
                with suppress(FileNotFoundError):  # it was taken out meanwhile
                    if why := self._why_altered(sha256, slot):
                        yield Problem(Kind.ALTERED, sha256, why, slot)
        for slot, identifier in found.evidence.items():
            with suppress(FileNotFoundError):
                try:
                    self._evidence(slot)
                except ValueError as error:
                    yield Problem(Kind.UNREADABLE, identifier, f"{type(error).__name__}: {error}", slot)

    def _why_altered(self, sha256: str, slot: str) -> str:
        """In words; FileNotFoundError."""
        try:
            return altered(BytesIO(content(self._segments, Slot.of(slot), Content.MESSAGE)), sha256)
        except DamagedError as error:
            return str(error)

    def mend(self, problem: Problem, who: Actor, now: float) -> str:
        """As Survey.mend.

        No hold is under way meanwhile: what it had written looks like what a crash leaves.
        """
        with locked(self._drafts, Lock.EXCLUSIVE, LOCK_WAIT):
            if not problem.slot:
                return self._loose.mend(problem, who, now)
            if not self._is_still(problem):
                return ""
            if problem.kind is Kind.UNLISTED:
                return self._list(problem.slot, who, now)
            self._segments.erase(Slot.of(problem.slot))
            return "removed"

    def _is_still(self, problem: Problem) -> bool:
        """Whether it can be mended, and has not been mended meanwhile."""
        if problem.kind is Kind.ORPHAN:
            return not self._needed(problem.name, problem.slot)
        if problem.kind not in (Kind.UNLISTED, Kind.LEFT):
            return False
        with suppress(FileNotFoundError):
            current = self._unlisted(problem.name, problem.slot, self._records())
            return current is not None and current.kind is problem.kind
        return False

    def _records(self) -> "_Records":
        if self._found is None:
            self._found = _Records(self._segments)
        return self._found

    def _list(self, record: str, who: Actor, now: float) -> str:
        """Make the entry that the evidence speaks of; what was done, in words."""
        evidence = self._evidence(record)
        slots = self._records().messages[evidence.sha256]
        body = next((slot for slot in slots if not self._why_altered(evidence.sha256, slot)), None)
        if body is None:
            # Then nobody was told that it is kept.
            if not any(was_torn(self._segments, Slot.of(slot), Content.MESSAGE) for slot in slots):
                return ""
            self._segments.erase(Slot.of(record))
            return "removed"
        raw = content(self._segments, Slot.of(body), Content.MESSAGE)
        pending = Pending(replace(entry_in_files(evidence, raw), changed=now))
        pending.slots = (body, record)
        list_again(self._ledger, pending, who, now)
        return "held again"

    def _evidence(self, slot: str) -> Evidence:
        return evidence_format.decode(content(self._segments, Slot.of(slot), Content.EVIDENCE))

"""What a reviewer's desk does: pages of held mail, one message in words, and the acts a reviewer has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from filterd.model.custody import Evidence
from filterd.operations.release import Releaser
from filterd.quarantine import Actor, Entry, EntryFilter, EvidenceError, Quarantine, State
from filterd.quarantine.entries import WAITING
from filterd.quarantine.layout import fields_of

PAGE: Final = 200  # entries loaded at once
MAX_HEADER: Final = 200  # lines of the header that are shown
MAX_BODY: Final = 6_000  # bytes of the body, as they came
MAX_RAW: Final = 1 << 20  # bytes read of a message for that

MAX_LINE: Final = 2_000  # characters of a line of it: twice what a line may have (RFC 5322, section 2.1.1)

Explain = Callable[[Evidence], Iterator[str]]
Learn = Callable[[str, bytes], str]
Allow = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Reviewer:
    """One reviewer at one quarantine. `explain` gives a verdict in words, `learn` teaches "spam" or "ham".

    `allow` puts the author of a message on the allow list, ValueError says why not.
    """

    quarantine: Quarantine
    releaser: Releaser
    explain: Explain
    learn: Learn
    who: Actor
    allow: Allow

    def page(self, sought: str, *, waiting: bool, before: str | None = None) -> list[Entry]:
        """Entries with the text in sender, recipient or subject, newest first; those that wait, or all."""
        states = WAITING if waiting else tuple(State)
        if not sought:
            return self.quarantine.entries(EntryFilter(states=states), before=before, limit=PAGE)
        found = {
            entry.id: entry
            for wanted in (
                EntryFilter(states=states, sender=sought),
                EntryFilter(states=states, recipient=sought),
                EntryFilter(states=states, subject=sought),
            )
            for entry in self.quarantine.entries(wanted, before=before, limit=PAGE)
        }
        return sorted(found.values(), key=lambda entry: entry.id, reverse=True)[:PAGE]

    def preview(self, identifier: str) -> Iterator[str]:
        """Why it is held, its parts, its header, and how its body begins; hostile text. The look is in the audit."""
        self.quarantine.note(self.who, "view", identifier)
        try:
            evidence, raw = self.quarantine.evidence(identifier), beginning(self.quarantine, identifier)
        except (KeyError, EvidenceError, OSError) as error:
            yield f"its files cannot be read: {type(error).__name__}: {error}"
            return
        yield from self.explain(evidence)
        yield from looked(evidence, raw)

    def release(self, identifier: str) -> str:
        """Give it back to its recipients; what came of it, in words."""
        done = self.releaser.release(identifier, self.who)
        return f"{done.state}: {done.text}"

    def release_allowed(self, identifier: str) -> str:
        """The same, and let in whoever proved to be its author; ValueError where nobody did: nothing is done then."""
        entry = self.quarantine.entry(identifier)
        if entry is None or entry.state not in WAITING:
            return self.release(identifier)  # which says why not
        allowed = self.allow(identifier)
        return f"{self.release(identifier)}; allowed: {allowed}"

    def delete(self, identifier: str) -> str:
        """Delete it and its copies; in words."""
        why = self.quarantine.delete(identifier, self.who)
        return f"not deleted: {why}" if why else "deleted; u takes that back"

    def restore(self, identifier: str) -> str:
        """Take a deletion back; in words."""
        why = self.quarantine.restore(identifier, self.who)
        return f"not restored: {why}" if why else "restored"

    def keep(self, entry: Entry) -> str:
        """Put it under legal hold, or end that; in words."""
        self.quarantine.keep(entry.id, self.who, on=not entry.kept)
        return "no longer under legal hold" if entry.kept else "under legal hold"

    def teach(self, identifier: str, label: str) -> str:
        """Have the classifier learn it; in words."""
        with self.quarantine.open_raw(identifier) as source:
            raw = source.read()
        said = self.learn(label, raw)
        self.quarantine.note(self.who, f"learn {label}", identifier, said)
        return said


def beginning(quarantine: Quarantine, identifier: str) -> bytes:
    """What is read of a message to show it. KeyError, OSError."""
    with quarantine.open_raw(identifier) as source:
        return source.read(MAX_RAW)


def looked(evidence: Evidence, raw: bytes) -> Iterator[str]:
    """A message's parts, its header, and how its body begins; hostile text."""
    yield "parts"
    for part in evidence.inspection.parts if evidence.inspection else ():
        rules = f"  rules {', '.join(part.rules)}" if part.rules else ""
        yield f"  {part.path or '1'}  {part.detected_type}  {part.filename or '-'}  {part.size} bytes{rules}"
    yield "header"
    try:
        fields, offset = fields_of(raw, evidence.state)
    except ValueError:
        fields, offset = (), 0
    lines = [line for name, value in fields for line in (name + b":" + value).decode("utf-8", "replace").split("\r\n")]
    yield from (f"  {line[:MAX_LINE]}" for line in lines[:MAX_HEADER])
    yield "body, as it came"
    text = raw[offset : offset + MAX_BODY].decode("utf-8", "replace")
    yield from (f"  {line}" for line in text.replace("\r\n", "\n").split("\n"))

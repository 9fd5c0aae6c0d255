"""Releasing held mail: its own bytes, without what was forged in our name, to a listener that does not filter."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from filterd.model.custody import CustodyError, Evidence
from filterd.model.verdict import InsertHeader
from filterd.pipeline.edits import added, forged
from filterd.quarantine import Actor, Attempt, EvidenceError, Lease, Quarantine, State
from filterd.quarantine.coding import DamagedError
from filterd.quarantine.entries import Entry, storable
from filterd.quarantine.layout import fields_of
from filterd.quarantine.marks import Marker, noted
from filterd.quarantine.outgoing import rewritten
from filterd.quarantine.relay import MAX_OUTCOME, Answer, Fate

LEASE: Final = 900.0  # seconds one attempt may take; after them another process may try
GIVE_UP: Final = 5 * 86_400.0  # seconds after which a release that was put off has failed, as MTAs do
RETRIES: Final = (60.0, 300.0, 900.0, 3_600.0)  # seconds to the next attempt; the last one for ever after
RELEASED: Final = "X-Filterd-Released"
_REMEDIES: Final = {
    State.DELIVERED: " before: --again has it delivered once more",
    State.RELEASING: ": a release of it is under way, and tried again until the MTA takes it",
    State.DELETED: ": restore it first",
    State.EXPIRED: ": restore it first",
}
NO_ADDRESS: Final = "an address holds bytes that are no UTF-8: release it --to another"


class Deliver(Protocol):
    """Hands a message to the MTA (quarantine.relay.Relay.deliver)."""

    def __call__(self, sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        """To all recipients or none; never raises."""


@dataclass(frozen=True, slots=True)
class Released:
    """What came of one release: the state it is in now, and in words why.

    `taken` is False where it was not released now: somebody else had decided before.
    """

    id: str
    state: State
    text: str
    taken: bool = True

    @property
    def done(self) -> bool:
        """Whether the MTA has it by this release."""
        return self.taken and self.state is State.DELIVERED


@dataclass(frozen=True, slots=True)
class Releaser:
    """Releases from one quarantine through one listener.

    With a `marker` our own filter knows what is brought back to it.
    """

    quarantine: Quarantine
    deliver: Deliver
    authserv_id: str
    clock: Callable[[], float] = time.time
    marker: Marker | None = None

    def release(self, identifier: str, who: Actor, *, to: tuple[str, ...] = (), again: bool = False) -> Released:
        """Release a message to those it was held for, or `to` others. KeyError: no such entry; CustodyError.

        What is not what was held, or cannot be handed over to such addresses, has failed, and the ledger says why.
        """
        found = self._sound(identifier)
        targets = to or (_held_for(found[0]) if isinstance(found, tuple) else self._entry(identifier).recipients)
        if not _encodable(targets):
            self.quarantine.note(who, "release", identifier, NO_ADDRESS)
            return Released(identifier, self._entry(identifier).state, NO_ADDRESS, taken=False)
        lease = self._lease()
        state = self.quarantine.begin_release(identifier, who, targets, lease, again=again)
        if state is not None:
            return Released(identifier, state, f"was {state}{_REMEDIES.get(state, '')}", taken=False)
        if not isinstance(found, tuple):
            return self._unreadable(identifier, who, lease, found)
        return self._attempt(identifier, who, lease, *found)

    def _sound(self, identifier: str) -> tuple[Evidence, bytes] | EvidenceError | DamagedError:
        """Evidence and message, or what is wrong with one of them for ever."""
        try:
            return self._read(identifier)
        except (EvidenceError, DamagedError) as error:
            return error

    def retry(self, who: Actor) -> Iterator[Released]:
        """Try every release that is due, once."""
        for _ in range(self.quarantine.releases_due()):
            lease = self._lease()
            identifier = self.quarantine.due_release(lease)
            if identifier is None:
                return
            try:
                evidence, raw = self._read(identifier)
            except (KeyError, CustodyError, EvidenceError, OSError) as error:
                yield self._unreadable(identifier, who, lease, error)
                continue
            yield self._attempt(identifier, who, lease, evidence, raw)

    def _unreadable(self, identifier: str, who: Actor, lease: Lease, error: Exception) -> Released:
        """A store that does not answer may do so later; what is gone, or is not what was held, has failed."""
        text = storable(f"it cannot be read: {type(error).__name__}: {error}", MAX_OUTCOME)
        entry = self.quarantine.entry(identifier)
        lost = entry is None or isinstance(error, KeyError | ValueError)
        fate = Fate.REFUSED if lost else Fate.LATER
        since, attempts = (entry.changed, entry.attempts) if entry else (0.0, 0)
        attempt = _outcome(Answer(fate, text), self.clock(), since, attempts)
        self.quarantine.end_attempt(identifier, who, lease, attempt)
        return Released(identifier, attempt.to, attempt.outcome)

    def outgoing(self, identifier: str) -> bytes:
        """The message as it would be handed over to those it was held for, but for a mark."""
        return self._rewritten(*self._read(identifier))

    def _read(self, identifier: str) -> tuple[Evidence, bytes]:
        evidence = self.quarantine.evidence(identifier)
        with self.quarantine.open_raw(identifier) as source:
            return evidence, source.read()

    def _entry(self, identifier: str) -> Entry:
        entry = self.quarantine.entry(identifier)
        if entry is None:
            raise KeyError(identifier)
        return entry

    def _lease(self) -> Lease:
        return Lease(secrets.token_hex(8), self.clock() + LEASE)

    def _attempt(self, identifier: str, who: Actor, lease: Lease, evidence: Evidence, raw: bytes) -> Released:
        entry = self._entry(identifier)
        try:
            message = self._outgoing(evidence, raw, entry.targets)
        except ValueError as error:
            return self._unreadable(identifier, who, lease, error)
        answer = self.deliver(evidence.envelope.sender, entry.targets, message)
        attempt = _outcome(answer, self.clock(), entry.changed, entry.attempts)
        if not self.quarantine.end_attempt(identifier, who, lease, attempt):
            return Released(identifier, State.RELEASING, f"too late: {answer.text}")
        return Released(identifier, attempt.to, attempt.outcome)

    def _outgoing(self, evidence: Evidence, raw: bytes, targets: tuple[str, ...]) -> bytes:
        """Marked, where there is a marker: it may pass where it was released to those it was held for, no others."""
        message = self._rewritten(evidence, raw)
        if self.marker is None:
            return message
        before = noted(evidence.state)
        times = 1 + (before[1] if before else 0)
        return self.marker.on(message, evidence.id, times, passes=set(targets) <= set(_held_for(evidence)))

    def _rewritten(self, evidence: Evidence, raw: bytes) -> bytes:
        """With our Authentication-Results, as the milter would have added them; forged ones are taken out."""
        fields, offset = fields_of(raw, evidence.state)
        reports = {report.check: report for report in evidence.reports}
        ours = added(evidence.verdict, evidence.id, self.authserv_id, reports, evidence.envelope, evidence.helo)
        mark = InsertHeader(0, RELEASED, evidence.id)
        kept = [edit for edit in ours if edit.name != "X-Spam-Flag"]  # a person has said that it is none
        return rewritten(fields, raw[offset:], forged(fields, self.authserv_id), [mark, *kept])


def _held_for(evidence: Evidence) -> tuple[str, ...]:
    """Those whom it was held for."""
    return evidence.held_for or tuple([one.address for one in evidence.envelope.recipients])


def _encodable(addresses: tuple[str, ...]) -> bool:
    """Whether they can be written down, and handed over: undecodable bytes of an envelope arrive as lone surrogates."""
    try:
        "".join(addresses).encode()
    except UnicodeEncodeError:
        return False
    return True


def _outcome(answer: Answer, now: float, since: float, attempts: int) -> Attempt:
    """What follows from the MTA's answer."""
    if answer.fate is Fate.DELIVERED:
        return Attempt(State.DELIVERED, answer.text)
    if answer.fate is Fate.REFUSED:
        return Attempt(State.FAILED, answer.text)
    if now - since > GIVE_UP:
        return Attempt(State.FAILED, f"given up: {answer.text}")
    pause = RETRIES[min(max(attempts, 1), len(RETRIES)) - 1]
    return Attempt(State.RELEASING, answer.text, now + pause)

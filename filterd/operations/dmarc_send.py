"""Sending the aggregate reports of a day: to who asks for them and takes them, each once.

Once, but for one case that SMTP leaves: who dies between the MTA's 250 and our commit sends that report again when the
lease is over, under the same Report-ID, file name and Message-ID, by which a reader knows it (RFC 9990, section 3.5.4).
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from filterd.dmarc import Consent, Destination, Reported, Reporter, consent, destinations
from filterd.model.aggregate import DAY
from filterd.model.dns import Answer, Plan, Question
from filterd.operations.dmarc_mail import File, compose, pack
from filterd.operations.release import LEASE, Deliver
from filterd.quarantine import Lease
from filterd.quarantine.aggregates import Aggregates, DayOf, Fate
from filterd.quarantine.relay import Answer as Reply
from filterd.quarantine.relay import Fate as Handed

MAX_IN_A_ROW: Final = 10  # put off, after which the rest is not tried: each may have waited for a minute
GRACE: Final = 60.0  # seconds after midnight (UTC) in which fronts may still count the day before


class State(StrEnum):
    """What became of one report to one address."""

    SENT = "sent"
    BEFORE = "sent before"
    FAILED = "failed"  # the MTA has refused it for good
    PUT_OFF = "put off"  # by the MTA, or a lookup failed: the next run tries again
    NO_CONSENT = "no consent"  # the address belongs to somebody who does not take reports on this domain
    TOO_LARGE = "too large"
    READY = "ready"  # it would be sent


T = TypeVar("T")
GOOD: Final = frozenset({State.SENT, State.BEFORE, State.NO_CONSENT, State.READY})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it, and in words why; `size` is the mail's in bytes, 0 where none was made."""

    domain: str
    address: str
    state: State
    text: str
    messages: int
    size: int = 0
    file: str = ""


@dataclass(frozen=True, slots=True)
class Courier:
    """Sends the reports of one site. `ask` answers questions together, `sign` puts a signature before a mail."""

    aggregates: Aggregates
    reporter: Reporter
    ask: Callable[[tuple[Question, ...]], tuple[Answer, ...]]
    sign: Callable[[bytes], bytes]
    deliver: Deliver
    bounces: str = ""
    max_size: int = 10_000_000
    most: int = 1_000
    clock: Callable[[], float] = time.time

    def over(self, day: int) -> bool:
        """Whether nothing more comes of that day."""
        return self.clock() >= (day + 1) * DAY + GRACE

    def run(self, day: int, *, only: str = "", dry: bool = False) -> Iterator[Outcome]:
        """Send the reports of a day, those on domains with most mail first, or say what would be sent. CustodyError.

        Where so many in a row were put off, name server or MTA are down: the rest is not tried in this run.
        """
        in_a_row = 0
        for about in self.aggregates.domains(day)[: self.most]:
            if not about.kinds or only not in {"", about.domain}:
                continue
            if in_a_row >= MAX_IN_A_ROW:
                words = f"not tried: {in_a_row} before it were put off"
                yield from [_outcome(about, one.address, State.PUT_OFF, words) for one in destinations(about.record)]
                continue
            for outcome in self._domain(about, dry=dry):
                in_a_row = in_a_row + 1 if outcome.state is State.PUT_OFF else 0
                yield outcome

    def _domain(self, about: DayOf, *, dry: bool) -> Iterator[Outcome]:
        fates = self.aggregates.fates(about.day, about.domain)
        file: File | None = None
        for wanted in destinations(about.record):
            known = fates.get(wanted.address)
            if known in {Fate.SENT, Fate.FAILED}:
                state = State.BEFORE if known is Fate.SENT else State.FAILED
                yield _outcome(about, wanted.address, state, f"was {known.value} before")
                continue
            given, to = _complete(consent(about.domain, wanted), self.ask)
            if given is Consent.REFUSED:
                words = f"{wanted.host} has no record at {about.domain}._report._dmarc.{wanted.host} that takes it"
                yield _outcome(about, wanted.address, State.NO_CONSENT, words)
            elif given is Consent.UNKNOWN:
                words = f"whether {wanted.host} takes reports could not be looked up"
                yield _outcome(about, wanted.address, State.PUT_OFF, words)
            else:
                file = file or self._file(about)
                yield self._report(about, wanted, to, file, dry=dry)

    def _report(self, about: DayOf, wanted: Destination, to: Destination, file: File, *, dry: bool) -> Outcome:
        """One report to one address. It is remembered by the address that the record names, whoever takes it there."""
        reported = _reported(about)
        mail = self.sign(compose(self.reporter, reported, file, to.address, self.clock()))
        most = min([size for size in (self.max_size, wanted.most, to.most) if size])
        if len(mail) > most:
            words = f"{len(mail)} bytes, and {most} at most are taken"
            return _outcome(about, to.address, State.TOO_LARGE, words, len(mail), file)
        if dry:
            return _outcome(about, to.address, State.READY, f"{file.kinds} rows", len(mail), file)
        now = self.clock()
        lease = Lease(secrets.token_hex(8), now + LEASE)
        fate = self.aggregates.take(about, wanted.address, lease, now)
        if fate is not None:
            state = {Fate.SENT: State.BEFORE, Fate.FAILED: State.FAILED}.get(fate, State.PUT_OFF)
            return _outcome(about, to.address, state, "another is at it, or was", len(mail), file)
        answer = self.deliver(self.bounces, (to.address,), mail)
        self.aggregates.end(about, wanted.address, lease, *_ended(answer))
        states = {Handed.DELIVERED: State.SENT, Handed.REFUSED: State.FAILED}
        return _outcome(about, to.address, states.get(answer.fate, State.PUT_OFF), answer.text, len(mail), file)

    def _file(self, about: DayOf) -> File:
        return pack(self.reporter, _reported(about), self.aggregates.rows(about.day, about.domain))


def _complete(plan: Plan[T], ask: Callable[[tuple[Question, ...]], tuple[Answer, ...]]) -> T:
    """Run a plan to its end in this thread; what it asks at the same time is asked together."""
    try:
        questions = next(plan)
        while True:
            questions = plan.send(ask(questions))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # StopIteration.value is Any; a Plan[T] returns T


def _reported(about: DayOf) -> Reported:
    return Reported(about.domain, about.record, about.day, about.lost)


def _ended(answer: Reply) -> tuple[Fate, str]:
    fates = {Handed.DELIVERED: Fate.SENT, Handed.REFUSED: Fate.FAILED}
    return fates.get(answer.fate, Fate.SENDING), answer.text


def _outcome(about: DayOf, address: str, state: State, text: str, size: int = 0, file: File | None = None) -> Outcome:
    name = "" if file is None else file.name
    return Outcome(about.domain, address, state, text, about.messages, size, name)


def written(aggregates: Aggregates, reporter: Reporter, day: int, domain: str) -> File | None:
    """The report on one domain, as a file; None where nothing was counted. CustodyError."""
    about = aggregates.domain(day, domain)
    return None if about is None or not about.kinds else pack(reporter, _reported(about), aggregates.rows(day, domain))

"""What the checks of DNS lists share: everything asked at once, every question once, and answers made a report."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from filterd.dns.lookups import BUDGET, CLOSED
from filterd.dnsbl.answers import Listing, ListStatus, interpret
from filterd.dnsbl.questions import question_about
from filterd.dnsbl.zones import Subject, Zone
from filterd.model.dns import Plan, Question
from filterd.model.report import CheckReport, Finding, Outcome

_MAX_EVIDENCE: Final = 200  # characters
# Not asked at all: that is this message's doing or ours, and no list's fault. Counted, one message with very many links
# could have a list suspended for everybody.
_NOT_THE_LISTS: Final = frozenset({BUDGET, CLOSED})

Suspended = Callable[[], Container[str]]
Observe = Callable[[Zone, Listing, str], None]  # a list, what it answered, and what it was asked about


def nothing_suspended() -> Container[str]:
    """Every list is asked."""
    return ()


def suspension_note(check: str, zone: str) -> str:
    """Under which name evidence keeps that a check found a list suspended."""
    return f"suspended:{check}:{zone}"


def unobserved(_zone: Zone, _listing: Listing, _about: str) -> None:
    """Nobody counts."""


class Asked(NamedTuple):
    """A question to a list; `value` is what it is about."""

    zone: Zone
    subject: Subject
    value: str
    question: Question


class Lists:
    """The lists that are asked about some subjects. `suspended` names those to leave alone just now."""

    def __init__(
        self, zones: Iterable[Zone], subjects: Iterable[Subject], suspended: Suspended, observe: Observe
    ) -> None:
        """Take those of `zones` that have any of the subjects."""
        wanted = frozenset(subjects)
        self.zones = tuple([zone for zone in zones if zone.subjects & wanted])
        self.subjects = wanted & frozenset[Subject]().union(*[zone.subjects for zone in self.zones])
        self.symbols = frozenset[str]().union(*[zone.symbols for zone in self.zones])
        self._suspended = suspended
        self._observe = observe

    def usable(self) -> Sequence[Zone]:
        """Those that may be asked just now."""
        suspended = self._suspended()
        return [zone for zone in self.zones if zone.name not in suspended]

    def nobody(self, name: str) -> CheckReport:
        """No list can be asked. Single suspended lists do not make a check unknown, all of them together do."""
        if self.zones:
            read = self._left_alone(name, ())
            return CheckReport(name, Outcome.UNKNOWN, cause="all lists are suspended", read=read)
        return CheckReport(name, Outcome.SKIPPED, cause="no list configured")

    def ask(
        self,
        name: str,
        asked: Iterable[Asked],
        causes: Iterable[str] = (),
        findings: Iterable[Finding] = (),
        *,
        usable: Sequence[Zone],
    ) -> Plan[CheckReport]:
        """Ask everything at once. Unknown where a list gave no usable answer; what others found is reported too.

        `usable` are the lists that might be asked: that the others were left alone is noted.
        """
        questions: dict[Question, list[Asked]] = {}
        for one in asked:
            questions.setdefault(one.question, []).append(one)
        found, doubts = list(findings), dict.fromkeys(causes)
        answers = (yield tuple(questions)) if questions else ()
        for about, answer in zip(questions.values(), answers, strict=True):
            told: Zone | None = None
            seen: set[str] = set()
            for one in about:
                listing = interpret(one.zone, answer, one.subject)
                if one.zone is not told and answer.cause not in _NOT_THE_LISTS:
                    self._observe(one.zone, listing, one.value)
                told = one.zone
                if listing.status is ListStatus.HIT:
                    found += _findings(one, listing, seen)
                elif not listing.usable:
                    doubts[f"{one.zone.display}: {listing.cause}"] = None
        outcome = Outcome.UNKNOWN if doubts else Outcome.OK
        read = self._left_alone(name, usable)
        return CheckReport(name, outcome, tuple(found), cause="; ".join(doubts), read=read)

    def _left_alone(self, name: str, usable: Sequence[Zone]) -> tuple[tuple[str, str], ...]:
        if len(usable) == len(self.zones):
            return ()
        return tuple([(suspension_note(name, zone.name), "suspended") for zone in self.zones if zone not in usable])


def asked_about(zones: Iterable[Zone], values: Iterable[tuple[Subject, str]]) -> Iterator[Asked]:
    """What to ask which list; what one must not be asked about, or cannot be, is left out."""
    known = [pair for pair in dict.fromkeys(values) if pair[1]]
    for zone in zones:
        subjects = zone.subjects
        for subject, value in known:
            if subject in subjects and (question := question_about(zone, subject, value)) is not None:
                yield Asked(zone, subject, value, question)


def _findings(one: Asked, listing: Listing, seen: set[str]) -> Iterator[Finding]:
    """A question's symbols, each once, however many subjects share it."""
    evidence = (f"{one.subject.value} {one.value}"[:_MAX_EVIDENCE], one.zone.display, ", ".join(listing.codes))
    for symbol in listing.symbols:
        if symbol not in seen:
            seen.add(symbol)
            yield Finding(symbol, evidence)

"""`filterd dnsbl`: what the lists say about something, and whether they can be believed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from filterd.dnsbl import Ask, Zone, interpret, question_about
from filterd.dnsbl.health import NO_POINTS, has_points, run_test
from filterd.dnsbl.questions import may_ask_about
from filterd.domains import normalise, normalise_address
from filterd.model.dns import Question
from filterd.store import Suspension

MAX_ANSWERS: Final = 16  # addresses of one answer that are shown; honest lists give up to eight
NOT_ASKED: Final = "not asked"
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Lookup:
    """What one list says about one subject; `list` is empty where no list takes it. Values for JSON."""

    subject: str
    list: str
    status: str
    symbols: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    ttl: int = 0
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What a list's test points say now, and whether it is suspended: since when (epoch seconds) and why.

    `suspended` is None where the shared state does not say.
    """

    list: str
    state: str
    cause: str = ""
    suspended: bool | None = False
    since: float | None = None
    reason: str = ""


def subject_of(text: str) -> str:
    """An address, a domain name, an e-mail address or a SHA-256 as lists are asked about it; empty for what is none."""
    if address := normalise_address(text):
        return address
    if _DIGEST.fullmatch(text):
        return text.lower()
    local, at, domain = text.rpartition("@")
    name = normalise(domain)
    if name is None or "." not in name or (at and not local):
        return ""
    return f"{local}{at}{name}"


def lookup(zones: Sequence[Zone], subject: str, ask: Ask) -> Iterator[Lookup]:
    """What every list that takes it says about a subject (as from `subject_of`), all asked at once."""
    asked = [(zone, question) for zone in zones for question in _questions(zone, subject)]
    if not asked:
        private = normalise_address(subject) and not may_ask_about(subject)
        why = "not a public address: lists are never asked about it" if private else "no enabled list takes it"
        yield Lookup(subject, "", NOT_ASKED, cause=why)
        return
    for (zone, _), answer in zip(asked, ask(tuple([question for _, question in asked])), strict=True):
        found = interpret(zone, answer)
        answers = answer.records[:MAX_ANSWERS]
        yield Lookup(subject, zone.display, found.status.value, found.symbols, answers, answer.ttl, found.cause)


def health(zones: Sequence[Zone], ask: Ask, suspended: Mapping[str, Suspension] | None) -> Iterator[Health]:
    """Every list's test, made now; `suspended` is None where that is not known. Nothing is changed by it."""
    for zone in zones:
        test = run_test(zone, ask)
        entry = None if suspended is None else suspended.get(zone.name)
        state = {True: "healthy", False: "unhealthy", None: "unknown"}[test.healthy]
        yield Health(
            zone.display,
            state if has_points(zone) else NO_POINTS,
            test.cause if has_points(zone) else "",
            None if suspended is None else entry is not None,
            entry.since if entry is not None else None,
            entry.reason if entry is not None else "",
        )


def _questions(zone: Zone, subject: str) -> list[Question]:
    """Usually one: what a list is asked about a name is the same whoever bears it."""
    found = [question_about(zone, kind, subject) for kind in sorted(zone.subjects)]
    return list(dict.fromkeys([question for question in found if question is not None]))

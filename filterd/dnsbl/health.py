"""Whether a list can be believed: test points, and answers that no healthy list gives."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from filterd.dnsbl.answers import Listing, ListStatus, interpret
from filterd.dnsbl.zones import ADDRESSES, Zone
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.telemetry.events import Event

# In a row; a list that refuses one query refuses the next, and one stray answer is no reason to lose a list.
REFUSALS: Final = 5
FAILURES: Final = 20
REFUSED_SECONDS: Final = 3600  # being blocked lasts until somebody acts
FAILED_SECONDS: Final = 60  # a dead resolver looks like dead lists: ask again soon
NO_POINTS: Final = "no test points"
_log = structlog.get_logger()

Ask: TypeAlias = Callable[[tuple[Question, ...]], tuple[Answer, ...]]


@dataclass(frozen=True, slots=True)
class SelfTest:
    """`healthy` is None where the test had no answer: then nothing is known, and nothing changes."""

    zone: str
    healthy: bool | None
    cause: str = ""


def has_points(zone: Zone) -> bool:
    """Whether the list declares test points."""
    return bool(zone.listed or zone.unlisted)


def probes(zone: Zone, randomness: Callable[[int], bytes]) -> tuple[str, ...]:
    """What no list that is in its right mind lists, beside its test points: things nobody could have listed before.

    A name that did not exist until now, and for lists of addresses one of RFC 5737, which belongs to nobody.
    """
    name = f"probe-{randomness(8).hex()}"
    if zone.subjects & ADDRESSES:
        return name, f"192.0.2.{randomness(1)[0]}"
    return (f"{name}.invalid",)  # RFC 2606, section 2


def self_test(zone: Zone, unlisted: tuple[str, ...] = ()) -> Plan[SelfTest]:
    """Ask for the point that must be listed and the one that must not be (RFC 5782, section 5), both at once.

    None of `unlisted` may be listed either. Only being listed is held against them: who refuses to answer about what
    cannot be may well answer about what can.
    """
    points = [(text, wanted) for text, wanted in ((zone.listed, True), (zone.unlisted, False)) if text]
    if not points and not unlisted:
        return SelfTest(zone.name, None, NO_POINTS)
    answers = yield tuple([_point(zone, text) for text in (*[text for text, _ in points], *unlisted)])
    found = [interpret(zone, answer) for answer in answers]
    for text, listing in zip(unlisted, found[len(points) :], strict=True):
        if listing.status in {ListStatus.HIT, ListStatus.ERROR}:
            return SelfTest(zone.name, healthy=False, cause=f"{text} is listed, which nobody can have listed")
    for (text, wanted), answer, listing in zip(points, answers, found, strict=False):
        if listing.status is ListStatus.FAILED:
            return SelfTest(zone.name, None, listing.cause)
        if (answer.status is AnswerStatus.NOERROR) != wanted or listing.status is ListStatus.REFUSED:
            missing = "not listed" if wanted else "listed"
            return SelfTest(zone.name, healthy=False, cause=f"test point {text} is {listing.cause or missing}")
    if points:
        return SelfTest(zone.name, healthy=True)
    silent = all(listing.status is ListStatus.FAILED for listing in found)
    return SelfTest(zone.name, None, found[0].cause if silent else NO_POINTS)


def run_test(zone: Zone, ask: Ask, unlisted: tuple[str, ...] = ()) -> SelfTest:
    """The same in this thread, which waits for `ask`."""
    plan = self_test(zone, unlisted)
    try:
        questions = next(plan)
        while True:
            questions = plan.send(ask(questions))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # StopIteration.value is Any; the plan returns a SelfTest


def _point(zone: Zone, text: str) -> Question:
    # Asked as they stand: addresses among them are loopback ones, names need not be what one registers.
    labels = text.split(".")
    name = ".".join(reversed(labels)) if labels[-1].isdigit() else text
    return Question(f"{name}.{zone.zone}", RRType.A)


class ListHealth:
    """Counts unusable answers in a row and suspends a list that goes on giving them. Thread-safe, never raises.

    `suspend(name, reason, now, seconds)` makes it known to all fronts; `clock` is epoch seconds.
    """

    def __init__(self, suspend: Callable[[str, str, float, int], None], clock: Callable[[], float]) -> None:
        """Start with every list believed."""
        self._suspend = suspend
        self._clock = clock
        self._lock = threading.Lock()
        self._bad: dict[tuple[str, bool], int] = {}

    def record(self, zone: Zone, listing: Listing) -> None:
        """Note what a list answered."""
        if listing.usable:
            if self._bad:  # the usual case costs no lock
                with self._lock:
                    self._bad.pop((zone.name, True), None)
                    self._bad.pop((zone.name, False), None)
            return
        failed = listing.status is ListStatus.FAILED
        with self._lock:
            count = self._bad.get((zone.name, failed), 0) + 1
            due = count >= (FAILURES if failed else REFUSALS)
            self._bad[(zone.name, failed)] = 0 if due else count
        if due:
            seconds = FAILED_SECONDS if failed else REFUSED_SECONDS
            _log.warning(Event.DNSBL_SUSPENDED, list=zone.display, cause=listing.cause, seconds=seconds)
            self._suspend(zone.name, listing.cause, self._clock(), seconds)

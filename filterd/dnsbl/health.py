"""Whether a list can be believed: test points, and answers that no healthy list gives."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from filterd.dnsbl.answers import Listing, ListStatus, interpret
from filterd.dnsbl.zones import Zone
from filterd.model.dns import AnswerStatus, Plan, Question, RRType
from filterd.telemetry.events import Event

# In a row; a list that refuses one query refuses the next, and one stray answer is no reason to lose a list.
REFUSALS: Final = 5
FAILURES: Final = 20
REFUSED_SECONDS: Final = 3600  # being blocked lasts until somebody acts
FAILED_SECONDS: Final = 60  # a dead resolver looks like dead lists: ask again soon
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SelfTest:
    """`healthy` is None where the test had no answer: then nothing is known, and nothing changes."""

    zone: str
    healthy: bool | None
    cause: str = ""


def self_test(zone: Zone) -> Plan[SelfTest]:
    """Ask for the point that must be listed and the one that must not be (RFC 5782, section 5), both at once."""
    points = [(text, wanted) for text, wanted in ((zone.listed, True), (zone.unlisted, False)) if text]
    if not points:
        return SelfTest(zone.name, None, "no test points")
    answers = yield tuple([_point(zone, text) for text, _ in points])
    for (text, wanted), answer in zip(points, answers, strict=True):
        found = interpret(zone, answer)
        if found.status is ListStatus.FAILED:
            return SelfTest(zone.name, None, found.cause)
        if (answer.status is AnswerStatus.NOERROR) != wanted or found.status is ListStatus.REFUSED:
            missing = "not listed" if wanted else "listed"
            return SelfTest(zone.name, healthy=False, cause=f"test point {text} is {found.cause or missing}")
    return SelfTest(zone.name, healthy=True)


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

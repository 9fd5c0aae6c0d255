"""Keeping lists under watch: tested at start and every hour, suspended for all when they fail, back when they pass."""

import threading
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from filterd.dnsbl.answers import Listing, ListStatus
from filterd.dnsbl.flood import HitWatch
from filterd.dnsbl.health import NO_POINTS, Ask, SelfTest, has_points, probes, run_test
from filterd.dnsbl.questions import domain_of
from filterd.dnsbl.zones import Zone
from filterd.domains import normalise
from filterd.model.store import Store
from filterd.store.suspended import SuspendedLists, Suspension
from filterd.store.turns import Turn, Turns
from filterd.telemetry.events import Event

EVERY: Final = 3_600  # seconds between two tests of a healthy list: what lists and RFC 5782, section 5, have in mind
RETEST: Final = 300  # seconds between two of a suspended list: mail is unprotected meanwhile, and questions are cheap
AT_START: Final = 60  # seconds; a front that starts tests what nobody has tested for so long: fronts start together
UNHEALTHY_SECONDS: Final = 3_600  # of a suspension; renewed while tests fail, and over when nobody tests any more
LOOK: Final = 30.0  # seconds between two looks at what is due: how late a return may come, a store read each
DOUBT_LOOK: Final = 1.0  # seconds between two while a list is doubted: another front may have its turn just now
DOUBT_SECONDS: Final = 30.0  # that hits are not believed at most without a test that says why
QUIET: Final = 600.0  # seconds after a doubt in which there is no other: in a flood of spam it would come every second
_HIT: Final = ListStatus.HIT  # a member is looked up slowly, and this is done for every answer
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outside:
    """What a keeper works with. `ask` waits for answers, past every cache; `wake` ends the wait for the next round.

    `clock` is epoch seconds, which all hosts share, `monotonic` this process's own. `forget` drops cached answers under
    a zone; `show` is told by display name whether a list is suspended.
    """

    ask: Ask
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    randomness: Callable[[int], bytes]
    forget: Callable[[str], None]
    show: Callable[[Mapping[str, bool]], None]
    wake: Callable[[], None]


class ListKeeper:
    """One front's part in keeping the lists. `round` belongs to one thread, the rest to any; nothing raises."""

    def __init__(self, zones: Sequence[Zone], store: Store, suspended: SuspendedLists, outside: Outside) -> None:
        """Nothing is tested yet; `suspended` is common to all fronts through `store`."""
        self._zones = tuple(zones)
        self._turns = Turns(store, "list")
        self._suspended = suspended
        self._outside = outside
        self._clock = outside.clock
        self._monotonic = outside.monotonic
        self._watch = HitWatch()
        self._lock = threading.Lock()
        self._doubts: dict[str, float] = {}  # until when hits are not believed
        self._quiet: dict[str, float] = {}  # until when there is no new doubt
        self._known: dict[str, Suspension] = {}  # as of the last round
        self._met: set[str] = set()  # lists that were tested since this front started

    def unusable(self) -> Container[str]:
        """The names of lists that must not be asked just now: suspended or doubted."""
        suspended, known, doubts = self._suspended.current(), self._known, self._doubts
        if not known and not doubts:
            return suspended
        # One that has just returned waits for the round in which what it answered before is forgotten.
        now = self._monotonic()
        return suspended.keys() | known.keys() | {name for name, until in doubts.items() if now < until}

    def see(self, zone: Zone, listing: Listing, about: str) -> None:
        """A list has answered about something. Too many hits: it is not believed until its test says what is true."""
        hit = listing.status is _HIT
        if not (listing.usable and self._watch.counts(zone.name, hit=hit)):
            return
        if not self._watch.floods(zone.name, _key(zone, about), hit=hit):
            return
        now = self._monotonic()
        with self._lock:
            if now < self._quiet.get(zone.name, 0.0):
                return
            self._quiet[zone.name] = now + QUIET
            self._doubts = {**self._doubts, zone.name: now + DOUBT_SECONDS}
        _log.info(Event.DNSBL_DOUBTED, list=zone.display)
        self._outside.wake()

    def round(self) -> float:
        """Test what is due, and see what the others have done; the seconds until the next round."""
        suspended = self._suspended.refresh()
        self._compare(suspended)
        with self._lock:
            now = self._monotonic()
            self._doubts = {name: until for name, until in self._doubts.items() if now < until}
        last = self._turns.last([zone.name for zone in self._zones])
        for zone in self._zones:
            if not self._due(zone, last.get(zone.name), suspended=zone.name in suspended):
                self._met.add(zone.name)
            elif self._turns.take(zone.name):
                self._met.add(zone.name)
                self._in_turn(zone, last.get(zone.name))
        self._compare(self._suspended.current())
        self._tell()
        return DOUBT_LOOK if self._doubts else LOOK

    def _due(self, zone: Zone, last: Turn | None, *, suspended: bool) -> bool:
        if zone.name in self._doubts:
            return True
        if not has_points(zone) and not suspended:
            return False
        if last is None:
            return True
        pause = AT_START if zone.name not in self._met else min(last.pause, RETEST if suspended else last.pause)
        return abs(self._clock() - last.at) >= pause  # a clock that was set back must not end all tests

    def _in_turn(self, zone: Zone, last: Turn | None) -> None:
        """It is this front's turn, unless another one had it between the look and now."""
        now = self._turns.last([zone.name]).get(zone.name)
        if now != last and zone.name not in self._doubts:
            self._turns.leave(zone.name)
            return
        suspended = self._suspended.refresh()
        extra = probes(zone, self._outside.randomness) if zone.name in self._doubts or zone.name in suspended else ()
        test = run_test(zone, self._outside.ask, extra)
        sure = test.healthy or not has_points(zone)
        self._turns.done(zone.name, Turn(self._clock(), EVERY if sure else RETEST))
        self._conclude(zone, test, suspended.get(zone.name))
        if test.healthy is not None or not has_points(zone):
            with self._lock:
                self._doubts = {name: until for name, until in self._doubts.items() if name != zone.name}

    def _conclude(self, zone: Zone, test: SelfTest, suspension: Suspension | None) -> None:
        if test.healthy is False:
            self._suspend(zone, test.cause, suspension, UNHEALTHY_SECONDS)
        elif test.healthy and suspension is not None:
            self._returned(zone, suspension, "its test passes")
            self._suspended.resume(zone.name)
            self._known = {name: entry for name, entry in self._known.items() if name != zone.name}
        elif zone.name in self._doubts:
            # What cannot be listed is not: it does not list everything. Allow lists know most who send much.
            # Where nobody answered, and there are no test points to vouch for it either, it is left alone for a while.
            if test.healthy or test.cause == NO_POINTS:
                _log.info(Event.DNSBL_BELIEVED, list=zone.display)
            elif not has_points(zone):
                self._suspend(zone, f"lists everything, and its test had no answer: {test.cause}", suspension, RETEST)

    def _suspend(self, zone: Zone, cause: str, before: Suspension | None, seconds: int) -> None:
        self._suspended.suspend(zone.name, cause, self._clock(), seconds, void=True)
        if before is None or not before.void:
            _log.warning(Event.DNSBL_SUSPENDED, list=zone.display, cause=cause, seconds=seconds)

    def _compare(self, suspended: Mapping[str, Suspension]) -> None:
        """What has changed since the last look, by whomever: what a bad list answered is void, in caches too."""
        for zone in self._zones:
            before, now = self._known.get(zone.name), suspended.get(zone.name)
            if now is not None and now.void and not (before is not None and before.void):
                self._outside.forget(zone.zone)
            elif before is not None and now is None:
                self._returned(zone, before, "its suspension is over")
        self._known = {zone.name: suspended[zone.name] for zone in self._zones if zone.name in suspended}

    def _returned(self, zone: Zone, suspension: Suspension, why: str) -> None:
        if suspension.void:
            self._outside.forget(zone.zone)
        if self._turns.take(f"return:{zone.name}:{suspension.since}"):  # never given back: one front says it
            seconds = round(self._clock() - suspension.since) if suspension.since else None
            _log.info(Event.DNSBL_RESUMED, list=zone.display, cause=why, seconds=seconds)

    def _tell(self) -> None:
        shown = {zone.display: False for zone in self._zones}
        shown |= {zone.display: True for zone in self._zones if zone.name in self._known}
        self._outside.show(shown)


def _key(zone: Zone, about: str) -> str:
    """By what subjects are told apart: a name by the part that the list lists, everything else as it is."""
    name = normalise(about)
    return about if name is None or "." not in name else domain_of(zone, name)

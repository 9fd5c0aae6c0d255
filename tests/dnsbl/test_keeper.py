"""Lists are tested by one front at a time, suspended for all when they fail, and back when they pass."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from filterd.dns.fake import FakeResolver
from filterd.dnsbl import Listing, ListStatus, Subject, Zone
from filterd.dnsbl.flood import RUN
from filterd.dnsbl.keeper import AT_START, DOUBT_LOOK, DOUBT_SECONDS, EVERY, LOOK, QUIET, RETEST, ListKeeper, Outside
from filterd.model.dns import Answer, Question
from filterd.store import MemoryStore, SuspendedLists
from tests.store.test_breaker import Clock

ZEN = Zone(
    "zen",
    "secret.zen.example",
    "zen.example",
    frozenset({Subject.CLIENT}),
    codes={"127.0.0.2": "ZEN", "127.0.0.4": "XBL"},
    listed="127.0.0.2",
    unlisted="127.0.0.1",
)
BARE = replace(ZEN, name="bare", zone="bare.example", display="bare.example", listed="", unlisted="")
GOOD = {"2.0.0.127.secret.zen.example": ["127.0.0.2"]}
POINTS = ["2.0.0.127.secret.zen.example", "1.0.0.127.secret.zen.example"]
WILD = "7.2.0.192.{}"  # the address that a probe asks about
HIT = Listing(ListStatus.HIT, ("ZEN",))
MISS = Listing(ListStatus.MISS)


class World:
    """Several fronts with one store, one resolver and one clock."""

    def __init__(self, *zones: Zone) -> None:
        """Two fronts; every list is healthy."""
        self.clock = Clock()
        self.store = MemoryStore(clock=self.clock)
        self.resolver = FakeResolver(a=GOOD)
        self.forgotten: list[str] = []
        self.shown: Mapping[str, bool] = {}
        self.woken = 0
        self.zones = zones or (ZEN,)
        self.suspensions: list[SuspendedLists] = []
        self.fronts = [self.front(), self.front()]

    def front(self) -> ListKeeper:
        """One more."""
        suspended = SuspendedLists(self.store, [zone.name for zone in self.zones], clock=self.clock)
        self.suspensions.append(suspended)
        outside = Outside(
            self.ask, self.clock, self.clock, lambda count: b"\x07" * count, self.forgotten.append, self.show, self.wake
        )
        return ListKeeper(self.zones, self.store, suspended, outside)

    def ask(self, questions: tuple[Question, ...]) -> tuple[Answer, ...]:
        """As the resolver answers now."""
        return tuple(map(self.resolver.lookup, questions))

    def show(self, lists: Mapping[str, bool]) -> None:
        """Keep what was shown last."""
        self.shown = lists

    def wake(self) -> None:
        """Count."""
        self.woken += 1

    def round(self, seconds: float = 0.0) -> list[str]:
        """Every front's round after some seconds, and the names that were asked in them."""
        self.clock.now += seconds
        before = len(self.resolver.asked)
        for front in self.fronts:
            front.round()
        return [question.name for question in self.resolver.asked[before:]]

    def answers(self, **records: Any) -> None:
        """From now on the resolver answers so."""
        asked = self.resolver.asked
        self.resolver = FakeResolver(**records)
        self.resolver.asked = asked

    def flood(self, front: int = 0, zone: Zone = ZEN, listing: Listing = HIT) -> None:
        """So many clients that a front's list answers about like this."""
        for number in range(RUN):
            self.fronts[front].see(zone, listing, f"203.0.113.{number}")

    @property
    def suspended(self) -> list[set[str]]:
        """What each front may not ask."""
        return [{zone.name for zone in self.zones if zone.name in front.unusable()} for front in self.fronts]


@pytest.fixture
def world() -> World:
    """Two fronts and one healthy list."""
    return World()


@pytest.fixture(autouse=True)
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as events:
        yield events


def _events(log: list[MutableMapping[str, Any]]) -> list[tuple[str, str]]:
    assert "secret" not in str(log)
    return [(event["event"], event["log_level"]) for event in log]


@pytest.mark.threat("DNS-03")
def test_every_list_is_tested_at_start_and_every_hour_by_one_front(world: World) -> None:
    """Two questions an hour, however many fronts there are and however often they look."""
    assert world.round() == POINTS
    asked = [name for _ in range(int(EVERY / LOOK)) for name in world.round(LOOK)]
    assert asked == POINTS
    assert world.suspended == [set(), set()]


def test_a_front_that_starts_tests_what_was_not_tested_just_now(world: World) -> None:
    """The fronts of one daemon start together and test once; one that starts later may know another resolver."""
    world.round()
    world.fronts.append(world.front())
    assert world.round(1) == []
    world.fronts.append(world.front())
    assert world.round(AT_START) == POINTS
    assert world.round(AT_START) == []


def test_while_one_front_tests_the_others_do_not(world: World) -> None:
    """A round within another front's test leaves that list alone."""
    inner: list[list[str]] = []

    class Nested(FakeResolver):
        def lookup(self, question: Question) -> Answer:
            if not inner:
                inner.append([])
                world.fronts[1].round()
                inner[0] = [asked.name for asked in self.asked]
            return super().lookup(question)

    world.resolver = Nested(a=GOOD)
    world.fronts[0].round()
    assert inner == [[]]
    assert [question.name for question in world.resolver.asked] == POINTS


@pytest.mark.threat("DNS-01")
@pytest.mark.threat("DNS-03")
@pytest.mark.parametrize(
    ("records", "cause"),
    [
        ({**GOOD, POINTS[1]: ["127.0.0.2"]}, "test point 127.0.0.1 is listed"),
        ({}, "test point 127.0.0.2 is not listed"),
        ({POINTS[0]: ["127.255.255.254"]}, "test point 127.0.0.2 is answered 127.255.255.254"),
    ],
    ids=["lists everything", "lists nothing", "refuses"],
)
def test_a_list_that_fails_is_suspended_for_all_with_one_alert(
    world: World, log: list[MutableMapping[str, Any]], records: dict[str, list[str]], cause: str
) -> None:
    """The reason is in the event, the key in the zone is not; the metric shows it by its displayed name."""
    world.answers(a=records)
    world.round()
    world.round(LOOK)
    assert world.suspended == [{"zen"}, {"zen"}]
    assert _events(log) == [("dnsbl_suspended", "warning")]
    assert (log[0]["list"], log[0]["cause"], world.shown) == ("zen.example", cause, {"zen.example": True})


@pytest.mark.threat("DNS-03")
def test_a_suspended_list_is_tested_more_often_and_returns_by_itself(
    world: World, log: list[MutableMapping[str, Any]]
) -> None:
    """It stays suspended since the same time while it fails; one front says that it is back."""
    world.answers(a={})
    world.round()
    since = world.clock.now
    for _ in range(3):
        assert world.round(RETEST)
        assert world.round(LOOK) == []
        assert world.suspensions[1].refresh()["zen"].since == since
    world.answers(a=GOOD)
    world.round(RETEST)
    world.round(LOOK)
    assert (world.suspended, world.shown) == ([set(), set()], {"zen.example": False})
    assert _events(log) == [("dnsbl_suspended", "warning"), ("dnsbl_resumed", "info")]
    assert log[1]["cause"] == "its test passes"


@pytest.mark.threat("DNS-03")
def test_what_a_bad_list_answered_is_forgotten_before_it_is_asked_again(world: World) -> None:
    """Answers in caches outlive the suspension: a front asks again only after its own have been dropped."""
    world.answers(a={})
    world.round()
    world.round(LOOK)
    assert world.forgotten == ["secret.zen.example"] * 2
    world.answers(a=GOOD)
    world.clock.now += RETEST
    world.fronts[0].round()
    world.clock.now += LOOK
    assert world.suspended == [set(), {"zen"}]
    world.fronts[1].round()
    assert world.suspended == [set(), set()]
    assert world.forgotten == ["secret.zen.example"] * 4


@pytest.mark.threat("DNS-05")
def test_a_test_without_an_answer_changes_nothing(world: World, log: list[MutableMapping[str, Any]]) -> None:
    """A dead resolver neither suspends a list nor brings one back; the test is made again soon."""
    world.answers(fail=[f"a {name}" for name in POINTS])
    assert world.round() == POINTS
    assert world.round(LOOK) == []
    assert world.round(RETEST) == POINTS
    assert (world.suspended, log) == ([set(), set()], [])
    world.answers(a={})
    world.round(RETEST)
    world.answers(fail=[f"a {name}" for name in POINTS])
    world.round(RETEST)
    assert world.suspended[0] == {"zen"}


@pytest.mark.threat("DNS-01")
def test_a_list_that_was_suspended_by_what_it_answered_returns_by_its_test(
    world: World, log: list[MutableMapping[str, Any]]
) -> None:
    """Refusals to mail suspended it; its cached answers were true and stay."""
    world.round()
    world.suspensions[0].suspend("zen", "answered 127.255.255.254", world.clock.now, 3600)
    world.round(RETEST)
    world.round(LOOK)
    assert world.suspended == [set(), set()]
    assert (_events(log), world.forgotten) == ([("dnsbl_resumed", "info")], [])


def test_a_list_without_test_points_returns_when_its_suspension_ends() -> None:
    """There is nothing to test it by, so time must do."""
    world = World(BARE)
    assert world.round() == []
    world.suspensions[0].suspend("bare", "answered 127.255.255.254", world.clock.now, RETEST)
    with capture_logs() as events:
        world.round(LOOK)
        assert world.suspended == [{"bare"}, {"bare"}]
        world.round(RETEST)
        world.round(LOOK)
    assert world.suspended == [set(), set()]
    assert [(event["event"], event["cause"]) for event in events] == [("dnsbl_resumed", "its suspension is over")]


# --- too many hits


@pytest.mark.threat("DNS-03")
def test_a_list_that_lists_everything_is_not_believed_at_once(
    world: World, log: list[MutableMapping[str, Any]]
) -> None:
    """Its hits count no more while the test runs, and after it the list is suspended for all."""
    world.round()
    world.answers(a={**GOOD, POINTS[1]: ["127.0.0.2"]})
    world.flood()
    assert (world.suspended, world.woken) == ([{"zen"}, set()], 1)
    world.round(1)
    world.round(LOOK)
    assert world.suspended == [{"zen"}, {"zen"}]
    assert _events(log) == [("dnsbl_doubted", "info"), ("dnsbl_suspended", "warning")]


@pytest.mark.threat("DNS-03")
def test_in_a_flood_of_spam_the_test_decides(world: World, log: list[MutableMapping[str, Any]]) -> None:
    """Most clients really are listed: the list is believed again at once, and not doubted again for a while."""
    world.round()
    world.flood()
    assert world.round(1) == [*POINTS, "probe-0707070707070707.secret.zen.example", WILD.format("secret.zen.example")]
    assert world.suspended == [set(), set()]
    world.flood()
    assert world.suspended == [set(), set()]
    world.clock.now += QUIET
    world.flood()
    assert world.suspended == [{"zen"}, set()]
    assert _events(log) == [("dnsbl_doubted", "info"), ("dnsbl_believed", "info"), ("dnsbl_doubted", "info")]


@pytest.mark.threat("DNS-03")
def test_a_list_whose_test_points_are_in_order_but_nothing_else_is(world: World) -> None:
    """A probe is listed: suspended, and not back before that has an end."""
    world.round()
    world.answers(a={**GOOD, WILD.format("secret.zen.example"): ["127.0.0.2"]})
    world.flood()
    world.round(1)
    world.round(RETEST)
    assert world.suspended[0] == {"zen"}
    world.answers(a=GOOD)
    world.round(RETEST)
    assert world.suspended[0] == set()


@pytest.mark.threat("DNS-03")
@pytest.mark.parametrize(
    ("records", "suspended"),
    [
        ({"a": {WILD.format("bare.example"): ["127.0.0.2"]}}, True),
        ({"fail": [f"a {WILD.format('bare.example')}", "a probe-0707070707070707.bare.example"]}, True),
        ({"a": {}}, False),
    ],
    ids=["listed", "no answer", "not listed"],
)
def test_a_list_without_test_points_is_doubted_by_probes(records: dict[str, Any], suspended: bool) -> None:  # noqa: FBT001  # a table's column
    """It is suspended where a probe is listed, or where nothing vouches for it; allow lists know most good clients."""
    world = World(BARE)
    world.round()
    world.answers(**records)
    world.flood(zone=BARE)
    world.round(1)
    assert ("bare" in world.fronts[0].unusable()) is suspended
    world.round(RETEST)
    assert ("bare" in world.fronts[0].unusable()) is ("a" in records and suspended)


@pytest.mark.threat("DNS-05")
def test_a_doubt_without_an_answer_ends(world: World) -> None:
    """A list with test points is believed again where nobody can say anything against it."""
    world.round()
    world.answers(fail=[f"a {name}" for name in POINTS])
    world.flood()
    assert world.fronts[0].round() == DOUBT_LOOK
    assert world.suspended[0] == {"zen"}
    world.clock.now += DOUBT_SECONDS
    assert (world.suspended[0], world.fronts[0].round()) == (set(), LOOK)


@pytest.mark.parametrize("about", ["{}.spam.example", "{}.SPAM.example."])
def test_names_of_one_domain_are_one_subject(world: World, about: str) -> None:
    """A list of domains answers the same about all hosts below one."""
    names = replace(ZEN, subjects=frozenset({Subject.URL_HOST}))
    for number in range(RUN):
        world.fronts[0].see(names, HIT, about.format(f"h{number}"))
    assert world.suspended[0] == set()
    for number in range(RUN):
        world.fronts[0].see(names, HIT, f"h{number}.spam{number}.example")
    assert world.suspended[0] == {"zen"}


def test_misses_and_unusable_answers_raise_no_doubt(world: World) -> None:
    """Only hits are too many."""
    world.flood(listing=MISS)
    world.flood(listing=Listing(ListStatus.REFUSED))
    assert (world.suspended, world.woken) == ([set(), set()], 0)


# --- the store


@pytest.mark.threat("RES-03")
def test_without_a_store_every_front_keeps_its_own_lists(world: World) -> None:
    """Nothing is raised; a bad list is suspended where it was tested, and back where its test passed."""
    world.store.fail = True
    world.answers(a={})
    assert len(world.round()) == 2 * len(POINTS)
    assert world.suspended == [{"zen"}, {"zen"}]
    world.answers(a=GOOD)
    world.round(RETEST)
    assert world.suspended == [set(), set()]


def test_a_clock_that_was_set_back_does_not_end_the_tests(world: World) -> None:
    """The last test lies in the future; it is made again."""
    world.round()
    assert world.round(-2 * EVERY) == POINTS


def test_what_others_wrote_into_the_store_is_survived(world: World) -> None:
    """Nonsense under our keys reads as never tested, and as suspended for a reason that nobody can read."""
    world.store.put("turn:list:done:zen", b"\xff", 60)
    world.store.put("suspended:zen", b"\xff", 60)
    world.round()
    assert world.suspended == [set(), set()]

"""What the rates say of a recipient, who hears of it, and what happens where the buckets do not answer."""

from dataclasses import replace
from typing import Any

import pytest
import structlog

from filterd.config.rates import Rate as RateConfig
from filterd.config.rates import RateBy
from filterd.limits import CODE, Limiter, LimitsGate, Request, Ruling, rates_of
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.early import PASS, EarlyFacts, EarlyGate
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action
from filterd.store import Breaker, MemoryBuckets
from filterd.store.patience import Patience
from tests.store.test_breaker import Clock

NOW = 1_700_000_000.0
ASK = Request("198.51.100.7", "alice@example.org", "bob@local.test", TrustClass.STRANGER)


class Counted:
    """Results in order."""

    def __init__(self) -> None:
        """None yet."""
        self.results: list[str] = []

    def limited(self, rate: str, result: str) -> None:
        """Note it."""
        self.results.append(f"{rate} {result}")

    def gate_silent(self, gate: str) -> None:
        """Note it."""
        self.results.append(f"{gate} silent")


class Front:
    """A limiter with everything it works with."""

    def __init__(self, *, whole: bool = True, **rates: RateConfig) -> None:
        """With these rates."""
        self.buckets = MemoryBuckets()
        self.clock = Clock()
        self.breaker = Breaker(clock=self.clock)
        self.count = Counted()
        self.limiter = Limiter(
            rates_of(rates), self.buckets, self.count, breaker=self.breaker, clock=self.clock, whole=whole
        )


def by(kind: str, limit: int, **more: Any) -> RateConfig:
    """A rate an hour."""
    return RateConfig(by=RateBy(kind), limit=limit, **more)


def test_one_rate() -> None:
    """So many pass, the next is told how long to wait, and passes then."""
    front = Front(net=by("client", 2))
    found = [front.limiter.ask(ASK, NOW) for _ in range(3)]
    assert found == [Ruling(), Ruling(), Ruling("net", "198.51.100.0/24", 1800)]
    assert found[2].text == "net: 198.51.100.0/24 has sent enough for 1800 s"
    assert not front.limiter.ask(ASK, NOW + 1800).refused
    assert front.count.results == ["net passed", "net passed", "net refused", "net passed"]


def test_the_longest_wait_is_told() -> None:
    """Where several rates refuse, who comes again earlier would come in vain."""
    front = Front(short=by("client", 1, per=60), long=by("recipient", 1, per=600))
    front.limiter.ask(ASK, NOW)
    assert front.limiter.ask(ASK, NOW) == Ruling("long", "bob@local.test", 600)


def test_who_is_refused_uses_up_nothing_else() -> None:
    """A recipient that nobody gets any more does not cost the client his rate."""
    front = Front(box=by("recipient", 1), net=by("client", 3))
    for _ in range(5):
        front.limiter.ask(ASK, NOW)
    others = [replace(ASK, recipient=f"user{number}@local.test") for number in range(3)]
    assert [front.limiter.ask(other, NOW).refused for other in others] == [False, False, True]


def test_nobody_is_asked_where_no_rate_is_for_it() -> None:
    """Authenticated mail has no stranger's rate."""
    front = Front(net=by("client", 1))
    front.buckets.fail = True
    assert front.limiter.ask(replace(ASK, trust=TrustClass.AUTHENTICATED), NOW) == Ruling()
    assert front.count.results == []


def test_a_dry_run() -> None:
    """Everybody passes; it is counted and logged what would have been."""
    front = Front(net=by("client", 1, dry_run=True))
    with structlog.testing.capture_logs() as logs:
        assert [front.limiter.ask(ASK, NOW).refused for _ in range(3)] == [False] * 3
    assert front.count.results == ["net passed", "net would_refuse", "net would_refuse"]
    assert [(log["event"], log["rate"], log["subject"], log["dry_run"]) for log in logs] == [
        ("rate_limited", "net", "198.51.100.0/24", True)
    ]


def test_the_log_is_not_flooded() -> None:
    """The same subject is logged once a minute."""
    front = Front(net=by("client", 1))
    with structlog.testing.capture_logs() as logs:
        for _ in range(10):
            front.limiter.ask(ASK, NOW)
        front.clock.now += 61
        front.limiter.ask(ASK, NOW)
    assert len(logs) == 2


def test_names_can_be_left_out_of_the_log() -> None:
    """With [log] addresses = domains there are no local parts."""
    front = Front(whole=False, box=by("recipient", 1))
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            front.limiter.ask(ASK, NOW)
    assert logs[0]["subject"] == "@local.test"


@pytest.mark.threat("POL-08")
def test_buckets_that_do_not_answer() -> None:
    """The recipient passes; after five failures in a row they are left alone, and tried again once a second."""
    front = Front(net=by("client", 1))
    front.limiter.ask(ASK, NOW)
    front.buckets.fail = True
    assert [front.limiter.ask(ASK, NOW) for _ in range(5)] == [Ruling(failed=True)] * 5
    front.buckets.fail = False
    assert (front.breaker.open, front.limiter.ask(ASK, NOW).failed) == (True, True)
    assert front.count.results == ["net passed", *["limits silent"] * 6]
    front.clock.now += 1.0
    assert front.limiter.ask(ASK, NOW).refused


class TestGate:
    """LimitsGate."""

    FACTS = EarlyFacts("01", NOW, Client("198.51.100.7"), "mx", "alice@example.org", "bob@local.test")

    def gate(self, front: Front, patience: Patience | None = None) -> EarlyGate:
        """The gate before that limiter."""
        return LimitsGate(front.limiter, patience=patience or Patience())

    def test_its_place(self) -> None:
        """It has a name, and is asked after the checks."""
        found = self.gate(Front())
        assert (found.name, found.ahead) == ("limits", False)

    def test_to_come_again(self) -> None:
        """A refusal is one for now."""
        front = Front(net=by("client", 1))
        gate = self.gate(front)
        assert gate.ask(self.FACTS) == PASS
        found = gate.ask(self.FACTS)
        assert (found.action, found.code, "net: " in found.text) == (Action.DEFER, CODE, True)

    def test_at_once(self) -> None:
        """Where the buckets are at hand the answer is; where the breaker is open somebody else has to look."""
        front = Front(net=by("client", 1))
        gate = self.gate(front)
        found = [gate.at_once(self.FACTS) for _ in range(2)]
        assert [one and one.action for one in found] == [Action.ACCEPT, Action.DEFER]
        front.buckets.fail = True
        assert [gate.at_once(self.FACTS) for _ in range(5)] == [PASS] * 5
        assert gate.at_once(self.FACTS) is None
        assert front.count.results == ["net passed", "net refused", *["limits silent"] * 5]

    def test_nothing_to_draw_from(self) -> None:
        """Who has no rate need not wait, whatever becomes of the buckets."""
        front = Front(out=by("user", 1))
        front.buckets.fail = True
        assert self.gate(front).at_once(self.FACTS) == PASS

    def test_a_user(self) -> None:
        """Who has authenticated has his own rate, from wherever he sends."""
        front = Front(out=by("user", 1))
        gate = self.gate(front)
        mine = replace(self.FACTS, user="alice", trust=TrustClass.AUTHENTICATED)
        gate.ask(mine)
        again = gate.ask(replace(mine, client=Client("203.0.113.1"), sender="other@example.org"))
        assert again.action is Action.DEFER

    def test_a_sender_that_is_proved(self) -> None:
        """What others send in his name costs him nothing."""
        front = Front(sender=by("sender", 1))
        gate = self.gate(front)
        forged = [gate.ask(replace(self.FACTS, client=Client("203.0.113.5"))) for _ in range(3)]
        spf = CheckReport("spf", Outcome.OK, (), (SpfResult(SpfStatus.PASS, "example.org", SpfScope.MAILFROM),))
        own = gate.ask(replace(self.FACTS, reports={"spf": spf}))
        assert [one.action for one in forged] == [Action.ACCEPT, Action.DEFER, Action.DEFER]
        assert own == PASS

    @pytest.mark.threat("POL-08")
    def test_no_time_left(self) -> None:
        """Where another gate has waited this one passes, and counts it."""
        front, clock = Front(net=by("client", 1)), Clock()
        patience = Patience(clock=clock)
        patience.left((self.FACTS.id, self.FACTS.recipient))
        clock.now += 0.15
        assert self.gate(front, patience).ask(self.FACTS) == PASS
        assert front.count.results == ["limits silent"]

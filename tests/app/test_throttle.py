"""Greylist and rate limits as a front has them, on the embedded state and on a real Redis in trouble."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.app.throttle import TABLE, Throttle
from filterd.config import Config, Rate, RateBy
from filterd.config.decisions import Actions
from filterd.config.greylist import Greylist as GreylistConfig
from filterd.config.sections import Paths
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.early import EarlyFacts
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Client
from filterd.model.verdict import Action
from filterd.pipeline.policies import Policies, Policy, entry_key
from filterd.reputation import Memory, Tally
from filterd.store import Breaker, GuardedStore, WriteBehind, open_store
from filterd.telemetry import Metrics
from filterd.telemetry.metrics import FrontMetrics
from tests.pipeline.fakes import POLICY, SCORES
from tests.store.test_breaker import Clock
from tests.support.redis import RedisServer, redis_server

NOW = 1_700_000_000.0
BOUND = 2.0  # seconds; ours is 0.2, a client without one would wait for ever: between is noise of the host
FACTS = EarlyFacts("01", NOW, Client("8.8.4.4"), "mx", "alice@example.org", "bob@local.test", score=5.0)
SPF = CheckReport("spf", Outcome.OK, (), (SpfResult(SpfStatus.PASS, "example.org", SpfScope.MAILFROM),))


class Front:
    """What a front builds, with what a test looks at."""

    def __init__(self, folder: Path, url: str = "", policies: Policies | None = None) -> None:
        """Greylisting from 4 points on, and 3 recipients an hour for a network."""
        self.config = Config(
            paths=Paths(state=folder),
            actions=Actions(greylist=4.0),
            greylist=GreylistConfig(delay=60),
            rates={"net": Rate(by=RateBy.CLIENT, limit=3)},
        )
        metrics = Metrics.create(1, rates=("net",))
        self.totals = metrics.totals
        self.layout = metrics.layout
        self.row: FrontMetrics = metrics.front(0)
        self.clock = Clock()
        self.store = open_store(url or None, folder, breaker=Breaker(clock=self.clock))
        self.store.get_many(["open"])  # making the file takes longer than a greylist waits
        self.writes = WriteBehind(self.store, interval=3600)
        self.tally = Tally(self.store, interval=3600)
        self.memory = Memory(self.store, self.tally)
        self.throttle = Throttle(self.config, url, self.store, self.writes, self.row, self.memory, policies)

    def ask(self, number: int = 0, after: float = 0.0, **changes: object) -> list[Action]:
        """What both gates say of a recipient of a message of its own; the first that refuses is the last asked."""
        values = {name: getattr(FACTS, name) for name in FACTS.__slots__}
        facts = EarlyFacts(**(values | {"id": f"{number}", "now": NOW + after} | changes))
        said = []
        for gate in self.throttle.gates:
            said.append(gate.ask(facts).action)
            if said[-1] is not Action.ACCEPT:
                break
        self.writes.flush()
        return said

    def counted(self, *cell: str) -> float:
        """A counter."""
        return self.totals()[self.layout.cells[cell]]

    def close(self) -> None:
        """Give everything back."""
        self.throttle.close()
        self.store.close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """One on the embedded state."""
    made = Front(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with redis_server() as running:
        yield running


@pytest.fixture
def shared(tmp_path: Path, server: RedisServer) -> Iterator[Front]:
    """A front on that Redis."""
    made = Front(tmp_path, server.url)
    yield made
    made.close()


def test_off_as_shipped(tmp_path: Path) -> None:
    """Nothing is asked for, no gate and no file is made."""
    made = Front(tmp_path)
    config = Config(paths=Paths(state=tmp_path))
    throttle = Throttle(config, "", made.store, made.writes, made.row, None, None)
    assert (throttle.gates, throttle.greylisting) == ((), None)
    throttle.close()
    assert not (tmp_path / TABLE).exists()


def lives(front: Front) -> None:
    """Who is greylisted uses up no rate; who is back does, and may send no more after that."""
    assert [gate.name for gate in front.throttle.gates] == ["greylist", "limits"]
    assert [front.ask(0) for _ in range(5)] == [[Action.GREYLIST]] * 5
    assert [front.ask(number, 60 + number) for number in (1, 2, 3)] == [[Action.ACCEPT, Action.ACCEPT]] * 3
    assert front.ask(4, 64) == [Action.ACCEPT, Action.DEFER]
    assert [front.counted("filterd_rate_limits", "net", name) for name in ("passed", "refused")] == [3, 1]
    assert [front.counted("filterd_greylist", name) for name in ("new", "early", "returned", "known")] == [1, 4, 1, 3]


def test_embedded(front: Front) -> None:
    """On one host."""
    lives(front)


@pytest.mark.integration
def test_redis(shared: Front) -> None:
    """On Redis."""
    lives(shared)


def test_a_known_correspondent(front: Front) -> None:
    """Whom our user has written to is not greylisted, where SPF proves him."""
    front.memory.people.wrote("bob@local.test", ["alice@example.org"])
    front.tally.flush()
    assert front.ask(1, reports={"spf": SPF}) == [Action.ACCEPT, Action.ACCEPT]
    assert front.ask(2) == [Action.GREYLIST]
    assert front.counted("filterd_greylist", "excused") == 1


def test_who_wants_mail_unfiltered(tmp_path: Path) -> None:
    """A policy that is off is spared greylisting, not the limits."""
    from dataclasses import replace  # noqa: PLC0415  # here alone

    off = Policy(replace(POLICY, name="open", off=True), SCORES, ("local.test",))
    front = Front(tmp_path, policies=Policies({entry_key("local.test"): off}, "+"))
    said = [front.ask(number)[-1] for number in range(4)]
    assert said == [Action.ACCEPT, Action.ACCEPT, Action.ACCEPT, Action.DEFER]
    front.close()


@pytest.mark.integration
@pytest.mark.threat("POL-08")
@pytest.mark.parametrize("trouble", [RedisServer.freeze, RedisServer.kill], ids=["stopped", "killed"])
def test_redis_in_trouble(shared: Front, server: RedisServer, trouble: Callable[[RedisServer], None]) -> None:
    """Every recipient passes and is counted, after one short wait; after five errors nobody waits; then all is well."""
    assert shared.ask(0) == [Action.GREYLIST]
    assert isinstance(shared.store, GuardedStore)
    trouble(server)
    for number in range(1, 6):
        started = time.monotonic()
        assert shared.ask(number) == [Action.ACCEPT, Action.ACCEPT]
        assert time.monotonic() - started < BOUND
    assert shared.store.breaker.open
    assert shared.counted("filterd_gates_silent", "limits") == 5
    assert shared.counted("filterd_gates_silent", "greylist") == 5
    assert shared.ask(6) == [Action.ACCEPT, Action.ACCEPT]
    server.thaw() if trouble is RedisServer.freeze else server.start()
    shared.clock.now += 1.0
    # What a stopped server is asked it does when it goes on: those recipients have passed, and count.
    assert shared.ask(7, sender="carol@example.org", client=Client("9.9.9.9")) == [Action.GREYLIST]


@pytest.mark.integration
@pytest.mark.threat("POL-08")
def test_a_request_waits_once(shared: Front, server: RedisServer) -> None:
    """Senders' memory, limits and greylist do not each wait for a Redis that is silent."""
    server.freeze()
    shared.memory.connected("8.8.4.0/24", NOW)  # what the early judgement reads first, in the same thread
    assert shared.memory.failures == 1
    started = time.monotonic()
    assert shared.ask(1) == [Action.ACCEPT, Action.ACCEPT]
    assert time.monotonic() - started < 0.1  # seconds; a single question would take 0.15
    server.thaw()


@pytest.mark.integration
@pytest.mark.threat("POL-08")
def test_a_full_redis(shared: Front, server: RedisServer) -> None:
    """One that answers and takes no writes: who cannot be written down is not made to wait, for ever that would be."""
    with server.client() as client:
        client.config_set("maxmemory", "1")
    assert [shared.ask(number) for number in range(6)] == [[Action.ACCEPT, Action.ACCEPT]] * 6
    assert [shared.counted("filterd_gates_silent", gate) for gate in ("greylist", "limits")] == [6, 6]
    assert isinstance(shared.store, GuardedStore)
    assert not shared.store.breaker.open

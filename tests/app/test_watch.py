"""The thread that keeps a front's lists, and the questions it asks."""

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from filterd.app import watch
from filterd.app.front import Resolving
from filterd.app.site import load_config, load_site
from filterd.app.watch import ListsWatch
from filterd.dns.fake import FakeResolver
from filterd.dnsbl import Ask, Listing, ListStatus, Subject, Zone
from filterd.dnsbl.flood import RUN
from filterd.dnsbl.health import REFUSALS
from filterd.model.dns import AnswerStatus, Question, RRType
from filterd.store import MemoryStore
from filterd.telemetry import Metrics

ZEN = Zone(
    "zen",
    "zen.example",
    "zen.example",
    frozenset({Subject.CLIENT}),
    codes={"127.0.0.2": "ZEN"},
    listed="127.0.0.2",
    unlisted="127.0.0.1",
)
POINTS = {"2.0.0.127.zen.example": ["127.0.0.2"], "1.0.0.127.zen.example": ["127.0.0.2"]}  # it lists everything
HIT = Listing(ListStatus.HIT, ("ZEN",))
SECONDS = 10.0  # for what takes milliseconds


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are tested without the pause at start."""
    monkeypatch.setattr(watch, "FIRST", 0.0)
    monkeypatch.setattr(watch, "SPREAD", 0.0)


def _asks(resolver: FakeResolver) -> Ask:
    return lambda questions: tuple(map(resolver.lookup, questions))


def _watch(ask: Ask, forget: Callable[[str], None]) -> tuple[ListsWatch, Metrics]:
    metrics = Metrics.create(1, (), [ZEN.display])
    return ListsWatch([ZEN], MemoryStore(), ask, forget, metrics.front(0)), metrics


@pytest.mark.threat("DNS-03")
def test_lists_are_tested_once_the_watch_begins() -> None:
    """A bad one may not be asked from then on, and the metrics show it."""
    forgotten = threading.Event()
    kept, metrics = _watch(_asks(FakeResolver(a=POINTS)), lambda _zone: forgotten.set())
    with capture_logs() as events:
        kept.start()
        assert forgotten.wait(SECONDS)
        kept.close()
    assert "zen" in kept.unusable()
    assert [event["event"] for event in events] == ["dnsbl_suspended"]
    assert metrics.totals()[metrics.layout.cells["filterd_dnsbl_suspended", "zen.example"]] == 1.0


def test_a_crash_in_a_round_is_said_and_not_the_last_round() -> None:
    """The thread goes on: what is known of the lists stays."""
    crashed, again = threading.Event(), threading.Event()

    def ask(_questions: tuple[Question, ...]) -> tuple[()]:
        (again if crashed.is_set() else crashed).set()
        raise OSError("a bug")

    kept, _ = _watch(ask, lambda _zone: None)
    with capture_logs() as events:
        kept.start()
        assert crashed.wait(SECONDS)
        while not again.is_set():  # the turn is kept for its lease; who wakes the thread meanwhile wakes a living one
            kept._keeper._turns.leave("zen")
            kept._wake.set()
            again.wait(0.01)
        assert again.wait(SECONDS)
        kept.close()
    assert {event["event"] for event in events} == {"dnsbl_keeper_crashed"}


def test_without_tests_there_is_no_doubt() -> None:
    """A scan of a folder of spam sees nothing but hits; refusals count there too."""
    kept, metrics = _watch(_asks(FakeResolver()), lambda _zone: None)
    for number in range(2 * RUN):
        kept.observe(ZEN, HIT, f"203.0.113.{number}")
    assert "zen" not in kept.unusable()
    for _ in range(REFUSALS):
        kept.observe(ZEN, Listing(ListStatus.REFUSED, cause="answered 127.255.255.254"), "203.0.113.1")
    assert "zen" in kept.unusable()
    assert metrics.totals()[metrics.layout.cells["filterd_dnsbl_errors",]] == REFUSALS
    kept.close()


def test_a_resolver_at_its_end_answers_that_it_is_closed() -> None:
    """A test that comes too late has no answer, which changes nothing, and raises nothing."""
    resolving = Resolving(load_site(load_config(None, nameserver="127.0.0.1:1")))
    resolving.close()
    questions = (Question("a.test", RRType.A), Question("b.test", RRType.A))
    found = resolving.ask(questions)
    assert [(answer.question, answer.status, answer.cause) for answer in found] == [
        (question, AnswerStatus.TEMPFAIL, "closed") for question in questions
    ]

"""Greylisting at RCPT: for whom, and what the client is to be told."""

from dataclasses import replace

import pytest
import structlog

from filterd.greylist import Greylist, GreylistGate, Times
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.early import PASS, EarlyFacts, EarlyGate
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action
from filterd.store import MemoryStore, WriteBehind
from filterd.store.patience import Patience
from tests.store.test_breaker import Clock

NOW = 1_700_000_000.0
FACTS = EarlyFacts(
    "01", NOW, Client("198.51.100.7"), "mail.example.org", "alice@example.org", "bob@local.test", score=4.5
)
SPF = CheckReport("spf", Outcome.OK, (), (SpfResult(SpfStatus.PASS, "example.org", SpfScope.MAILFROM),))


class Counted:
    """Results in order."""

    def __init__(self) -> None:
        """None yet."""
        self.results: list[str] = []

    def greylisted(self, result: str) -> None:
        """Note it."""
        self.results.append(result)

    def gate_silent(self, gate: str) -> None:
        """Note it."""
        self.results.append(f"{gate} silent")


class Front:
    """A gate with everything it works with."""

    def __init__(self, *, whole: bool = True) -> None:
        """With scores from 4 to below 10, and delay 300 s; alice is known to carol."""
        self.store = MemoryStore()
        self.writes = WriteBehind(self.store, interval=3600)
        self.clock = Clock()
        self.count = Counted()
        self.patience = Patience(clock=self.clock)
        self.gate: EarlyGate = GreylistGate(
            Greylist(self.store, self.writes, Times(300, 86_400, 86_400 * 30), clock=self.clock),
            4.0,
            10.0,
            self.count,
            patience=self.patience,
            whole=whole,
            spares=lambda recipient: recipient == "abuse@local.test",
            knows=lambda facts: (facts.sender, facts.recipient) == ("alice@example.org", "carol@local.test"),
        )


@pytest.fixture
def front() -> Front:
    """One with an empty store."""
    return Front()


def test_its_place(front: Front) -> None:
    """It has a name, and is asked after the checks."""
    assert (front.gate.name, front.gate.ahead) == ("greylist", False)


def test_a_first_attempt_and_its_retry(front: Front) -> None:
    """The client comes again and passes; each answer says why, and is counted."""
    first = front.gate.ask(FACTS)
    assert (first.action, first.code) == (Action.GREYLIST, "greylisted")
    assert first.text == "score 4.5 of 4: first attempt, to come again in 300 s"
    early = front.gate.ask(replace(FACTS, id="02", now=NOW + 10))
    assert (early.action, early.text.endswith("came again after 10 s, 290 s too early")) == (Action.GREYLIST, True)
    back = front.gate.ask(replace(FACTS, id="03", now=NOW + 312, client=Client("198.51.100.9")))
    assert (back.action, back.settled, back.text) == (Action.ACCEPT, False, "greylisted, came back after 312 s")
    assert front.count.results == ["new", "early", "returned"]


@pytest.mark.parametrize(
    ("whole", "sender", "recipient"),
    [(True, "alice@example.org", "bob@local.test"), (False, "@example.org", "@local.test")],
)
def test_a_return_is_logged(whole: bool, sender: str, recipient: str) -> None:  # noqa: FBT001  # a column above
    """Once, with names as far as the operator wants them."""
    front = Front(whole=whole)
    with structlog.testing.capture_logs() as logs:
        for number, after in enumerate((0, 312, 400)):
            front.gate.ask(replace(FACTS, id=f"{number}", now=NOW + after))
            front.writes.flush()
    assert [(log["event"], log["sender"], log["recipient"], log["since"]) for log in logs] == [
        ("greylist_returned", sender, recipient, 312)
    ]


@pytest.mark.parametrize("score", [-3.0, 3.9, 10.0, 20.0])
def test_by_score_only(front: Front, score: float) -> None:
    """Clean mail passes, and so does what would be held anyway: both at once."""
    facts = replace(FACTS, score=score)
    assert (front.gate.ask(facts), front.gate.at_once(facts)) == (PASS, PASS)


def test_the_store_is_not_asked_at_once(front: Front) -> None:
    """Who may have to come again waits for the store, in a thread; nothing is remembered before that."""
    assert front.gate.at_once(FACTS) is None
    assert front.gate.ask(FACTS).text.startswith("score 4.5 of 4: first attempt")


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, trust=TrustClass.AUTHENTICATED, user="alice"),
        replace(FACTS, user="alice"),
        replace(FACTS, trust=TrustClass.LOCAL),
        replace(FACTS, trust=TrustClass.RELAY),
        replace(FACTS, sender=""),
        replace(FACTS, recipient="abuse@local.test"),
    ],
    ids=["authenticated", "user", "local", "relay", "null sender", "spared"],
)
def test_never(front: Front, facts: EarlyFacts) -> None:
    """Our own, the null sender and mail for who wants it unfiltered pass without a question."""
    assert (front.gate.ask(facts), front.count.results) == (PASS, [])


def test_a_known_correspondent(front: Front) -> None:
    """Passes where SPF proves him, and not where only his name is used."""
    known = replace(FACTS, recipient="carol@local.test")
    assert front.gate.ask(replace(known, reports={"spf": SPF})) == PASS
    assert front.gate.ask(known).action is Action.GREYLIST
    assert front.count.results == ["excused", "new"]


def test_a_big_sender(front: Front) -> None:
    """Where SPF passes the retry may come from anywhere."""
    front.gate.ask(replace(FACTS, reports={"spf": SPF}))
    again = replace(FACTS, id="02", now=NOW + 400, client=Client("203.0.113.5"), reports={"spf": SPF})
    assert front.gate.ask(again).action is Action.ACCEPT


@pytest.mark.threat("POL-09")
def test_stress(front: Front) -> None:
    """Nobody new is greylisted; it is counted."""
    assert front.gate.ask(replace(FACTS, stress=True)).action is Action.ACCEPT
    assert front.count.results == ["spared"]


@pytest.mark.threat("POL-08")
def test_a_silent_store(front: Front) -> None:
    """The recipient passes, and it is counted."""
    front.store.fail = True
    assert front.gate.ask(FACTS).action is Action.ACCEPT
    assert front.count.results == ["greylist silent"]


@pytest.mark.threat("POL-08")
def test_no_time_left(front: Front) -> None:
    """After another gate has waited for its store this one does not ask any more; for the next recipient it does."""
    assert front.patience.left((FACTS.id, FACTS.recipient))
    front.clock.now += 0.15
    assert (front.gate.ask(FACTS), front.count.results) == (PASS, ["greylist silent"])
    assert front.gate.ask(replace(FACTS, recipient="dora@local.test")).action is Action.GREYLIST

"""The check that says how earlier mail has turned out."""

from dataclasses import replace
from pathlib import Path

import pytest

from filterd.checks.registry import ALL
from filterd.checks.reputation import ReputationCheck
from filterd.model.authentication import AuthResult, DmarcResult, DmarcStatus, SpfResult, SpfScope, SpfStatus
from filterd.model.inspection import Author, Inspection, Mailbox
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.session import Client, Envelope, Recipient, TrustClass
from filterd.reputation import Memory, Responsible, Tally
from filterd.reputation import Outcome as Turned
from filterd.score import load_scores, score
from filterd.store import MemoryStore
from tests.checks.views import FakeView, foreseen, run, symbols

RULES = Path(__file__).resolve().parents[2] / "rules" / "scores.toml"
NETWORK = "8.8.8.0/24"
SENDER = "anna@shop.example"
SHOP = Responsible("shop.example", vouched=True, aligned=True)
PASS = (SpfResult(SpfStatus.PASS, "shop.example", SpfScope.MAILFROM), DmarcResult(DmarcStatus.PASS, "shop.example"))
SPOOF = (SpfResult(SpfStatus.PASS, "shop.example", SpfScope.MAILFROM), DmarcResult(DmarcStatus.FAIL, "bank.example"))


def seen(*results: AuthResult, author: str = SENDER, recipients: tuple[str, ...] = ("bob@us.example",)) -> FakeView:
    """A message at its end."""
    local, _, domain = author.partition("@")
    envelope = Envelope(SENDER, tuple(Recipient(address, f"<{address}>") for address in recipients))
    reports = {name: CheckReport(name, Outcome.OK) for name in ReputationCheck.needs}
    reports["dmarc"] = CheckReport("dmarc", Outcome.OK, auth_results=results)
    inspection = Inspection(author=Author((Mailbox(local, domain),)))
    return FakeView(client=Client("8.8.8.8"), envelope=envelope, inspection=inspection, reports=reports)


@pytest.fixture
def memory() -> Memory:
    """A memory over an empty store."""
    store = MemoryStore()
    return Memory(store, Tally(store, interval=3600))


def judged(memory: Memory, view: FakeView) -> CheckReport:
    """The report on a message that has arrived in all stages."""
    check = ReputationCheck(memory)
    assert foreseen(check, view, Stage.CONNECT) == []
    assert foreseen(check, view, Stage.MAIL) == []
    return run(check, view)


def lived(memory: Memory, outcome: Turned, times: int = 20, answers: Responsible | None = SHOP) -> None:
    """So many earlier messages."""
    memory.connected(NETWORK, FakeView.now)
    memory.announced(NETWORK, SENDER, FakeView.now)
    for _ in range(times):
        memory.experienced(NETWORK, answers, outcome, outcome, FakeView.now)


def test_a_good_past(memory: Memory) -> None:
    """A sender who was good here before is told so, with counts in words; the pair speaks for the network."""
    lived(memory, Turned.GOOD)
    memory.people.met(SENDER, ["bob@us.example"])
    report = judged(memory, seen(*PASS))
    assert symbols(report) == [
        "REPUTATION_DOMAIN_GOOD",
        "REPUTATION_PAIR_GOOD",
        "KNOWN_SENDER",
    ]
    assert report.findings[0].evidence == (
        "shop.example",
        "20 good and 0 bad messages in the last weeks, 20 and 0 in the last hours",
    )


def test_a_bad_past(memory: Memory) -> None:
    """A sender who was bad here before."""
    lived(memory, Turned.BAD)
    assert symbols(judged(memory, seen(*PASS))) == [
        "REPUTATION_DOMAIN_BAD",
        "REPUTATION_PAIR_BAD",
        "REPUTATION_NETWORK_BAD",
    ]


def test_neighbours(memory: Memory) -> None:
    """Who was good from here does not suffer for what others in his network did; who is unknown does."""
    lived(memory, Turned.GOOD)
    lived(memory, Turned.BAD, 40, answers=None)
    assert "REPUTATION_NETWORK_BAD" not in symbols(judged(memory, seen(*PASS)))
    assert symbols(judged(memory, seen())) == ["REPUTATION_NETWORK_BAD"]


def test_nobody_borrows_a_name(memory: Memory) -> None:
    """A domain's good standing is no help to mail whose author is somebody else, and its bad one is a burden."""
    lived(memory, Turned.GOOD)
    assert symbols(judged(memory, seen(*SPOOF, author="ceo@bank.example"))) == ["REPUTATION_NETWORK_GOOD"]
    lived(memory, Turned.BAD)
    assert "REPUTATION_DOMAIN_POOR" in symbols(judged(memory, seen(*SPOOF, author="ceo@bank.example")))


def test_first_contact(memory: Memory) -> None:
    """Somebody with a proved address of whom nothing is known: but not where nothing is proved, or a crowd is meant."""
    assert symbols(judged(memory, seen(*PASS))) == ["FIRST_CONTACT"]
    assert symbols(judged(memory, seen())) == []
    assert symbols(judged(memory, seen(*PASS, recipients=tuple(f"u{n}@us.example" for n in range(33))))) == []
    assert symbols(judged(memory, seen(*PASS, recipients=()))) == []
    lived(memory, Turned.GOOD, 1)
    assert symbols(judged(memory, seen(*PASS))) == []


def test_known_correspondent(memory: Memory) -> None:
    """Somebody our user has written to; only if all recipients have, and only where the address is proved."""
    memory.announced(NETWORK, SENDER, FakeView.now)
    memory.people.wrote("bob@us.example", [SENDER])
    assert symbols(judged(memory, seen(*PASS, recipients=("bob+x@us.example",)))) == ["KNOWN_CORRESPONDENT"]
    both = ("bob@us.example", "eve@us.example")
    assert symbols(judged(memory, seen(*PASS, recipients=both))) == []
    memory.people.met(SENDER, ["eve@us.example"])
    assert symbols(judged(memory, seen(*PASS, recipients=both))) == ["KNOWN_SENDER"]
    assert symbols(judged(memory, seen())) == []
    assert symbols(judged(memory, seen(*PASS, author="other@shop.example"))) == []


@pytest.mark.threat("MTA-17")
def test_null_sender(memory: Memory) -> None:
    """A bounce is judged by its network and by who signed it, and is no first contact."""
    lived(memory, Turned.BAD)
    view = replace(seen(*PASS), envelope=Envelope("", (Recipient("bob@us.example", "<bob@us.example>"),)))
    assert "FIRST_CONTACT" not in symbols(judged(memory, view))
    assert "REPUTATION_NETWORK_BAD" in symbols(judged(memory, view))


@pytest.mark.threat("MTA-10")
@pytest.mark.parametrize(
    "view",
    [
        replace(seen(*PASS), trust=TrustClass.AUTHENTICATED),
        replace(seen(*PASS), trust=TrustClass.LOCAL),
        replace(seen(*PASS), client=Client("10.0.0.1")),
        replace(seen(*PASS), client=Client()),
    ],
)
def test_our_own(memory: Memory, view: FakeView) -> None:
    """Our users and clients without a public address are not judged, and nothing is read for them."""
    lived(memory, Turned.BAD)
    report = judged(memory, view)
    assert (report.outcome, symbols(report), memory.failures) == (Outcome.SKIPPED, [], 0)


def test_behind_a_relay(memory: Memory) -> None:
    """Behind a relay the client that counts is judged like any other."""
    lived(memory, Turned.BAD)
    assert "REPUTATION_NETWORK_BAD" in symbols(judged(memory, replace(seen(*PASS), trust=TrustClass.RELAY)))


def test_switched_off() -> None:
    """Without a memory the check is skipped: in commands, and where the operator wants none."""
    check = ReputationCheck(None)
    assert foreseen(check, seen(*PASS), Stage.MAIL) == []
    assert run(check, seen(*PASS)).outcome is Outcome.SKIPPED


@pytest.mark.threat("RES-03")
def test_silent_store() -> None:
    """A store that does not answer is unknown, neither good nor bad."""
    store = MemoryStore()
    store.fail = True
    report = judged(Memory(store, Tally(store)), seen(*PASS))
    assert (report.outcome, symbols(report)) == (Outcome.UNKNOWN, [])
    assert report.cause == "the store did not answer: network, domain"


def test_unread_content(memory: Memory) -> None:
    """Without an author nobody is known to answer."""
    assert judged(memory, replace(seen(*PASS), inspection=None)).outcome is Outcome.UNKNOWN


def test_unforeseen_author(memory: Memory) -> None:
    """A domain that nobody could foresee at MAIL is not judged this once; it is foreseen from the next message on."""
    results = (PASS[0], DmarcResult(DmarcStatus.PASS, "brand.example"))
    first = judged(memory, seen(*results, author="news@brand.example"))
    assert (first.outcome, memory.foreseen(SENDER)) == (Outcome.OK, ("shop.example", "brand.example"))
    for _ in range(6):
        memory.experienced(
            NETWORK, Responsible("brand.example", vouched=True, aligned=True), None, Turned.BAD, FakeView.now
        )
    second = judged(memory, seen(*results, author="news@brand.example"))
    assert second.outcome is Outcome.OK


def test_alone_it_decides_nothing() -> None:
    """All symbols stand in one group, which neither tags a message nor takes more away than a small finding brings."""
    rules = load_scores(RULES)
    assert {rules.symbols[name].group for name in ReputationCheck.symbols} == {"reputation"}
    assert {rules.symbols[name].floor for name in ReputationCheck.symbols} == {None}
    group = rules.groups["reputation"]
    assert group.cap < 6.0
    assert group.floor >= -2.0
    assert {rule.group for name, rule in rules.symbols.items() if name not in ReputationCheck.symbols} & {
        "reputation"
    } == set()


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_group_is_bounded(side: float) -> None:
    """Whatever comes together, the sum stays within the group's bounds."""
    rules = load_scores(RULES)
    found = tuple(Finding(name) for name in sorted(ReputationCheck.symbols) if rules.symbols[name].weight * side > 0)
    total = score([CheckReport("reputation", Outcome.OK, found)], rules).total
    assert rules.groups["reputation"].floor <= total <= rules.groups["reputation"].cap


def test_it_reads_before_dkim_asks() -> None:
    """Its place in the list lets its read at MAIL bring the selectors along."""
    names = list(ALL)
    assert names.index("reputation") < names.index("dkim")

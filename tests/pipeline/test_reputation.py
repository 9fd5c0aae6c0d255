"""Reputation through whole transactions: what messages teach, and what nobody can make them teach."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from filterd.checks.contract import Check, View
from filterd.checks.reputation import ReputationCheck
from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Plan
from filterd.model.inspection import Author, Inspection, Mailbox
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.finish import finish
from filterd.pipeline.parts import Parts
from filterd.pipeline.schedule import Schedule
from filterd.pipeline.transaction import Peer, Transaction
from filterd.reputation import Level, Memory, Record, Tally, domain_key, evaluate, network_key, pair_key
from filterd.score import GroupRule, ScoreRules, SymbolRule
from filterd.store import BatchStore, MemoryStore, RedisStore, SqliteStore
from tests.pipeline.fakes import NOW, FakeInspectors, Front
from tests.support.redis import redis_server

CLIENT = "8.8.8.8"
NETWORK = "8.8.8.0/24"
RULES = ScoreRules(
    {
        "SPAM": SymbolRule(20.0),
        "DOUBTFUL": SymbolRule(4.0),
        "LISTED": SymbolRule(8.0),
        "UNSCANNABLE_ENCRYPTED": SymbolRule(1.0, floor=Action.QUARANTINE),
        "ALLOWED_SENDER": SymbolRule(-20.0),
        "REPUTATION_NETWORK_BAD": SymbolRule(9.0, group="reputation"),
        "REPUTATION_PAIR_BAD": SymbolRule(9.0, group="reputation"),
        "REPUTATION_DOMAIN_BAD": SymbolRule(9.0, group="reputation"),
    },
    {"reputation": GroupRule(9.0, -1.5)},
)


@dataclass
class Said:
    """A check that reports what the test wants it to."""

    name: str
    results: tuple[AuthResult, ...] = ()
    found: tuple[str, ...] = ()
    outcome: Outcome = Outcome.OK
    stage: Stage = Stage.EOM
    foresees: frozenset[Stage] = frozenset()
    needs: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()

    def foresee(self, _view: View, _stage: Stage) -> Plan[None] | None:
        """Guess nothing."""
        return None

    def run(self, _view: View) -> Plan[CheckReport]:
        """Say it."""
        yield from ()
        return CheckReport(self.name, self.outcome, tuple(Finding(name) for name in self.found), self.results)


@dataclass
class Mail:
    """A message and what the checks say of it."""

    sender: str = "anna@shop.example"
    author: str = "anna@shop.example"
    spf: SpfStatus = SpfStatus.PASS
    dkim: str = ""
    dmarc: DmarcStatus = DmarcStatus.PASS
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # symbols by check
    undone: tuple[str, ...] = ()
    client: str = CLIENT
    macros: dict[str, str] = field(default_factory=dict)
    recipients: tuple[str, ...] = ("bob@us.example",)

    @property
    def checks(self) -> list[Check]:
        """All but reputation itself."""
        domain, author = self.sender.rpartition("@")[2], self.author.rpartition("@")[2]
        results: dict[str, tuple[AuthResult, ...]] = {
            "spf": (SpfResult(self.spf, domain, SpfScope.MAILFROM),),
            "dkim": (DkimResult(DkimStatus.PASS, self.dkim, "s"),) if self.dkim else (),
            "dmarc": (DmarcResult(self.dmarc, author),),
        }
        names = ("spf", "dkim", "dmarc", "content", "dnsbl", "allow")
        return [
            Said(
                name,
                results.get(name, ()),
                self.found.get(name, ()),
                Outcome.UNKNOWN if name in self.undone else Outcome.OK,
            )
            for name in names
        ]


SPAM = {"content": ("SPAM",)}
SPOOFED: dict[str, Any] = {"spf": SpfStatus.FAIL, "dmarc": DmarcStatus.FAIL}


def received(parts: Parts, mail: Mail) -> Verdict:
    """One transaction."""
    transaction = Transaction(parts, Peer(Client(mail.client), "mx.shop.example"))
    transaction.mail(mail.sender, (), mail.macros)
    for recipient in mail.recipients:
        transaction.rcpt(recipient, f"<{recipient}>")
    transaction.end_of_headers()
    try:
        return finish(transaction).verdict
    finally:
        transaction.close()


class Site:
    """A front with a real store behind it."""

    def __init__(self, front: Front, store: BatchStore) -> None:
        """Nothing learnt yet."""
        self.front = front
        self.store = store
        self.tally = Tally(store, interval=3600)
        self.memory = Memory(store, self.tally, ours=front.trust.is_ours)

    def receive(self, mail: Mail, times: int = 1) -> Verdict:
        """Let a message come in so often; the last verdict."""
        local, _, domain = mail.author.rpartition("@")
        facts = Inspection(author=Author((Mailbox(local, domain),)))
        parts = replace(
            replace(self.front, inspectors=FakeInspectors(facts)).parts(),
            schedule=Schedule.of((ReputationCheck(self.memory), *mail.checks)),
            scores=RULES,
            memory=self.memory,
        )
        return [received(parts, mail) for _ in range(times)][-1]

    def elsewhere(self) -> "Site":
        """Another front, after this one has written."""
        self.tally.flush()
        return Site(self.front, self.store)

    def record(self, key: str) -> Record:
        """What the store holds, read anew."""
        self.tally.flush()
        memory = Memory(self.store, Tally(self.store))
        memory._read([key], "", "", NOW)
        record = memory.record(key)
        assert record is not None
        return record

    def counted(self, key: str) -> tuple[int, int]:
        """Good and bad outcomes under a key."""
        counts = self.record(key).weeks(NOW)
        return round(counts.good), round(counts.bad)


NETWORK_KEY = network_key(NETWORK)
DOMAIN_KEY = domain_key("shop.example")
PAIR_KEY = pair_key(NETWORK, "shop.example")
EVERYWHERE = (NETWORK_KEY, DOMAIN_KEY, PAIR_KEY)


@pytest.fixture
def site(front: Front) -> Site:
    """A site with its state in memory."""
    return Site(front, MemoryStore())


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.integration)])
def real(request: pytest.FixtureRequest, front: Front, tmp_path: Path) -> Iterator[Site]:
    """A site with its state where a site has it."""
    if request.param == "sqlite":
        store: BatchStore = SqliteStore(tmp_path / "state.sqlite")
        yield Site(front, store)
        store.close()
        return
    with redis_server() as server:
        store = RedisStore(server.url)
        yield Site(front, store)
        store.close()


def symbols(verdict: Verdict) -> set[str]:
    """The symbols of a verdict."""
    return {symbol.finding.symbol for symbol in verdict.symbols}


class TestLearning:
    """What messages teach."""

    def test_good_and_bad(self, real: Site) -> None:
        """Outcomes are counted for network, domain and pair, and the next front judges by them."""
        real.receive(Mail(), 3)
        real.receive(Mail(found=SPAM), 10)
        assert [real.counted(key) for key in EVERYWHERE] == [(3, 10)] * 3
        verdict = real.elsewhere().receive(Mail())
        assert {"REPUTATION_DOMAIN_BAD", "REPUTATION_PAIR_BAD"} <= symbols(verdict)

    def test_good_name(self, real: Site) -> None:
        """Twenty good messages make a good name, and a correspondent of who got them."""
        real.receive(Mail(), 20)
        assert {
            "REPUTATION_DOMAIN_GOOD",
            "REPUTATION_PAIR_GOOD",
            "KNOWN_SENDER",
        } <= symbols(real.elsewhere().receive(Mail()))

    @pytest.mark.threat("MTA-10")
    def test_whom_our_users_write_to(self, real: Site) -> None:
        """Authenticated mail makes its recipients known to its sender, and teaches nothing of where it came from."""
        outgoing = Mail(
            "bob@us.example", "bob@us.example", macros={"{auth_authen}": "bob"}, recipients=("anna@shop.example",)
        )
        real.receive(outgoing)
        assert real.counted(NETWORK_KEY) == (0, 0)
        assert "KNOWN_CORRESPONDENT" in symbols(real.elsewhere().receive(Mail()))
        assert "KNOWN_CORRESPONDENT" not in symbols(real.elsewhere().receive(Mail(recipients=("eve@us.example",))))
        assert "KNOWN_CORRESPONDENT" not in symbols(real.elsewhere().receive(Mail(**SPOOFED)))

    def test_between(self, site: Site) -> None:
        """What is neither clearly good nor bad, and what is held for a floor alone, counts nothing."""
        site.receive(Mail(found={"content": ("DOUBTFUL",)}))
        site.receive(Mail(found={"content": ("UNSCANNABLE_ENCRYPTED",)}))
        assert [site.counted(key) for key in EVERYWHERE] == [(0, 0)] * 3

    def test_observe_only(self, site: Site) -> None:
        """Observed verdicts count like enforced ones."""
        observing = Site(site.front.deciding(observe=True), site.store)
        observing.receive(Mail(found=SPAM), 2)
        assert observing.counted(DOMAIN_KEY) == (0, 2)

    def test_deferred(self, site: Site) -> None:
        """A message that will come again teaches nothing yet: a retry would count twice."""
        deferring = site.front.deciding(on_unknown={"dmarc": dict.fromkeys(TrustClass, Action.DEFER)})
        other = Site(deferring, site.store)
        other.receive(Mail(undone=("dmarc",), found={"content": ("LISTED",)}), 3)
        assert [other.counted(key) for key in EVERYWHERE] == [(0, 0)] * 3

    def test_switched_off(self, site: Site, front: Front) -> None:
        """Without a memory nothing is learnt and nothing fails."""
        parts = replace(front.parts(), schedule=Schedule.of((ReputationCheck(None), *Mail().checks)))
        assert received(parts, Mail()).action is Action.ACCEPT
        assert site.counted(NETWORK_KEY) == (0, 0)


class TestPoisoning:
    """What nobody can make it learn."""

    def test_no_feedback(self, site: Site) -> None:
        """A message that is bad only because of its reputation counts as what it is by itself."""
        site.receive(Mail(found=SPAM), 10)
        verdict = site.receive(Mail())
        assert verdict.action is Action.ADD_HEADER
        assert [site.counted(key) for key in EVERYWHERE] == [(1, 10)] * 3

    def test_favours_do_not_earn(self, site: Site) -> None:
        """Spam of a sender whom the operator lets through is spam all the same."""
        verdict = site.receive(Mail(found={**SPAM, "allow": ("ALLOWED_SENDER",)}))
        assert (verdict.action, site.counted(DOMAIN_KEY)) == (Action.ACCEPT, (0, 1))

    @pytest.mark.threat("AUTH-14")
    def test_unauthenticated_domain(self, site: Site) -> None:
        """A name that was not proved neither earns nor loses; its network does."""
        site.receive(Mail(**SPOOFED), 5)
        site.receive(Mail(**SPOOFED, found=SPAM), 3)
        assert [site.counted(key) for key in EVERYWHERE] == [(5, 3), (0, 0), (0, 0)]

    @pytest.mark.threat("AUTH-14")
    def test_another_author(self, site: Site) -> None:
        """Who proves his own domain and writes another's name into From speaks for his own."""
        spoof = Mail("x@evil.example", "ceo@shop.example", dmarc=DmarcStatus.FAIL, found=SPAM)
        site.receive(spoof, 5)
        assert (site.counted(DOMAIN_KEY), site.counted(domain_key("evil.example"))) == ((0, 0), (0, 5))

    @pytest.mark.threat("AUTH-08")
    def test_replayed_from_listed_clients(self, site: Site) -> None:
        """A signed message that listed clients send again harms them and not the domain that signed it."""
        replayed = Mail("x@evil.example", dkim="shop.example", spf=SpfStatus.FAIL, found={"dnsbl": ("LISTED",)})
        site.receive(Mail(), 20)
        for number in range(30):
            site.receive(replace(replayed, client=f"9.9.{number}.1"))
        assert site.counted(DOMAIN_KEY)[1] == 0
        assert site.counted(network_key("9.9.3.0/24")) == (0, 1)

    @pytest.mark.threat("AUTH-08")
    def test_replayed_a_thousand_times(self, site: Site) -> None:
        """However often one network sends a signed message again, it stays one witness among others."""
        replayed = Mail("x@shop.example", dkim="shop.example", spf=SpfStatus.FAIL, found=SPAM)
        site.receive(replayed, 100)
        assert site.counted(DOMAIN_KEY)[1] <= 11
        assert site.counted(PAIR_KEY)[1] == pytest.approx(100, rel=0.07)

    def test_own_name_servers_that_fail(self, site: Site) -> None:
        """Who keeps his own records from being read earns no good outcome by it, and is spared no bad one."""
        site.receive(Mail(undone=("spf",)), 3)
        site.receive(Mail(undone=("spf",), found=SPAM), 3)
        assert site.counted(NETWORK_KEY) == (0, 3)

    def test_our_own_blindness(self, site: Site) -> None:
        """While our lists do not answer, nothing is learnt: neither that mail is good, nor only the bad part of it."""
        site.receive(Mail(undone=("dnsbl",)), 3)
        site.receive(Mail(undone=("dnsbl",), found=SPAM), 3)
        assert [site.counted(key) for key in EVERYWHERE] == [(0, 0)] * 3

    def test_subdomains(self, site: Site) -> None:
        """Names below one's own domain are no new senders."""
        for number in range(7):
            address = f"x@m{number}.shop.example"
            site.receive(Mail(address, address, found=SPAM))
        assert site.counted(DOMAIN_KEY) == (0, 7)

    def test_bounded_keys(self, site: Site) -> None:
        """A message leaves six counters and a few dozen set members at most, however many it names."""
        crowd = tuple(f"user{number}@us.example" for number in range(2_000))
        site.receive(Mail(recipients=crowd))
        site.tally.flush()
        assert isinstance(site.store, MemoryStore)
        assert len(site.store._entries) == 7

    @pytest.mark.threat("MTA-17")
    def test_null_sender(self, site: Site) -> None:
        """Bounces count for the network, and for no domain that only HELO names."""
        site.receive(Mail("", "mailer-daemon@shop.example", dmarc=DmarcStatus.NONE), 2)
        assert [site.counted(key) for key in EVERYWHERE] == [(2, 0), (0, 0), (0, 0)]

    @pytest.mark.parametrize("client", ["127.0.0.1", "192.0.2.1", "10.0.0.1", ""])
    def test_our_own_addresses(self, site: Site, client: str) -> None:
        """Local clients, relays of ours as themselves, private and absent addresses teach nothing."""
        site.receive(Mail(client=client), 3)
        site.tally.flush()
        assert isinstance(site.store, MemoryStore)
        assert len(site.store._entries) == 0

    def test_a_taken_over_sender(self, site: Site) -> None:
        """A good name is gone after three bad messages."""
        site.receive(Mail(), 30)
        assert evaluate(site.record(DOMAIN_KEY), NOW).level is Level.GOOD
        site.receive(Mail(found=SPAM), 3)
        assert evaluate(site.record(DOMAIN_KEY), NOW).level is not Level.GOOD

    @pytest.mark.parametrize(
        "address", ["\udc80@shop.example", "a" * 400 + "@shop.example", "@", "@@", "x@\0", "x@..", "'\"@a b"]
    )
    def test_hostile_addresses(self, site: Site, address: str) -> None:
        """No address of envelope or header keeps a message from its verdict."""
        mail = Mail(address, address, recipients=(address, "bob@us.example"))
        assert site.receive(mail).action is Action.ACCEPT
        own = replace(mail, macros={"{auth_type}": "PLAIN"})
        assert site.receive(own).action is Action.ACCEPT
        site.tally.flush()
        assert site.tally.lost == 0


@pytest.mark.threat("RES-03")
def test_a_silent_store(site: Site) -> None:
    """Nothing is known and nothing is learnt; every message has its verdict, and one question in a while is asked."""
    assert isinstance(site.store, MemoryStore)
    site.store.fail = True
    assert site.receive(Mail(), 20).action is Action.ACCEPT
    assert site.memory.failures == 1
    site.tally.flush()
    assert site.tally.lost > 0


@pytest.mark.threat("RES-03")
def test_a_crash_while_learning_costs_no_message(site: Site, log: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict stands where learning raises, and the log says so."""

    def crash(*_arguments: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(site.memory, "experienced", crash)
    assert site.receive(Mail()).action is Action.ACCEPT
    assert [event["event"] for event in log if event["log_level"] == "error"] == ["check_crashed"]

"""What a front reads ahead, what it learns, and what happens while the store is silent."""

from collections.abc import Sequence

import pytest

from filterd.model.session import Client
from filterd.reputation import (
    Known,
    Level,
    Memory,
    Outcome,
    Responsible,
    Tally,
    domain_key,
    evaluate,
    network_key,
    pair_key,
    user,
)
from filterd.reputation.memory import FRESH, PAUSE, SOURCE_CAP
from filterd.reputation.people import MAX_PEOPLE, MAX_USERS
from filterd.store import MemoryStore, SelectorMemory, WriteBehind
from filterd.store.writes import Write
from tests.store.test_breaker import Clock

NOW = 1_700_000_000.0
NETWORK = "8.8.8.0/24"
SENDER = "anna@mail.shop.example"
SHOP = Responsible("shop.example", vouched=True, aligned=True)
ESP = Responsible("brand.example", vouched=False, aligned=True)


class CountingStore(MemoryStore):
    """Counts the calls that read, and the keys they read."""

    def __init__(self) -> None:
        """Nothing read."""
        super().__init__()
        self.reads = 0
        self.asked: list[str] = []
        self.applied: list[int] = []

    def apply(self, writes: Sequence[Write]) -> int:
        """As BatchStore."""
        self.applied.append(len(writes))
        return super().apply(writes)

    def fetch(self, keys: Sequence[str], sets: Sequence[str]) -> tuple[list[bytes | None], list[tuple[str, ...]]]:
        """As Store; what it calls is not counted again."""
        self.reads += 1
        self.asked += [*keys, *sets]
        return MemoryStore.get_many(self, keys), [MemoryStore.members(self, key) for key in sets]

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """As Store."""
        self.reads += 1
        return super().get_many(keys)

    def members(self, key: str) -> tuple[str, ...]:
        """As Store."""
        self.reads += 1
        return super().members(key)


class Fronts:
    """Fronts over one store and one clock; `flush` writes what all have learnt."""

    def __init__(self) -> None:
        """None yet."""
        self.store = CountingStore()
        self.clock = Clock()
        self.tallies: list[Tally] = []

    def front(self) -> tuple[Memory, SelectorMemory]:
        """One more, with its own memory of selectors."""
        tally = Tally(self.store, interval=3600)
        self.tallies.append(tally)
        selectors = SelectorMemory(self.store, WriteBehind(self.store, interval=3600), clock=self.clock)
        return Memory(self.store, tally, selectors, clock=self.clock), selectors

    def flush(self) -> None:
        """Write."""
        for tally in self.tallies:
            tally.flush()


def arrive(memory: Memory, sender: str = SENDER, network: str = NETWORK) -> None:
    """Read what a message's arrival has read."""
    memory.connected(network, NOW)
    memory.announced(network, sender, NOW)


def level(memory: Memory, key: str) -> Level:
    """The standing at hand."""
    record = memory.record(key)
    assert record is not None
    return evaluate(record, NOW).level


class TestReading:
    """How often the store is asked."""

    def test_once_at_connect_and_once_at_mail(self) -> None:
        """Two calls for a message of whom nothing is at hand, the selectors among what the second reads."""
        fronts = Fronts()
        memory, selectors = fronts.front()
        memory.connected(NETWORK, NOW)
        assert fronts.store.reads == 1
        memory.announced(NETWORK, SENDER, NOW)
        assert fronts.store.reads == 2
        assert "selectors:mail.shop.example" in fronts.store.asked
        assert selectors.recall("mail.shop.example") == ()
        assert fronts.store.reads == 2
        assert len(fronts.store.asked) == 4 + 8 + 3

    def test_not_again_soon(self) -> None:
        """A busy sender is not read again for a while, and then is."""
        fronts = Fronts()
        memory, _ = fronts.front()
        for _ in range(5):
            arrive(memory)
        assert fronts.store.reads == 2
        fronts.clock.now += FRESH + 1
        arrive(memory)
        assert fronts.store.reads == 4

    def test_at_hand(self) -> None:
        """Who asks at hand before reading waits for nobody: read lately, not to be read, or not to be had just now."""
        fronts = Fronts()
        memory, _ = fronts.front()
        found = [memory.at_hand("8.8.8.7"), memory.at_hand("10.0.0.1"), memory.at_hand("")]
        memory.connected(NETWORK, NOW)
        found.append(memory.at_hand("8.8.8.7"))
        fronts.clock.now += FRESH + 1
        found.append(memory.at_hand("8.8.8.7"))
        fronts.store.fail = True
        memory.connected(NETWORK, NOW)
        found.append(memory.at_hand("8.8.8.7"))
        assert found == [False, True, True, True, False, True]

    def test_null_sender(self) -> None:
        """Without a sender there is nothing to read at MAIL."""
        fronts = Fronts()
        memory, _ = fronts.front()
        arrive(memory, sender="")
        assert fronts.store.reads == 1

    def test_foreseen_authors(self) -> None:
        """A domain that has answered for mail of an envelope domain is read with it from then on; the last few are."""
        memory, _ = Fronts().front()
        for number in range(9):
            memory.answered("bounce@esp.example", f"brand{number}.example")
        assert memory.foreseen("other@mail.esp.example") == (
            "esp.example",
            "brand8.example",
            "brand7.example",
            "brand6.example",
            "brand5.example",
        )
        memory.announced(NETWORK, "bounce@esp.example", NOW)
        assert memory.record(domain_key("brand8.example")) is not None
        assert memory.record(domain_key("brand0.example")) is None

    def test_ours(self) -> None:
        """Our own addresses stand for no network, and neither do those that are not public."""
        memory = Memory(MemoryStore(), Tally(MemoryStore()), ours=lambda address: address == "8.8.8.8")
        clients = [Client("8.8.8.8"), Client("8.8.8.9"), Client("10.0.0.1"), Client("")]
        assert [memory.network(client.address) for client in clients] == ["", NETWORK, "", ""]


class TestLearning:
    """Outcomes."""

    def test_shown_at_once(self) -> None:
        """A front sees what it has learnt itself with the next message, without a read."""
        fronts = Fronts()
        memory, _ = fronts.front()
        arrive(memory)
        for _ in range(6):
            memory.experienced(NETWORK, SHOP, Outcome.BAD, Outcome.BAD, NOW)
        keys = network_key(NETWORK), domain_key("shop.example"), pair_key(NETWORK, "shop.example")
        assert [level(memory, key) for key in keys] == [Level.BAD] * 3
        assert fronts.store.reads == 2

    def test_other_front(self) -> None:
        """Another front reads it when its own is no longer fresh."""
        fronts = Fronts()
        one, other = fronts.front()[0], fronts.front()[0]
        arrive(other)
        for _ in range(20):
            one.experienced(NETWORK, SHOP, Outcome.GOOD, Outcome.GOOD, NOW)
        fronts.flush()
        arrive(other)
        assert level(other, domain_key("shop.example")) is Level.NEUTRAL
        fronts.clock.now += FRESH + 1
        arrive(other)
        assert level(other, domain_key("shop.example")) is Level.GOOD
        assert other.record(network_key(NETWORK)) == other.record(domain_key("shop.example"))

    def test_writes_are_added_up(self) -> None:
        """A hundred messages of one sender are six writes."""
        fronts = Fronts()
        memory, _ = fronts.front()
        for _ in range(100):
            memory.experienced(NETWORK, SHOP, Outcome.GOOD, Outcome.GOOD, NOW)
        fronts.flush()
        assert fronts.store.applied == [6]

    def test_first_contact(self) -> None:
        """Nobody has met the address and its domain has no outcomes; unknown until that was read, and of nobody."""
        memory, _ = Fronts().front()
        assert memory.first_contact(SENDER, NOW) is None
        arrive(memory)
        assert memory.first_contact(SENDER, NOW) is True
        assert memory.first_contact("", NOW) is None
        assert memory.first_contact("no address", NOW) is None

    def test_no_first_contact_by_domain(self) -> None:
        """One message that its domain answered for, good or bad, makes all its addresses known."""
        memory, _ = Fronts().front()
        arrive(memory)
        memory.experienced(NETWORK, SHOP, None, Outcome.BAD, NOW)
        assert memory.first_contact(SENDER, NOW) is False
        assert memory.first_contact("unread@shop.example", NOW) is None

    def test_no_first_contact_by_address(self) -> None:
        """Good mail of the address, or one of ours who wrote to it."""
        memory, _ = Fronts().front()
        arrive(memory)
        arrive(memory, "other@mail.shop.example")
        memory.people.met(SENDER, ["bob@us.example"])
        memory.people.wrote("bob@us.example", ["other@mail.shop.example"])
        assert memory.first_contact(SENDER, NOW) is False
        assert memory.first_contact("other@mail.shop.example", NOW) is False

    def test_good_standing(self) -> None:
        """A name is known for good mail once its registrable domain has sent enough of it, and not before."""
        memory, _ = Fronts().front()
        arrive(memory)
        before = memory.in_good_standing("lists.shop.example", NOW)
        for _ in range(100):
            memory.experienced(NETWORK, SHOP, Outcome.GOOD, Outcome.GOOD, NOW)
        found = [memory.in_good_standing(name, NOW) for name in ("lists.shop.example", "other.example", "")]
        assert (before, found) == (False, [True, False, False])

    def test_unauthenticated(self) -> None:
        """Without a domain that answers, only the network learns: two counters."""
        fronts = Fronts()
        memory, _ = fronts.front()
        memory.experienced(NETWORK, None, Outcome.GOOD, Outcome.GOOD, NOW)
        fronts.flush()
        assert len(fronts.store._entries) == 2

    @pytest.mark.threat("AUTH-08")
    @pytest.mark.parametrize("outcome", Outcome)
    def test_one_network_does_not_speak_for_a_domain(self, outcome: Outcome) -> None:
        """A signed message sent a thousand times by a network that the domain has not authorised counts a few times."""
        fronts = Fronts()
        memory, _ = fronts.front()
        memory.answered("x@brand.example", "brand.example")
        arrive(memory, "x@brand.example")
        for _ in range(1_000):
            memory.experienced(NETWORK, ESP, outcome, outcome, NOW)
        domain, pair = memory.record(domain_key("brand.example")), memory.record(pair_key(NETWORK, "brand.example"))
        assert domain is not None
        assert pair is not None
        assert domain.weeks(NOW).total <= SOURCE_CAP + 1
        assert pair.weeks(NOW).total > 900
        fresh, _ = fronts.front()  # of which nothing is at hand: it cannot know how much this network has said before
        fresh.experienced(NETWORK, ESP, outcome, outcome, NOW)
        assert fresh.record(domain_key("brand.example")) is None

    def test_authorised_networks_speak(self) -> None:
        """Where the domain itself has authorised the client, every message counts."""
        memory, _ = Fronts().front()
        arrive(memory)
        for _ in range(100):
            memory.experienced(NETWORK, SHOP, Outcome.GOOD, Outcome.GOOD, NOW)
        record = memory.record(domain_key("shop.example"))
        assert record is not None
        assert record.weeks(NOW).good == pytest.approx(100, rel=0.07)


class TestAcquaintance:
    """Who knows whom."""

    def test_our_user_wrote(self) -> None:
        """Whom our user writes to is known to him on all fronts, and to nobody else."""
        fronts = Fronts()
        one, other = fronts.front()[0], fronts.front()[0]
        one.people.wrote("Bob+x@us.example", ["Anna@Mail.Shop.Example", "not an address"])
        fronts.flush()
        arrive(other)
        assert other.people.known(SENDER) == Known(wrote=frozenset({user("bob@us.example")}))

    def test_good_mail(self) -> None:
        """Earlier good mail makes a sender known to those who got it, at once in this front, in another word."""
        memory, _ = Fronts().front()
        arrive(memory)
        memory.people.met(SENDER, ["bob@us.example"])
        assert memory.people.known(SENDER) == Known(read=frozenset({user("bob@us.example")}))

    def test_nobody_is_crowded_out(self) -> None:
        """However many have mail of a correspondent, those who wrote to him are remembered."""
        fronts = Fronts()
        one, other = fronts.front()[0], fronts.front()[0]
        one.people.wrote("bob@us.example", [SENDER])
        for number in range(2 * MAX_USERS):
            one.people.met(SENDER, [f"user{number}@us.example"])
        fronts.flush()
        arrive(other)
        known = other.people.known(SENDER)
        assert known is not None
        assert (known.wrote, len(known.read)) == (frozenset({user("bob@us.example")}), MAX_USERS)

    def test_bounded(self) -> None:
        """A message to a crowd makes a few of them known; nobody is told twice in a while."""
        fronts = Fronts()
        memory, _ = fronts.front()
        for _ in range(3):
            memory.people.met(SENDER, [f"user{number}@us.example" for number in range(5_000)])
            memory.people.wrote("bob@us.example", [f"x{number}@{number}.example" for number in range(5_000)])
        assert len(fronts.tallies[0]._batcher._queue) == 2 * MAX_PEOPLE

    def test_nobody(self) -> None:
        """The null sender writes to nobody."""
        fronts = Fronts()
        memory, _ = fronts.front()
        memory.people.wrote("", ["anna@shop.example"])
        memory.people.met(SENDER, ["", "postmaster"])
        assert len(fronts.tallies[0]._batcher._queue) == 0


@pytest.mark.threat("RES-03")
class TestSilence:
    """The store does not answer."""

    def test_unknown_and_quiet(self) -> None:
        """Nothing is at hand; after one question that failed no other is asked for a while, of selectors neither."""
        fronts = Fronts()
        memory, selectors = fronts.front()
        fronts.store.fail = True
        arrive(memory)
        assert (memory.failures, fronts.store.reads) == (1, 1)
        assert selectors.recall("mail.shop.example") == ()
        assert fronts.store.reads == 1
        assert (memory.record(network_key(NETWORK)), memory.people.known(SENDER)) == (None, None)
        fronts.clock.now += PAUSE + 0.1
        fronts.store.fail = False
        arrive(memory)
        assert memory.record(network_key(NETWORK)) is not None
        assert memory.people.known(SENDER) == Known()

    def test_what_is_at_hand_goes_on(self) -> None:
        """While the store is silent the last known state counts, for minutes."""
        fronts = Fronts()
        memory, _ = fronts.front()
        arrive(memory)
        for _ in range(6):
            memory.experienced(NETWORK, SHOP, Outcome.BAD, Outcome.BAD, NOW)
        fronts.store.fail = True
        fronts.clock.now += 300
        arrive(memory)
        assert level(memory, domain_key("shop.example")) is Level.BAD

    def test_lost_writes_are_counted(self) -> None:
        """What could not be written is lost and counted, and nobody waited."""
        fronts = Fronts()
        memory, _ = fronts.front()
        fronts.store.fail = True
        memory.experienced(NETWORK, SHOP, Outcome.GOOD, Outcome.GOOD, NOW)
        fronts.flush()
        assert fronts.tallies[0].lost == 2

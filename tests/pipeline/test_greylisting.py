"""Greylisting at the end of a message: for whom, what the client is told, and what a retry gets."""

from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from filterd.greylist import Greylist, Greylisting, Times
from filterd.inspectors import InspectorDied
from filterd.model.authentication import DmarcResult, DmarcStatus
from filterd.model.inspection import Author, Inspection, Mailbox
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action
from filterd.pipeline.finish import Decision, finish
from filterd.pipeline.policies import Policies, Policy, entry_key
from filterd.pipeline.transaction import Peer, Transaction
from filterd.reputation import Memory, Tally
from filterd.store import MemoryStore, WriteBehind
from tests.pipeline.fakes import NOW, POLICY, SCORES, FakeCheck, FakeInspectors, Front, everywhere

MAIL = b"Buy now\r\n"


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


class Site:
    """A front that greylists from 2 points on; messages go through `send`."""

    def __init__(self, front: Front, *symbols: str) -> None:
        """Where a check finds these symbols in every message."""
        self.front = replace(front, checks=(FakeCheck("content", symbols=frozenset(symbols or ("MILD",))),))
        self.shared = MemoryStore(clock=front.epoch)
        self.count = Counted()
        self.writes = WriteBehind(self.shared, interval=3600)
        greylist = Greylist(self.shared, self.writes, Times(300, 86_400, 30 * 86_400), clock=front.monotonic)
        self.greylisting = Greylisting(greylist, 2.0, self.count)

    def send(
        self,
        after: float = 0.0,
        client: str = "198.51.100.7",
        sender: str = "anna@sender.test",
        *recipients: str,
        body: bytes = MAIL,
        change: Callable[[Transaction], None] = lambda _transaction: None,
    ) -> Decision:
        """A message, so many seconds after NOW."""
        self.front.epoch.now = NOW + after
        parts = replace(self.front.parts(), greylisting=self.greylisting)
        transaction = Transaction(parts, Peer(Client(client, 4711, "mail.sender.test")))
        transaction.mail(sender, (), {})
        for recipient in recipients or ("bob@local.test",):
            transaction.rcpt(recipient, f"<{recipient}>")
        transaction.header(b"Received", b" from pool-%d" % after)
        transaction.end_of_headers()
        transaction.chunk(body)
        change(transaction)
        try:
            return finish(transaction)
        finally:
            transaction.close()
            self.writes.flush()

    def actions(self, *afters: float) -> list[Action]:
        """What becomes of the same message at these times."""
        return [self.send(after).verdict.action for after in afters]


def test_a_message_and_its_retry(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """It is asked to come again, and delivered as it would have been; journal, log and counters tell both."""
    site = Site(front)
    first = site.send()
    assert first.verdict.reply is not None
    assert (first.verdict.reply.code, first.verdict.reply.enhanced) == (451, "4.7.1")
    assert first.verdict.reply.text.startswith("Greylisted, please try again in a few minutes; id ")
    assert first.verdict.text == "score 2.0; greylisted: first attempt, to come again in 300 s"
    second = site.send(312)
    assert (second.verdict.action, second.verdict.code, second.verdict.reply) == (Action.ACCEPT, "clean", None)
    assert [(row.action, row.code) for row in front.journal.rows] == [("greylist", "greylisted"), ("accept", "clean")]
    told = [(event["action"], event["note"]) for event in log if event["event"] == "message"]
    assert told == [
        ("greylist", "first attempt, to come again in 300 s"),
        ("accept", "greylisted, came back after 312 s"),
    ]
    assert [row.note for row in front.journal.rows] == [note for _, note in told]
    assert ("message", "greylist") in front.counters.calls
    assert site.count.results == ["new", "returned"]


def test_too_early_and_known(front: Front) -> None:
    """A retry before its time is asked once more; who came back passes from then on."""
    assert Site(front).actions(0, 60, 301, 302, 86_400 * 20) == [
        Action.GREYLIST,
        Action.GREYLIST,
        Action.ACCEPT,
        Action.ACCEPT,
        Action.ACCEPT,
    ]


def test_from_another_host_of_the_network(front: Front) -> None:
    """A retry from the same /24 passes."""
    site = Site(front)
    site.send()
    assert site.send(400, "198.51.100.200", body=b"changed").verdict.action is Action.ACCEPT


def test_the_same_body_from_anywhere(front: Front) -> None:
    """A retry from another network passes with the same body, whatever its header says, and not with another."""
    site = Site(front)
    site.send()
    assert site.send(400, "203.0.113.5", body=b"other").verdict.action is Action.GREYLIST
    assert site.send(400, "203.0.113.6").verdict.action is Action.ACCEPT


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (("SPF_FAIL",), Action.GREYLIST),
        (("TAGGED",), Action.GREYLIST),
        (("HELD",), Action.QUARANTINE),
        (("REFUSED",), Action.REJECT),
        (("UNSCANNABLE_ARCHIVE", "SPF_FAIL"), Action.QUARANTINE),
    ],
)
def test_by_score_only(front: Front, symbols: tuple[str, ...], expected: Action) -> None:
    """What would be held or refused anyway is not asked to come again; what would be tagged is."""
    site = Site(front, *symbols)
    assert site.send().verdict.action is expected
    assert site.count.results == (["new"] if expected is Action.GREYLIST else [])


def test_clean_mail_is_not_asked_about(front: Front) -> None:
    """Below the score the store is left alone."""
    site = Site(front)
    site.greylisting = replace(site.greylisting, least=2.5)
    assert (site.send().verdict.action, site.count.results) == (Action.ACCEPT, [])


@pytest.mark.parametrize(
    ("client", "authenticated"), [("127.0.0.1", False), ("192.0.2.1", False), ("198.51.100.7", True)]
)
def test_our_own(front: Front, client: str, authenticated: bool) -> None:  # noqa: FBT001  # a column of the table above
    """Neither our networks and relays nor who has authenticated is greylisted."""
    site = Site(front)

    def change(transaction: Transaction) -> None:
        if authenticated:
            transaction.trust = TrustClass.AUTHENTICATED

    assert (site.send(0, client, change=change).verdict.action, site.count.results) == (Action.ACCEPT, [])


def test_an_aligned_author(front: Front) -> None:
    """A domain that answers for its author's mail is not asked to send it twice."""
    site = Site(front)
    author = Author((Mailbox("anna", "sender.test", ""),))
    site.front = replace(site.front, inspectors=FakeInspectors(Inspection(author=author)), checks=(Dmarc(),))
    assert (site.send().verdict.action, site.count.results) == (Action.ACCEPT, ["excused"])


class Dmarc(FakeCheck):
    """Finds something dubious in mail whose author's domain answers for it."""

    def __init__(self) -> None:
        """As DMARC's check."""
        super().__init__("dmarc")

    def run(self, _view: Any) -> Any:
        """Pass."""
        yield ()
        result = DmarcResult(DmarcStatus.PASS, "sender.test")
        return CheckReport("dmarc", Outcome.OK, (Finding("MILD"),), (result,))


def test_what_could_not_be_read_is_deferred_as_ever(front: Front) -> None:
    """An inspection that failed has its own reason to come again."""
    site = Site(front)
    site.front = replace(site.front, inspectors=FakeInspectors(InspectorDied("gone")))
    assert (site.send().verdict.code, site.count.results) == ("inspection-failed", [])


def test_what_is_deferred_is_not_greylisted_too(front: Front) -> None:
    """A check that could not be made asks for a retry by itself."""
    site = Site(front)
    undone = FakeCheck("spf", outcome=Outcome.UNKNOWN)
    site.front = replace(
        site.front.deciding(on_unknown={"spf": everywhere(Action.DEFER)}), checks=(*site.front.checks, undone)
    )
    assert (site.send().verdict.action, site.count.results) == (Action.DEFER, [])


@pytest.mark.threat("POL-08")
def test_a_silent_store(front: Front) -> None:
    """The message is delivered, and it is counted."""
    site = Site(front)
    site.shared.fail = True
    assert (site.send().verdict.action, site.count.results) == (Action.ACCEPT, ["greylist silent"])


def test_observed_only(front: Front) -> None:
    """Nothing is enforced, and the verdict says what would have been."""
    site = Site(front)
    site.front = site.front.deciding(observe=True)
    found = site.send().verdict
    assert (found.action, found.observed, found.code, found.reply) == (
        Action.ACCEPT,
        Action.GREYLIST,
        "greylisted",
        None,
    )


def test_several_recipients(front: Front) -> None:
    """Who is new keeps the message back for all, once: an end of message has one answer."""
    site = Site(front)
    both = ("bob@local.test", "carol@local.test")
    site.send()
    found = [site.send(after, "198.51.100.7", "anna@sender.test", *both).verdict.action for after in (400, 800)]
    assert found == [Action.GREYLIST, Action.ACCEPT]


def test_who_wants_mail_unfiltered(front: Front) -> None:
    """A policy that is off is not greylisted; where another recipient is, the message comes again for both."""
    site = Site(front)
    off = Policy(replace(POLICY, name="open", off=True), SCORES, ("off.test",))
    site.front = replace(site.front, policies=Policies({entry_key("off.test"): off}, "+"))
    alone = site.send(0, "198.51.100.7", "anna@sender.test", "x@off.test")
    shared = site.send(0, "198.51.100.7", "anna@sender.test", "x@off.test", "bob@local.test")
    assert (alone.verdict.action, shared.verdict.action) == (Action.ACCEPT, Action.GREYLIST)
    assert site.send(400, "198.51.100.7", "anna@sender.test", "x@off.test", "bob@local.test").verdict.reply is None


def test_a_long_body_is_read_in_pieces(front: Front) -> None:
    """All of it counts."""
    site = Site(front)
    long = b"x" * 600_000
    site.send(body=long + b"a")
    assert site.send(400, "203.0.113.5", body=long + b"b").verdict.action is Action.GREYLIST
    assert site.send(400, "203.0.113.6", body=long + b"a").verdict.action is Action.ACCEPT


def test_what_is_greylisted_teaches_nothing(front: Front) -> None:
    """Reputation counts a message when it is delivered, not each time that it comes."""
    site = Site(front)
    tally = Tally(site.shared, interval=3600)
    memory = Memory(site.shared, tally, clock=front.monotonic)
    before = dict(site.shared._entries)
    site.send(change=lambda transaction: setattr(transaction, "parts", replace(transaction.parts, memory=memory)))
    tally.flush()
    assert not [key for key in site.shared._entries.keys() - before.keys() if key.startswith("reputation")]

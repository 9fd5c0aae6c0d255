"""What the lists say of a recipient before the content is there."""

from dataclasses import replace

import pytest

from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.early import PASS, EarlyFacts
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action
from filterd.ownlists import Book, Entry, ListsGate, Which, parse_name

PROVED = CheckReport("spf", Outcome.OK, auth_results=(SpfResult(SpfStatus.PASS, "example.org", SpfScope.MAILFROM),))
FACTS = EarlyFacts(
    "01", 1.0, Client("192.0.2.7"), "mx", "anna@example.org", "ben@ours.example", reports={"spf": PROVED}
)
UNPROVED = replace(FACTS, reports={})


class Fixed:
    """Lists that do not change. Implements gate.Lists."""

    def __init__(self, *texts: str) -> None:
        """`allow kind:name` or `block kind:name`."""
        pairs = [text.split(" ", 1) for text in texts]
        self._book = Book([Entry(Which(which), *parse_name(name), reason="because") for which, name in pairs])

    def book(self) -> Book:
        """Them."""
        return self._book


@pytest.mark.parametrize(
    ("texts", "facts", "action", "code"),
    [
        (["block ip:192.0.2.0/24"], FACTS, Action.REJECT, "blocked-client"),
        (["block sender:anna@example.org"], UNPROVED, Action.REJECT, "blocked-sender"),
        (["block recipient:ben@ours.example"], FACTS, Action.REJECT, "blocked-recipient"),
        (["allow domain:example.org"], FACTS, Action.ACCEPT, "allowed"),
        (["allow recipient:ours.example"], UNPROVED, Action.ACCEPT, "allowed"),
        (["allow domain:example.org", "block ip:192.0.2.7"], FACTS, Action.REJECT, "blocked-client"),
    ],
)
def test_answers(texts: list[str], facts: EarlyFacts, action: Action, code: str) -> None:
    """Whatever blocks refuses; else whatever allows settles the matter until the content is seen."""
    gate = ListsGate(Fixed(*texts))
    said = gate.ask(facts)
    assert gate.at_once(facts) == said
    assert (said.action, said.code, said.settled) == (action, code, action is Action.ACCEPT)


@pytest.mark.parametrize("texts", [[], ["allow domain:example.org", "allow sender:anna@example.org"]])
def test_nothing_to_say(texts: list[str]) -> None:
    """Without an entry, or without proof, others decide."""
    assert ListsGate(Fixed(*texts)).ask(UNPROVED) is PASS


def test_a_relay_is_not_the_client() -> None:
    """Behind a relay of ours the client that counts is not known yet."""
    gate = ListsGate(Fixed("block ip:192.0.2.0/24"))
    assert gate.ask(replace(FACTS, trust=TrustClass.RELAY)) is PASS


def test_it_is_asked_first() -> None:
    """Its answer comes before what checks and other gates say."""
    assert (ListsGate(Fixed()).ahead, ListsGate(Fixed()).name) == (True, "ownlists")

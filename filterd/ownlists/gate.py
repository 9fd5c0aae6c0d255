"""What the lists say of a recipient before the content is there."""

from typing import Final, Protocol

from filterd.model.early import PASS, EarlyFacts, GateAnswer
from filterd.model.session import TrustClass
from filterd.model.verdict import Action
from filterd.ownlists.book import Book
from filterd.ownlists.claims import claims_of
from filterd.ownlists.entries import Entry, Which

CODES: Final = {"client": "blocked-client", "sender": "blocked-sender", "recipient": "blocked-recipient"}
ALLOWED: Final = "allowed"


class Lists(Protocol):
    """Where the entries are (OwnLists)."""

    def book(self) -> Book:
        """The entries now; never waits."""


class ListsGate:
    """Refuses who is blocked, and lets pass who is allowed: until the content is seen, nothing else refuses him."""

    name = "ownlists"
    ahead = True

    def __init__(self, lists: Lists) -> None:
        """Take the lists."""
        self._lists = lists

    def at_once(self, facts: EarlyFacts) -> GateAnswer:
        """As EarlyGate: the entries are at hand."""
        return self.ask(facts)

    def ask(self, facts: EarlyFacts) -> GateAnswer:
        """Any block entry that counts refuses; else any allow entry settles it."""
        book = self._lists.book()
        if not book:
            return PASS
        found = self._found(book, facts)
        for role, entry in found.items():
            if entry.which is Which.BLOCK:
                return GateAnswer(Action.REJECT, CODES[role], f"{entry} is blocked: {entry.reason}")
        for entry in found.values():
            return GateAnswer(Action.ACCEPT, ALLOWED, f"{entry} is allowed", settled=True)
        return PASS

    def _found(self, book: Book, facts: EarlyFacts) -> dict[str, Entry]:
        results = [result for report in facts.reports.values() for result in report.auth_results]
        relayed = facts.trust is TrustClass.RELAY  # the client that counts is known only with the header
        entries = {
            "client": None if relayed else book.client(facts.client.address, facts.now),
            "sender": book.sender(claims_of(facts.sender, (), results), facts.now),
            "recipient": book.recipient(facts.recipient, facts.now),
        }
        return {role: entry for role, entry in entries.items() if entry is not None}

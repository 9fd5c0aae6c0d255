"""The operator's lists of clients, senders and recipients: those of the configuration, and those kept by command.

Allowed is who has proved it, by a signature, the SPF record, an address; blocked is also who only claims it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import msgspec

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.model.dns import Plan
from filterd.model.identity import Identities, Identity, Proved
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.ownlists import Book, Claims, Entry, Found, Which, claims_of

ALLOWED: Final = "ALLOWED_SENDER"
ALLOWED_RECIPIENT: Final = "ALLOWED_RECIPIENT"
BLOCKED_CLIENT: Final = "BLOCKED_CLIENT"
BLOCKED_SENDER: Final = "BLOCKED_SENDER"
BLOCKED_RECIPIENT: Final = "BLOCKED_RECIPIENT"
MAX_EVIDENCE: Final = 200  # characters
_NOTE: Final = "ownlist:"
_NOT_DONE: Final = frozenset({Outcome.UNKNOWN, Outcome.CRASHED})
_EMPTY: Final = Book()


def nothing_listed() -> Book:
    """No entries."""
    return _EMPTY


class AllowCheck:
    """Says who is on a list; what that is worth stands in scores.toml."""

    name = "allow"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs = ("spf", "dkim", "dmarc")
    symbols = frozenset([ALLOWED, ALLOWED_RECIPIENT, BLOCKED_CLIENT, BLOCKED_SENDER, BLOCKED_RECIPIENT])

    def __init__(self, entries: Collection[Identity] = (), book: Callable[[], Book] = nothing_listed) -> None:
        """Take the entries of `[trust] allow`, and what gives those of `filterd list`."""
        self._entries = Identities(entries)
        self._book = book

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing: it asks nothing."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Compare what was claimed and what SPF, DKIM and DMARC have proved with the entries."""
        yield from nothing()
        book = self._book()
        if not self._entries and not book:
            return CheckReport(self.name, Outcome.SKIPPED, cause="nobody is on a list")
        results = [result for name in self.needs for result in view.reports[name].auth_results]
        configured = self._entries.match(Proved.of(results, view.client.address))
        mailboxes = view.inspection.author.mailboxes if view.inspection else ()
        authors = [f"{one.local_part}@{one.domain}" for one in mailboxes]
        claims = claims_of(view.envelope.sender, authors, results) if book else Claims()
        recipients = [one.address for one in view.envelope.recipients]
        found = book.find(view.client.address, claims, recipients, view.now)
        findings, read = tuple(_findings(found, configured)), tuple(_notes(found))
        if findings:
            return CheckReport(self.name, Outcome.OK, findings, read=read)
        lost = [name for name in self.needs if view.reports[name].outcome in _NOT_DONE]
        if lost and (self._entries or book.needs_proof):
            cause = f"{' and '.join(lost)} could not be checked"
            return CheckReport(self.name, Outcome.UNKNOWN, cause=cause, read=read)
        return CheckReport(self.name, Outcome.OK, read=read)


def _findings(found: Found, configured: Identity | None) -> Iterator[Finding]:
    """What blocks goes alone: nobody is allowed and blocked at once.

    Entries of recipients count where all recipients have one of that list: a message has one verdict, and none of
    them may change what the others get.
    """
    pairs = ((BLOCKED_CLIENT, found.client), (BLOCKED_SENDER, found.sender))
    blocked = [Finding(symbol, _told(entry)) for symbol, entry in pairs if entry and entry.which is Which.BLOCK]
    blocked += _all(found, Which.BLOCK, BLOCKED_RECIPIENT)
    if blocked:
        yield from blocked
        return
    if configured is not None:
        yield Finding(ALLOWED, (str(configured),))
    elif (entry := found.sender or found.client) is not None:
        yield Finding(ALLOWED, _told(entry))
    yield from _all(found, Which.ALLOW, ALLOWED_RECIPIENT)


def _all(found: Found, which: Which, symbol: str) -> list[Finding]:
    entries = [entry for entry in found.recipients if entry is not None and entry.which is which]
    if not entries or len(entries) < len(found.recipients):
        return []
    return [Finding(symbol, _told(entries[0]))]


def _told(entry: Entry) -> tuple[str, ...]:
    text = f"{entry}: {entry.reason}" if entry.reason else str(entry)
    return (text[:MAX_EVIDENCE],)


def _notes(found: Found) -> Iterator[tuple[str, str]]:
    """The entries that counted, so that a replay is told the same."""
    entries = [entry for entry in (found.client, found.sender, *found.recipients) if entry is not None]
    for entry in dict.fromkeys(entries):
        yield f"{_NOTE}{entry.which}:{entry}", msgspec.json.encode(entry).decode()


def recalled(state: Mapping[str, str]) -> Book:
    """The entries that counted then, from the notes of evidence; what is no such note is passed over."""
    entries = []
    for key, text in state.items():
        if key.startswith(_NOTE):
            try:
                entry = msgspec.json.decode(text, type=Entry)
                entries.append(Entry(entry.which, entry.kind, entry.name, entry.reason, entry.owner))
            except (msgspec.DecodeError, UnicodeEncodeError, ValueError):
                continue
    try:
        return Book(entries)
    except ValueError:  # a network that is none: not written by us
        return _EMPTY

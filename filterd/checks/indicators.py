"""The operator's own list of files, links, hosts and addresses, against what the inspector has seen."""

from collections.abc import Iterable, Iterator
from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.domains.urls import parse_url, place_of
from filterd.indicators import Entry, Indicators, Kind, address_form, host_forms
from filterd.mime.symbols import UNSCANNABLE, clip
from filterd.model.dns import Plan
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport, Finding, Outcome, Stage

MAX_EVIDENCE: Final = 5  # hits named for one symbol; the rest is counted
SYMBOLS: Final = {kind: f"INDICATOR_{kind.upper()}" for kind in Kind}


class IndicatorsCheck:
    """Looks up what a message holds; asks nothing of the network, and nothing at all of an empty list."""

    name = "indicators"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()
    symbols = frozenset(SYMBOLS.values())

    def __init__(self, indicators: Indicators | None = None) -> None:
        """Take the list."""
        self._indicators = indicators or Indicators()

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing to ask."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """A finding for each kind that was hit; `unknown` where not everything was there to compare."""
        yield from nothing()
        listed = self._indicators
        if not listed.entries:
            return CheckReport(self.name, Outcome.SKIPPED, cause="nothing is listed")
        findings = []
        for kind in Kind:
            if listed.has(kind):
                hits = dict.fromkeys([clip(f"{entry}: {seen}") for entry, seen in self._hits(kind, view)])
                if hits:
                    findings.append(Finding(SYMBOLS[kind], _shown(tuple(hits))))
        cause = self._unseen(view.inspection)
        return CheckReport(self.name, Outcome.UNKNOWN if cause else Outcome.OK, tuple(findings), cause=cause)

    def _hits(self, kind: Kind, view: View) -> Iterator[tuple[Entry, str]]:
        """Entries, and what in the message they mean."""
        for form, seen in self._seen(kind, view):
            entry = self._indicators.find(kind, form, view.now)
            if entry is not None:
                yield entry, seen

    def _seen(self, kind: Kind, view: View) -> Iterator[tuple[str, str]]:
        """What of that kind is in the message: in the form that is compared, and as it is shown."""
        facts = view.inspection or Inspection()
        if kind is Kind.FILE:
            yield from [(part.sha256, f"{part.path} {part.filename}".rstrip()) for part in facts.parts]
        elif kind is Kind.HOST:
            yield from [(form, host) for host in facts.hosts for form in host_forms(host)]
        elif kind is Kind.ADDRESS:
            for text in _addresses(view.envelope.sender, facts):
                yield address_form(text), text
        elif not self._indicators.url_hosts.isdisjoint(facts.hosts):
            for url in map(parse_url, facts.urls):
                if url is not None and url.host in self._indicators.url_hosts:
                    yield place_of(url), url.text

    def _unseen(self, facts: Inspection | None) -> str:
        """What could not be compared, in words; empty where everything was."""
        if facts is None:
            return "the content was not inspected"
        if facts.urls_cut and self._indicators.has(Kind.URL):
            return "not all links were read"
        for found in facts.findings:
            if found.symbol in UNSCANNABLE:
                return clip(f"not everything was read: {found.symbol} {' '.join(found.evidence)}".rstrip())
        return ""


def _addresses(sender: str, facts: Inspection) -> Iterable[str]:
    authors = [f"{mailbox.local_part}@{mailbox.domain}" for mailbox in facts.author.mailboxes]
    return dict.fromkeys([sender, *authors, *facts.addresses])


def _shown(hits: tuple[str, ...]) -> tuple[str, ...]:
    """The first hits, and how many more there are."""
    more = len(hits) - MAX_EVIDENCE
    return (*hits[:MAX_EVIDENCE], f"and {more} more") if more > 0 else hits

"""DNS lists of addresses, asked about the client as soon as it connects."""

from collections.abc import Iterable

from filterd.checks.contract import View
from filterd.checks.listing import Lists, Observe, Suspended, asked_about, nothing_suspended, unobserved
from filterd.dnsbl.questions import may_ask_about
from filterd.dnsbl.zones import Subject, Zone
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Outcome, Stage


class DnsblCheck:
    """Asks all lists of client addresses at once. Private and local addresses are never shown to any list."""

    name = "dnsbl"
    stage = Stage.CONNECT
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()

    def __init__(
        self, zones: Iterable[Zone], suspended: Suspended = nothing_suspended, observe: Observe = unobserved
    ) -> None:
        """Take the lists that are asked about clients; `suspended` names those to leave alone just now."""
        self._lists = Lists(zones, [Subject.CLIENT], suspended, observe)
        self.symbols = self._lists.symbols

    def foresee(self, _view: View, _stage: Stage) -> Plan[None] | None:
        """Nothing: it runs at the first stage there is."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Ask about the client."""
        address = view.client.address
        if not may_ask_about(address):
            return CheckReport(self.name, Outcome.SKIPPED, cause="no public client address")
        zones = self._lists.usable()
        if not zones:
            return self._lists.nobody(self.name)
        asked = asked_about(zones, [(Subject.CLIENT, address)])
        return (yield from self._lists.ask(self.name, asked, usable=zones))

"""DNS lists, asked about what a message says: names, addresses behind them, and hashes of addresses and files."""

from collections.abc import Iterable
from typing import Final

from filterd.checks.contract import View
from filterd.checks.listing import Lists, Observe, Suspended, asked_about, nothing_suspended, unobserved
from filterd.checks.mentions import MAX_HOSTS, Mentions
from filterd.dns.plans import warm
from filterd.dnsbl.zones import Subject, Zone
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Finding, Stage

CAPPED: Final = "URIBL_HOSTS_CAPPED"
OTHERS_CAPPED: Final = "LISTS_CAPPED"
SUBJECTS: Final = frozenset(Subject) - {Subject.CLIENT, Subject.DKIM_DOMAIN}


class UriblCheck:
    """Asks about sender, HELO, earlier hosts, author, links, e-mail addresses and files; each list about its own."""

    name = "uribl"
    stage = Stage.EOM
    needs: tuple[str, ...] = ()

    def __init__(
        self,
        zones: Iterable[Zone],
        suspended: Suspended = nothing_suspended,
        observe: Observe = unobserved,
        max_hosts: int = MAX_HOSTS,
    ) -> None:
        """Take the lists that are asked about such things, and how many hosts of links may be asked about."""
        self._lists = Lists(zones, SUBJECTS, suspended, observe)
        self._max_hosts = max_hosts
        received = {Stage.HEADERS} if Subject.RECEIVED in self._lists.subjects else set()
        self.foresees = frozenset({Stage.MAIL, *received}) if self._lists.zones else frozenset()
        self.symbols = self._lists.symbols | {CAPPED, OTHERS_CAPPED}

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """At MAIL the sender is known, and mostly it is the author too; at HEADERS the way that the message came."""
        mentions = Mentions(self._lists.subjects)
        if stage is Stage.MAIL:
            domain = view.envelope.sender_domain
            mentions.envelope(view)
            if domain:
                mentions.values += [(Subject.FROM_DOMAIN, domain), (Subject.ADDRESS_HASH, view.envelope.sender)]
        elif stage is Stage.HEADERS:
            mentions.received(view)
        questions = {one.question: None for one in asked_about(self._lists.usable(), mentions.values)}
        return warm(questions) if questions else None

    def run(self, view: View) -> Plan[CheckReport]:
        """Ask about everything at once, each list about each thing only once."""
        zones = self._lists.usable()
        if not zones:
            return self._lists.nobody(self.name)
        mentions = Mentions(self._lists.subjects)
        mentions.envelope(view)
        mentions.received(view)
        causes: list[str] = []
        if view.inspection is None:
            causes.append("content was not read")
        else:
            mentions.content(view.inspection, self._max_hosts)
        capped = [Finding(CAPPED, (mentions.hosts_capped,))] if mentions.hosts_capped else []
        if mentions.capped:
            capped.append(Finding(OTHERS_CAPPED, tuple(mentions.capped)))
        asked = asked_about(zones, mentions.values)
        return (yield from self._lists.ask(self.name, asked, causes, capped, usable=zones))

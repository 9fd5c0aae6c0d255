"""DNS lists of names, asked about the domains whose signatures verify."""

from collections.abc import Iterable
from typing import Final

from filterd.checks.contract import View
from filterd.checks.dkim import hints
from filterd.checks.listing import Lists, Observe, Suspended, asked_about, nothing_suspended, unobserved
from filterd.dns.plans import warm
from filterd.dnsbl.zones import Subject, Zone
from filterd.model.authentication import DkimResult, DkimStatus
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Outcome, Stage

_NOT_DONE: Final = frozenset({Outcome.UNKNOWN, Outcome.CRASHED})


class DkimblCheck:
    """Only who signed can be praised or blamed, so it waits for the signatures; what it will ask is foreseen."""

    name = "dkimbl"
    stage = Stage.EOM
    needs = ("dkim",)

    def __init__(
        self, zones: Iterable[Zone], suspended: Suspended = nothing_suspended, observe: Observe = unobserved
    ) -> None:
        """Take the lists that are asked about signers."""
        self._lists = Lists(zones, [Subject.DKIM_DOMAIN], suspended, observe)
        self._told = frozenset([one.name for one in self._lists.zones if _tells(one)])
        # The others are asked about the sender's domain anyway.
        self._alone = frozenset([one.name for one in self._lists.zones if Subject.SENDER_DOMAIN not in one.subjects])
        at_mail = {Stage.MAIL} if self._alone else set()
        self.foresees = frozenset({Stage.HEADERS, *at_mail}) if self._lists.zones else frozenset()
        self.symbols = self._lists.symbols

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """At MAIL the sender's domain, which mostly signs; at HEADERS those that signatures name, true or not."""
        zones = self._lists.usable()
        if stage is Stage.MAIL:
            zones = [zone for zone in zones if zone.name in self._alone]
            domains = [view.envelope.sender_domain]
        else:
            domains = [domain for domain, _ in hints(view.values(b"dkim-signature"))]
        questions = {one.question: None for one in asked_about(zones, _signers(domains))}
        return warm(questions) if questions else None

    def run(self, view: View) -> Plan[CheckReport]:
        """Ask about the signers, as far as they are not asked about as sender or author anyway."""
        zones = self._lists.usable()
        if not zones:
            return self._lists.nobody(self.name)
        report = view.reports["dkim"]
        signed = [result for result in report.auth_results if isinstance(result, DkimResult)]
        passed = [result.domain for result in signed if result.status is DkimStatus.PASS]
        lost = report.outcome in _NOT_DONE
        causes = ["signatures could not be verified"] if lost else []
        known = _known(view)
        strangers = _signers(domain for domain in passed if domain not in known)
        asked = list(asked_about([zone for zone in zones if zone.name in self._told], strangers))
        asked += asked_about([zone for zone in zones if zone.name not in self._told], _signers(passed))
        return (yield from self._lists.ask(self.name, asked, causes, usable=zones))


def _signers(domains: Iterable[str]) -> list[tuple[Subject, str]]:
    return [(Subject.DKIM_DOMAIN, domain) for domain in domains]


def _tells(zone: Zone) -> bool:
    """Whether what it says about sender and author is what it would say about a signer."""
    others = (Subject.SENDER_DOMAIN, Subject.FROM_DOMAIN)
    return all(zone.speaks_alike(Subject.DKIM_DOMAIN, other) for other in others)


def _known(view: View) -> set[str]:
    """The domains that lists of names are asked about anyway."""
    authors = () if view.inspection is None else view.inspection.author.mailboxes
    return {view.envelope.sender_domain, *[mailbox.domain for mailbox in authors]}

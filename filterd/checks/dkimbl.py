"""DNS lists of names, asked about the domains whose signatures verify."""

from collections.abc import Iterable, Sequence
from typing import Final

from filterd.checks.contract import View
from filterd.checks.dkim import hints
from filterd.checks.listing import Lists, Observe, Suspended, asked_about, nothing_suspended, unobserved
from filterd.dns.plans import warm
from filterd.dnsbl.questions import question_about
from filterd.dnsbl.zones import Subject, Zone
from filterd.model.authentication import DkimResult, DkimStatus
from filterd.model.dns import Plan, Question
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
        asked = list(asked_about(zones, _signers(passed)))
        if asked:
            told = _told(zones, view)
            asked = [one for one in asked if one.question not in told.get(one.zone.name, ())]
        causes = ["signatures could not be verified"] if lost else []
        return (yield from self._lists.ask(self.name, asked, causes))


def _signers(domains: Iterable[str]) -> list[tuple[Subject, str]]:
    return [(Subject.DKIM_DOMAIN, domain) for domain in domains]


def _told(zones: Sequence[Zone], view: View) -> dict[str, set[Question | None]]:
    """By list, what it is asked about sender and author, where that says the same as about a signer."""
    known = [(Subject.SENDER_DOMAIN, view.envelope.sender_domain)]
    if view.inspection is not None:
        known += [(Subject.FROM_DOMAIN, mailbox.domain) for mailbox in view.inspection.author.mailboxes]
    return {
        zone.name: {
            question_about(zone, subject, value)
            for subject, value in known
            if zone.speaks_alike(Subject.DKIM_DOMAIN, subject)
        }
        for zone in zones
    }

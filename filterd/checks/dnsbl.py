"""DNS lists: the client's address at connect, domain names of sender, author and links at the end."""

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final

from filterd.checks.contract import View
from filterd.dnsbl.answers import Listing, ListStatus, interpret
from filterd.dnsbl.questions import may_ask_about, question_about
from filterd.dnsbl.zones import Subject, Zone
from filterd.domains import normalise, registrable
from filterd.model.dns import Plan, Question
from filterd.model.report import CheckReport, Finding, Outcome, Stage

MAX_HOSTS: Final = 32  # registrable domains of links that are asked about; bounds what one message makes us send
CAPPED: Final = "URIBL_HOSTS_CAPPED"

Suspended = Callable[[], Container[str]]
Observe = Callable[[Zone, Listing], None]


def nothing_suspended() -> Container[str]:
    """Every list is asked."""
    return ()


def unobserved(_zone: Zone, _listing: Listing) -> None:
    """Nobody counts."""


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
        self._zones = tuple(zone for zone in zones if Subject.CLIENT in zone.subjects)
        self._suspended = suspended
        self._observe = observe
        self.symbols = frozenset[str]().union(*[zone.symbols for zone in self._zones])

    def foresee(self, _view: View, _stage: Stage) -> Plan[None] | None:
        """Nothing: it runs at the first stage there is."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Ask about the client."""
        address = view.client.address
        if not may_ask_about(address):
            return CheckReport(self.name, Outcome.SKIPPED, cause="no public client address")
        zones = _usable(self._zones, self._suspended())
        if not zones:
            return _nobody(self.name, self._zones)
        asked = list(_pairs(zones, [(Subject.CLIENT, address)]))
        return (yield from _ask(self.name, asked, [], self._observe))


class UriblCheck:
    """Asks lists of domain names about sender, HELO, author and the hosts of links."""

    name = "uribl"
    stage = Stage.EOM
    foresees = frozenset({Stage.MAIL})
    needs: tuple[str, ...] = ()

    def __init__(
        self,
        zones: Iterable[Zone],
        suspended: Suspended = nothing_suspended,
        observe: Observe = unobserved,
        max_hosts: int = MAX_HOSTS,
    ) -> None:
        """Take the lists that are asked about names, and how many hosts of links may be asked about."""
        self._zones = tuple(zone for zone in zones if zone.subjects - {Subject.CLIENT})
        self._suspended = suspended
        self._observe = observe
        self._max_hosts = max_hosts
        self.symbols = frozenset([CAPPED]).union(*[zone.symbols for zone in self._zones])

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """At MAIL the sender's domain is known, and mostly it is the author's too."""
        domain = view.envelope.sender_domain
        if stage is not Stage.MAIL or not domain:
            return None
        zones = _usable(self._zones, self._suspended())
        pairs = _pairs(zones, [(Subject.SENDER_DOMAIN, domain), (Subject.FROM_DOMAIN, domain)])
        questions = tuple({question: None for _, question, _ in pairs})
        return _warm(questions) if questions else None

    def run(self, view: View) -> Plan[CheckReport]:
        """Ask about every name at once, each list about each name only once."""
        zones = _usable(self._zones, self._suspended())
        if not zones:
            return _nobody(self.name, self._zones)
        values = [(Subject.SENDER_DOMAIN, view.envelope.sender_domain), (Subject.HELO, view.helo)]
        capped: tuple[Finding, ...] = ()
        causes: list[str] = []
        if view.inspection is None:
            causes.append("content was not read")
        else:
            values += [(Subject.FROM_DOMAIN, mailbox.domain) for mailbox in view.inspection.author.mailboxes]
            hosts = distinct_domains(view.inspection.hosts)
            if len(hosts) > self._max_hosts:
                capped = (Finding(CAPPED, (f"{len(hosts)} domains in links",)),)
                hosts = _spread(hosts, self._max_hosts)
            values += [(Subject.URL_HOST, host) for host in hosts]
        return (yield from _ask(self.name, list(_pairs(zones, values)), causes, self._observe, capped))


def distinct_domains(hosts: Iterable[str]) -> list[str]:
    """One host for each registrable domain, in order; addresses and what is no name are left out."""
    found: dict[str, str] = {}
    for host in hosts:
        name = normalise(host)
        if name is not None and "." in name:
            found.setdefault(registrable(name), name)
    return list(found.values())


def _spread(hosts: list[str], most: int) -> list[str]:
    """The first and the last ones: a sender must not choose which are skipped by putting others in front."""
    head = most - most // 2
    return hosts[:head] + hosts[len(hosts) - most // 2 :]


def _pairs(zones: Iterable[Zone], values: Iterable[tuple[Subject, str]]) -> Iterator[tuple[Zone, Question, str]]:
    """What to ask which list; the texts say about whom."""
    known = [(subject, value, f"{subject.value} {value}") for subject, value in dict.fromkeys(values) if value]
    for zone in zones:
        for subject, value, what in known:
            if subject in zone.subjects and (question := question_about(zone, subject, value)) is not None:
                yield zone, question, what


def _usable(zones: Iterable[Zone], suspended: Container[str]) -> list[Zone]:
    return [zone for zone in zones if zone.name not in suspended]


def _nobody(name: str, zones: tuple[Zone, ...]) -> CheckReport:
    """No list can be asked. Single suspended lists do not make a check unknown, all of them together do."""
    if zones:
        return CheckReport(name, Outcome.UNKNOWN, cause="all lists are suspended")
    return CheckReport(name, Outcome.SKIPPED, cause="no list configured")


def _warm(questions: tuple[Question, ...]) -> Plan[None]:
    yield questions


def _ask(
    name: str,
    asked: list[tuple[Zone, Question, str]],
    causes: list[str],
    observe: Observe,
    findings: tuple[Finding, ...] = (),
) -> Plan[CheckReport]:
    """Ask everything at once. Unknown where a list gave no usable answer; what the others found is reported too."""
    unique = {question: (zone, what) for zone, question, what in reversed(asked)}
    answers = (yield tuple(unique)) if unique else ()
    found = list(findings)
    for (zone, what), answer in zip(unique.values(), answers, strict=True):
        listing = interpret(zone, answer)
        observe(zone, listing)
        if listing.status is ListStatus.HIT:
            evidence = (what, zone.display, ", ".join(listing.codes))
            found += [Finding(symbol, evidence) for symbol in listing.symbols]
        elif not listing.usable:
            causes.append(f"{zone.display}: {listing.cause}")
    outcome = Outcome.UNKNOWN if causes else Outcome.OK
    return CheckReport(name, outcome, tuple(found), cause="; ".join(dict.fromkeys(causes)))

"""How mail of this client's network and of the domain behind the message has turned out before, and who knows whom."""

from collections.abc import Iterator
from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.model.dns import Plan
from filterd.model.inspection import Author
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.session import TrustClass
from filterd.reputation import (
    MAX_PEOPLE,
    OWN,
    Counts,
    Level,
    Memory,
    Record,
    Responsible,
    combine,
    correspondent,
    domain_key,
    known_text,
    network_key,
    pair_key,
    people_note,
    proved,
    record_text,
    responsible,
    user,
)

KNOWN: Final = "KNOWN_CORRESPONDENT"
EARLIER: Final = "KNOWN_SENDER"
FIRST: Final = "FIRST_CONTACT"
NETWORK: Final = "REPUTATION_NETWORK"
DOMAIN: Final = "REPUTATION_DOMAIN"
PAIR: Final = "REPUTATION_PAIR"
_LEVELS: Final = (Level.GOOD, Level.POOR, Level.BAD)
_MAX_EVIDENCE: Final = 200  # characters
_HALF: Final = 0.5  # of a message: fewer are none


class ReputationCheck:
    """Reads the store while the client talks, and judges at the end, when it is proved who sent the message."""

    name = "reputation"
    stage = Stage.EOM
    foresees = frozenset({Stage.CONNECT, Stage.MAIL})
    needs = ("spf", "dkim", "dmarc")
    symbols = frozenset(
        [KNOWN, EARLIER, FIRST, *(f"{what}_{level.name}" for what in (NETWORK, DOMAIN, PAIR) for level in _LEVELS)]
    )

    def __init__(self, memory: Memory | None) -> None:
        """Take what is remembered; None: nothing is, by configuration or in a command."""
        self._memory = memory

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """Have the store read: the network at CONNECT, everything about the sender at MAIL. No name is asked for."""
        memory = self._memory
        if memory is None or view.trust in OWN:
            return None
        network = memory.network(view.client.address)
        if network:
            if stage is Stage.CONNECT:
                memory.connected(network, view.now)
            else:
                memory.announced(network, view.envelope.sender, view.now)
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Judge by what is at hand; the store is not asked any more."""
        yield from nothing()
        memory = self._memory
        network = "" if memory is None or view.trust in OWN else memory.network(view.client.address)
        if memory is None or not network:
            cause = "nothing is remembered" if memory is None else _not_for(view.trust)
            return CheckReport(self.name, Outcome.SKIPPED, cause=cause)
        if view.inspection is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        results = [result for name in self.needs for result in view.reports[name].auth_results]
        answers = responsible(results, view.inspection.author, view.envelope.sender)
        notes: dict[str, str] = {}
        of_network = _read(memory, network_key(network), notes)
        missing = [] if of_network is not None else ["network"]
        findings: list[Finding] = []
        if answers is not None:
            if proved(results, view.envelope.sender):
                memory.answered(view.envelope.sender, answers.domain)
            of_domain = _read(memory, domain_key(answers.domain), notes)
            of_pair = _read(memory, pair_key(network, answers.domain), notes)
            if (of_domain is None or of_pair is None) and answers.domain in memory.foreseen(view.envelope.sender)[:1]:
                missing.append("domain")
            findings += _about(DOMAIN, answers.domain, of_domain, view.now, favours=answers.aligned)
            pair = [*_about(PAIR, f"{answers.domain} from {network}", of_pair, view.now, favours=answers.aligned)]
            findings += pair
            findings += _acquaintance(memory, view, answers, of_domain, notes)
            if any(finding.symbol.endswith(Level.GOOD.name) for finding in pair):
                of_network = None  # what the neighbours did says less than what this sender did from here
        findings += _about(NETWORK, network, of_network, view.now, favours=True)
        cause = f"the store did not answer: {', '.join(missing)}" if missing else ""
        outcome = Outcome.UNKNOWN if missing else Outcome.OK
        return CheckReport(self.name, outcome, tuple(findings), cause=cause, read=tuple(notes.items()))


def network_findings(memory: Memory, address: str, now: float) -> tuple[Finding, ...]:
    """What is known of a client's network before anything else is. Waits for the store, within its own bound."""
    network = memory.network(address)
    if not network:
        return ()
    memory.connected(network, now)  # asks nothing where it is fresh
    return tuple(_about(NETWORK, network, memory.record(network_key(network)), now, favours=True))


def _read(memory: Memory, key: str, notes: dict[str, str]) -> Record | None:
    """What is counted under a key, and a note of it."""
    found = memory.record(key)
    notes[key] = record_text(found)
    return found


def _not_for(trust: TrustClass) -> str:
    return "our own client" if trust in OWN else "no public client address"


def _about(what: str, who: str, record: Record | None, now: float, *, favours: bool) -> Iterator[Finding]:
    """The finding about one subject, where its standing is worth one. `favours`: a good one may help this message."""
    if record is None:
        return
    weeks, hours = record.weeks(now), record.hours(now)
    level = combine(weeks, hours).level
    if level in _LEVELS and (favours or level is not Level.GOOD):
        yield Finding(f"{what}_{level.name}", (who[:_MAX_EVIDENCE], _told(weeks, hours)))


def _told(weeks: Counts, hours: Counts) -> str:
    return (
        f"{weeks.good:.0f} good and {weeks.bad:.0f} bad messages in the last weeks,"
        f" {hours.good:.0f} and {hours.bad:.0f} in the last hours"
    )


def _acquaintance(
    memory: Memory, view: View, answers: Responsible, of_domain: Record | None, notes: dict[str, str]
) -> Iterator[Finding]:
    """Whether all recipients know the author; only one whose address is proved can be known."""
    author = Author() if view.inspection is None else view.inspection.author
    address = correspondent(author, view.envelope.sender, answers)
    recipients = view.envelope.recipients
    if not address or not 0 < len(recipients) <= MAX_PEOPLE:
        return
    known = memory.people.known(address)
    notes[people_note(address)] = known_text(known)
    if known is None:
        return
    ours = {user(recipient.address) for recipient in recipients}
    met = ours & (known.wrote | known.read)
    if ours <= known.wrote:
        yield Finding(KNOWN, (address[:_MAX_EVIDENCE], "every recipient has written to this address"))
    elif met == ours:
        yield Finding(EARLIER, (address[:_MAX_EVIDENCE], "every recipient has had good mail from this address"))
    elif not met and of_domain is not None and of_domain.weeks(view.now).total < _HALF:
        yield Finding(FIRST, (address[:_MAX_EVIDENCE], "neither the address nor its domain has written before"))

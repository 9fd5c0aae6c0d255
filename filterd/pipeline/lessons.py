"""What a finished message teaches: its outcome, judged without what was remembered of its sender."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from filterd.model.inspection import RuleHit
from filterd.model.report import CheckReport
from filterd.model.report import Outcome as Done
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.transaction import Transaction
from filterd.reputation import OWN, Memory, Outcome, correspondent, responsible
from filterd.score import Score, ScoreRules, score

GOOD_BELOW: Final = 0.5  # of the threshold for a tag: what comes nearer has not shown that it is good
PROVERS: Final = ("spf", "dkim", "dmarc")
# What we had concluded or been told before: a verdict made of it would teach us our own opinion.
OPINIONS: Final = frozenset({"reputation", "allow"})
# What a client answers for, and not the domain whose signed mail it brings.
OF_CLIENT: Final = frozenset({"dnsbl", "iprev", "replay", "spf"})
# The sender's own name servers can keep these from being done: it must not pay to let them fail.
OF_SENDER: Final = frozenset({"spf", "dkim", "arc", "dmarc", "iprev"})
_NOT_YET: Final = frozenset({Action.DEFER, Action.GREYLIST})
UNDONE: Final = frozenset({Done.UNKNOWN, Done.CRASHED})


def learn(memory: Memory, transaction: Transaction, found: Score, verdict: Verdict) -> None:
    """Remember what became of the message. Nothing waits; a message that will come again teaches nothing yet."""
    facts = transaction.inspection
    if facts is None or verdict.action in _NOT_YET or verdict.observed in _NOT_YET:
        return
    parts, reports, envelope = transaction.parts, transaction.reports, transaction.envelope
    recipients = [recipient.address for recipient in envelope.recipients]
    rules, tag = parts.scores, parts.policy.add_header
    outcome = judge(without_opinions(found, reports, rules, facts.hits), reports, tag)
    if transaction.trust in OWN:
        if outcome is Outcome.GOOD and transaction.trust is TrustClass.AUTHENTICATED:
            memory.people.wrote(envelope.sender, recipients)
        return
    network = memory.network(transaction.client.address)
    if outcome is None or not network:
        return
    results = [result for name in PROVERS if name in reports for result in reports[name].auth_results]
    answers = responsible(results, facts.author, envelope.sender)
    of_domain: Outcome | None = outcome
    if outcome is Outcome.BAD and answers is not None and not answers.vouched:
        of_domain = judge(rescored(reports, rules, facts.hits, OPINIONS | OF_CLIENT), reports, tag)
    memory.experienced(network, answers, outcome, of_domain, transaction.now)
    if outcome is Outcome.GOOD and (address := correspondent(facts.author, envelope.sender, answers)):
        memory.people.met(address, recipients)


def judge(found: Score, reports: Mapping[str, CheckReport], tag: float) -> Outcome | None:
    """The outcome that a score shows, `tag` being the threshold for a tag; None where it shows nothing.

    A floor alone (an encrypted attachment, two readings) is a reason to hold a message, not a proof of anything.
    """
    undone = {name for name, report in reports.items() if report.outcome in UNDONE} - OPINIONS
    if undone - OF_SENDER:
        return None
    if found.total >= tag:
        return Outcome.BAD
    return Outcome.GOOD if found.floor is None and not undone and found.total < tag * GOOD_BELOW else None


def without_opinions(
    found: Score, reports: Mapping[str, CheckReport], rules: ScoreRules, hits: Sequence[RuleHit]
) -> Score:
    """The score as it would be without our own opinions."""
    opinions = [symbol for symbol in found.symbols if symbol.check in OPINIONS]
    if not opinions:
        return found
    named = {symbol.finding.symbol: rules.symbols.get(symbol.finding.symbol) for symbol in opinions}
    groups = {rule.group for rule in named.values() if rule is not None and rule.group}
    if not rules.composites.members.isdisjoint(named):
        return rescored(reports, rules, hits, OPINIONS)  # other composites would hold without them
    if found.floor_symbol in named or any(
        rule.group in groups
        for symbol in found.symbols
        if symbol.check not in OPINIONS and (rule := rules.symbols.get(symbol.finding.symbol)) is not None
    ):
        return rescored(reports, rules, hits, OPINIONS)  # others would count otherwise without them
    return replace(found, total=round(found.total - sum([symbol.weight for symbol in opinions]), 6))


def rescored(
    reports: Mapping[str, CheckReport], rules: ScoreRules, hits: Sequence[RuleHit], left_out: frozenset[str]
) -> Score:
    """The score as it would be without the checks that are left out."""
    return score([report for name, report in reports.items() if name not in left_out], rules, hits)

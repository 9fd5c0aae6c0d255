"""What a finished message teaches: its outcome, judged without what was remembered of its sender."""

from collections.abc import Mapping, Sequence
from typing import Final

from filterd.model.inspection import RuleHit
from filterd.model.report import CheckReport
from filterd.model.report import Outcome as Done
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.decide import DecisionPolicy
from filterd.pipeline.transaction import Transaction
from filterd.reputation import OWN, Memory, Outcome, correspondent, responsible
from filterd.score import ScoreRules, score

GOOD_BELOW: Final = 0.5  # of the threshold for a tag: what comes nearer has not shown that it is good
PROVERS: Final = ("spf", "dkim", "dmarc")
# What we had concluded or been told before: a verdict made of it would teach us our own opinion.
OPINIONS: Final = frozenset({"reputation", "allow"})
# What a client answers for, and not the domain whose signed mail it brings.
OF_CLIENT: Final = frozenset({"dnsbl", "iprev", "replay", "spf"})
# The sender's own name servers can keep these from being done: it must not pay to let them fail.
OF_SENDER: Final = frozenset({"spf", "dkim", "arc", "dmarc", "iprev"})
_NOT_YET: Final = frozenset({Action.DEFER, Action.GREYLIST})
_UNDONE: Final = frozenset({Done.UNKNOWN, Done.CRASHED})


def learn(memory: Memory, transaction: Transaction, verdict: Verdict) -> None:
    """Remember what became of the message. Nothing waits; a message that will come again teaches nothing yet."""
    facts = transaction.inspection
    if facts is None or verdict.action in _NOT_YET or verdict.observed in _NOT_YET:
        return
    parts, reports, envelope = transaction.parts, transaction.reports, transaction.envelope
    recipients = [recipient.address for recipient in envelope.recipients]
    outcome = judge(reports, parts.scores, parts.policy, facts.hits)
    if transaction.trust in OWN:
        if outcome is Outcome.GOOD and transaction.trust is TrustClass.AUTHENTICATED:
            memory.wrote(envelope.sender, recipients)
        return
    network = memory.network(transaction.client.address)
    if outcome is None or not network:
        return
    results = [result for name in PROVERS if name in reports for result in reports[name].auth_results]
    answers = responsible(results, facts.author, envelope.sender)
    of_domain: Outcome | None = outcome
    if outcome is Outcome.BAD and answers is not None and not answers.vouched:
        of_domain = judge(reports, parts.scores, parts.policy, facts.hits, without=OF_CLIENT)
    memory.experienced(network, answers, outcome, of_domain, transaction.now)
    if outcome is Outcome.GOOD and (address := correspondent(facts.author, envelope.sender, answers)):
        memory.met(address, recipients)


def judge(
    reports: Mapping[str, CheckReport],
    rules: ScoreRules,
    policy: DecisionPolicy,
    hits: Sequence[RuleHit],
    without: frozenset[str] = frozenset(),
) -> Outcome | None:
    """The outcome without what these checks and our opinions say; None where it shows nothing. Observed is as enforced.

    A floor alone (an encrypted attachment, two readings) is a reason to hold a message, not a proof of anything.
    """
    undone = {name for name, report in reports.items() if report.outcome in _UNDONE} - OPINIONS
    if undone - OF_SENDER:
        return None
    left_out = OPINIONS | without
    found = score([report for name, report in reports.items() if name not in left_out], rules, hits)
    if found.total >= policy.add_header:
        return Outcome.BAD
    if found.floor is None and not undone and found.total < policy.add_header * GOOD_BELOW:
        return Outcome.GOOD
    return None

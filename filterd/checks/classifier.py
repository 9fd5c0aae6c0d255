"""What the classifier makes of a message, with what is proved of its sender on top, as one symbol of a few."""

import math
from collections.abc import Sequence
from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.model.authentication import AuthResult, DkimResult, DkimStatus, DmarcResult, DmarcStatus, SpfResult
from filterd.model.authentication import DmarcOverride as Override
from filterd.model.authentication import SpfScope as Scope
from filterd.model.authentication import SpfStatus as Spf
from filterd.model.dns import Plan
from filterd.model.inspection import Classified
from filterd.model.report import CheckReport, Finding, Outcome, Stage

# Probabilities of spam from which a symbol is reported, the strongest first; for ham the same of its opposite.
# Measured on public mail after 500 lessons: spam reaches its own in 73, 85 and 94 %, and of 1,233 good messages 2 reach
# 0.97 and 6 reach 0.8; good mail reaches its own in 94, 97 and 99 %, of 767 spam messages 1 reaches 0.97, 4 reach 0.8.
LEVELS: Final = ((0.99, "HIGH"), (0.95, "MEDIUM"), (0.8, "LOW"))
# What authentication adds to the logarithm of the odds. Small: it is scored by itself, and spammers sign. It tips what
# stands near a border: a forged sender makes a doubtful text worse, a proved one makes it better.
DMARC_PASSES: Final = -0.3
DMARC_FAILS: Final = 0.7
SPF_FAILS: Final = 0.5
NOTHING_PROVED: Final = 0.2
_SURE: Final = 1e-9  # probabilities are kept this far from 0 and 1, where odds have no logarithm


class ClassifierCheck:
    """Grades the model's opinion; asks nothing."""

    name = "classifier"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs = ("spf", "dkim", "dmarc")
    symbols = frozenset([f"CLASSIFIER_{kind}_{level}" for kind in ("SPAM", "HAM") for _, level in LEVELS])

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing to ask."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """One symbol, or none where the model is in doubt."""
        yield from nothing()
        if view.inspection is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        found = view.inspection.classified
        if found is None:
            return CheckReport(self.name, Outcome.SKIPPED, cause="there is no model that has learnt enough")
        results = [result for name in self.needs for result in view.reports[name].auth_results]
        return CheckReport(self.name, Outcome.OK, graded(found, results))


def graded(found: Classified, results: Sequence[AuthResult]) -> tuple[Finding, ...]:
    """The symbol for this opinion and these results, with what it rests on as evidence. Pure."""
    shift = authentication(results)
    spam = shifted(found.probability, shift)
    for least, level in LEVELS:
        for kind, sure in (("SPAM", spam), ("HAM", 1 - spam)):
            if sure >= least:
                return (Finding(f"CLASSIFIER_{kind}_{level}", _evidence(found, spam, shift)),)
    return ()


def shifted(probability: float, shift: float) -> float:
    """A probability after so much was added to the logarithm of its odds."""
    bounded = min(max(probability, _SURE), 1 - _SURE)
    return 1 / (1 + math.exp(-(math.log(bounded / (1 - bounded)) + shift)))


def authentication(results: Sequence[AuthResult]) -> float:
    """What is proved of the sender, in the logarithm of the odds that the message is spam."""
    if any(isinstance(result, DmarcResult) and result.status is DmarcStatus.PASS for result in results):
        return DMARC_PASSES
    shift = 0.0
    dmarc = [result for result in results if isinstance(result, DmarcResult) and result.override is Override.NONE]
    if any(result.status is DmarcStatus.FAIL for result in dmarc):
        shift += DMARC_FAILS
    spf = {result.status for result in results if isinstance(result, SpfResult) and result.scope is Scope.MAILFROM}
    if Spf.FAIL in spf:
        shift += SPF_FAILS
    signed = any(isinstance(result, DkimResult) and result.status is DkimStatus.PASS for result in results)
    if results and not shift and not signed and Spf.PASS not in spf:
        shift += NOTHING_PROVED
    return shift


def _evidence(found: Classified, spam: float, shift: float) -> tuple[str, ...]:
    learnt = f"model {found.model} of {found.spam} spam and {found.ham} ham messages"
    parts = [f"margin {found.margin:.2f}"]
    if found.layer:
        parts.append(f"{found.layer:+.2f} of it by the recipients' domain")
    if shift:
        parts.append(f"{shift:+.1f} by authentication")
    return (f"spam with probability {spam:.4f}: {', '.join(parts)}", learnt)

"""A finished message as those see it who may learn from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from filterd.domains import normalise
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport
from filterd.model.session import Envelope, TrustClass
from filterd.model.verdict import Verdict
from filterd.score import Score, ScoreRules


@dataclass(frozen=True, slots=True)
class Case:
    """One message with its verdict; `digest` and `features` are for the classifier, empty where nobody wants them."""

    now: float
    client: str
    sender: str
    trust: TrustClass
    inspection: Inspection
    reports: Mapping[str, CheckReport]
    rules: ScoreRules
    score: Score
    verdict: Verdict
    digest: bytes = b""
    features: bytes = b""


def common_domain(envelope: Envelope) -> str:
    """The recipients' domain as the classifier knows it, empty where not all have the same."""
    domains = {one.address.rpartition("@")[2] if "@" in one.address else "" for one in envelope.recipients}
    names = {normalise(domain) if domain else None for domain in domains}
    return (names.pop() or "") if len(names) == 1 else ""


class Pupil(Protocol):
    """Who may learn from finished messages."""

    def saw(self, case: Case) -> None:
        """A message is finished. Never waits."""

"""What a transaction works with: everything live, handed in by the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from filterd.dns.lookups import Lookups
from filterd.greylist import Greylisting
from filterd.inspectors.poison import PoisonLedger
from filterd.model.aggregate import AggregateWriter
from filterd.model.custody import Custodian, JournalWriter
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.message import RawMessage
from filterd.model.scanning import Scanned
from filterd.pipeline.case import Pupil
from filterd.pipeline.decide import DecisionPolicy
from filterd.pipeline.deferral import Deferrals
from filterd.pipeline.door import Door
from filterd.pipeline.early import Early
from filterd.pipeline.policies import Policies
from filterd.pipeline.replies import Replies
from filterd.pipeline.rule_watch import RuleWatch
from filterd.pipeline.schedule import Schedule
from filterd.pipeline.trust import TrustPolicy
from filterd.reputation import Memory
from filterd.score import ScoreRules


class Inspect(Protocol):
    """The inspector pool as a transaction sees it."""

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:
        """Facts by `deadline` (monotonic seconds), or an InspectorFailure."""


class Scan(Protocol):
    """A scanner of another make as a transaction sees it."""

    def begin(self, message: RawMessage, deadline: float) -> Callable[[], Scanned]:
        """Start to ask; what is given back waits for the answer until `deadline` (monotonic seconds) at most."""


class Counters(Protocol):
    """Where a finished message is counted."""

    def message(self, action: str, seconds: float) -> None:
        """Count a verdict and its end-of-message wait."""

    def check(self, name: str, outcome: str) -> None:
        """Count a check's outcome."""

    def inspector_failed(self, kind: str) -> None:
        """Count an inspector that was busy, died or overran."""

    def custody_failed(self) -> None:
        """Count a message that could not be stored."""

    def held_in_part(self) -> None:
        """Count a message that is held for some of its recipients and delivered to the others."""

    def lookups(self, asked: int, wire: int) -> None:
        """Count a message's DNS questions and those that went out."""

    def session(self, change: int) -> None:
        """Count an MTA connection that opened (+1) or closed (-1)."""

    def callback_crashed(self) -> None:
        """Count an exception that reached the border towards the MTA."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one message: seconds from its end to the reply, of DNS, of inspection; bytes analysed; DNS questions.

    Before end of message only Lookups' own, smaller number of questions may be asked: guesses must leave room.
    """

    deadline: float = 60.0
    dns_wait: float = 5.0
    inspection: float = 30.0
    analysed: int = 50_000_000
    questions: int = 128


@dataclass(frozen=True)
class Parts:
    """A front's live parts and settings. `clock` is epoch, `monotonic` never steps, both in seconds."""

    schedule: Schedule
    lookups: Callable[[], Lookups]
    inspectors: Inspect
    poison: PoisonLedger
    deferrals: Deferrals
    trust: TrustPolicy
    policy: DecisionPolicy
    scores: ScoreRules
    replies: Replies
    custodian: Custodian
    journal: JournalWriter
    counters: Counters
    limits: Limits
    authserv_id: str
    config_id: str
    rules_id: str
    log_addresses: Literal["full", "domains"]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    randomness: Callable[[int], bytes]
    scanners: Mapping[str, Scan] = field(default_factory=dict)  # of other makes, by the name of their check
    memory: Memory | None = None  # what is learnt of senders; None: nothing
    rules: RuleWatch | None = None  # what is known of YARA rules at work; None: nothing
    autolearn: Pupil | None = None  # what the classifier may learn by itself goes there; None: nothing does
    greylisting: Greylisting | None = None  # what mail that nobody answers for is to come again by; None: it need not
    reasons: int = 0  # features that the classifier is to name, for who asks why
    policies: Policies | None = None  # other decisions for some recipients; None: `policy` is everybody's
    door: Door | None = None  # what admits mail that we give back; None: it comes in where nothing filters it
    mta_hold: bool = False  # whether held mail stays with the MTA, in its hold queue
    early: Early | None = None  # judges recipients before their content; None: nobody does
    early_wait: float | None = None  # seconds that the milter waits with that for lookups; None: it does not judge so
    received_spf: bool = False  # whether Received-SPF is written beside Authentication-Results
    aggregates: AggregateWriter | None = None  # counts for DMARC reports; None: nobody does

"""What is known of a message before its content, and who else may have a say then: lists, greylisting, limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from filterd.model.report import CheckReport
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action

GATE_SECONDS: Final = 0.2  # how long all gates together may take for one recipient; then it passes, and is counted


@dataclass(frozen=True, slots=True)
class EarlyFacts:
    """One recipient of one message as known at RCPT. `client` is the peer.

    `score` is that of the early checks alone, whose reports are in `reports`: where one of them could not be made it
    says so (`unknown`), and the score knows nothing of it. `earlier` counts the recipients of the same message before
    this one, asked by the same way: what counts messages counts where it is 0. `stress`: the MTA is short of
    processes, so whatever makes clients come again should not begin now.
    """

    id: str
    now: float  # epoch seconds
    client: Client
    helo: str
    sender: str  # empty: the null sender
    recipient: str
    user: str = ""  # who has authenticated; empty: nobody
    trust: TrustClass = TrustClass.STRANGER
    score: float = 0.0
    reports: Mapping[str, CheckReport] = field(default_factory=dict)
    earlier: int = 0
    stress: bool = False


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What a gate says: ACCEPT (nothing against it), GREYLIST, DEFER or REJECT, with a machine reason and its words.

    `settled` with ACCEPT: neither the checks so far nor gates behind this one refuse the recipient before its content
    is seen. `code` chooses the text the client is told (`[replies]`); `text` is for log and journal.
    """

    action: Action = Action.ACCEPT
    code: str = ""
    text: str = ""
    settled: bool = False


PASS: Final = GateAnswer()


class EarlyGate(Protocol):
    """Somebody who is asked about each recipient at RCPT. Thread-safe; the same object serves a whole front."""

    @property
    def name(self) -> str:
        """As in log and metrics; no two gates of a front have the same."""

    @property
    def ahead(self) -> bool:
        """Whether it is asked before the checks are judged and may settle the matter: lists of the operator."""

    def at_once(self, facts: EarlyFacts) -> GateAnswer | None:
        """Answer where nothing has to be waited for; None: it has, nothing was done yet, and `ask` is to be asked.

        Called in a loop's thread: a thread of its own costs more than most answers. An exception is logged and passes.
        """

    def ask(self, facts: EarlyFacts) -> GateAnswer:
        """Answer for this recipient. Called in a thread that may block, for GATE_SECONDS at most.

        What it cannot find out in time it passes, and counts as failed itself. An exception is logged and passes.
        """

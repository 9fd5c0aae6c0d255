"""What evidence keeps of what a message's end was told and of what went wrong there, so that a replay is told the same.

Notes are texts by key in `Evidence.state`; those of checks come with their reports (`CheckReport.read`).
"""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Final

from filterd.inspectors import InspectorBusy, InspectorCrashed, InspectorDied, InspectorFailure, InspectorTimeout
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.report import CheckReport
from filterd.pipeline.rule_watch import NEVER, RuleWatch
from filterd.reputation import FIRST_CONTACT
from filterd.score import Score
from filterd.store import MemoryStore

POISON: Final = "poison"  # strikes that the message had
DEFERRED: Final = "deferred"  # it had been deferred for as long as may be
SPF: Final = "spf"  # the result that rules were offered: what was known by then
INSPECTOR: Final = "inspector"  # how the inspection failed: a kind and the words
_EXCUSED: Final = "excused"
_SUSPENDED: Final = "suspended:rule:"
_FAILURES: Final[Mapping[str, type[InspectorFailure]]] = {
    "busy": InspectorBusy,
    "died": InspectorDied,
    "overran": InspectorTimeout,
    "crashed": InspectorCrashed,
    "failed": InspectorFailure,
}
_KINDS: Final = {kind: name for name, kind in _FAILURES.items()}


def note_job(state: MutableMapping[str, str], job: InspectionJob) -> None:
    """Note what the inspector is told beside the message."""
    state[SPF] = job.spf
    state[FIRST_CONTACT] = job.first_contact
    if job.excused:
        state[_EXCUSED] = "\n".join(job.excused)


def note_suspended(state: MutableMapping[str, str], suspended: Mapping[str, str]) -> None:
    """Note the rules that were suspended, with the reasons."""
    for name, why in suspended.items():
        state[_SUSPENDED + name] = why


def note_failure(state: MutableMapping[str, str], error: InspectorFailure) -> None:
    """Note that the inspection failed."""
    state[INSPECTOR] = f"{_KINDS.get(type(error), 'failed')} {error}"


def failure_of(state: Mapping[str, str]) -> InspectorFailure | None:
    """The failure that was noted, to be raised again."""
    kind, _, words = state.get(INSPECTOR, "").partition(" ")
    made = _FAILURES.get(kind)
    return None if made is None else made(words)


def read_of(reports: Iterable[CheckReport]) -> dict[str, str]:
    """What checks were told by shared state."""
    return {key: text for report in reports for key, text in report.read}


class RecalledRules(RuleWatch):
    """Tells of rules at work what was told then, and counts nothing."""

    def __init__(self, state: Mapping[str, str]) -> None:
        """`state` is the evidence's."""
        super().__init__(MemoryStore(most=1), NEVER)
        self._state = state

    def suspended(self, facts: Inspection) -> Mapping[str, str]:
        """Those of its rules that were suspended then."""
        names = {hit.rule: _SUSPENDED + hit.rule for hit in facts.hits}
        return {name: self._state[key] for name, key in names.items() if key in self._state}

    def excused(self) -> tuple[str, ...]:
        """The rule files that were excused then."""
        return tuple(self._state.get(_EXCUSED, "").split("\n")) if _EXCUSED in self._state else ()

    def saw(self, facts: Inspection, found: Score, tag: float, client: str, now: float) -> None:
        """Nothing is counted."""

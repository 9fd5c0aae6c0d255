"""The life of a YARA rule, which its `meta` declares: what a hit of it does at each stage.

test -> shadow -> score -> enforce. A rule in test is only counted; one in shadow shows in every verdict and weighs
nothing; one that scores adds its points; one that is enforced sets its `action` as a floor besides. A rule whose
`expires` has passed, or that the daemon has suspended, is as in shadow.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final, TypeAlias

from filterd.model.inspection import Inspection, RuleHit

Meta: TypeAlias = Mapping[str, str | int | bool]

STAGE: Final = "stage"  # the key in meta
EXPIRES: Final = "expires"  # the key in meta: the last day (UTC) on which the rule counts, as 2026-12-31
WHY: Final = "_why"  # a key of ours: why a hit is not at its rule's own stage; no rule can declare it


class RuleStage(StrEnum):
    """The stages in their order."""

    TEST = "test"
    SHADOW = "shadow"
    SCORE = "score"
    ENFORCE = "enforce"


STAGES: Final = tuple(RuleStage)
SILENT: Final = frozenset({RuleStage.TEST, RuleStage.SHADOW})  # stages in which a rule does not count


def stage_of(meta: Meta) -> RuleStage:
    """What the author declared; without a stage that is known, a rule with an action is enforced, any other scores."""
    declared = meta.get(STAGE)
    if declared in STAGES:
        return RuleStage(str(declared))
    return RuleStage.ENFORCE if meta.get("action") else RuleStage.SCORE


def expiry(meta: Meta) -> date | None:
    """The last day on which the rule counts, None where there is none; ValueError where it is no date."""
    declared = meta.get(EXPIRES)
    return None if declared is None else date.fromisoformat(str(declared))


def expired(meta: Meta, now: float) -> bool:
    """Whether that day is over at `now` (epoch). A date that nobody can read is none: `rules check` complains of it."""
    try:
        last = expiry(meta)
    except ValueError:
        return False
    return last is not None and datetime.fromtimestamp(now, UTC).date() > last


def settle(facts: Inspection, now: float, suspended: Mapping[str, str]) -> Inspection:
    """The facts with rules that have expired or are suspended (name to reason) as in shadow."""
    if not facts.hits:
        return facts
    return replace(facts, hits=tuple([_settled(hit, now, suspended) for hit in facts.hits]))


def _settled(hit: RuleHit, now: float, suspended: Mapping[str, str]) -> RuleHit:
    meta = {key: value for key, value in hit.meta.items() if key != WHY}
    if stage_of(meta) not in SILENT:
        if expired(meta, now):
            meta |= {STAGE: RuleStage.SHADOW.value, WHY: f"expired {meta[EXPIRES]}"}
        elif hit.rule in suspended:
            meta |= {STAGE: RuleStage.SHADOW.value, WHY: f"suspended: {suspended[hit.rule]}"}
    return hit if meta == hit.meta else replace(hit, meta=meta)

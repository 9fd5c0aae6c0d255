"""Which checks exist, when each may start, and which wait for which."""

from collections.abc import Sequence
from dataclasses import dataclass

from filterd.checks.contract import Check
from filterd.model.report import Stage

STAGES = tuple(Stage)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The checks of a front, sorted once. `Schedule.of` refuses needs that are unknown or circular with ValueError."""

    checks: tuple[Check, ...]
    by_stage: dict[Stage, tuple[Check, ...]]
    dependents: dict[str, tuple[Check, ...]]
    guessing: dict[Stage, tuple[Check, ...]]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> "Schedule":
        """Sort checks so that each stands behind what it needs."""
        left, done, order = list(checks), set[str](), list[Check]()
        while left:
            ready = [check for check in left if done.issuperset(check.needs)]
            if not ready:
                names = ", ".join(f"{check.name} needs {', '.join(check.needs)}" for check in left)
                raise ValueError(f"checks wait for each other or for what does not exist: {names}")
            order += ready
            done.update(check.name for check in ready)
            left = [check for check in left if check.name not in done]
        return cls(
            tuple(order),
            {stage: tuple(check for check in order if check.stage is stage) for stage in STAGES},
            {check.name: tuple(other for other in order if check.name in other.needs) for check in order},
            # A guess needs nothing that others find: as listed, so that one may read along what another will ask.
            {stage: tuple(check for check in checks if stage in check.foresees) for stage in STAGES},
        )

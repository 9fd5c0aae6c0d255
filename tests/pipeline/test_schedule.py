"""Sorting checks by what they need."""

from dataclasses import dataclass

import pytest

from filterd.checks.contract import View
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.pipeline.schedule import Schedule


@dataclass(frozen=True)
class Named:
    """A check that only has a place."""

    name: str
    stage: Stage = Stage.EOM
    foresees: frozenset[Stage] = frozenset()
    needs: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()

    def foresee(self, _view: View, _stage: Stage) -> Plan[None] | None:
        """Guess nothing."""
        return None

    def run(self, _view: View) -> Plan[CheckReport]:
        """Report nothing."""
        yield from ()
        return CheckReport(self.name, Outcome.OK)


def test_a_check_stands_behind_what_it_needs() -> None:
    """However the checks are listed, one that needs another comes after it."""
    schedule = Schedule.of([Named("dmarc", needs=("spf", "dkim")), Named("dkim"), Named("spf", Stage.MAIL)])
    assert [check.name for check in schedule.checks] == ["dkim", "spf", "dmarc"]
    assert [check.name for check in schedule.dependents["spf"]] == ["dmarc"]
    assert [check.name for check in schedule.by_stage[Stage.MAIL]] == ["spf"]


@pytest.mark.parametrize(
    "checks",
    [[Named("a", needs=("b",)), Named("b", needs=("a",))], [Named("a", needs=("missing",))]],
    ids=["circle", "unknown"],
)
def test_needs_that_cannot_be_met_are_refused_by_name(checks: list[Named]) -> None:
    """A circle and an unknown name are errors at start, not messages that never finish."""
    with pytest.raises(ValueError, match="a needs"):
        Schedule.of(checks)

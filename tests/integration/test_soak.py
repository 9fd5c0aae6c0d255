"""The long soak of `make soak HOURS=24`, for half a minute: so that it does not rot."""

from pathlib import Path

import pytest

from tests.soak.report import checks, growths, text
from tests.soak.run import Plan, run

SHORT = 25 / 3_600  # hours
RATE = 8.0  # messages a second


@pytest.mark.threat("RES-09")
def test_short(shared: Path) -> None:
    """Hostile mail, hasty clients, reloads: every 250 is accounted for, nothing crashes, no session stays."""
    lines: list[str] = []
    outcome = run(Plan(SHORT, shared, RATE), lines.append)
    told = text(outcome)
    assert [one for one in checks(outcome) if not one.good] == [], told
    assert outcome.ledger.accepted > 0, told
    assert outcome.held > 0, told
    assert outcome.reloads > 0, told
    assert lines, told
    assert {"front", "supervisor", "upkeep", "inspectors, mean"} <= {
        one.role for one in growths(outcome.samples, outcome.plan.seconds)
    }, told

"""The line through samples, and what growth is allowed."""

import pytest

from tests.soak.slopes import HOUR, LONG, NOISE, allowed, fit, least_leak


def test_line() -> None:
    """A line is found again below noise that is the same at both ends."""
    points = [(at, 50.0 + 2.0 * at / HOUR + (-1) ** (at // 10) * 0.5) for at in range(0, 7_201, 10)]
    line = fit(points)
    assert line.slope == pytest.approx(2.0, abs=0.01)
    assert line.growth == pytest.approx(4.0, abs=0.02)
    assert line.seconds == 7_200


def test_one_step() -> None:
    """What jumps early and then stays counts less than what goes on: a slope, not the difference of two samples."""
    step = fit([(at, 50.0 if at < 100 else 54.0) for at in range(0, 1_000, 10)])
    steady = fit([(at, 50.0 + 4.0 * at / 1_000) for at in range(0, 1_000, 10)])
    assert step.growth < steady.growth


def test_no_samples() -> None:
    """Nothing to fit is an error, not a slope of nothing."""
    with pytest.raises(ValueError, match="got none"):
        fit([])


def test_one_sample() -> None:
    """One sample has no slope."""
    line = fit([(5.0, 70.0)])
    assert (line.growth, line.slope) == (0.0, 0.0)


@pytest.mark.parametrize(("seconds", "megabytes"), [(60.0, NOISE), (LONG, NOISE), (8 * HOUR, 8.0), (24 * HOUR, 24.0)])
def test_allowed(seconds: float, megabytes: float) -> None:
    """One megabyte an hour from four hours on; what a heap moves by in a shorter stretch."""
    assert allowed(seconds) == megabytes


def test_least_leak() -> None:
    """A day finds some hundred bytes lost with each message of a front; no message, nothing found."""
    assert least_leak(8 * HOUR, 8 * HOUR * 5) == pytest.approx(55.6, abs=0.1)
    assert least_leak(HOUR, 0) == float("inf")

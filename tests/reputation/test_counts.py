"""Counters that decay by themselves, against the exponential they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.reputation.counts import FAST, HOURS, SHIFT, SLOW, SPAN, WEEK, Outcome, Record, addition, counters

NOW = 1_700_000_000.0
AGES = st.floats(0.0, SPAN * WEEK)
EVENTS = st.lists(st.tuples(AGES, st.sampled_from(Outcome)), max_size=60)


def recorded(events: list[tuple[float, Outcome]], now: float = NOW) -> Record:
    """A record of outcomes by their age at `now`."""
    record = Record.of([None] * 4, now - SPAN * WEEK)
    for age, outcome in sorted(events, reverse=True, key=lambda event: event[0]):
        record = record.added(addition(outcome, now - age))
    return record


@given(EVENTS)
def test_the_sum_is_the_exponential_one(events: list[tuple[float, Outcome]]) -> None:
    """Each outcome counts 2 to the minus age over half-life, give or take the rounding, up to a generation back."""
    counts = recorded(events).weeks(NOW)
    for outcome, found in ((Outcome.GOOD, counts.good), (Outcome.BAD, counts.bad)):
        exact = sum(2.0 ** -(age / WEEK) for age, one in events if one is outcome)
        assert found == pytest.approx(exact, rel=0.07, abs=1e-6)


@given(EVENTS, st.floats(0.0, 20.0))
def test_a_half_life_halves(events: list[tuple[float, Outcome]], later: float) -> None:
    """Counts only ever become less with time, both kinds by the same part."""
    record = recorded(events)
    before, after = record.weeks(NOW), record.weeks(NOW + later * WEEK)
    assert after.good == pytest.approx(before.good * 2.0**-later)
    assert after.bad == pytest.approx(before.bad * 2.0**-later)


@given(EVENTS)
def test_the_store_adds_up_to_the_same(events: list[tuple[float, Outcome]]) -> None:
    """A record made of sums that anybody added in any order is the one that saw the outcomes one by one."""
    sums: dict[str, int] = {}
    for age, outcome in events:
        new = addition(outcome, NOW - age)
        for key, much in (
            (SLOW.key("x", new.slow_generation), new.slow),
            (FAST.key("x", new.fast_generation), new.fast),
        ):
            sums[key] = sums.get(key, 0) + much
    values = [b"%d" % sums[key] if key in sums else None for key in counters("x", NOW)]
    read, seen = Record.of(values, NOW), recorded(events)
    assert read.weeks(NOW) == pytest.approx(seen.weeks(NOW))


@given(EVENTS)
def test_the_last_hours_are_counted_apart(events: list[tuple[float, Outcome]]) -> None:
    """The fast scale has forgotten by a tenth of a thousandth what was three and a half days ago."""
    record = recorded([(age + 14 * HOURS, outcome) for age, outcome in events])
    assert record.hours(NOW).total <= len(events) * 2.0**-13


@pytest.mark.parametrize("value", [b"", b"-1", b"1e3", b"x", b"\xb2", b"9" * 5000, b"1.5", b" 1"])
def test_what_is_no_counter_counts_as_none(value: bytes) -> None:
    """Another program's values, and an overflow written as a float, are nothing known."""
    assert Record.of([value] * 4, NOW).weeks(NOW).total == 0.0


def test_the_largest_counter_is_read() -> None:
    """All that a store can count is a number here too."""
    counts = Record.of([b"%d" % (2**63 - 1), None, None, None], NOW).weeks(NOW)
    assert counts.good > counts.bad > 2.0**SHIFT / 1024


def test_bad_outcomes_do_not_run_into_good_ones() -> None:
    """The two sums in one counter stay apart for more mail than a site has in a generation."""
    new = addition(Outcome.GOOD, NOW)
    many = Record.of([b"%d" % (new.slow * 10_000_000 + (new.slow << SHIFT) * 5_000_000), None, None, None], NOW)
    assert many.weeks(NOW) == pytest.approx((10_000_000, 5_000_000), rel=0.07)


@pytest.mark.threat("RES-08")
@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, -400 * 86_400.0, 400 * 86_400.0, -NOW])
def test_a_clock_that_jumps(jump: float) -> None:
    """Whatever the clock says, counts are finite and not above what was counted, but for a day's share of a week."""
    record = recorded([(0.0, Outcome.GOOD)] * 10)
    counts = record.weeks(NOW + jump)
    assert 0.0 <= counts.good <= 10 * 2**SPAN
    if abs(jump) == 86_400.0:
        assert counts.good == pytest.approx(10.0, rel=0.2)
    later = record.added(addition(Outcome.GOOD, NOW + jump))
    assert later.weeks(NOW + jump).good >= 0.9

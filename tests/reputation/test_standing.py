"""What a standing must be whatever was counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.reputation import Counts, Level, Outcome, Record, addition, combine, evaluate
from filterd.reputation.counts import HOURS, WEEK

NOW = 1_700_000_000.0
COUNT = st.floats(0.0, 1e9)
EVENTS = st.lists(st.tuples(st.floats(0.0, 4 * WEEK), st.sampled_from(Outcome)), max_size=60)


def record(*events: tuple[float, Outcome, int]) -> Record:
    """A record of so many outcomes at each age in seconds, oldest first."""
    made = Record()
    for age, outcome, times in events:
        for _ in range(times):
            made = made.added(addition(outcome, NOW - age))
    return made


def daily(good: int, days: int = 60) -> list[tuple[float, Outcome, int]]:
    """A sender with so many good messages each day up to an hour ago."""
    return [(3_600.0 + 86_400.0 * day, Outcome.GOOD, good) for day in range(days, -1, -1)]


@given(COUNT, COUNT, COUNT, COUNT)
def test_bounds(good: float, bad: float, lately_good: float, lately_bad: float) -> None:
    """Score within -1 and 1, confidence within 0 and 1, whatever the counts, nested or not."""
    standing = combine(Counts(good, bad), Counts(lately_good, lately_bad))
    assert -1.0 <= standing.score <= 1.0
    assert 0.0 <= standing.confidence <= 1.0
    assert standing.value == standing.score * standing.confidence


def test_nothing_known() -> None:
    """Without evidence there is no opinion."""
    assert (evaluate(Record(), NOW).confidence, evaluate(Record(), NOW).level) == (0.0, Level.NEUTRAL)


@given(EVENTS, st.sampled_from(Outcome))
def test_monotony(events: list[tuple[float, Outcome]], outcome: Outcome) -> None:
    """One more good message never harms a standing, one more bad one never helps it."""
    before = record(*[(age, one, 1) for age, one in sorted(events, reverse=True, key=lambda event: event[0])])
    after = evaluate(before.added(addition(outcome, NOW)), NOW).value
    if outcome is Outcome.GOOD:
        assert after >= evaluate(before, NOW).value - 1e-9
    else:
        assert after <= evaluate(before, NOW).value + 1e-9


@given(st.integers(1, 500), st.sampled_from(Outcome), st.floats(0.0, 30.0))
def test_decay(times: int, outcome: Outcome, weeks: float) -> None:
    """An opinion fades towards none, and is none in the end."""
    made = record((0.0, outcome, times))
    now, later = evaluate(made, NOW), evaluate(made, NOW + weeks * WEEK)
    assert abs(later.value) <= abs(now.value) + 1e-9
    assert evaluate(made, NOW + 60 * WEEK).level is Level.NEUTRAL


@given(st.integers(0, 300))
def test_confidence_grows_with_evidence(times: int) -> None:
    """The more was seen, the surer: and never quite sure."""
    less, more = evaluate(record((0.0, Outcome.BAD, times)), NOW), evaluate(record((0.0, Outcome.BAD, times + 1)), NOW)
    assert less.confidence < more.confidence < 1.0


@given(st.floats(0.1, 1e6))
def test_bad_weighs_more(much: float) -> None:
    """As many good as bad messages are a bad sign."""
    assert combine(Counts(much, much), Counts()).score < 0.0


@pytest.mark.parametrize(
    ("good", "bad", "level"),
    [(16, 0, Level.GOOD), (14, 0, Level.NEUTRAL), (0, 1, Level.NEUTRAL), (0, 2, Level.POOR), (0, 6, Level.BAD)],
)
def test_how_much_it_takes(good: int, bad: int, level: Level) -> None:
    """Sixteen messages make a good name, two bad ones a poor and six a bad one."""
    assert evaluate(record((0.0, Outcome.GOOD, good), (0.0, Outcome.BAD, bad)), NOW).level is level


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05])
def test_a_large_sender_may_have_some_bad_mail(share: float) -> None:
    """A provider is not judged by the few of its users who send rubbish, however many they are in numbers."""
    many = Counts(100_000.0, 100_000.0 * share)
    assert combine(many, Counts(3_000.0, 3_000.0 * share)).level is Level.GOOD
    assert combine(Counts(100_000.0, 12_000.0), Counts(3_000.0, 360.0)).level is not Level.GOOD


@pytest.mark.parametrize(("each_day", "few"), [(1, 1), (5, 2), (20, 3), (100, 10)])
def test_a_sender_who_is_taken_over_loses_his_name_at_once(each_day: int, few: int) -> None:
    """Months of good mail do not hide what comes now: the good standing is gone after a few bad messages."""
    before = record(*daily(each_day))
    if each_day > 1:
        assert evaluate(before, NOW).level is Level.GOOD
    after = before
    for _ in range(few):
        after = after.added(addition(Outcome.BAD, NOW))
    assert evaluate(after, NOW).level is not Level.GOOD


def test_a_flood_becomes_a_bad_standing() -> None:
    """Twenty good messages a day for two months, and thirty bad ones in an hour: that is a bad sender now."""
    made = record(*daily(20), (60.0, Outcome.BAD, 30))
    assert evaluate(made, NOW).level in {Level.POOR, Level.BAD}


def test_the_last_hours_do_not_whitewash() -> None:
    """Good mail of an hour does not lift what weeks of bad mail have earned."""
    made = record((2 * 86_400.0, Outcome.BAD, 60), (60.0, Outcome.GOOD, 40))
    assert evaluate(made, NOW).level is Level.BAD or evaluate(made, NOW).value < 0.0
    assert evaluate(made, NOW + 2 * HOURS).value < 0.0

"""Measures of rank, by hand and by definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.classifier.evaluation import Online, curve, errors, measures
from tests.classifier.made import HAM, SPAM, features


def test_perfect_order() -> None:
    """No pair in the wrong order, all spam recalled."""
    found = measures([1, 2, 3, 4], [False, False, True, True])
    assert (found.messages, found.spam, found.ham) == (4, 2, 2)
    assert (found.one_minus_auc_percent, found.recall_at_fpr_1_percent) == (0.0, 100.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_area_is_the_share_of_pairs(said: list[tuple[int, bool]]) -> None:
    """Counted pair by pair, equal scores half."""
    spam = [score for score, kind in said if kind]
    ham = [score for score, kind in said if not kind]
    found = measures([score for score, _ in said], [kind for _, kind in said]).one_minus_auc_percent
    if not spam or not ham:
        assert math.isnan(found)
        return
    wrong = sum([(bad < good) + (bad == good) / 2 for bad in spam for good in ham])
    assert found == pytest.approx(100 * wrong / (len(spam) * len(ham)), abs=1e-4)


def test_recall_allows_so_many_false_positives() -> None:
    """Of a thousand ham one may be above the threshold at 0.1 %, ten at 1 %; what equals the next is not recalled."""
    ham = [float(number) for number in range(1_000)]
    spam = [998.0, 998.5, 989.5, 2_000.0]
    found = measures([*ham, *spam], [False] * 1_000 + [True] * 4)
    assert found.recall_at_fpr_0_1_percent == 50.0
    assert found.recall_at_fpr_1_percent == 100.0


def test_errors_at_a_threshold() -> None:
    """Ham that reaches it and spam that does not; none of nothing."""
    assert errors([1, 6, 5, 7], [False, False, True, True], 6) == (50.0, 50.0)
    assert errors([], [], 6) == (0.0, 0.0)


def test_a_curve_tells_how_it_went() -> None:
    """Errors since the last point and the area so far."""
    points = list(curve([1, -1, -1, 1], [False, True, False, True], points=2))
    assert [point.messages for point in points] == [2, 4]
    assert [(point.ham_errors_percent, point.spam_errors_percent) for point in points] == [(100.0, 100.0), (0.0, 0.0)]
    assert [point.one_minus_auc_percent for point in points] == [100.0, 50.0]


def test_lessons_come_as_late_as_was_said() -> None:
    """With a delay of two the third message is judged by nothing, the fourth by the first."""
    online = Online(2)
    spam, ham = features(SPAM), features(HAM)
    margins = []
    for kind, found in ((True, spam), (False, ham), (True, spam), (True, spam)):
        margins.append(online.judge(found))
        online.told(found, spam=kind)
    assert margins[:3] == [0.0, 0.0, 0.0]
    assert margins[3] > 0


def test_without_feedback_only_what_was_taught_counts() -> None:
    """Judging teaches nothing then."""
    online = Online(None)
    online.teach(features(SPAM), spam=True)
    before = online.judge(features(HAM))
    online.told(features(HAM), spam=False)
    assert online.judge(features(HAM)) == before
    assert online.judge(features(SPAM)) > 0

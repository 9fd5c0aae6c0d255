"""Weighing, learning, taking back, and what hostile mail can do to it."""

import numpy as np
import pytest

from filterd.classifier.counting import COUNTED, FULL
from filterd.classifier.explain import Reason, lines, top_features
from filterd.classifier.features import EDGES, HEADER, SLOTS, SMALL, STRETCHES, Features
from filterd.classifier.reading import NO_SIGN
from filterd.classifier.views import GRAM, LONG_GRAM, SMALL_GRAM, Text, hashed, small_places
from filterd.classifier.weights import SIZE, Weights, empty, learn, margin, probability, undo, weighed
from tests.classifier.made import HAM, SPAM, features, seen

ROUNDS = 30
MODEL_BYTES = 32_000_000  # of one half of the file: both, and the layer, stay below 64 MB


def taught(rounds: int = ROUNDS) -> Weights:
    """A model that knows HAM and SPAM, each a little different every time."""
    weights = empty()
    for number in range(rounds):
        learn(weights, features(f"{SPAM} {number}"), spam=True)
        learn(weights, features(f"{HAM} {number}"), spam=False)
    return weights


def test_an_empty_model_has_no_opinion() -> None:
    """Even odds for everything."""
    assert margin(empty(), features(SPAM)) == 0.0
    assert probability(0.0) == 0.5


def test_it_learns() -> None:
    """What resembles learnt spam is on that side, and ham on the other."""
    weights = taught()
    assert probability(margin(weights, features(SPAM + " today"))) > 0.9
    assert probability(margin(weights, features(HAM + " today"))) < 0.1


def test_one_message_of_each_is_a_beginning() -> None:
    """It need not be told twice."""
    weights = taught(1)
    assert margin(weights, features(SPAM)) > 0 > margin(weights, features(HAM))


def test_what_was_learnt_last_can_be_taken_back_exactly() -> None:
    """Bit for bit, several lessons in reverse order too."""
    weights = taught(5)
    before = weights.copy()
    changes = [learn(weights, features(f"{HAM} {SPAM} {number}"), spam=number % 2 == 0) for number in range(4)]
    assert not np.array_equal(weights, before)
    for change in reversed(changes):
        undo(weights, change)
    assert np.array_equal(weights, before)


def test_what_it_is_sure_of_changes_nothing_in_the_text() -> None:
    """Of a message without signs only that it has none is learnt further, and that is taken back as all else."""
    weights = empty()
    sure = features(SPAM, b"Subject: cheap pills\r\nX-Mailer: casino mailer\r\n")
    for _ in range(200):
        learn(weights, sure, spam=True)
        learn(weights, features(HAM, b"Subject: minutes\r\nX-Mailer: office mailer\r\n"), spam=False)
    before = weights.copy()
    change = learn(weights, sure, spam=True)
    assert set((change.at // 2).tolist()) <= {NO_SIGN}
    undo(weights, change)
    assert np.array_equal(weights, before)


def one_of_each(header: int) -> Features:
    """A message with one stretch of the text, one of the header and a small one."""
    return Features(np.array([EDGES[STRETCHES] + 5, header, EDGES[SMALL] + 9], dtype=np.uint32))


def test_what_tells_the_kinds_apart_counts_more() -> None:
    """Of two stretches of the header, both in as much spam, the one that ham has too counts less of its weight."""
    weights = empty()
    alone, shared = EDGES[HEADER] + 3, EDGES[HEADER] + 8
    for _ in range(10):
        for header, spam in ((alone, True), (shared, True), (shared, False)):
            learn(weights, one_of_each(header), spam=spam)
    weights[[2 * alone, 2 * shared]] = 1.0
    told, untold = (float(weighed(weights, one_of_each(header))[1]) for header in (alone, shared))
    assert told > 3 * untold > 0


def test_counts_stay_within_their_bytes_and_can_be_taken_back() -> None:
    """A thousand messages fill no byte, no four bytes differ from themselves as a float, and undo is exact."""
    weights = empty()
    before = weights.copy()
    changes = []
    for number in range(1_000):
        weights[: 2 * SLOTS] = 0.0
        found = one_of_each(EDGES[HEADER] + number % 3)
        changes.append(learn(weights, found, spam=number % 10 != 0))
    weights[: 2 * SLOTS] = 0.0
    counted = weights[2 * SLOTS :]
    assert 0 < counted.view(np.uint8)[: -4 * 2 * len(COUNTED)].max() < FULL
    assert np.isfinite(counted).all()
    for change in reversed(changes):
        undo(weights, change)
    assert np.array_equal(weights, before)


def test_a_message_without_features_is_neither() -> None:
    """Nothing can be said of it, and nothing learnt."""
    nothing = Features(np.empty(0, dtype=np.uint32))
    weights = taught(2)
    before = weights.copy()
    assert margin(weights, nothing) == 0.0
    learn(weights, nothing, spam=True)
    assert np.array_equal(weights, before)


@pytest.mark.parametrize("value", [1e9, -1e9, 500.0, -500.0])
def test_any_margin_is_a_probability(value: float) -> None:
    """No overflow."""
    assert 0.0 <= probability(value) <= 1.0


def test_the_model_is_bounded() -> None:
    """However much was learnt it is one array of that size, two of which stay below 64 MB with what else is kept."""
    assert SIZE * 4 <= MODEL_BYTES
    assert len(empty()) == SIZE
    assert 2 * SLOTS < SIZE


def test_flooding_with_tokens_does_not_hide_spam() -> None:
    """Ten thousand random words behind spam are cut, and those within the limit count no more than the message does."""
    weights = taught()
    rng = np.random.default_rng(3)
    flood = " ".join(["".join([chr(97 + int(one)) for one in word]) for word in rng.integers(0, 26, (10_000, 8))])
    assert margin(weights, features(SPAM)) > margin(weights, features(f"{SPAM} {flood}")) > 0


def test_learning_a_flood_does_not_spoil_the_model() -> None:
    """A message of random words, learnt as spam a hundred times, leaves the opinion of others as it was."""
    weights = taught()
    rng = np.random.default_rng(4)
    before = margin(weights, features(HAM))
    for _ in range(100):
        words = ["".join([chr(97 + int(one)) for one in word]) for word in rng.integers(0, 26, (400, 8))]
        learn(weights, features(" ".join(words)), spam=True)
    assert margin(weights, features(HAM)) < before / 8 < 0


def test_stuffing_with_good_words_is_bounded() -> None:
    """As many good words as bad ones make it doubtful, not ham; and once such mail is learnt it is spam again."""
    weights = taught()
    stuffed = f"{SPAM} {HAM}"
    assert margin(weights, features(stuffed)) > margin(weights, features(HAM)) + 2
    for number in range(5):
        learn(weights, features(f"{stuffed} {number}"), spam=True)
    assert margin(weights, features(f"{stuffed} again")) > 0
    assert margin(weights, features(HAM)) < 0


def test_collisions_are_bounded() -> None:
    """Spam made to share slots with a ham moves it no further than that ham itself, learnt as spam, would."""
    ham = features(HAM)
    worst = taught()
    learn(worst, ham, spam=True)
    for step in (2, 3, 5):
        weights = taught()
        learn(weights, Features(ham.slots[::step]), spam=True)
        assert margin(taught(), ham) < margin(weights, ham) <= margin(worst, ham)


def test_reasons_are_readable() -> None:
    """Words of the message, the heaviest first, with where they stand and which side they speak for."""
    weights = taught()
    reasons = top_features(weights, seen(SPAM, b"Subject: cheap\r\nX-Mailer: pills\r\n"), 5)
    assert 1 <= len(reasons) <= 5
    heights = [abs(reason.weight) for reason in reasons]
    assert heights == sorted(heights, reverse=True)
    assert all(reason.text in SPAM for reason in reasons if reason.place == "body" and " " not in reason.text)
    assert any(reason.weight > 0 and reason.place == "body" for reason in reasons)
    assert all(line[0] in "+-" for line in lines(reasons))


def test_reasons_name_letters_of_sender_and_subject() -> None:
    """Small and longer stretches are shown as what stands there, in the field they stand in."""
    text = seen("hello", b"From: zqxj@example.test\r\nSubject: kvwzabcd\r\n")
    found = hashed(text)
    places = [(place, size) for size in (SMALL_GRAM, LONG_GRAM) for place in small_places(text, size).tolist()]
    shown = {}
    for number, (place, size) in enumerate(places):
        reason = only(text, int(found.slots[len(found.slots) - len(places) + number]))
        assert text.data[place : place + size].decode().strip() == reason.text
        shown[reason.text] = reason.place
    assert shown["zqxj"] == shown["zqxj@exa"] == "from"
    assert shown["kvwz"] == shown["kvwzabcd"] == "subject"
    assert top_features(empty(), text, 1) == ()


def test_reasons_name_the_stretches_that_are_looked_at() -> None:
    """Each as the bytes that stand where it was found, of the text and of the header."""
    text = seen(SPAM, b"Subject: cheap\r\nX-Mailer: pills for all\r\n")
    found = hashed(text)
    first = 2 * len(found.starts) - 1
    places = [*found.grams.tolist(), *range(found.header)]
    assert 0 < len(found.grams) < text.body / 2
    for number, place in enumerate(places):
        reason = only(text, int(found.slots[first + number]))
        stands = text.data[place : place + GRAM]
        assert text.data.count(stands) > 1 or " ".join(stands.decode().split()) == reason.text


def only(text: Text, slot: int) -> Reason:
    """The first reason where nothing but that slot is known."""
    weights = empty()
    weights[2 * slot] = 1.0
    return top_features(weights, text, 1)[0]


def test_reasons_do_not_repeat_each_other() -> None:
    """Of overlapping stretches one is shown."""
    weights = taught()
    text = seen(SPAM)
    found = [reason.text for reason in top_features(weights, text, 50)]
    assert len(found) > 3
    assert top_features(empty(), text, 50) == ()

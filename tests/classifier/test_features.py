"""What features are made of, what they never are made of, and their bounds."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.classifier.features import (
    BITS,
    EARLIER,
    EARLIER_SLOTS,
    EDGES,
    FORMAT,
    HEADER,
    MAX_FEATURES,
    SLOTS,
    SMALL,
    STRETCHES,
    FeatureError,
    Features,
    load_receiving,
)
from filterd.classifier.hashing import MAX_BUFFER, Hashed
from filterd.classifier.reading import NO_SIGN, features_of
from filterd.config.toml import ConfigError
from filterd.html import Page
from filterd.mime.symbols import HEURISTICS
from tests.classifier.lessons import as_before, without_last
from tests.classifier.made import RECEIVING, features, message, seen


def same(one: Features, other: Features) -> bool:
    """Whether two messages have the same features."""
    return one.pack() == other.pack()


@pytest.mark.parametrize(
    "field",
    [
        b"Received: from spam.test by mx.test; today",
        b"Delivered-To: someone@example.test",
        b"X-Spam-Status: Yes, score=9",
        b"x-ms-exchange-organization-scl: 9",
        b"Authentication-Results: mx.test; spf=fail",
        b"X-Filterd-Score: 12",
        b"Return-Path: <a@b.test>",
        b"List-Id: <list.test>",
        b"X-Message-Delivery: Vj0xLjE7",
        b"To: someone@example.test",
    ],
)
def test_fields_of_the_receiving_side_are_never_learnt(field: bytes) -> None:
    """With or without such a field a message has the same features."""
    assert same(features("hello", b"Subject: x\r\n" + field + b"\r\n"), features("hello", b"Subject: x\r\n"))


def test_an_mbox_line_is_never_learnt() -> None:
    """It says when a message was collected."""
    assert same(features("hello", b"From a@b.test Mon\r\nSubject: x\r\n"), features("hello", b"Subject: x\r\n"))


def test_recipients_are_taken_out_of_the_text() -> None:
    """Whose mail it is says nothing about what it is; the text is else the same."""
    one = features("dear anna@example.test, anna!", b"Subject: hi anna\r\nTo: Anna <anna@example.test>\r\n")
    other = features("dear bert@example.test, bert!", b"Subject: hi bert\r\nTo: Bert <bert@example.test>\r\n")
    assert same(one, other)


def test_other_fields_and_texts_make_features() -> None:
    """Who wrote it, with what, and what it says."""
    plain = features("hello")
    assert not same(features("hello", b"Subject: x\r\nX-Mailer: y\r\n"), plain)
    assert not same(features("hello you"), plain)
    assert not same(features("hello", hosts=["x.test"]), plain)
    assert not same(features("hello", pages=[Page(forms=("a",))]), plain)


def test_a_word_means_another_thing_in_another_field() -> None:
    """The same letters in the subject and in the mailer share no word."""
    subject = set(features("", b"Subject: qqqq\r\n").slots[words_of(features("", b"Subject: qqqq\r\n"))].tolist())
    mailer = set(features("", b"X-Mailer: qqqq\r\n").slots[words_of(features("", b"X-Mailer: qqqq\r\n"))].tolist())
    common = set(features("", b"").slots.tolist())
    assert not (subject & mailer) - common


def words_of(found: Features) -> slice:
    """Where the first view, words, stands in the slots."""
    return slice(0, int(np.searchsorted(found.slots, 1 << BITS)))


def small_of(header: bytes) -> set[int]:
    """The small and the longer stretches of a message with that header."""
    slots = features("hello", header).slots
    return set(slots[slots >= EDGES[SMALL]].tolist())


def test_small_stretches_are_of_sender_and_subject_alone() -> None:
    """Each in its field: what stands in another has none, and the same letters in sender and subject share none."""
    bare = small_of(b"X-A: b\r\n")
    assert small_of(b"X-Mailer: qqqqqqqq\r\n") == bare
    sender, subject = small_of(b"From: zqxjkvwz\r\n") - bare, small_of(b"Subject: zqxjkvwz\r\n") - bare
    assert sender
    assert subject
    assert not sender & subject


@pytest.mark.parametrize("header", [b"", b"From: \r\n", b"Subject:\r\n", b"From: a\r\n" * 50, b"From:\x00\xff\r\n"])
def test_any_sender_has_small_stretches_or_none(header: bytes) -> None:
    """Empty, repeated and broken ones are read like others."""
    assert same(features("", header), features("", header))


@pytest.mark.parametrize("number", EARLIER)
def test_features_of_the_formats_before_are_read(number: int) -> None:
    """They are those of a message that has nothing in the last view; what was no slot then is none now."""
    found = features("hello", b"Subject: x\r\n").slots
    head = number.to_bytes(4, "little")
    assert np.array_equal(Features.unpack(head + as_before(found).astype("<u4").tobytes()).slots, without_last(found))
    with pytest.raises(FeatureError, match="within bounds"):
        Features.unpack(head + np.array([EARLIER_SLOTS], dtype="<u4").tobytes())


def test_a_third_of_the_stretches_is_left_of_the_formats_before() -> None:
    """Those that are looked at today, where they are today; of the others none."""
    first = EDGES[STRETCHES]
    old = np.array([first - 1, first, first + 1, first + 2, first + 3, first + (1 << BITS)], dtype="<u4")
    now = Features.unpack(EARLIER[-1].to_bytes(4, "little") + old.tobytes()).slots
    assert now.tolist() == [first - 1, first, first + 1, EDGES[HEADER]]


def test_signs_are_learnt_and_others_are_not() -> None:
    """What heuristics find is a feature where the file says so; what depends on when and where it was read is none."""
    parsed = message(b"Subject: x\r\n")

    def found(*symbols: str) -> bytes:
        return features_of(parsed, "x", [], [], [], RECEIVING, symbols).pack()

    assert found("HTML_ONLY") != found() != found("URL_SHORTENER")
    assert found("HTML_ONLY", "URL_SHORTENER") == found("URL_SHORTENER", "HTML_ONLY", "HTML_ONLY")
    assert found("DATE_FAR_OFF", "UNDISCLOSED_RECIPIENTS", "NO_SUCH_SYMBOL") == found()


def test_signs_are_symbols_of_heuristics_and_share_no_slot() -> None:
    """Each that may be learnt is one that there is, and has a slot of its own."""
    assert RECEIVING.signs <= HEURISTICS
    parsed = message(b"Subject: x\r\n")
    slots = features_of(parsed, "x", [], [], [], RECEIVING, RECEIVING.signs).slots
    assert len(slots[(slots >= NO_SIGN) & (slots < EDGES[SMALL])]) == len(RECEIVING.signs) + 1


@given(st.binary(max_size=3_000), st.text(max_size=3_000), st.lists(st.text(max_size=50), max_size=5))
def test_any_message_has_features_within_bounds(header: bytes, text: str, hosts: list[str]) -> None:
    """Whatever bytes: sorted, distinct, below SLOTS, and they survive packing."""
    found = features(text, header, hosts=hosts)
    assert np.all(found.slots[1:] > found.slots[:-1])
    assert not len(found.slots) or found.slots[-1] < SLOTS
    assert same(Features.unpack(found.pack()), found)


def test_a_message_has_no_more_than_so_many_features() -> None:
    """A header and a text of any length end at their limits, and everything then still fits."""
    rng = np.random.default_rng(1)
    noise = "".join(chr(97 + int(number)) if number < 26 else " " for number in rng.integers(0, 33, 200_000))
    header = b"".join([b"X-%d: %s\r\n" % (number, noise[number * 200 :][:900].encode()) for number in range(200)])
    found = features(noise, header, hosts=[noise[number * 50 :][:50] for number in range(2_000)])
    assert 5_000 < len(found.slots) <= MAX_FEATURES
    assert len(seen(noise, header).data) <= MAX_BUFFER


@pytest.mark.parametrize("unit", ["a", "a ", "a@b", "=?utf-8?q?", "\u00e4", "x-spam:"])
def test_hostile_texts_cost_linear_time(unit: str) -> None:
    """What is beyond the limits costs no more than being cut: a hundred times the text, less than thrice the time."""
    header = b"Subject: x\r\nTo: a@b.test\r\n"

    def cost(count: int) -> float:
        text = unit * count
        best = 1e9
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(5):
                features(text, header)
            best = min(best, time.perf_counter() - start)
        return best

    cost(100)
    assert cost(1_000_000 // len(unit)) < 3 * cost(10_000 // len(unit)) + 0.1


@given(st.binary(max_size=400), st.integers(1, 8))
def test_equal_stretches_have_equal_hashes(data: bytes, size: int) -> None:
    """Wherever they stand; and others have others."""
    found = Hashed(data).grams(size, 0, len(data)).tolist()
    stretches = [data[at : at + size] for at in range(len(data) - size + 1)]
    assert len(dict(zip(stretches, found, strict=True))) == len(set(found))
    assert all(found[stretches.index(one)] == value for one, value in zip(stretches, found, strict=True))


@given(st.lists(st.sampled_from([b"a", b"bc", b"$9", b"\xc3\xa4", b"it's"]), max_size=30))
def test_words_are_found_and_equal_ones_are_equal(words: list[bytes]) -> None:
    """Where they begin and end, and one hash for one word."""
    data = b" ".join(words)
    starts, ends, hashes = Hashed(data).words()
    found = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    assert found == words
    assert len(set(hashes.tolist())) == len(set(words))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abc",
        (FORMAT + 1).to_bytes(4, "little"),
        FORMAT.to_bytes(4, "little") + SLOTS.to_bytes(4, "little"),
        FORMAT.to_bytes(4, "little") + bytes(8),
        FORMAT.to_bytes(4, "little") + b"".join([n.to_bytes(4, "little") for n in range(MAX_FEATURES + 1)]),
    ],
    ids=["nothing", "odd", "another format", "beyond the table", "twice", "too many"],
)
def test_bytes_that_are_no_features_are_refused(data: bytes) -> None:
    """What comes from an inspector is looked at before it is learnt."""
    with pytest.raises(FeatureError):
        Features.unpack(data)


def test_a_list_that_cannot_be_meant_is_an_error(tmp_path: Path) -> None:
    """With its file and key."""
    path = tmp_path / "classifier.toml"
    path.write_text("[receiving]\nnames = [1]\n")
    with pytest.raises(ConfigError, match=r"classifier\.toml.*names"):
        load_receiving(path)

"""Words that look alike are equal in one form; what is different to the eye is not."""

import random

import pytest

from filterd.domains.confusables import MAX_INPUT, readable, scripts, skeleton
from tests.fuzz.worst import assert_linear, fill


@pytest.mark.parametrize(
    ("word", "disguise"),
    [
        ("paypal", "paypa1"),
        ("paypal", "PayPaI"),
        ("paypal", "\u0440\u0430\u0443\u0440\u0430l"),
        ("microsoft", "rnicros0ft"),
        ("amazon", "\u00e0m\u00e1z\u00f6n"),
        ("netflix", "n\u200be\u200btflix"),
        ("apple", "\U0001d5ee\U0001d5fd\U0001d5fd\U0001d5f9\U0001d5f2"),
        ("google", "\uff47\uff4f\uff4f\uff47\uff4c\uff45"),
        ("dhl", "clhl"),
    ],
)
def test_a_disguise_has_the_look_of_its_word(word: str, disguise: str) -> None:
    """Digits, other alphabets, accents, letters for mathematics, what nobody sees."""
    assert skeleton(disguise) == skeleton(word)


@pytest.mark.parametrize(
    ("one", "other"), [("paypal", "payroll"), ("amazon", "amazing"), ("dhl", "dpd"), ("ups", "usps")]
)
def test_other_words_look_different(one: str, other: str) -> None:
    """The form does not throw everything together."""
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("example.org", "example.org"),
        ("xn--bcher-kva.example", "b\u00fccher.example"),
        ("xn--pypal-4ve.example", "p\u0430ypal.example"),
        ("xn--.example", "xn--.example"),
        ("xn--99999999.example", "xn--99999999.example"),
    ],
)
def test_names_are_shown_as_a_person_sees_them(name: str, shown: str) -> None:
    """Punycode that is not sound stays as it is."""
    assert readable(name) == shown


def test_scripts_of_a_word() -> None:
    """Only letters count."""
    assert scripts("p\u0430ypal-1") == {"Latin", "Cyrillic"}
    assert scripts("\u03b1\u03b2") == {"Greek"}
    assert scripts("12-3") == frozenset()


def test_any_text_has_a_form() -> None:
    """Lone surrogates, unassigned characters, any length: never an exception."""
    rng = random.Random(1)
    for _ in range(500):
        text = "".join([chr(rng.randrange(0x11_0000)) for _ in range(rng.randrange(60))])
        assert isinstance(skeleton(text), str)
        assert isinstance(readable("xn--" + text), str)
    assert skeleton("a" * (MAX_INPUT + 10)) == "a" * MAX_INPUT


@pytest.mark.parametrize("pattern", ["rn", "\u0300", "xn--", "\ufdfa", "xn--a."])
def test_the_worst_text_is_linear(pattern: str) -> None:
    """One character that becomes eighteen is no way to more work than the limit."""
    make = fill(pattern.encode())
    assert_linear(lambda data: skeleton(data.decode("utf-8", "replace")), make, 20_000)
    assert_linear(lambda data: readable(data[:250].decode("utf-8", "replace")), make, 20_000)

"""Hostile records cost time by their length, no more."""

from collections.abc import Callable

import pytest

from filterd.dns.fake import FakeResolver
from filterd.spf.macros import parse_macro_string
from filterd.spf.record import read
from tests.spf.zones import check
from tests.support.growth import LINEAR, growth

WORDS = {
    "networks": "ip4:10.{}.0.0/16 ",
    "modifiers": "x{}=%{{d}}%{{ir}} ",
    "macros in one term": "%{{l1r.}}",
    "blanks": "      ",
    "dots": "a.",
    "digits": "9",
    "slashes": "/1",
    "opened macros": "%{{",
}


@pytest.mark.threat("AUTH-10")
@pytest.mark.parametrize("word", WORDS.values(), ids=list(WORDS))
def test_reading_a_record(word: str) -> None:
    """Reading a record is linear in its length, whatever it is full of."""

    def build(size: int) -> Callable[[], object]:
        text = "v=spf1 exists:" + "".join(word.format(number % 250) for number in range(size)) + ".x.test -all"
        return lambda: [read(text) for _ in range(20)]

    assert growth(build, 300) <= LINEAR


@pytest.mark.threat("AUTH-10")
def test_evaluating_long_records() -> None:
    """Ten records of the greatest length are judged in time linear in it, guesses included."""

    def build(size: int) -> Callable[[], object]:
        networks = " ".join(f"ip4:10.{number % 250}.0.0/16" for number in range(size))
        txt = {f"d{number}.test": [f"v=spf1 {networks} include:d{number + 1}.test -all"] for number in range(10)}
        resolver = FakeResolver(txt=txt | {"d10.test": ["v=spf1 -all"]})
        return lambda: check(resolver)

    assert growth(build, 200) <= LINEAR


@pytest.mark.threat("AUTH-10")
def test_expanding_macros() -> None:
    """Expanding a name is linear in the macros of the term, even where each stands for nothing."""

    def build(size: int) -> Callable[[], object]:
        parsed = parse_macro_string("%{l1r.}" * size + ".x.test")
        assert parsed is not None
        values = {"l": "." * 300}
        return lambda: parsed.expand_name(values)

    assert growth(build, 300) <= LINEAR

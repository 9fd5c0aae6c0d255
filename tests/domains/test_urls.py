"""Where a URL leads: equal for two that a browser takes to one place."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.domains.urls import parse_url, place_of
from tests.support.growth import LINEAR, growth


def _place(text: str) -> str:
    url = parse_url(text)
    assert url is not None
    return place_of(url)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("https://host.example", "host.example/"),
        ("HTTP://Host.Example.:80/#top", "host.example/"),
        ("http://host.example:443/", "host.example:443/"),
        ("https:/\\host.example\\a\\b", "host.example/a/b"),
        ("https://user@host.example/a/./b/../c", "host.example/a/c"),
        ("https://host.example/../../a", "host.example/a"),
        ("https://host.example/%61%2Fb?c=%64#e?f", "host.example/a/b?c=d"),
        ("https://host.example?a=/../b", "host.example/?a=/../b"),
        ("https://host.example/A\tb\r\n", "host.example/Ab"),
        ("http://3221225985/x", "192.0.2.1/x"),
        ("https://[2001:db8:0::1]:8443/x", "2001:db8::1:8443/x"),
        ("www.host.example/x).", "www.host.example/x"),
    ],
)
def test_ways_of_writing_are_one_place(text: str, place: str) -> None:
    """Scheme, user, default port, escapes, dots, backslashes and the end of a sentence make no difference."""
    assert _place(text) == place


@pytest.mark.parametrize("other", ["http://host.example/b", "http://host.example/A", "http://host.example/a?b"])
def test_other_places_stay_apart(other: str) -> None:
    """Path with its case, and query."""
    assert _place("http://host.example/a") != _place(other)


@given(st.text(alphabet=st.sampled_from("ab./\\%25#?:@[]\ud800é\t"), max_size=60))
def test_a_place_is_there_for_every_url(rest: str) -> None:
    """Nothing raises, and user and fragment never matter."""
    url = parse_url("https://host.example/" + rest)
    assert url is not None
    assert place_of(url).startswith("host.example")
    assert place_of(url) == _place("https://me@host.example/" + rest.partition("#")[0])


@pytest.mark.parametrize("piece", ["/a/..", "%41/", "\\.", "../", "?%", ").", "//"])
def test_the_cost_is_linear(piece: str) -> None:
    """Longer than any URL that is read."""

    def build(size: int) -> Callable[[], object]:
        text = "https://host.example/" + piece * size
        return lambda: _place(text)

    assert growth(build, 5_000) <= LINEAR

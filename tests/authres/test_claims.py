from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.authres import claims_us

OURS = "mx.filterd.test"


@pytest.mark.threat("AR-02")
@pytest.mark.parametrize(
    "value",
    [
        b" mx.filterd.test; spf=pass",
        b"mx.filterd.test; spf=pass",
        b" MX.Filterd.Test; spf=pass",
        b' "mx.filterd.test"; spf=pass',
        b' "mx\\.filterd.test"; spf=pass',
        b" mx.filterd.test.; spf=pass",
        b" (c) mx.filterd.test; spf=pass",
        b" (a (b) \\) c) (d)mx.filterd.test(e); spf=pass",
        b"\r\n\tmx.filterd.test;\r\n spf=pass",
        b" mx.filterd.test 2; spf=pass",
        b" mx.filterd.test (c) 1 (d) ; spf=pass",
        b"\tmx.filterd.test\t;spf=pass",
        b" mx.filterd.test\0",
        b" mx.filterd.test\0; spf=pass",
        b" =?utf-8?q?mx.filterd.test?=; spf=pass",
        b" =?us-ascii?B?bXguZmlsdGVyZC50ZXN0?=; spf=pass",
        " mx\uff0efilterd\uff0etest; spf=pass".encode(),
        " mx.filt\u200berd.test; spf=pass".encode(),
        b" mx.filterd.test",
        b";; mx.filterd.test; spf=pass",
    ],
)
def test_every_spelling_of_our_name_is_ours(value: bytes) -> None:
    """Case, quotes, comments, folds, versions, controls and encodings change nothing."""
    assert claims_us(value, OURS)


@pytest.mark.threat("AR-02")
@pytest.mark.parametrize(
    "value",
    [
        b" mx.filterd.test spf=pass",
        b" mx.filterd.test/1; spf=pass",
        b" mx.filterd.test v1; spf=pass",
        b" <mx.filterd.test>; spf=pass",
        b" mx.fil\r\n\tterd.test; spf=pass",
        b" mx.fil terd.test; spf=pass",
        b' mx."filterd".test; spf=pass',
        b" mx.fil\\terd.test; spf=pass",
        b' "mx.filterd.test 1"; spf=pass',
        b" mx(c).filterd(d).test; spf=pass",
        b" mx\0.filterd.test; spf=pass",
        b" mx\xff.filterd.test; spf=pass",
        b" (mx.filterd.test; spf=pass",
        b' "mx.filterd.test; spf=pass',
        b' "x; mx.filterd.test',
        b" ((a) mx.filterd.test; spf=pass) other.example; none",
        b" (a\\) mx.filterd.test; spf=pass (b)) other.example; none",
        b" spf=pass mx.filterd.test; dkim=pass",
    ],
)
def test_what_cannot_be_parsed_and_names_us_is_ours(value: bytes) -> None:
    """Where readers may differ, a mention of our name before the results is enough."""
    assert claims_us(value, OURS)


@pytest.mark.threat("AR-02")
@pytest.mark.parametrize(
    "value",
    [
        b" other.example; spf=pass smtp.mailfrom=x@mx.filterd.test",
        b" a.mx.filterd.test; spf=pass",
        b" filterd.test; spf=pass",
        b" other.example (relay mx.filterd.test); spf=pass",
        b" other.example 1; mx.filterd.test=pass",
        b" spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x.example; dkim=pass header.d=mx.filterd.test",
        b" mx-filterd.test; spf=pass",
        b' "a.mx.filterd.test"; spf=pass',
        b" =?utf-8?q?other.example?=; spf=pass",
        b"",
        b" ; ; ;",
        b" \xff\xfe\0",
    ],
)
def test_what_is_plainly_not_ours_stays(value: bytes) -> None:
    """Another name, or a mention of ours among results, is no claim."""
    assert not claims_us(value, OURS)


def test_an_internationalised_name_is_ours_in_both_forms() -> None:
    """U-labels and A-labels are the same name (RFC 8616)."""
    assert claims_us(" mx.bücher.example; none".encode(), "mx.xn--bcher-kva.example")
    assert claims_us(b" mx.xn--bcher-kva.example; none", "mx.bücher.example")


def test_two_names_that_are_no_domains_differ() -> None:
    """What cannot be normalised is compared as text."""
    assert claims_us(b" Front!1; none", "front!1")
    assert not claims_us(b" front!2; none", "front!1")


@pytest.mark.threat("AR-02")
@given(
    st.lists(st.sampled_from([" ", "\r\n ", "\t", "(c)", "(a (b) c)", "()", ""]), max_size=6),
    st.lists(st.booleans(), min_size=len(OURS), max_size=len(OURS)),
    st.booleans(),
    st.sampled_from(["", " 1", "(c)", " (c) 1 (d)", "\r\n\t1"]),
)
def test_valid_spellings_are_ours(before: list[str], upper: list[bool], quoted: bool, version: str) -> None:  # noqa: FBT001  # drawn
    """Whatever the grammar allows around and within the name, it is found."""
    name = "".join(c.upper() if up else c for c, up in zip(OURS, upper, strict=True))
    name = f'"{name}"' if quoted else name
    assert claims_us(f" {''.join(before)}{name}{version}; spf=pass".encode(), OURS)


@given(st.text(alphabet=' \t\r\n"\\();.=?qmx1/\0é', max_size=60).map(str.encode) | st.binary(max_size=80))
def test_no_bytes_raise(value: bytes) -> None:
    """Any bytes are answered with yes or no."""
    assert claims_us(value, OURS) in {True, False}


SHAPES: list[Callable[[int], bytes]] = [
    lambda n: b"(" * n,
    lambda n: b"()" * n,
    lambda n: b"(" * n + b")" * n,
    lambda n: b'"' * n,
    lambda n: b'"\\' * n,
    lambda n: b"a(b)" * n,
    lambda n: b"x " * n,
    lambda n: b" 1" * n,
    lambda n: b";" * n,
    lambda n: b"=?utf-8?q?" * n,
    lambda n: b"=?utf-8?q?a?= " * n,
    lambda n: "é".encode() * n,
]


def seconds(shape: Callable[[int], bytes], size: int) -> float:
    """The least CPU time of several runs."""
    value = shape(size)
    times = []
    for _ in range(5):
        started = process_time()
        claims_us(value, OURS)
        times.append(process_time() - started)
    return min(times)


@pytest.mark.threat("MIME-20")
@pytest.mark.parametrize("shape", SHAPES)
def test_time_is_linear(shape: Callable[[int], bytes]) -> None:
    """Eight times the field takes far less than 64 times the time, whatever it is made of."""
    small, large = seconds(shape, 4_000), seconds(shape, 32_000)
    assert large <= 24 * max(small, 1e-4)

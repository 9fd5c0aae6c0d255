"""Fields of other servers: what is sure is read, what has two readings says nothing."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.authres import read_results, render
from filterd.authres.reader import MAX_FIELD, MAX_PROPERTIES, MAX_RESULTS, MAX_VALUE, Reported
from filterd.model.authentication import DkimResult, DkimStatus, ReportedResult, SpfResult, SpfScope, SpfStatus
from tests.authres import strict
from tests.support.growth import LINEAR, growth

PASS = ReportedResult("dmarc", "pass", (("header.from", "a.example"),))


def results(text: str) -> tuple[ReportedResult, ...] | None:
    """The results in a field by x.example; None where it says nothing."""
    found = read_results(f" x.example; {text}".encode())
    return None if found is None else found.results


def read(text: str) -> ReportedResult | None:
    """The only result of a field; None where there is none."""
    found = results(text)
    return found[0] if found else None


def test_a_field_of_google() -> None:
    """Comments are passed over, and an unquoted base64 value is left out without its result."""
    value = (
        b" mx.google.com;\r\n       dkim=pass header.i=@shop.example header.s=s1 header.b=Uo/3xQ==;\r\n"
        b"       spf=pass (google.com: domain of a@shop.example designates 192.0.2.1 as permitted sender)"
        b" smtp.mailfrom=a@shop.example;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=shop.example"
    )
    assert read_results(value) == Reported(
        "mx.google.com",
        (
            ReportedResult("dkim", "pass", (("header.i", "@shop.example"), ("header.s", "s1"))),
            ReportedResult("spf", "pass", (("smtp.mailfrom", "a@shop.example"),)),
            ReportedResult("dmarc", "pass", (("header.from", "shop.example"),)),
        ),
    )


def test_a_field_of_microsoft() -> None:
    """A version number, a property without a type, and a last semicolon."""
    value = b" mx.microsoft.com 1; spf=pass\r\n smtp.mailfrom=a.example; dmarc=pass action=none header.from=a.example;"
    assert read_results(value) == Reported(
        "mx.microsoft.com", (ReportedResult("spf", "pass", (("smtp.mailfrom", "a.example"),)), PASS)
    )


@pytest.mark.parametrize(
    "text",
    [
        "dmarc=pass header.from=a.example",
        "DMARC=Pass Header.From=a.example",
        " dmarc / 1 = pass reason = good header . from = a.example ",
        'dmarc=pass reason="a; b (c" header.from="a.example"',
        "dmarc=pass (a (b; c) \\) d) header.from=a.example (e)",
        "(a) (b)(c) dmarc=pass\r\n\theader.from=a.example\r\n ",
        ";; dmarc=pass header.from=a.example; ;",
    ],
)
def test_the_same_result_in_many_spellings(text: str) -> None:
    """RFC 8601, section 2.2: what the grammar allows around its words."""
    assert results(text) == (PASS,)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a b"@x.example', "a b@x.example"),
        ('"a\\"; b"', 'a"; b'),
        ("SRS0=h=t=o.example=u@x.example", "SRS0=h=t=o.example=u@x.example"),
        ("@x.example", "@x.example"),
        ("jörg@bücher.example", "jörg@bücher.example"),
        ("x" * MAX_VALUE, "x" * MAX_VALUE),
        ("x" * (MAX_VALUE + 1), ""),
        ("a@b@c", ""),
        ("a@", ""),
        ('""', ""),
        ('"a"b', ""),
        ("a:b", ""),
        ("<a@b>", ""),
    ],
)
def test_values(text: str, value: str) -> None:
    """A token, a quoted string, a domain or a mailbox; anything else leaves its result without the property."""
    found = read(f"spf=pass smtp.mailfrom={text} smtp.helo=h")
    assert found is not None
    assert (found.value("smtp.mailfrom"), found.value("smtp.helo")) == (value, "h")


@pytest.mark.threat("AUTH-14")
@pytest.mark.parametrize(
    "text",
    [
        "dmarc=pass header.from=a.example header.from=b.example",
        "dmarc=pass header.from=a.example Header.FROM=a:b",
        "dmarc=pass header.from=a.example(.evil.example)",
        "dmarc=pass header.from=(.evil.example)a.example",
        "dm(x)arc=pass",
        "dmarc=pass header.from=a.example evil",
        "dmarc=pass header.from",
        "dmarc=pass header.from=",
        "dmarc=pass header.from =",
        "dmarc=pass header.from.x=a",
        "dmarc=pass header-.from=a",
        "dmarc=pass -header.from=a",
        "dmarc=pass,fail",
        "dmarc/2=pass",
        "dmarc/=pass",
        "dmarc=",
        "=pass",
        "dmarc pass",
        "none",
        "d\u00e4marc=pass",
        "dmarc=pass header.from=a\u00a0b header.\u00a0from=c",
    ],
)
def test_a_result_outside_the_grammar_is_left_out_alone(text: str) -> None:
    """Whole, with what could be read of it; its neighbours stay."""
    assert results(f"spf=pass; {text}; {text}; dkim=none") == (
        ReportedResult("spf", "pass"),
        ReportedResult("dkim", "none"),
    )


@pytest.mark.threat("AUTH-14")
@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b";",
        b" ; spf=pass",
        b" spf=pass",
        b" x.example spf=pass",
        b" x.example 2; spf=pass",
        b" x.example 11; spf=pass",
        b" x.example 1 1; spf=pass",
        b" x/example; spf=pass",
        b' "x.example; spf=pass',
        b' x.example; spf=pass smtp.mailfrom="a; dkim=pass',
        b' x.example; spf=pass smtp.mailfrom=a"; dkim=pass x.y="b',
        b' x.example; spf=pass smtp.mailfrom="a""; dkim=pass x.y="',
        b" x.example; spf=pass (a; dkim=pass",
        b" x.example; spf=pass (a (b); dkim=pass",
        b" x.example; spf=pass (a\\); dkim=pass",
        b" x.example; spf=pass (\\",
        b" x.example; spf=pass a) dkim=pass",
        b" x.example; spf=pass \\; dkim=pass",
        b" x.example; spf=pass\0",
        b" x.example; spf=pass\r\ndkim=pass",
        b" x.example; spf=pass\rdkim=pass",
        b" x.example; spf=pass\n dkim=pass",
        b" x.example; spf=pass; dkim=pass (\xff)",
        " x.example; spf=pass\u2028dkim=pass".encode(),
        b" x.example; spf=pass" + b" " * MAX_FIELD,
        b" x.example" + b"; spf=pass" * (MAX_RESULTS + 1),
    ],
)
def test_a_field_with_two_readings_says_nothing(value: bytes) -> None:
    """Without a name, with an open quote or comment, with odd characters, or too long."""
    assert read_results(value) is None


def test_limits_are_reached() -> None:
    """As many results and properties as the limits say are read."""
    pairs = [(f"p.n{number}", "v") for number in range(MAX_PROPERTIES)]
    full = "m=r" + "".join(f" {name}={value}" for name, value in pairs)
    assert results("; ".join([full] * MAX_RESULTS)) == (ReportedResult("m", "r", tuple(pairs)),) * MAX_RESULTS
    assert results(f"{full} p.more=v; spf=pass") == (ReportedResult("spf", "pass"),)
    field = b" x.example; spf=pass"
    assert read_results(field + b" " * (MAX_FIELD - len(field))) == Reported(
        "x.example", (ReportedResult("spf", "pass"),)
    )


def test_no_result() -> None:
    """RFC 8601, section 2.2: the server has looked and says nothing."""
    assert read_results(b' "x.example" 1; none') == Reported("x.example")
    assert read_results(b" x.example") == Reported("x.example")


TEXTS = st.text(alphabet="aZ1.@;,=\"'\\()<>[]:/ \t\r\n\0\x7fé\u200b\ud800", max_size=40)
RESULTS = st.one_of(
    st.builds(SpfResult, st.sampled_from(SpfStatus), TEXTS, st.just(SpfScope.MAILFROM), TEXTS),
    st.builds(DkimResult, st.sampled_from(DkimStatus), TEXTS, TEXTS, TEXTS, TEXTS, st.just(0), TEXTS, TEXTS),
)


@given(st.lists(RESULTS, min_size=1, max_size=4), TEXTS)
def test_what_we_write_is_read_as_the_grammar_has_it(written: list[SpfResult | DkimResult], sender: str) -> None:
    """Every result, and every value that is not empty, as a reader of the bare grammar finds them."""
    field = render("mx.example", written, sender=sender, helo="h.example")
    expected = [
        ReportedResult(one.method, one.result, tuple([pair for pair in one.properties if pair[1]]))
        for one in strict.read(field)[1]
    ]
    assert read_results(field.encode()) == Reported("mx.example", tuple(expected))


@given(st.binary(max_size=60) | TEXTS.map(lambda text: b"x; a=b c.d=" + text.encode("utf-8", "surrogatepass")))
def test_any_bytes(value: bytes) -> None:
    """Nothing is raised, and no value holds what could be taken for the end of a line."""
    found = read_results(value)
    for result in found.results if found else ():
        for _, text in result.properties:
            assert not set(text) & set("\r\n\0")


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize("pattern", [";", "(", ")", '"', "\\", " ", "a", "-", "a=b;", "()", "a=b c.d=", "a.", "a/1"])
@pytest.mark.parametrize("start", ["", "x; ", "x; a=b ", "x; a=b c.d=", "x; a=b (", 'x; a=b c.d="'])
def test_time_is_linear(start: str, pattern: str) -> None:
    """Any repetition anywhere."""

    def build(size: int) -> Callable[[], object]:
        value = (start + pattern * (size // len(pattern))).encode()
        return lambda: [read_results(value) for _ in range(5)]

    assert growth(build, MAX_FIELD // 2 - 100) <= LINEAR

"""Macro strings: RFC 7208, section 7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.spf.macros import MAX_EXPLANATION, MAX_NAME, as_name, parse_macro_string
from filterd.spf.values import Values, is_askable

V4 = Values.of("192.0.2.3", "strong-bad@email.example.com", "email.example.com", "mx.example.org", "", 0.0)
V6 = Values.of("2001:db8::cb01", "strong-bad@email.example.com", "email.example.com", "mx.example.org", "", 0.0)


def expand(text: str, values: Values = V4) -> str:
    """The name that the text stands for; %{p} is mx.example.org."""
    parsed = parse_macro_string(text)
    assert parsed is not None
    return parsed.expand_name(values.macros("email.example.com", "mx.example.org"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{p2}.trusted-domains.example.net.", "example.org.trusted-domains.example.net"),
        ("%{h}", "mx.example.org"),
        ("%%%_%-x.test", "% %20x.test"),
        ("%{d999999999999999999999}", "email.example.com"),
        ("%{d02}", "example.com"),
        ("%{l+-.}", "strong.bad"),
    ],
)
def test_expansions(text: str, expected: str) -> None:
    """The examples of RFC 7208, section 7.4, and what they leave out."""
    assert expand(text) == expected


def test_ipv6_nibbles() -> None:
    """An IPv6 address is 32 nibbles with dots between."""
    assert expand("%{ir}.%{v}._spf.%{d2}", V6) == (
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    )


def test_capital_letters_escape() -> None:
    """A capital letter escapes the value for a URL; beyond ASCII as UTF-8, and lone surrogates do no harm."""
    values = Values.of("192.0.2.3", "a b/\u00e9\udcff@example.com", "example.com", "mx.example.org", "", 0.0)
    parsed = parse_macro_string("http://x.test/%{L}", explanation=True)
    assert parsed is not None
    assert parsed.expand_text(values.macros("example.com", "")) == "http://x.test/a%20b%2F%C3%A9%3F"


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "%{",
        "%{}",
        "%{d",
        "%{x}",
        "%{d0}",
        "%{d00r}",
        "%{d;}",
        "%a",
        "%{c}",
        "%{r}",
        "%{t}",
        "a b",
        "\x7f",
        "\u00e9",
    ],
)
def test_malformed(text: str) -> None:
    """What the grammar does not know is no macro string; c, r and t belong to explanations."""
    assert parse_macro_string(text) is None


def test_too_long_a_name_loses_labels_on_the_left() -> None:
    """RFC 7208, section 7.3: labels go until 253 octets are left; a single label that long leaves nothing."""
    values = Values.of("192.0.2.3", "x@example.com", "example.com", "mx.example.org", "", 0.0)
    long = ".".join(["a" * 60] * 5)
    parsed = parse_macro_string("%{d}.tail.example.com")
    assert parsed is not None
    name = parsed.expand_name(values.macros(long, ""))
    assert name == ".".join(["a" * 60] * 3) + ".tail.example.com"
    assert parsed.expand_name(values.macros("b" * 300, "")) == "tail.example.com"
    assert as_name("b" * 300) == ""
    assert as_name("a" * 253) == "a" * 253
    assert as_name("x." + "a" * 252) == "a" * 252


@pytest.mark.parametrize("name", ["\u212a.test", "\u0130.test", "\u00e9.test"])
def test_no_name_beyond_ascii(name: str) -> None:
    """A letter whose lower case is ASCII (the Kelvin sign) does not slip in as that."""
    assert not is_askable(as_name(name))


@given(st.text(alphabet="%{}dls1r.-_x ", max_size=40), st.text(max_size=80), st.text(max_size=80))
def test_any_text_any_values(text: str, local: str, domain: str) -> None:
    """Any text is malformed, or expands to a name of at most 253 characters and a text of at most 512."""
    values = Values.of("192.0.2.3", f"{local}@{domain}", "example.com", domain, "", 0.0)
    for explanation in (False, True):
        parsed = parse_macro_string(text, explanation=explanation)
        if parsed is not None:
            macros = values.macros("example.com", "")
            assert len(parsed.expand_name(macros)) <= MAX_NAME
            assert len(parsed.expand_text(macros)) <= MAX_EXPLANATION

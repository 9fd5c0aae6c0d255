"""Domain names have one normal form, and what is no name has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.domains import MAX_NAME, is_subdomain, normalise, registrable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        (b"_spf.Example.com", "_spf.example.com"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("straßen.bücher.example", "xn--straen-eta.xn--bcher-kva.example"),
        ("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"),
        ("\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d", "example.com"),
        ("exa\u200bmple.com", "example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("r3---sn.example", "r3---sn.example"),
        ("4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa"),
        ("1e100.net", "1e100.net"),
    ],
)
@pytest.mark.threat("AUTH-04")
def test_one_normal_form(text: str | bytes, expected: str) -> None:
    """Spellings of one name become the same A-labels."""
    assert normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "example..com",
        ".example.com",
        "example.com..",
        "a" * 64 + ".example",
        "[192.0.2.1]",
        "192.0.2.1",
        "a@b",
        "exa mple.com",
        "exa\x00mple.com",
        "example.com\n",
        "-a.example",
        "a-.example",
        b"\xff.example",
        "\u202eexample.com",
        "bank.com(.evil.example",
        ".".join(["abcdefg"] * 32),
        "ü" * 2000,
    ],
)
@pytest.mark.threat("AUTH-04")
def test_no_name(text: str | bytes) -> None:
    """What is no domain name has no normal form."""
    assert normalise(text) is None


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_none(text: str) -> None:
    """Normalising never raises, stays within the DNS limit, and is the same when done twice."""
    name = normalise(text)
    assert name is None or (len(name) <= MAX_NAME and normalise(name) == name)


def test_subdomains_end_at_a_label() -> None:
    """A name is below another only at a dot."""
    assert is_subdomain("a.example.com", "example.com")
    assert is_subdomain("example.com", "example.com")
    assert not is_subdomain("badexample.com", "example.com")
    assert not is_subdomain("example.com", "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("co.uk", "co.uk"),
        ("www.xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_registrable_domain(name: str, expected: str) -> None:
    """The registrable domain is one label below the public suffix, a suffix stays what it is."""
    assert registrable(name) == expected

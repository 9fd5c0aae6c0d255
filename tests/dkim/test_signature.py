"""One DKIM-Signature field: RFC 6376, sections 3.5 and 6.1.1, and what RFC 8301, 8463 and 8616 changed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dkim import signature_hints
from filterd.dkim.canonical import BodyForm
from filterd.dkim.signature import CLOCK_SKEW, MAX_FIELD, MAX_SIGNED_NAMES, Signature, read_signature
from filterd.model.authentication import DkimStatus, SignatureFacts

NOW = 1_700_000_000
B = "AAAA"
BH = base64.b64encode(bytes(32)).decode()
DEFAULTS = {"v": "1", "a": "rsa-sha256", "d": "example.test", "s": "sel", "h": "from:to", "bh": BH, "b": B}


def field(**tags: str | None) -> bytes:
    """A field of the default tags and these; None leaves a tag out."""
    chosen = DEFAULTS | tags
    return "; ".join(f"{name}={value}" for name, value in chosen.items() if value is not None).encode()


def read(**tags: str | None) -> Signature | SignatureFacts:
    """Read such a field."""
    return read_signature(field(**tags), NOW)


def refused(**tags: str | None) -> tuple[DkimStatus | None, str]:
    """Why the field is refused."""
    facts = read(**tags)
    assert isinstance(facts, SignatureFacts)
    return facts.status, facts.reason


def accepted(**tags: str | None) -> Signature:
    """The signature read."""
    signature = read(**tags)
    assert isinstance(signature, Signature), signature
    return signature


def test_defaults() -> None:
    """What is left out has the value that the RFC gives it."""
    signature = accepted()
    assert signature.identity == "@example.test"
    assert signature.names == (b"from", b"to")
    assert (signature.relaxed_header, signature.body_form) == (False, BodyForm(relaxed=False, limit=None))
    assert (signature.timestamp, signature.expires, signature.tag) == (None, None, B)


def test_values_are_normalised() -> None:
    """Domain, selector and identity are lower-case A-labels, names lower-case, white space gone."""
    signature = accepted(
        d="B\u00fccher.Example.TEST",
        s="S\u00e9l.One",
        h=" From :\r\n To:SUBJECT ",
        i="J\u00f6rg@Sub.B\u00fccher.example.test",
        bh=BH[:10] + "\r\n " + BH[10:],
        b="AA\r\n\tAA",
        c="relaxed",
        t="1699999999",
        x="1700000001",
        l="007",
    )
    assert signature.domain == "xn--bcher-kva.example.test"
    assert signature.selector == "xn--sl-bja.one"
    assert signature.names == (b"from", b"to", b"subject")
    assert signature.identity == "J\u00f6rg@sub.xn--bcher-kva.example.test"
    assert (signature.relaxed_header, signature.body_form) == (True, BodyForm(relaxed=False, limit=7))
    assert (signature.timestamp, signature.expires) == (1_699_999_999, 1_700_000_001)


@pytest.mark.parametrize("name", DEFAULTS)
def test_required_tags(name: str) -> None:
    """RFC 6376, section 6.1.1: a signature without a required tag is a permerror."""
    assert refused(**{name: None})[0] is DkimStatus.PERMERROR


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"v": "2"}, "unsupported version"),
        ({"v": "1.0"}, "unsupported version"),
        ({"h": "to:subject"}, "From is not signed"),
        ({"h": ""}, "h= is not a list of field names"),
        ({"h": "from:"}, "h= is not a list of field names"),
        ({"h": "from to"}, "h= is not a list of field names"),
        ({"h": "from::to"}, "h= is not a list of field names"),
        ({"h": ":".join(["from"] * (MAX_SIGNED_NAMES + 1))}, "too many names in h="),
        ({"i": "example.test"}, "i= is not an identity"),
        ({"i": ""}, "i= is not an identity"),
        ({"i": "a@"}, "i= is not an identity"),
        ({"i": "a" * 400 + "@example.test"}, "i= is not an identity"),
        ({"i": "@other.test"}, "i= is outside d="),
        ({"i": "@notexample.test"}, "i= is outside d="),
        ({"i": "@test"}, "i= is outside d="),
        ({"b": ""}, "b= is empty"),
        ({"b": "A"}, "b= is not base64"),
        ({"b": "AAA=A"}, "b= is not base64"),
        ({"b": "AA!A"}, "b= is not base64"),
        ({"b": "A" * 1000}, "b= is longer than any accepted key's signature"),
        ({"bh": ""}, "bh= is empty"),
        ({"bh": "AAAA"}, "bh= has the wrong length"),
        ({"l": ""}, "l= is not a number"),
        ({"l": "-1"}, "l= is not a number"),
        ({"l": "+1"}, "l= is not a number"),
        ({"l": "1_0"}, "l= is not a number"),
        ({"l": "\u0661"}, "l= is not a number"),
        ({"t": "x"}, "t= is not a number"),
        ({"t": str(NOW + CLOCK_SKEW + 1)}, "t= is in the future"),
        ({"t": "9" * 4300}, "t= is in the future"),
        ({"x": str(NOW - CLOCK_SKEW - 1)}, "signature expired"),
        ({"t": "1600000000", "x": "1600000000"}, "x= is not after t="),
        ({"t": "1600000001", "x": "1600000000"}, "x= is not after t="),
    ],
)
def test_permerror(tags: dict[str, str], reason: str) -> None:
    """What breaks the RFC is a permerror with its own reason."""
    assert refused(**tags) == (DkimStatus.PERMERROR, reason)


@pytest.mark.parametrize(
    ("tags", "status", "reason"),
    [
        ({"a": "rsa-sha1"}, DkimStatus.POLICY, "rsa-sha1 is not accepted"),
        ({"a": "rsa-sha512"}, DkimStatus.NEUTRAL, "unsupported algorithm"),
        ({"a": "RSA-SHA256"}, DkimStatus.NEUTRAL, "unsupported algorithm"),
        ({"a": ""}, DkimStatus.NEUTRAL, "unsupported algorithm"),
        ({"c": "nofws"}, DkimStatus.NEUTRAL, "unsupported canonicalization"),
        ({"c": "relaxed/"}, DkimStatus.NEUTRAL, "unsupported canonicalization"),
        ({"c": "relaxed/relaxed/relaxed"}, DkimStatus.NEUTRAL, "unsupported canonicalization"),
        ({"q": "http"}, DkimStatus.NEUTRAL, "unsupported query method"),
    ],
)
def test_not_taken(tags: dict[str, str], status: DkimStatus, reason: str) -> None:
    """RFC 8301 forbids rsa-sha1 (policy); what we do not know is neutral."""
    assert refused(**tags) == (status, reason)


@pytest.mark.parametrize(
    "tags",
    [
        {"t": str(NOW + CLOCK_SKEW)},
        {"x": str(NOW - CLOCK_SKEW)},
        {"x": "9" * 4300},
        {"l": "9" * 4300},
        {"l": "0"},
        {"q": "http : dns/txt"},
        {"z": "From:a=20b|To:c"},
        {"i": '"a b@c"@example.test'},
        {"i": "@EXAMPLE.test"},
        {"unknown": "tag"},
        {"h": ":".join(["from"] * MAX_SIGNED_NAMES)},
    ],
)
def test_accepted(tags: dict[str, str]) -> None:
    """Odd but legal values are read, numbers of thousands of digits among them."""
    assert accepted(**tags).domain == "example.test"


@pytest.mark.threat("AR-05")
@pytest.mark.threat("DNS-07")
@pytest.mark.parametrize(
    "tags",
    [
        {"d": "legit.test(.evil.test"},
        {"d": "legit.test'.evil.test"},
        {"d": "a b.test"},
        {"d": "test"},
        {"d": "example.test."},
        {"d": "192.0.2.1"},
        {"d": "a..test"},
        {"d": "a" * 64 + ".test"},
        {"d": "a." * 130 + "test"},
        {"d": "\u202e.test"},
        {"d": "*.test"},
        {"s": "a b"},
        {"s": 'a"b'},
        {"s": "a\r\n b"},
        {"s": "a."},
        {"s": ".a"},
        {"s": "a..b"},
        {"s": "a" * 64},
        {"s": "a(b"},
        {"s": "*"},
        {"s": ""},
    ],
)
def test_hostile_names(tags: dict[str, str]) -> None:
    """Names that DNS cannot hold are a permerror, ask nothing and are not repeated."""
    facts = read(**tags)
    assert isinstance(facts, SignatureFacts)
    assert facts.status is DkimStatus.PERMERROR
    assert facts.reason in {"d= is not a domain name", "s= is not a selector"}
    assert (facts.domain, facts.selector) == ("" if "d" in tags else "example.test", "")
    assert signature_hints(field(**tags)) is None


@pytest.mark.threat("AUTH-06")
def test_longest_field() -> None:
    """A field of 64 kB is refused unread."""
    assert refused(z="x" * MAX_FIELD) == (DkimStatus.PERMERROR, "signature field too long")
    assert signature_hints(b"d=example.test; s=sel; z=" + b"x" * MAX_FIELD) is None


def test_hints() -> None:
    """Where to ask is read from d= and s= alone."""
    assert signature_hints(b" s=One;\r\n d=Example.TEST; b=!") == ("example.test", "one")
    assert signature_hints(b"d=example.test") is None
    assert signature_hints(b"\0") is None


@given(st.binary(max_size=60))
def test_any_bytes(value: bytes) -> None:
    """Any bytes are a signature or facts that say why not."""
    for each in (value, b"v=1; d=example.test; s=sel; " + value):
        read_signature(each, NOW)
        signature_hints(each)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*DEFAULTS, *"cilqtx"], st.text(max_size=20))))
def test_any_values(tags: dict[str, str]) -> None:
    """Any values are a signature, or facts whose words are ours and whose names DNS can hold."""
    facts = read(**tags)
    if isinstance(facts, SignatureFacts):
        assert facts.status is not None
        assert facts.reason.isascii()
        assert facts.reason.isprintable()
    words = f"{facts.domain}{facts.selector}{facts.algorithm}{facts.tag}"
    assert words.isascii()
    assert words.isprintable()

"""Records: RFC 7208, sections 4.5, 4.6, 5 and 6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.model.authentication import SpfStatus
from filterd.spf.record import MAX_RECORD, Kind, Record, RecordError, parse, select


@pytest.mark.parametrize(
    "terms",
    [
        "a",
        "a/24",
        "a//64",
        "a/24//64",
        "a/0",
        "A:Example.COM./8",
        "a:x.test/24//64",
        "mx:%{d}/32",
        "mx:a/b.test",
        "ptr",
        "ptr:x.test",
        "exists:%{i}._spf.%{d}",
        "exists:%{i}%_",
        "include:x.1-1",
        "ip4:1.2.3.4",
        "ip4:1.2.3.4/0",
        "ip6:::1/128",
        "ip6:::ffff:1.2.3.4",
        "-all",
        "   -all   ",
        "unknown=anything-%{d}",
        "unknown=",
        "include=looks-like-a-mechanism",
        "a.b_c-1=x",
        "REDIRECT=x.test",
        "exp=x.test redirect=y.test",
    ],
)
def test_well_formed(terms: str) -> None:
    """What the grammar allows is read."""
    assert isinstance(parse(f"v=spf1 {terms}"), Record)


@pytest.mark.parametrize(
    "terms",
    [
        "a:",
        "a/",
        "a/33",
        "a/024",
        "a//129",
        "a/24/24",
        "a:/24",
        "a:x",
        "a:x.123",
        "a:x.test-",
        "a:%{d}x",
        "a:x.test}",
        "a:x%%{d}",
        "a:x y.test z",
        "a,mx",
        "aa",
        "all:x.test",
        "all/24",
        "exists",
        "exists:",
        "exists:x.test/24/",
        "include",
        "include:",
        "include:localhost",
        "ip4",
        "ip4:",
        "ip4:1.2.3",
        "ip4:1.2.3.4/33",
        "ip4:1.2.3.4/",
        "ip4:1.2.3.4/08",
        "ip4:1.2.3.4//32",
        "ip4:1.2.3.4/\u0662",
        "ip4:01.2.3.4",
        "ip6:1.2.3.4",
        "ip6:::1/129",
        "ip6:fe80::1%eth0",
        "ptr/24",
        "redirect=",
        "redirect=x",
        "redirect=x.test redirect=y.test",
        "exp=x.test exp=y.test",
        "unknown=%",
        "unknown=%{z}",
        "-",
        "+-all",
        "!all",
        "=x",
        "1=x",
        "a\tmx",
        "a:\u00e9.test",
        "-all frob",
        "\x00",
    ],
)
def test_malformed(terms: str) -> None:
    """What the grammar does not allow spoils the whole record, wherever it stands."""
    assert isinstance(parse(f"v=spf1 ip4:192.0.2.1 {terms}"), RecordError)


def test_nothing_behind_all() -> None:
    """RFC 7208, section 5.1: terms behind all are never tested, and redirect is ignored even before it."""
    record = parse("v=spf1 redirect=x.test ip4:1.2.3.4 ?all a mx")
    assert isinstance(record, Record)
    assert [term.kind for term in record.terms] == [Kind.IP4, Kind.ALL]
    assert record.terms[1].qualifier is SpfStatus.NEUTRAL
    assert record.redirect is None


def test_version() -> None:
    """RFC 7208, section 4.5: a record begins with the version and a blank, or is the version alone."""
    texts = ["v=spf1", "V=SPF1 -all", "v=spf10 -all", "v=spf1\t-all", " v=spf1 -all", "v=spf1-all", "spf2.0/pra -all"]
    assert select(texts) == ["v=spf1", "V=SPF1 -all"]


def test_longest_record() -> None:
    """A record beyond the limit is an error, not half a record."""
    padded = "v=spf1 " + "a " * (MAX_RECORD // 2)
    assert isinstance(parse(padded[:MAX_RECORD]), Record)
    assert parse(padded + "-all") == RecordError(f"record longer than {MAX_RECORD} characters")


@given(st.text(alphabet="ipa46mx:/.%{d}=-+?~0123 \x00\u00e9el", max_size=60))
def test_any_text(text: str) -> None:
    """Any text is a record or an error."""
    assert isinstance(parse("v=spf1 " + text), Record | RecordError)

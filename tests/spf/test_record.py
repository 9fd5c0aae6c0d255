"""Records: RFC 7208, sections 4.5, 4.6, 5 and 6."""

import ipaddress
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.model.authentication import SpfStatus
from filterd.spf import record as record_module
from filterd.spf.record import MAX_RECORD, MAX_SHORT, Kind, Networks, Record, RecordError, parse, read, select


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


@pytest.mark.threat("AUTH-10")
@pytest.mark.parametrize("word", ["ip4:10.{}.0.0/24 ", "a:%{{d1r-}}%{{l}}.{}.x ", "x{}=%{{d}}%{{d}}%{{d}}%{{d}} "])
@pytest.mark.parametrize(("cache", "size"), [(record_module._short, MAX_SHORT), (record_module._long, MAX_RECORD)])
def test_hostile_records_do_not_fill_the_memory(cache: Any, size: int, word: str) -> None:
    """Where every place is taken by another record as large as it may be, they are 16 MB."""
    texts = [("v=spf1 " + "".join(word.format(each + start) for each in range(900)))[:size] for start in range(8)]
    tracemalloc.start()
    try:
        kept = [read(text) for text in texts]
        each = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert (each + size) * cache.cache_info().maxsize < 16 << 20


@given(st.text(alphabet="ipa46mx:/.%{d}=-+?~0123 \x00\u00e9el", max_size=60))
def test_any_text(text: str) -> None:
    """Any text is a record or an error."""
    assert isinstance(parse("v=spf1 " + text), Record | RecordError)


NETWORKS = st.one_of(
    st.builds(
        "ip4:10.{}.{}.1/{}".format, st.integers(0, 3), st.integers(0, 3), st.sampled_from([0, 8, 15, 16, 24, 32])
    ),
    st.builds("ip6:2001:db8:{:x}::1/{}".format, st.integers(0, 3), st.sampled_from([0, 32, 47, 48, 128])),
    st.just("all"),
)


@given(
    st.lists(st.tuples(st.sampled_from("+-~?"), NETWORKS).map("".join), min_size=1, max_size=12),
    st.sampled_from(["10.0.0.1", "10.1.2.1", "10.3.3.3", "192.0.2.1", "2001:db8:1::1", "2001:db9::1", "0.0.0.0", "::"]),
)
def test_the_first_network_counts(words: list[str], client: str) -> None:
    """Looked up among many, the client is found where comparing one after another finds it."""
    record = parse("v=spf1 " + " ".join(words))
    assert isinstance(record, Record)
    (networks,) = record.steps
    assert isinstance(networks, Networks)
    address = ipaddress.ip_address(client)
    matching = [word for word in words if word[1:] == "all" or address in ipaddress.ip_network(word[5:], strict=False)]
    found = networks.first(address.version, int(address))
    assert (None if found is None else found.text) == (matching[0] if matching else None)


@given(st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}", fullmatch=True) | st.text("0123.459\u0663", max_size=16))
def test_ip4_is_an_address_as_the_library_has_it(text: str) -> None:
    """RFC 7208, section 5.6, ip4-network: four numbers up to 255 without leading zeros."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        assert isinstance(parse(f"v=spf1 ip4:{text}"), RecordError)
    else:
        assert isinstance(parse(f"v=spf1 ip4:{text}"), Record)

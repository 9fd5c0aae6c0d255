"""check_host on what the public suite leaves out: limits, odd clients and senders, explanations, causes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dns.fake import FakeResolver
from filterd.model.authentication import SpfStatus
from filterd.model.dns import Question, RRType
from filterd.spf import MAX_QUESTIONS, MAX_TERMS, MAX_VOIDS
from filterd.spf.evaluate import MAX_AHEAD, MAX_CAUSE
from filterd.spf.macros import MAX_EXPLANATION
from tests.spf.zones import CLIENT, REVERSE, check


def published(record: str, **others: str) -> FakeResolver:
    """A resolver with this record for d0.test and others by their first label, and nothing else."""
    records = {"d0": record} | others
    return FakeResolver(txt={f"{label}.test": [text] for label, text in records.items()})


def status(resolver: FakeResolver, **arguments: str) -> SpfStatus:
    """The result's status alone."""
    return check(resolver, **arguments).status  # type: ignore[arg-type]  # explain, the only bool, is not given


# Limits: RFC 7208, section 4.6.4


@pytest.mark.threat("AUTH-10")
@pytest.mark.parametrize(("includes", "expected"), [(MAX_TERMS, SpfStatus.FAIL), (MAX_TERMS + 1, SpfStatus.PERMERROR)])
def test_chain_of_includes(includes: int, expected: SpfStatus) -> None:
    """Ten terms may ask DNS, however deep they are nested; the eleventh is a permerror."""
    chain = {f"d{number}": f"v=spf1 include:d{number + 1}.test -all" for number in range(1, includes)}
    resolver = published("v=spf1 include:d1.test -all", **chain, **{f"d{includes}": "v=spf1 -all"})
    assert status(resolver) is expected


@pytest.mark.threat("AUTH-10")
@pytest.mark.parametrize("record", ["v=spf1 include:d0.test -all", "v=spf1 redirect=d0.test", "v=spf1 redirect=%{d}"])
def test_recursion(record: str) -> None:
    """A record that leads to itself is a permerror after one lookup."""
    resolver = published(record)
    result = check(resolver)
    assert (result.status, result.cause) == (SpfStatus.PERMERROR, "more than 10 terms ask DNS")
    assert resolver.asked == [Question("d0.test", RRType.TXT)]


@pytest.mark.threat("AUTH-10")
@pytest.mark.parametrize(("voids", "expected"), [(MAX_VOIDS, SpfStatus.FAIL), (MAX_VOIDS + 1, SpfStatus.PERMERROR)])
@pytest.mark.parametrize("term", ["a:v{}.test", "mx:v{}.test", "exists:v{}.test"])
def test_void_lookups(term: str, voids: int, expected: SpfStatus) -> None:
    """Two lookups may find nothing."""
    terms = " ".join(term.format(number) for number in range(voids))
    assert status(published(f"v=spf1 {terms} -all")) is expected


@pytest.mark.threat("AUTH-10")
@pytest.mark.parametrize(("hosts", "expected"), [(10, SpfStatus.FAIL), (11, SpfStatus.PERMERROR)])
def test_hosts_of_mx(hosts: int, expected: SpfStatus) -> None:
    """An mx of eleven hosts is a permerror, even where the first is the client."""
    names = [f"h{number}.test" for number in range(hosts)]
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 mx -all"]},
        mx={"d0.test": names},
        a={name: ["203.0.113.1"] for name in names},
    )
    assert status(resolver) is expected


@pytest.mark.threat("AUTH-10")
def test_most_lookups() -> None:
    """Ten mx of ten hosts each are a permerror before they have cost a hundred lookups."""
    names = {f"m{number}.test": [f"h{number}-{host}.test" for host in range(10)] for number in range(10)}
    resolver = FakeResolver(
        txt={"d0.test": [f"v=spf1 {' '.join(f'mx:{name}' for name in names)} -all"]},
        mx=names,
        a={host: ["203.0.113.1"] for hosts in names.values() for host in hosts},
    )
    result = check(resolver)
    assert (result.status, result.cause) == (SpfStatus.PERMERROR, f"more than {MAX_QUESTIONS} lookups")
    assert len(resolver.asked) <= MAX_QUESTIONS + MAX_AHEAD


@pytest.mark.threat("AUTH-10")
@pytest.mark.parametrize(("hosts", "expected"), [(5, SpfStatus.FAIL), (6, SpfStatus.PERMERROR)])
def test_lookups_up_to_the_limit(hosts: int, expected: SpfStatus) -> None:
    """A record that needs exactly as many lookups as are allowed is judged, one more is a permerror."""
    names = {f"m{number}.test": [f"h{number}-{host}.test" for host in range(10)] for number in range(3)}
    names["m3.test"] = [f"h3-{host}.test" for host in range(hosts)]  # the record, 4 mx, 30 hosts and these: 40
    resolver = FakeResolver(
        txt={"d0.test": [f"v=spf1 {' '.join(f'mx:{name}' for name in names)} -all"]},
        mx=names,
        a={host: ["203.0.113.1"] for found in names.values() for host in found},
    )
    assert status(resolver) is expected


@pytest.mark.threat("AUTH-10")
def test_host_of_a_thousand_addresses() -> None:
    """As many addresses as a name has are compared: the last of a thousand counts."""
    addresses = [f"10.0.{number // 250}.{number % 250}" for number in range(999)]
    resolver = FakeResolver(txt={"d0.test": ["v=spf1 a -all"]}, a={"d0.test": [*addresses, CLIENT]})
    assert status(resolver) is SpfStatus.PASS


@pytest.mark.threat("AUTH-10")
def test_only_ten_reverse_names() -> None:
    """Of more than ten reverse names the first ten are looked at (RFC 7208, section 4.6.4)."""
    names = [f"p{number}.d0.test" for number in range(11)]
    resolver = FakeResolver(txt={"d0.test": ["v=spf1 ptr -all"]}, ptr={REVERSE: names}, a={names[10]: [CLIENT]})
    assert status(resolver) is SpfStatus.FAIL
    assert Question(names[10], RRType.A) not in resolver.asked


@pytest.mark.parametrize("failing", [f"ptr {REVERSE}", "a p.d0.test"])
def test_failure_below_ptr_does_not_match(failing: str) -> None:
    """RFC 7208, section 5.5: a failed lookup for ptr is no temperror, the term just does not match."""
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 ptr ~all"]}, ptr={REVERSE: ["p.d0.test"]}, a={"p.d0.test": [CLIENT]}, fail=[failing]
    )
    assert status(resolver) is SpfStatus.SOFTFAIL


@pytest.mark.parametrize(
    ("ptr", "fail", "expected"),
    [({REVERSE: ["far.test"]}, [], "fail"), ({}, [], "permerror"), ({}, [f"ptr {REVERSE}"], "fail")],
    ids=["names", "no names", "failed"],
)
def test_void_reverse_lookup(ptr: dict[str, list[str]], fail: list[str], expected: str) -> None:
    """A client without reverse names is a void lookup for ptr; a failed lookup is none."""
    resolver = FakeResolver(txt={"d0.test": ["v=spf1 a:v1.test a:v2.test ptr -all"]}, ptr=ptr, fail=fail)
    assert status(resolver) == expected


def test_reverse_names_in_macros_are_no_void_lookup() -> None:
    """RFC 7208, section 4.6.4 counts terms; a client without a name makes %{p} "unknown" and nothing else."""
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 a:v1.test a:v2.test exists:%{p}.x.test -all"]}, a={"unknown.x.test": ["127.0.0.1"]}
    )
    assert status(resolver) is SpfStatus.PASS


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["other.test", "sub.d0.test", "d0.test"], "d0.test"),
        (["other.test", "notd0.test", "sub.d0.test", "sub2.d0.test"], "sub.d0.test"),
        (["other.test", "another.test"], "other.test"),
        (["unvalidated.test", "d0.test.other.test"], "d0.test.other.test"),
        (["unvalidated.test"], "unknown"),
    ],
)
def test_validated_name(names: list[str], expected: str) -> None:
    """RFC 7208, section 7.3, %{p}: the domain itself before names below it before any other, validated ones alone."""
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 exists:%{p}.x.test -all"]},
        ptr={REVERSE: names},
        a={name: [CLIENT] for name in names if name != "unvalidated.test"} | {f"{expected}.x.test": ["127.0.0.1"]},
    )
    assert status(resolver) is SpfStatus.PASS


@pytest.mark.parametrize("record", ["v=spf1 redirect=%{d1}", "v=spf1 include:%{d1} -all", "v=spf1 redirect=a..b.test"])
def test_record_of_a_name_that_has_none(record: str) -> None:
    """RFC 7208, section 4.3: a single label, or what is no name, has no record and is not asked for."""
    resolver = FakeResolver(txt={"d0.test": [record], "test": ["v=spf1 +all"], "a..b.test": ["v=spf1 +all"]})
    assert status(resolver) is SpfStatus.PERMERROR
    assert resolver.asked == [Question("d0.test", RRType.TXT)]


@pytest.mark.parametrize(
    ("record", "failing"),
    [
        ("v=spf1 -all", "txt d0.test"),
        ("v=spf1 a -all", "a d0.test"),
        ("v=spf1 mx -all", "mx d0.test"),
        ("v=spf1 exists:x.test -all", "a x.test"),
        ("v=spf1 include:d1.test -all", "txt d1.test"),
        ("v=spf1 redirect=d1.test", "txt d1.test"),
    ],
)
def test_failed_lookup_is_temperror(record: str, failing: str) -> None:
    """A lookup without an answer is never read as "no record" nor as "no match"."""
    result = check(FakeResolver(txt={"d0.test": [record]}, fail=[failing]))
    kind, name = failing.split()
    assert (result.status, result.cause) == (SpfStatus.TEMPERROR, f"{kind.upper()} {name}: fake failure")


# Clients and identities


@pytest.mark.parametrize("client", [CLIENT, f"::ffff:{CLIENT}", "::FFFF:C000:0201"])
def test_mapped_client_is_ipv4(client: str) -> None:
    """RFC 7208, section 5: an IPv4-mapped client matches ip4, a and %{i} as its IPv4 address does."""
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 ip6:::ffff:0:0/96 -exists:%{i}.bad.test ip4:192.0.2.1 -all"]},
        a={"x.test": ["192.0.2.1"]},
    )
    assert check(resolver, client=client).cause == "ip4:192.0.2.1"
    assert Question("192.0.2.1.bad.test", RRType.A) in resolver.asked


@pytest.mark.parametrize("client", ["", "localhost", "1.2.3", "1.2.3.4.5", "::g", "x" * 100, "unix:/run/socket"])
def test_no_client_address(client: str) -> None:
    """Without an address there is nothing to judge."""
    resolver = published("v=spf1 -all")
    assert check(resolver, client=client).status is SpfStatus.NONE
    assert resolver.asked == []


def test_scoped_client() -> None:
    """A link-local address comes with its interface, which is no part of the address."""
    assert status(published("v=spf1 ip6:fe80::/10 -all"), client="fe80::1%eth0") is SpfStatus.PASS


@pytest.mark.threat("DNS-07")
@pytest.mark.parametrize(
    "domain",
    [
        "",
        ".",
        "localhost",
        "a..test",
        ".test",
        "a" * 64 + ".test",
        "a." * 127 + "test",
        "192.0.2.1",
        "[192.0.2.1]",
        "a b.test",
        "a\0.test",
        "-a.test",
        "\udcff.test",
        "x" * 5000,
    ],
)
def test_domain_without_policy(domain: str) -> None:
    """RFC 7208, section 4.3: what is no fully qualified domain name has no policy and costs no lookup."""
    resolver = published("v=spf1 -all")
    assert check(resolver, domain=domain).status is SpfStatus.NONE
    assert resolver.asked == []


def test_single_label_is_named() -> None:
    """The result names the domain that has no policy, where it is a name at all."""
    assert check(published(""), domain="Localhost").domain == "localhost"
    assert check(published(""), domain="a b").domain == ""


@pytest.mark.threat("AUTH-04")
def test_internationalised_domain() -> None:
    """A U-label is asked for, expanded and reported as its A-label (RFC 8616, section 4)."""
    resolver = FakeResolver(
        txt={"xn--bcher-kva.test": ["v=spf1 exists:%{o}.%{h}.a.test -all exp=%{d}"]},
        a={"xn--bcher-kva.test.xn--hlo-bma.test.a.test": ["127.0.0.2"]},
    )
    result = check(resolver, domain="B\u00fccher.test", sender="alice@B\u00fccher.test", helo="h\u00e9lo.test")
    assert (result.status, result.domain) == (SpfStatus.PASS, "xn--bcher-kva.test")


@pytest.mark.parametrize("macro", ["%{l}", "%{s}", "%{l1r+}", "%{L}", "%{L1-}"])
def test_local_part_beyond_ascii_matches_nothing(macro: str) -> None:
    """RFC 8616, section 4: a term that expands a local part beyond ASCII does not match, and the next one is tried."""
    terms = " ".join(f"{kind}:{macro}.x.test" for kind in ("exists", "a", "mx", "ptr", "include"))
    resolver = published(f"v=spf1 {terms} ~all")
    assert check(resolver, sender="j\u00f6rg-list@d0.test").status is SpfStatus.SOFTFAIL
    assert resolver.asked == [Question("d0.test", RRType.TXT)]


@pytest.mark.threat("AR-04")
@pytest.mark.parametrize(
    "local",
    [
        '"a b"',
        "a.b.c",
        "." * 40,
        "a" * 64,
        "a" * 5000,
        "a.b" * 5000,
        "(",
        "\0",
        "\r\nX: y",
        "%{d}",
        "\udcff",
        "a@b",
        "\\",
        "\u202e",
    ],
)
def test_hostile_local_part(local: str) -> None:
    """Any local part ends in the record's last word, and the cause is one printable line."""
    record = "v=spf1 a:%{l}.x.test exists:%{l1r.}.%{o} ?all"
    for text in (record, record.replace("?all", "redirect=%{l}.d1.test")):
        result = check(published(text), sender=f"{local}@d0.test")
        assert result.status in {SpfStatus.NEUTRAL, SpfStatus.PERMERROR}
        assert result.cause.isascii()
        assert result.cause.isprintable()


@pytest.mark.threat("OPS-09")
@pytest.mark.parametrize("word", ["\x1b]0;x\x07", "a:\u00e9.test", "x\ny", "exp=\x00", "f" * 5000])
def test_cause_is_one_printable_line(word: str) -> None:
    """What a record says reaches a cause short and printable."""
    result = check(published(f"v=spf1 {word} -all"))
    assert result.status is SpfStatus.PERMERROR
    assert result.cause.isascii()
    assert result.cause.isprintable()
    assert len(result.cause) <= MAX_CAUSE


# Explanations: RFC 7208, section 6.2


@pytest.mark.parametrize(
    "texts",
    [[], ["one", "two"], ["%{q}"], ["caf\u00e9"], ["line\nbreak"], ["%"], ["\x1b[2J"]],
)
def test_useless_explanation(texts: list[str]) -> None:
    """An explanation that is absent, doubled, malformed or not printable ASCII changes nothing."""
    resolver = FakeResolver(txt={"d0.test": ["v=spf1 -all exp=why.test"], "why.test": texts})
    result = check(resolver)
    assert (result.status, result.explanation) == (SpfStatus.FAIL, "")


@pytest.mark.parametrize("local", ["j\u00f6rg", "a\x1b[2Jb", "a\r\nb"])
def test_explanation_of_an_odd_sender(local: str) -> None:
    """An explanation that repeats what is not printable ASCII is dropped; escaped for a URL it is kept."""
    resolver = published("v=spf1 -all exp=why.test", why="%{l} is not ours")
    assert check(resolver, sender=f"{local}@d0.test").explanation == ""
    resolver = published("v=spf1 -all exp=why.test", why="see http://x.test/%{L}")
    assert check(resolver, sender=f"{local}@d0.test").explanation.startswith("see http://x.test/")


def test_long_explanation() -> None:
    """An explanation is cut to what an SMTP reply can hold."""
    resolver = published("v=spf1 -all exp=why.test", why="%{i} " * 1000)
    assert check(resolver).explanation == (f"{CLIENT} " * 1000)[:MAX_EXPLANATION]


def test_explanation_may_fail() -> None:
    """A failed lookup of the explanation is no temperror."""
    resolver = FakeResolver(txt={"d0.test": ["v=spf1 -all exp=why.test"]}, fail=["txt why.test"])
    assert check(resolver).status is SpfStatus.FAIL


def test_explanation_cannot_change_the_result() -> None:
    """Where the lookups are used up before the explanation, the result is fail all the same."""
    names = {f"m{number}.test": [f"h{number}-{host}.test" for host in range(9)] for number in range(3)}
    hosts = {host: ["203.0.113.1"] for found in names.values() for host in found}
    resolver = FakeResolver(
        txt={
            "d0.test": [f"v=spf1 {' '.join(f'mx:{name}' for name in names)} a:m0.test -all exp=%{{p}}.why.test"],
        },
        mx=names,
        a=hosts | {"m0.test": ["203.0.113.1"]},
        ptr={REVERSE: [f"p{number}.test" for number in range(10)]},
    )
    assert check(resolver, explain=False).status is SpfStatus.FAIL
    assert check(resolver).status is SpfStatus.FAIL


def test_explanation_of_the_redirected_domain() -> None:
    """RFC 7208, section 6.2: after redirect the other domain's explanation counts, and that of an include never."""
    resolver = published(
        "v=spf1 include:d2.test redirect=d1.test exp=own.test",
        d1="v=spf1 -all exp=other.test",
        d2="v=spf1 -all exp=included.test",
        own="own",
        other="other",
        included="included",
    )
    assert check(resolver).explanation == "other"


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.text(max_size=60))
def test_never_raises(client: str, sender: str, helo: str, record: str) -> None:
    """Any arguments and any record end in a result with a printable cause."""
    resolver = FakeResolver(txt={"d0.test": ["v=spf1 " + record.encode().decode("latin-1")]})
    for address in (client, CLIENT):
        result = check(resolver, client=address, sender=sender, helo=helo)
        assert result.cause.isprintable()

import re
from itertools import pairwise

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.authres import claims_us, render
from filterd.authres.quoting import MAX_VALUE
from filterd.domains import normalise
from filterd.model.authentication import (
    ArcResult,
    ArcStatus,
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcOverride,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    IprevResult,
    IprevStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from tests.authres.strict import Result, read

OURS = "mx.filterd.test"
HELO = SpfResult(SpfStatus.PASS, "mail.sender.example", SpfScope.HELO)
MAILFROM = SpfResult(SpfStatus.PASS, "sender.example", SpfScope.MAILFROM)
HOSTILE = st.text(alphabet="aZ1.@;,=\"'\\()<>[]:/ \t\r\n\0\x7fé\u200b\ud800", max_size=40) | st.text(max_size=400)


def only(result: AuthResult, sender: str = "anna@sender.example", helo: str = "mail.sender.example") -> Result:
    """The one result, written and read again."""
    authserv_id, results = read(render(OURS, [result], sender=sender, helo=helo))
    assert authserv_id == OURS
    assert len(results) == 1
    return results[0]


def test_no_results() -> None:
    """RFC 8601, section 2.2: no-result."""
    assert render(OURS, [], sender="", helo="") == "mx.filterd.test; none"


def test_a_whole_field() -> None:
    """Each result begins a line, in the order given, with the properties of RFC 8601, section 2.7."""
    results: list[AuthResult] = [
        IprevResult(IprevStatus.PASS, "192.0.2.1", "mail.sender.example"),
        SpfResult(SpfStatus.NONE, "mail.sender.example", SpfScope.HELO, "no record"),
        MAILFROM,
        DkimResult(DkimStatus.PASS, "sender.example", "s2026", "rsa-sha256", "@sender.example", 2048, tag="ab/c+d1="),
        DmarcResult(DmarcStatus.PASS, "sender.example", "sender.example", policy=DmarcPolicy.REJECT),
    ]
    assert render(OURS, results, sender="anna@sender.example", helo="mail.sender.example").split("\r\n\t") == [
        "mx.filterd.test;",
        "iprev=pass policy.iprev=192.0.2.1;",
        'spf=none reason="no record" smtp.helo=mail.sender.example;',
        "spf=pass smtp.mailfrom=anna@sender.example;",
        "dkim=pass header.d=sender.example header.i=@sender.example",
        'header.s=s2026 header.a=rsa-sha256 header.b="ab/c+d1=";',
        "dmarc=pass policy.dmarc=reject header.from=sender.example",
    ]


@pytest.mark.threat("AR-04")
@pytest.mark.parametrize(
    "sender",
    [
        "a@legit.com(.evil.com",
        "legit.com'@any.evil.com",
        "@legit,@x:'a@evil",
        "a@legit.com\0.evil.com",
        'a"; dkim=pass header.d=bank.example; x="@evil.example',
        "a\r\nX-Injected: yes@evil.example",
        "a b@evil.example",
        "\\@evil.example",
        '"quoted \\" local"@evil.example',
        "a@b@evil.example",
        "plain",
        "@",
        "postmaster@[192.0.2.1]",
        "jörg@bücher.example",
        "x" * 1000 + "@evil.example",
        "a@" + "x." * 500 + "example",
    ],
)
def test_a_hostile_sender_is_one_value(sender: str) -> None:
    """A strict reader finds one SPF result with one property, whose domain is the sender's or none."""
    result = only(MAILFROM, sender)
    assert (result.method, result.result, result.reason) == ("spf", "pass", "")
    ((name, text),) = result.properties
    assert name == "smtp.mailfrom"
    domain = normalise(sender.rpartition("@")[2])
    if domain is not None:
        assert text.rpartition("@")[2] == domain


@pytest.mark.threat("AR-04")
def test_why_dmarc_was_spared_is_told() -> None:
    """The reader learns that it failed, and whose word stands against that; the comment may be hostile."""
    spared = DmarcResult(
        DmarcStatus.FAIL,
        "sender.example",
        policy=DmarcPolicy.REJECT,
        cause="no aligned identifier",
        override=DmarcOverride.MAILING_LIST,
        override_comment='talk"; spf=pass by lists.example',
    )
    result = only(spared)
    assert (result.method, result.result) == ("dmarc", "fail")
    assert result.reason.startswith("no aligned identifier; mailing_list: talk")


def test_senders_are_quoted_where_they_must_be() -> None:
    """A local part outside plain characters is quoted, an address without a domain name is quoted whole."""
    for sender, written in [
        ("legit.com'@any.evil.com", '"legit.com\'"@any.evil.com'),
        ("a@legit.com(.evil.com", '"a@legit.com(.evil.com"'),
        ('"a b"@evil.example', '"a b"@evil.example'),
        ("a+b.c@evil.example", "a+b.c@evil.example"),
        ("SRS0=hh=tt=a.example=b@evil.example", '"SRS0=hh=tt=a.example=b"@evil.example'),
        ('""@evil.example', "@evil.example"),
        ("evil.example", "evil.example"),
        ("x" * (MAX_VALUE + 1) + "@evil.example", "evil.example"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ]:
        field = render(OURS, [MAILFROM], sender=sender, helo="")
        assert field.endswith(f"spf=pass smtp.mailfrom={written}")


def test_the_null_sender_is_the_postmaster_of_the_helo_name() -> None:
    """RFC 7208, section 2.4."""
    result = only(SpfResult(SpfStatus.PASS, "mail.sender.example", SpfScope.MAILFROM), sender="")
    assert result.properties == [("smtp.mailfrom", "postmaster@mail.sender.example")]
    unread = only(SpfResult(SpfStatus.NONE, "", SpfScope.MAILFROM), sender="", helo="[192.0.2.1]")
    assert unread.properties == [("smtp.mailfrom", "postmaster@[192.0.2.1]")]


def test_names_are_written_in_a_labels() -> None:
    """The field stands in messages that are not internationalised."""
    assert only(HELO, helo="mx.Bücher.example").properties == [("smtp.helo", "mx.xn--bcher-kva.example")]


@pytest.mark.parametrize("length", range(1, 60))
def test_lines_are_filled_to_78_columns(length: int) -> None:
    """RFC 5322, section 2.1.1: no longer, and broken only where the next word would not fit; a tab is 8 columns."""
    signature = DkimResult(DkimStatus.PASS, "s" * length, "t" * length, "rsa-sha256", "@example", tag="abcdefgh")
    field = "Authentication-Results: " + render(OURS, [HELO, signature], sender="", helo="h" * length)
    lines = [line.expandtabs(8) for line in field.split("\r\n")]
    assert max(map(len, lines)) <= 78
    for line, following in pairwise(lines):
        assert line.endswith(";") or len(line) + 1 + len(following.split()[0]) > 78


@pytest.mark.threat("AR-05")
def test_hostile_signature_values_are_never_echoed_raw() -> None:
    """Domain, selector, algorithm, identity and tag each stay one value."""
    hostile = 'x"; spf=pass smtp.mailfrom=bank.example\r\nX: (y'
    result = only(
        DkimResult(DkimStatus.PERMERROR, "legit.com(.evil.com", hostile, hostile, hostile, 0, hostile, hostile)
    )
    shown = hostile.replace("\r\n", "??")
    assert result == Result(
        "dkim",
        "permerror",
        shown,
        [
            ("header.d", "legit.com(.evil.com"),
            ("header.i", shown),
            ("header.s", shown),
            ("header.a", shown),
            ("header.b", shown),
        ],
    )


def test_what_is_empty_is_left_out() -> None:
    """A message without a signature has a result without properties."""
    assert only(DkimResult(DkimStatus.NONE)) == Result("dkim", "none")
    assert only(DmarcResult(DmarcStatus.PERMERROR, cause="no author")) == Result("dmarc", "permerror", "no author")


def test_a_chain_says_who_sealed_it_last_and_who_brought_it() -> None:
    """RFC 8617, section 10.2: header.oldest-pass and smtp.remote-ip; a sealer is named where its seal verifies."""
    sealers = ("list.example", "forward.example")
    assert only(ArcResult(ArcStatus.PASS, 2, sealers, "", "2001:db8::1", 0)) == Result(
        "arc",
        "pass",
        "",
        [("header.oldest-pass", "0"), ("header.d", "list.example"), ("smtp.remote-ip", "2001:db8::1")],
    )
    assert only(ArcResult(ArcStatus.FAIL, 2, sealers, "set 1 is missing", "192.0.2.1")) == Result(
        "arc", "fail", "set 1 is missing", [("smtp.remote-ip", "192.0.2.1")]
    )
    assert only(ArcResult(ArcStatus.NONE, remote_ip="192.0.2.1")) == Result("arc", "none")


def hostile_results(text: st.SearchStrategy[str]) -> st.SearchStrategy[AuthResult]:
    """Any result with any text in it."""
    return st.one_of(
        st.builds(SpfResult, st.sampled_from(SpfStatus), text, st.sampled_from(SpfScope), text, text),
        st.builds(DkimResult, st.sampled_from(DkimStatus), text, text, text, text, st.just(0), text, text),
        st.builds(DmarcResult, st.sampled_from(DmarcStatus), text, text, text, cause=text),
        st.builds(IprevResult, st.sampled_from(IprevStatus), text, text),
        st.builds(ArcResult, st.sampled_from(ArcStatus), st.just(2), st.tuples(text), text, text, st.just(0)),
    )


@pytest.mark.threat("AR-04")
@given(st.lists(hostile_results(HOSTILE), max_size=4), HOSTILE, HOSTILE)
def test_whatever_is_written_is_read_as_these_results(results: list[AuthResult], sender: str, helo: str) -> None:
    """No text adds, ends or changes a result; lines stay short and plain, and the field is ours."""
    field = render(OURS, results, sender=sender, helo=helo)
    assert re.fullmatch(r"(?:[\x20-\x7e]|\r\n\t)*", field)
    assert max(map(len, field.split("\r\n"))) <= 2 * MAX_VALUE + 300
    authserv_id, found = read(field)
    assert authserv_id == OURS
    assert [(one.method, one.result) for one in found] == [(method(one), one.status) for one in results]
    assert claims_us(field.encode(), OURS)


@given(st.lists(hostile_results(HOSTILE), max_size=4), HOSTILE, HOSTILE)
def test_another_reader_finds_no_more(results: list[AuthResult], sender: str, helo: str) -> None:
    """The authres library reads the same methods and results, and no property that was not written."""
    field = render(OURS, results, sender=sender, helo=helo)
    parsed = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + field.replace("\r\n", ""))
    assert parsed.authserv_id == OURS
    assert [(one.method, one.result) for one in parsed.results] == [(method(one), one.status) for one in results]
    written = [{name for name, _ in one.properties} for one in read(field)[1]]
    for names, one in zip(written, parsed.results, strict=True):
        assert {f"{prop.type}.{prop.name}" for prop in one.properties} <= names


def method(result: AuthResult) -> str:
    """The method's name in the field."""
    return {SpfResult: "spf", DkimResult: "dkim", DmarcResult: "dmarc", IprevResult: "iprev", ArcResult: "arc"}[
        type(result)
    ]

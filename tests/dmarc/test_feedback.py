"""A report is what RFC 9990 says, whatever strangers have written into what is reported."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]  # it ships no types, and is used in tests alone

from filterd.dmarc import Reported, Reporter, feedback, file_name, is_report_subject, report_id, subject
from filterd.model.aggregate import Evaluated, Signature

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "data" / "rfc9990.xsd"))
NS = "{urn:ietf:params:xml:ns:dmarc-2.0}"
REPORTER = Reporter("Example & Sons", "dmarc@mx.test", "mx.test", "node1.mx.test", "https://mx.test/?a=1&b=<2>")
REPORTED = Reported("a.test", "v=DMARC1; p=reject; np=quarantine; adkim=s; fo=1:d; t=y; rua=mailto:r@a.test", 20_000)
ROW = Evaluated(
    source="2001:db8::7",
    disposition="quarantine",
    dkim=False,
    spf=True,
    reasons=("policy_test_mode", "local_policy"),
    header_from="sub.a.test",
    envelope_from="bounces.a.test",
    envelope_to="here.test",
    signatures=(Signature("a.test", "s1", "pass"), Signature("b.test", "s2", "permerror")),
    spf_domain="bounces.a.test",
    spf_result="softfail",
)


def tree(*rows: tuple[Evaluated, int], reported: Reported = REPORTED) -> Any:
    """The report, parsed; it must be valid."""
    text = "".join(feedback(REPORTER, reported, rows or [(ROW, 3)]))
    found = etree.fromstring(text.encode())
    SCHEMA.assertValid(found)
    return found


def texts(root: Any, path: str) -> list[str]:
    """The texts of the elements there."""
    return [one.text or "" for one in root.findall("/".join([f"{NS}{name}" for name in path.split("/")]))]


def test_the_schema_refuses() -> None:
    """It would say so if something were wrong."""
    good = "".join(feedback(REPORTER, REPORTED, [(ROW, 3)]))
    for old, new in (
        ("<count>3</count>", "<count>0</count>"),
        ("<disposition>quarantine<", "<disposition>deliver<"),
        ("<type>policy_test_mode<", "<type>sampled_out<"),
        ("<scope>mfrom<", "<scope>helo<"),
        ("2001:db8::7", "example.org"),
        ("<email>dmarc@mx.test</email>", ""),
        ("dmarc-2.0", "dmarc-1.0"),
        ("<version>1.0<", "<version>2.0<"),
    ):
        assert old in good
        assert not SCHEMA.validate(etree.fromstring(good.replace(old, new).encode()))


def test_a_report_without_rows_is_none() -> None:
    """There is at least one, which is for who makes it to see to."""
    assert not SCHEMA.validate(etree.fromstring("".join(feedback(REPORTER, REPORTED, [])).encode()))


def test_what_it_says() -> None:
    """Every value is where it belongs; tags that the record does not have have their defaults."""
    root = tree()
    assert texts(root, "report_metadata/org_name") == ["Example & Sons"]
    assert texts(root, "report_metadata/extra_contact_info") == ["https://mx.test/?a=1&b=<2>"]
    assert texts(root, "report_metadata/date_range/begin") == [str(20_000 * 86_400)]
    assert texts(root, "report_metadata/date_range/end") == [str(20_001 * 86_400 - 1)]
    assert {one.tag.removeprefix(NS): one.text for one in root.find(f"{NS}policy_published")} == {
        "domain": "a.test",
        "discovery_method": "treewalk",
        "p": "reject",
        "sp": "reject",
        "np": "quarantine",
        "fo": "1:d",
        "adkim": "s",
        "aspf": "r",
        "testing": "y",
    }
    assert texts(root, "record/row/source_ip") == ["2001:db8::7"]
    assert texts(root, "record/row/count") == ["3"]
    assert texts(root, "record/row/policy_evaluated/spf") == ["pass"]
    assert texts(root, "record/row/policy_evaluated/dkim") == ["fail"]
    assert texts(root, "record/row/policy_evaluated/reason/type") == ["policy_test_mode", "local_policy"]
    assert texts(root, "record/auth_results/dkim/selector") == ["s1", "s2"]
    assert texts(root, "record/auth_results/spf/result") == ["softfail"]


def test_what_is_not_known_is_left_out() -> None:
    """No SPF result, no signature, recipients of several domains, the null sender."""
    root = tree((Evaluated("192.0.2.1", "none", dkim=False, spf=False, header_from="a.test"), 1))
    assert texts(root, "record/identifiers/envelope_to") == []
    assert texts(root, "record/identifiers/envelope_from") == [""]
    assert list(root.find(f"{NS}record/{NS}auth_results")) == []


def test_what_found_no_room_is_told() -> None:
    """Section 3.1.5."""
    (error,) = texts(tree(reported=Reported("a.test", REPORTED.record, 20_000, lost=12)), "report_metadata/error")
    assert error.startswith("12 more messages")


@pytest.mark.threat("OPS-09")
@given(st.text(max_size=400), st.text(max_size=300))
def test_hostile_text(text: str, record: str) -> None:
    """Markup, controls, lone surrogates, a record of nonsense: the report stays valid, each value a line of ASCII."""
    row = Evaluated(
        "192.0.2.1",
        "none",
        dkim=False,
        spf=False,
        reasons=(text,),
        header_from=f"a.test{text}",
        envelope_from=text,
        envelope_to=text,
        signatures=(Signature(f"d{text}", f"s{text}", "fail"),),
        spf_domain=text,
        spf_result="fail",
    )
    root = tree((row, 1), reported=Reported("a.test", f"v=DMARC1; p=none; {record}", 20_000))
    assert all((one.text or "").isascii() for one in root.iter())


def test_names_are_as_the_grammar_says() -> None:
    """Section 3.5.2: file name and Subject; one id in all of them, which hangs on node, domain and day alone."""
    identifier = report_id(REPORTER, REPORTED)
    begin, end = REPORTED.begin, REPORTED.end
    assert re.fullmatch("[A-Za-z0-9]+", identifier)
    assert file_name(REPORTER, REPORTED) == f"mx.test!a.test!{begin}!{end}!{identifier}.xml.gz"
    assert subject(REPORTER, REPORTED) == f"Report Domain: a.test Submitter: mx.test Report-ID: <{identifier}>"
    assert identifier in texts(tree(), "report_metadata/report_id")
    again = Reported("a.test", "v=DMARC1; p=none", 20_000, lost=9)
    assert report_id(REPORTER, again) == identifier
    others = [Reported("b.test", REPORTED.record, 20_000), Reported("a.test", REPORTED.record, 20_001)]
    assert len({identifier, *[report_id(REPORTER, one) for one in others]}) == 3


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Report Domain: a.test Submitter: b.test Report-ID: <x>", True),
        ("Report  Domain: a.test\tSubmitter: b.test", True),
        ("Report domain: a.test Submitter: b.test Report-ID: <x>", False),
        ("Re: Report Domain: a.test Submitter: b.test", False),
        ("Report Domain: a.test", False),
        ("", False),
    ],
)
def test_a_report_is_known_by_its_subject(text: str, *, is_one: bool) -> None:
    """The words of the grammar are case-sensitive."""
    assert is_report_subject(text) is is_one

from unittest.mock import Mock

import pytest

from filterd.arc import MAX_KEYS, MAX_SETS
from filterd.checks.arc import ArcCheck
from filterd.checks.registry import ALL, Tools
from filterd.dns.fake import FakeResolver
from filterd.model.authentication import ArcResult, ArcStatus
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.store import SelectorMemory
from tests.arc.chains import LIST, MESSAGE, RECORDS, craft, facts_of, seal
from tests.checks.views import FakeView, foreseen, run, symbols
from tests.support.signing import split

ONE = seal(MESSAGE, LIST)
TWO = seal(ONE, "forward.example")
KEYS = [f"s._domainkey.{domain}" for domain in ("forward.example", LIST)]


def view(message: bytes) -> FakeView:
    """The transaction of a message as the inspector has read it."""
    return FakeView(fields=tuple(split(message)[0]), inspection=Inspection(arc=facts_of(message)))


def judge(message: bytes, *sealers: str, fail: tuple[str, ...] = ()) -> CheckReport:
    """The report on a message with these sealers listed."""
    return run(ArcCheck(sealers), view(message), FakeResolver(txt=RECORDS, fail=fail))


def result(report: CheckReport) -> ArcResult:
    """The report's only result."""
    (found,) = report.auth_results
    assert isinstance(found, ArcResult)
    return found


def test_a_chain_that_passes() -> None:
    """Says its instance, its sealers and who brought it."""
    report = judge(TWO)
    assert (report.outcome, symbols(report)) == (Outcome.OK, ["ARC_PASS"])
    assert result(report) == ArcResult(ArcStatus.PASS, 2, ("forward.example", LIST), "", "192.0.2.1")
    assert report.findings[0].evidence == ("2: forward.example list.example",)


def test_no_chain() -> None:
    """One result and one symbol, so that the header says that it was looked at; nothing is asked."""
    resolver = FakeResolver()
    report = run(ArcCheck(), view(MESSAGE), resolver)
    assert (report.outcome, symbols(report), resolver.asked) == (Outcome.OK, ["ARC_NONE"], [])
    assert result(report).status is ArcStatus.NONE


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (TWO + b"more\r\n", "ARC-Message-Signature i=2: body hash did not verify"),
        (TWO.replace(b"Subject: s", b"Subject: t"), "ARC-Message-Signature i=2: signature did not verify"),
        (TWO.replace(b"ARC-Seal: i=1", b"X-Seal: i=1"), "set 1 is not complete"),
        (craft(ONE, seal_tags={"cv": "fail"}), "the last sealer found the chain broken"),
        (ONE.replace(b"i=1", b"i=51"), "ARC-Authentication-Results: no instance of 1 to 50"),
    ],
)
def test_a_broken_chain_counts_for_nothing(message: bytes, cause: str) -> None:
    """Even where its sealers are listed."""
    report = judge(message, LIST, "forward.example")
    assert (report.outcome, symbols(report)) == (Outcome.OK, ["ARC_FAIL"])
    assert (result(report).cause, result(report).trusted) == (cause, False)
    assert report.findings[0].evidence[0] == cause


@pytest.mark.threat("AUTH-15")
def test_a_chain_of_a_listed_sealer() -> None:
    """Is trusted, and says what the sealer found."""
    report = judge(TWO, "forward.example")
    assert symbols(report) == ["ARC_PASS", "ARC_TRUSTED"]
    (voucher,) = result(report).vouchers
    assert voucher.results[0].value("header.from") == "sender.example"
    assert voucher.results[0].value("header.d") == ""
    assert report.findings[1].evidence == ("forward.example: dmarc=pass arc=pass",)


@pytest.mark.threat("AUTH-15")
def test_a_chain_of_an_unlisted_sealer() -> None:
    """Passes, and that is all."""
    report = judge(TWO, LIST)
    assert (symbols(report), result(report).trusted) == (["ARC_PASS"], False)


def test_a_listed_sealer_that_says_nothing() -> None:
    """Is named."""
    report = judge(craft(MESSAGE, results="(" * 100), LIST)
    assert (symbols(report), report.findings[1].evidence) == (["ARC_PASS", "ARC_TRUSTED"], (LIST,))


def test_long_evidence_is_cut() -> None:
    """A chain of many sealers does not fill the log."""
    message = MESSAGE
    for _ in range(MAX_SETS):
        message = craft(message, results="none")
    for finding in judge(message, LIST).findings:
        assert {len(text) <= 200 for text in finding.evidence} == {True}


def test_a_key_that_cannot_be_fetched_is_unknown() -> None:
    """Not a failure: nothing is said in the header, and the cause names the key."""
    report = judge(TWO, LIST, "forward.example", fail=(f"txt {KEYS[1]}",))
    assert (report.outcome, report.findings, report.auth_results) == (Outcome.UNKNOWN, (), ())
    assert report.cause == f"temperror: ARC-Seal i=1: key lookup failed: {KEYS[1]}"


@pytest.mark.parametrize("inspection", [None, Inspection(arc=None)])
def test_a_chain_that_was_not_read_is_unknown(inspection: Inspection | None) -> None:
    """An inspector that died, or whose reading of the chain failed, says nothing about it."""
    report = run(ArcCheck(), FakeView(inspection=inspection))
    assert (report.outcome, report.findings, report.auth_results) == (Outcome.UNKNOWN, (), ())
    assert report.cause


def test_named_keys_are_asked_for_at_headers() -> None:
    """What the run will ask is under way before the body has come."""
    assert foreseen(ArcCheck(), view(TWO), Stage.HEADERS) == KEYS
    other = craft(MESSAGE, message_tags={"s": "other"})
    assert foreseen(ArcCheck(), view(other), Stage.HEADERS) == [f"other._domainkey.{LIST}", KEYS[1]]
    assert foreseen(ArcCheck(), view(MESSAGE), Stage.HEADERS) == []
    assert foreseen(ArcCheck(), view(TWO), Stage.MAIL) == []


@pytest.mark.threat("AUTH-15")
def test_a_flood_of_seals_is_bounded_before_dns() -> None:
    """As many keys as the limit says; of more sets than there may be, none."""
    fields = tuple((b"ARC-Seal", b" i=%d; d=list.example; s=s%d" % (number, number)) for number in range(51))
    assert len(foreseen(ArcCheck(), FakeView(fields=fields[:50]), Stage.HEADERS)) == MAX_KEYS
    assert foreseen(ArcCheck(), FakeView(fields=fields), Stage.HEADERS) == []
    signature = ((b"ARC-Message-Signature", b" d=list.example; s=s"),)
    assert len(foreseen(ArcCheck(), FakeView(fields=signature + fields[:50]), Stage.HEADERS)) == MAX_KEYS


@pytest.mark.parametrize(
    "value", [b"", b"\0", b" d=x", b" d=..; s=..", b" d=\xff.example; s=s", b" d=a.example; s=" + b"s" * 70]
)
def test_hostile_fields_are_not_asked_for(value: bytes) -> None:
    """What names no key asks for none."""
    assert foreseen(ArcCheck(), FakeView(fields=((b"ARC-Seal ", value),)), Stage.HEADERS) == []


def test_declared() -> None:
    """It runs at end of message, needs nobody, and knows the operator's sealers."""
    check = ALL["arc"](Tools(Mock(spec=SelectorMemory), arc_sealers=(LIST,)))
    assert (check.name, check.stage, check.needs) == ("arc", Stage.EOM, ())
    assert "ARC_TRUSTED" in symbols(run(check, view(ONE), FakeResolver(txt=RECORDS)))

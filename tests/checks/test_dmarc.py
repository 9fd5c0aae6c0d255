import pytest

from filterd.checks.dmarc import MAX_FORESEEN, DmarcCheck
from filterd.dns.fake import FakeResolver
from filterd.mime.address import read_author
from filterd.model.authentication import (
    ArcResult,
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Envelope
from tests.checks.views import FakeView, foreseen, run, symbols

RECORD = {"_dmarc.author.example": ["v=DMARC1; p=reject"]}
SPF_PASS = SpfResult(SpfStatus.PASS, "author.example", SpfScope.MAILFROM)
SPF_FAIL = SpfResult(SpfStatus.FAIL, "author.example", SpfScope.MAILFROM)
HELO_PASS = SpfResult(SpfStatus.PASS, "author.example", SpfScope.HELO)
DKIM_NONE = DkimResult(DkimStatus.NONE)
DKIM_PASS = DkimResult(DkimStatus.PASS, "author.example", "s")


def view(
    *results: AuthResult,
    author: bytes = b"Anna <anna@author.example>",
    spf: Outcome = Outcome.OK,
    dkim: Outcome = Outcome.OK,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> FakeView:
    """A transaction with these results of SPF, DKIM and ARC, these outcomes of their checks, and more header fields."""
    by_check = {
        "spf": CheckReport("spf", spf, auth_results=tuple(one for one in results if isinstance(one, SpfResult))),
        "dkim": CheckReport("dkim", dkim, auth_results=tuple(one for one in results if isinstance(one, DkimResult))),
        "arc": CheckReport("arc", Outcome.OK, auth_results=tuple(one for one in results if isinstance(one, ArcResult))),
    }
    fields = ((b"From", author), *more)
    return FakeView(inspection=Inspection(read_author((author,))), fields=fields, reports=by_check)


def judge(
    given: FakeView,
    record: str = "v=DMARC1; p=reject",
    fail: tuple[str, ...] = (),
    check: DmarcCheck | None = None,
) -> CheckReport:
    """The report with this record at the author's domain."""
    return run(check or DmarcCheck(), given, FakeResolver(txt={"_dmarc.author.example": [record]}, fail=fail))


def result(report: CheckReport) -> DmarcResult:
    """The report's one result."""
    (found,) = report.auth_results
    assert isinstance(found, DmarcResult)
    return found


@pytest.mark.parametrize("results", [(SPF_PASS, DKIM_NONE), (SPF_FAIL, DKIM_PASS), (SPF_PASS, DKIM_PASS)])
def test_one_aligned_result_passes(results: tuple[AuthResult, ...]) -> None:
    """SPF or DKIM is enough."""
    report = judge(view(*results))
    assert (report.outcome, result(report).status, symbols(report)) == (Outcome.OK, DmarcStatus.PASS, ["DMARC_PASS"])


@pytest.mark.parametrize(
    ("record", "symbol"),
    [
        ("v=DMARC1; p=none", "DMARC_FAIL_NONE"),
        ("v=DMARC1; p=quarantine", "DMARC_QUARANTINE"),
        ("v=DMARC1; p=reject", "DMARC_REJECT"),
        ("v=DMARC1; p=reject; t=y", "DMARC_QUARANTINE"),
        ("v=spf1 -all", "DMARC_NONE"),
    ],
)
def test_a_failure_is_named_by_what_the_domain_asks_for(record: str, symbol: str) -> None:
    """What is done about it is a matter of scores."""
    report = judge(view(SPF_FAIL, DKIM_NONE), record)
    assert (report.outcome, symbols(report)) == (Outcome.OK, [symbol])
    assert report.findings[0].evidence[0] == "author.example"


@pytest.mark.threat("AUTH-13")
def test_a_failed_lookup_is_unknown_and_never_none() -> None:
    """Neither guilty nor without a policy."""
    report = judge(view(SPF_FAIL, DKIM_NONE), fail=("txt _dmarc.author.example",))
    assert (report.outcome, symbols(report)) == (Outcome.UNKNOWN, ["DMARC_TEMPERROR"])
    assert result(report).status is DmarcStatus.TEMPERROR
    assert report.cause


@pytest.mark.threat("AUTH-14")
def test_a_pass_by_helo_alone_does_not_count() -> None:
    """Section 4.4.2: DMARC relies solely on MAIL FROM."""
    assert symbols(judge(view(HELO_PASS, SPF_FAIL, DKIM_NONE))) == ["DMARC_REJECT"]


@pytest.mark.threat("AUTH-05")
def test_a_signature_over_a_part_of_the_body_does_not_count() -> None:
    """What stands behind the signed length is anybody's."""
    partial = DkimResult(DkimStatus.PASS, "author.example", "s", covers_body=False)
    assert symbols(judge(view(SPF_FAIL, partial))) == ["DMARC_REJECT"]


@pytest.mark.threat("AUTH-01")
@pytest.mark.threat("AUTH-02")
@pytest.mark.threat("AUTH-03")
@pytest.mark.threat("AUTH-04")
@pytest.mark.parametrize(
    "author",
    [
        b"a@author.example, b@other.example",
        b"group: a@author.example;",
        b"",
        b"nobody",
        b"<@a,@b:a@author.example>",
        b"ceo@bank.example <a@author.example>",
        b"<a@author.example>ceo@bank.example",
        b"a@[192.0.2.1]",
        b"a@b@author.example",
    ],
)
def test_no_single_author_is_never_a_pass(author: bytes) -> None:
    """Whatever passed, it did not pass for what people see."""
    report = judge(view(SPF_PASS, DKIM_PASS, author=author))
    assert (report.outcome, symbols(report)) == (Outcome.OK, ["DMARC_PERMERROR"])
    assert result(report).policy is DmarcPolicy.NONE


@pytest.mark.threat("AUTH-01")
def test_two_from_fields_are_never_a_pass() -> None:
    """In either order."""
    values = (b"a@author.example", b"b@other.example")
    for pair in (values, values[::-1]):
        given = view(SPF_PASS, DKIM_PASS)
        two = FakeView(inspection=Inspection(read_author(pair)), reports=given.reports)
        assert symbols(judge(two)) == ["DMARC_PERMERROR"]


@pytest.mark.threat("AUTH-03")
def test_an_address_in_the_display_name_changes_nothing() -> None:
    """The domain that is judged is the address's."""
    report = judge(view(SPF_PASS, DKIM_NONE, author=b'"ceo@bank.example" <a@author.example>'))
    assert (result(report).status, result(report).domain) == (DmarcStatus.PASS, "author.example")


@pytest.mark.parametrize(("spf", "dkim"), [(Outcome.UNKNOWN, Outcome.OK), (Outcome.OK, Outcome.CRASHED)])
def test_what_spf_or_dkim_could_not_check_is_no_failure(spf: Outcome, dkim: Outcome) -> None:
    """A check without results may have missed a pass."""
    report = judge(view(spf=spf, dkim=dkim))
    assert (report.outcome, symbols(report)) == (Outcome.UNKNOWN, ["DMARC_TEMPERROR"])


def test_a_failure_stands_where_what_could_not_be_checked_is_known() -> None:
    """A foreign identifier's temporary error is weighed by the evaluation itself."""
    foreign = SpfResult(SpfStatus.TEMPERROR, "esp.test", SpfScope.MAILFROM)
    assert symbols(judge(view(foreign, DKIM_NONE, spf=Outcome.UNKNOWN))) == ["DMARC_REJECT"]


def test_a_pass_stands_whatever_the_other_check_could_not_do() -> None:
    """One aligned result is enough."""
    assert symbols(judge(view(DKIM_PASS, spf=Outcome.UNKNOWN))) == ["DMARC_PASS"]


def test_a_skipped_check_counts_as_one_that_found_nothing() -> None:
    """It was left out on purpose."""
    assert symbols(judge(view(DKIM_NONE, spf=Outcome.SKIPPED))) == ["DMARC_REJECT"]


def test_without_inspection_unknown() -> None:
    """The author was not read."""
    report = run(DmarcCheck(), FakeView(reports=view().reports))
    assert (report.outcome, report.auth_results, report.findings) == (Outcome.UNKNOWN, (), ())


def test_the_sender_s_walk_is_asked_ahead_at_mail() -> None:
    """All of its names at once."""
    assert foreseen(DmarcCheck(), FakeView(), Stage.MAIL) == ["_dmarc.sender.example", "_dmarc.example"]
    assert foreseen(DmarcCheck(), FakeView(envelope=Envelope()), Stage.MAIL) == []
    assert foreseen(DmarcCheck(), FakeView(), Stage.RCPT) == []


def test_the_author_s_walk_is_asked_ahead_at_headers() -> None:
    """With the names of signers near the author; strangers' walks are never needed."""
    fields = (
        (b"FROM", b" Anna <anna@News.Author.example>"),
        (b"DKIM-Signature", b" v=1; d=k.author.example; s=s"),
        (b"DKIM-Signature", b" v=1; d=esp.test; s=s"),
    )
    assert foreseen(DmarcCheck(), FakeView(fields=fields), Stage.HEADERS) == [
        "_dmarc.news.author.example",
        "_dmarc.author.example",
        "_dmarc.example",
        "_dmarc.k.author.example",
    ]


@pytest.mark.threat("AUTH-02")
@pytest.mark.parametrize(
    "values",
    [(), (b"",), (b"a@a.example", b"b@b.example"), (b"a@a.example, b@b.example",), (b"x" * 2000 + b"@a.example",)],
)
def test_a_doubtful_author_is_not_asked_about(values: tuple[bytes, ...]) -> None:
    """There will be no walk, or the inspector says whose."""
    fields = tuple((b"From", value) for value in values)
    assert foreseen(DmarcCheck(), FakeView(fields=fields), Stage.HEADERS) == []


@pytest.mark.threat("AUTH-11")
def test_what_is_asked_ahead_is_bounded() -> None:
    """Deep names and many signers start no flood."""
    deep = ".".join(f"l{number}" for number in range(40)) + ".author.example"
    signers = [(b"DKIM-Signature", f" v=1; d=d{number}.{deep}; s=s".encode()) for number in range(100)]
    fields = ((b"From", f"a@{deep}".encode()), *signers)
    assert len(foreseen(DmarcCheck(), FakeView(fields=fields), Stage.HEADERS)) == MAX_FORESEEN


def test_what_was_asked_ahead_is_what_the_run_asks() -> None:
    """After a guess that was right the run needs no further lookup."""
    fields = ((b"From", b"Anna <anna@author.example>"),)
    ahead = foreseen(DmarcCheck(), FakeView(fields=fields), Stage.HEADERS)
    resolver = FakeResolver(txt=RECORD)
    run(DmarcCheck(), view(SPF_FAIL, DKIM_NONE), resolver)
    assert {question.name for question in resolver.asked} <= set(ahead)


def test_declared() -> None:
    """It runs at end of message, behind SPF, DKIM and ARC."""
    assert (DmarcCheck().stage, DmarcCheck().needs) == (Stage.EOM, ("spf", "dkim", "arc"))

"""What RFC 7489 would have said, told where it differs."""

import pytest

from filterd.dmarc import Formerly, evaluate, formerly, walk_questions
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.mime.address import read_author
from filterd.model.authentication import (
    DkimResult,
    DkimStatus,
    DmarcPolicy,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Answer, Question


def _both(author: str, records: dict[str, str], spf: str = "", dkim: str = "") -> Formerly | None:
    """Judge a message of this author with these identities passing; then by RFC 7489 from the same answers."""
    resolver = FakeResolver(txt={f"_dmarc.{name}": [text] for name, text in records.items()})
    known: dict[Question, Answer] = {}

    def lookup(question: Question) -> Answer:
        return known.setdefault(question, resolver.lookup(question))

    for question in walk_questions(author):  # as the check does when the header has come
        lookup(question)
    passed = [SpfResult(SpfStatus.PASS, spf, SpfScope.MAILFROM)] if spf else []
    signed = [DkimResult(DkimStatus.PASS, dkim)] if dkim else []
    result = complete(evaluate(read_author((f"<anna@{author}>".encode(),)), passed, signed), lookup)
    return formerly(result, [*passed, *signed], known.get)


@pytest.mark.parametrize("spf", ["", "example.com", "other.net", "mail.example.com"])
def test_where_both_agree_nothing_is_told(spf: str) -> None:
    """The usual domain: one record at the organizational domain."""
    assert _both("example.com", {"example.com": "v=DMARC1; p=reject"}, spf) is None


def test_a_record_between_changes_the_organization() -> None:
    """The walk ends at psd=n below the registrable domain, where the list of public suffixes saw only the latter."""
    records = {"example.com": "v=DMARC1; p=reject", "unit.example.com": "v=DMARC1; p=none; psd=n"}
    assert _both("a.unit.example.com", records, spf="b.unit.example.com") == Formerly(
        DmarcStatus.PASS, DmarcPolicy.REJECT, "example.com"
    )
    assert _both("a.unit.example.com", records, spf="example.com") == Formerly(
        DmarcStatus.PASS, DmarcPolicy.REJECT, "example.com"
    )


def test_a_test_mode_was_unknown() -> None:
    """t=y makes the policy milder now; then it was no tag."""
    assert _both("example.com", {"example.com": "v=DMARC1; p=reject; t=y"}, "other.net") == Formerly(
        DmarcStatus.FAIL, DmarcPolicy.REJECT, "example.com"
    )


def test_a_policy_for_missing_names_was_unknown() -> None:
    """np= applies to names that do not exist; then sp= or p= did."""
    assert _both("gone.example.com", {"example.com": "v=DMARC1; p=none; np=reject"}) == Formerly(
        DmarcStatus.FAIL, DmarcPolicy.NONE, "example.com"
    )


def test_strict_alignment_is_the_same() -> None:
    """adkim=s asks for the very name in both."""
    assert _both("example.com", {"example.com": "v=DMARC1; p=reject; adkim=s"}, dkim="mail.example.com") is None


def test_without_the_answers_nothing_is_told() -> None:
    """A message judged before the question was asked, or with a lookup that failed."""
    resolver = FakeResolver(txt={"_dmarc.example.com": ["v=DMARC1; p=reject"]})
    result = complete(evaluate(read_author((b"<anna@example.com>",)), [], []), resolver.lookup)
    assert formerly(result, [], lambda _: None) is None

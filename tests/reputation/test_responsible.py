"""Who answers for a message."""

import pytest

from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    IprevResult,
    IprevStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.inspection import Author, Mailbox
from filterd.reputation import Responsible, correspondent, responsible

ANNA = Author((Mailbox("Anna", "shop.example"),))
SENDER = "anna@shop.example"


def spf(domain: str, status: SpfStatus = SpfStatus.PASS, scope: SpfScope = SpfScope.MAILFROM) -> SpfResult:
    """A result of SPF."""
    return SpfResult(status, domain, scope)


def dkim(domain: str, status: DkimStatus = DkimStatus.PASS, *, whole: bool = True, testing: bool = False) -> DkimResult:
    """A result of DKIM."""
    return DkimResult(status, domain, "s", covers_body=whole, testing=testing)


def dmarc(status: DmarcStatus, domain: str = "shop.example") -> DmarcResult:
    """A result of DMARC."""
    return DmarcResult(status, domain)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (
            [dmarc(DmarcStatus.PASS), spf("bounce.shop.example")],
            Responsible("shop.example", vouched=True, aligned=True),
        ),
        ([dmarc(DmarcStatus.PASS), dkim("shop.example")], Responsible("shop.example", vouched=False, aligned=True)),
        ([dkim("esp.example"), dkim("shop.example")], Responsible("shop.example", vouched=False, aligned=True)),
        ([dkim("esp.example"), spf("shop.example")], Responsible("shop.example", vouched=True, aligned=True)),
        ([dkim("esp.example"), spf("news.example")], Responsible("esp.example", vouched=False, aligned=False)),
        ([spf("mail.news.example")], Responsible("news.example", vouched=True, aligned=False)),
        ([dmarc(DmarcStatus.NONE), spf("shop.example")], Responsible("shop.example", vouched=True, aligned=True)),
        ([dmarc(DmarcStatus.FAIL), spf("mail.shop.example")], Responsible("shop.example", vouched=True, aligned=False)),
    ],
)
def test_who_has_proved_it(results: list[AuthResult], expected: Responsible) -> None:
    """DMARC before signatures before the envelope, the author's own domain before others; aligned where none failed."""
    assert responsible(results, ANNA, SENDER) == expected


@pytest.mark.parametrize(
    "results",
    [
        [],
        [dmarc(DmarcStatus.FAIL), dmarc(DmarcStatus.TEMPERROR)],
        [spf("shop.example", SpfStatus.SOFTFAIL), spf("shop.example", SpfStatus.NEUTRAL)],
        [dkim("shop.example", DkimStatus.FAIL), dkim("shop.example", DkimStatus.POLICY)],
        [dkim("shop.example", whole=False)],
        [dkim("shop.example", testing=True)],
        [IprevResult(IprevStatus.PASS, "8.8.8.8", "mx.shop.example")],
    ],
)
def test_what_proves_nothing(results: list[AuthResult]) -> None:
    """Failures, weak signatures, keys on trial, uncovered bodies and reverse names are nobody's word."""
    assert responsible(results, ANNA, SENDER) is None


@pytest.mark.threat("AUTH-14")
def test_helo_alone_is_nobody() -> None:
    """A HELO name that passes SPF answers for nothing, also where it stands in for the null sender."""
    assert responsible([spf("mx.evil.example", scope=SpfScope.HELO)], ANNA, SENDER) is None
    null = [spf("mx.evil.example", scope=SpfScope.HELO), spf("mx.evil.example")]
    assert responsible(null, ANNA, "") is None


@pytest.mark.threat("AUTH-01")
@pytest.mark.parametrize(
    "author", [Author(), Author((*ANNA.mailboxes, *ANNA.mailboxes)), Author(ANNA.mailboxes, "two From")]
)
def test_an_ambiguous_author_owns_nothing(author: Author) -> None:
    """Where the author has two readings, what is proved is not known to be his."""
    assert responsible([spf("shop.example")], author, SENDER) == Responsible(
        "shop.example", vouched=True, aligned=False
    )


def test_correspondents() -> None:
    """Only an author who is the envelope's sender too, with a domain that answers for him, is somebody one can know."""
    own = Responsible("shop.example", vouched=True, aligned=True)
    assert correspondent(ANNA, "ANNA@Shop.Example", own) == SENDER
    assert correspondent(ANNA, "bounce@shop.example", own) == ""
    assert correspondent(ANNA, "", own) == ""
    assert correspondent(ANNA, SENDER, None) == ""
    assert correspondent(ANNA, SENDER, Responsible("shop.example", vouched=True, aligned=False)) == ""
    assert correspondent(Author((*ANNA.mailboxes, *ANNA.mailboxes)), SENDER, own) == ""

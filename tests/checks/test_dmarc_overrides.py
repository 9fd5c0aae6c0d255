"""What spares a message that fails DMARC, and what takes a pass away: only what is proved."""

import pytest

from filterd.checks.dmarc import DmarcCheck
from filterd.dmarc import OverridePolicy
from filterd.model.authentication import (
    ArcResult,
    ArcStatus,
    ArcVoucher,
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcOverride,
    DmarcStatus,
    ReportedResult,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.identity import Identities
from tests.checks.test_dmarc import DKIM_NONE, DKIM_PASS, SPF_FAIL, SPF_PASS, judge, result, view
from tests.checks.views import symbols

LIST = (b"List-Id", b" The talkers <talk.lists.example>")
LIST_DKIM = DkimResult(DkimStatus.PASS, "lists.example", "l")
LISTED = DmarcCheck(OverridePolicy(lists=frozenset({"lists.example"})))


@pytest.mark.threat("AUTH-12")
def test_a_list_that_is_named_and_proved_spares_its_mail() -> None:
    """The author's signature is broken, the list's own verifies: the list explains the failure."""
    report = judge(view(SPF_FAIL, LIST_DKIM, more=(LIST,)), check=LISTED)
    found = result(report)
    assert (found.status, found.override) == (DmarcStatus.FAIL, DmarcOverride.MAILING_LIST)
    assert found.override_comment == "talk.lists.example by lists.example"
    assert symbols(report) == ["DMARC_MAILING_LIST"]


@pytest.mark.threat("AUTH-12")
@pytest.mark.parametrize(
    ("results", "more", "check"),
    [
        ((SPF_FAIL, DKIM_NONE), (LIST,), LISTED),
        ((SPF_FAIL, DkimResult(DkimStatus.FAIL, "lists.example", "l")), (LIST,), LISTED),
        ((SPF_FAIL, DkimResult(DkimStatus.PASS, "lists.example", "l", covers_body=False)), (LIST,), LISTED),
        ((SPF_FAIL, DkimResult(DkimStatus.PASS, "lists.example", "l", testing=True)), (LIST,), LISTED),
        ((SPF_FAIL, DkimResult(DkimStatus.PASS, "other.example", "l")), (LIST,), LISTED),
        ((SPF_FAIL, LIST_DKIM), (), LISTED),
        ((SPF_FAIL, LIST_DKIM), (LIST, LIST), LISTED),
        ((SPF_FAIL, LIST_DKIM), ((b"List-Id", b"<talk.other.example>"),), LISTED),
        ((SPF_FAIL, LIST_DKIM), ((b"List-Id", b"<evillists.example>"),), LISTED),
        ((SPF_FAIL, LIST_DKIM), (LIST,), DmarcCheck()),
        ((SPF_FAIL, LIST_DKIM), (LIST,), DmarcCheck(OverridePolicy(lists=frozenset({".talk.lists.example"})))),
    ],
)
def test_a_list_that_is_not_proved_or_not_named_spares_nothing(
    results: tuple[AuthResult, ...], more: tuple[tuple[bytes, bytes], ...], check: DmarcCheck
) -> None:
    """A List-Id field costs nothing, so neither it nor a signature of somebody else is believed."""
    report = judge(view(*results, more=more), check=check)
    assert (result(report).override, symbols(report)) == (DmarcOverride.NONE, ["DMARC_REJECT"])


def arc(*results: ReportedResult, trusted: bool = True) -> ArcResult:
    """A passing chain with what its sealer says of the message."""
    vouchers = (ArcVoucher(1, "forwarder.example", results),) if trusted else ()
    return ArcResult(ArcStatus.PASS, 1, sealers=("forwarder.example",), trusted=trusted, vouchers=vouchers)


SEEN = ReportedResult("dmarc", "pass", (("header.from", "author.example"),))
NAMED = DmarcCheck(
    OverridePolicy(Identities.parse(["dkim:.forwarder.example", "spf:relay.example", "ip:192.0.2.0/24"]))
)


def test_a_trusted_sealer_that_saw_it_pass_spares_it() -> None:
    """Who sealed it is in the comment, as a report wants it."""
    found = result(judge(view(SPF_FAIL, DKIM_NONE, arc(SEEN))))
    assert (found.status, found.override) == (DmarcStatus.FAIL, DmarcOverride.TRUSTED_FORWARDER)
    assert found.override_comment == "arc=pass as[1].d=forwarder.example"


@pytest.mark.parametrize(
    "chain",
    [
        arc(SEEN, trusted=False),
        arc(ReportedResult("dmarc", "fail", (("header.from", "author.example"),))),
        arc(ReportedResult("dmarc", "pass", (("header.from", "other.example"),))),
        arc(ReportedResult("spf", "pass", (("header.from", "author.example"),))),
        arc(),
    ],
)
def test_a_chain_that_says_less_spares_nothing(chain: ArcResult) -> None:
    """Only a pass of DMARC for this author, seen by somebody who is trusted."""
    assert symbols(judge(view(SPF_FAIL, DKIM_NONE, chain))) == ["DMARC_REJECT"]


@pytest.mark.parametrize(
    ("results", "comment"),
    [
        ((SPF_FAIL, DkimResult(DkimStatus.PASS, "mx.forwarder.example", "f")), "dkim:.forwarder.example"),
        ((SpfResult(SpfStatus.PASS, "relay.example", SpfScope.MAILFROM), DKIM_NONE), "spf:relay.example"),
        ((SPF_FAIL, DKIM_NONE), "ip:192.0.2.0/24"),
    ],
)
def test_a_named_forwarder_spares_its_mail(results: tuple[AuthResult, ...], comment: str) -> None:
    """By its signature, its SPF record or its address."""
    report = judge(view(*results), check=NAMED)
    assert (result(report).override_comment, symbols(report)) == (comment, ["DMARC_TRUSTED_FORWARDER"])


def test_where_nothing_is_asked_nothing_is_spared() -> None:
    """With p=none there is nothing to override."""
    report = judge(view(SPF_FAIL, DKIM_NONE), "v=DMARC1; p=none", check=NAMED)
    assert (result(report).override, symbols(report)) == (DmarcOverride.NONE, ["DMARC_FAIL_NONE"])


UPGRADED = DmarcCheck(spf_upgrade=True)
AR = b"Authentication-Results"
EARLIER = (AR, b" mx.service.example;\r\n spf=fail smtp.mailfrom=anna@author.example")


@pytest.mark.parametrize(
    "field",
    [
        EARLIER,
        (b"Authentication-Results", b" mx.service.example; spf=fail smtp.mailfrom=sub.author.example"),
        (b"ARC-Authentication-Results", b" i=1; mx.service.example; spf=fail smtp.mailfrom=anna@author.example"),
        (b"Received-SPF", b' Fail (no) client-ip=192.0.2.9; envelope-from="anna@author.example"; helo=x'),
    ],
)
def test_a_pass_that_an_earlier_hop_saw_fail_does_not_count(field: tuple[bytes, bytes]) -> None:
    """The sending service let somebody in whom the domain's record did not name, and is itself named there."""
    report = judge(view(SPF_PASS, DKIM_NONE, more=(field,)), check=UPGRADED)
    assert (result(report).status, symbols(report)) == (DmarcStatus.FAIL, ["DMARC_REJECT", "DMARC_SPF_UPGRADED"])


@pytest.mark.parametrize(
    ("results", "field", "check"),
    [
        ((SPF_PASS, DKIM_PASS), EARLIER, UPGRADED),
        ((SPF_PASS, DKIM_NONE), EARLIER, DmarcCheck()),
        (
            (SPF_PASS, DKIM_NONE),
            (b"Authentication-Results", b" x.example; spf=fail smtp.mailfrom=a@b.example"),
            UPGRADED,
        ),
        (
            (SPF_PASS, DKIM_NONE),
            (b"Authentication-Results", b" x.example; spf=pass smtp.mailfrom=author.example"),
            UPGRADED,
        ),
        ((SPF_PASS, DKIM_NONE), (b"Received-SPF", b" Failing; envelope-from=anna@author.example"), UPGRADED),
        ((SPF_PASS, DKIM_NONE), (AR, b"\xff; ("), UPGRADED),
    ],
)
def test_what_says_nothing_of_the_author_changes_nothing(
    results: tuple[AuthResult, ...], field: tuple[bytes, bytes], check: DmarcCheck
) -> None:
    """A signature of the author stands by itself; other domains, other results and switched off: a pass stays one."""
    assert symbols(judge(view(*results, more=(field,)), check=check)) == ["DMARC_PASS"]


KNOWN = DmarcCheck(known=lambda domain, _now: domain == "lists.example")


def test_a_list_of_good_standing_is_spared_where_the_operator_wants_it() -> None:
    """Its mail is tagged, as nobody has named it."""
    report = judge(view(SPF_FAIL, LIST_DKIM, more=(LIST,)), check=KNOWN)
    assert result(report).override is DmarcOverride.MAILING_LIST
    assert result(report).override_comment == "talk.lists.example by lists.example, which has a good standing"
    assert symbols(report) == ["DMARC_KNOWN_LIST"]


@pytest.mark.parametrize(
    ("signer", "more"),
    [(DKIM_NONE, (LIST,)), (LIST_DKIM, ()), (DkimResult(DkimStatus.PASS, "talk.lists.example", "l"), (LIST,))],
)
def test_a_standing_alone_spares_nothing(signer: DkimResult, more: tuple[tuple[bytes, bytes], ...]) -> None:
    """It is the list's that counts, and only where the list is proved."""
    assert symbols(judge(view(SPF_FAIL, signer, more=more), check=KNOWN)) == ["DMARC_REJECT"]

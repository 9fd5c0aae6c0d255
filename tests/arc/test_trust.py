"""What listed sealers vouch for, and what makes a chain that passes count for nothing."""

from collections.abc import Mapping

import pytest

from filterd.arc import Verified, vouched
from filterd.model.authentication import ArcResult, ArcVoucher, ReportedResult
from tests.arc.chains import LIST, MESSAGE, craft, facts_of, judge, seal
from tests.support.signing import RSA_1024, key_record

PASS = ReportedResult("dmarc", "pass", (("header.from", "sender.example"),))
FORWARD = "forward.example"


def trusted(message: bytes, *listed: str, records: Mapping[str, list[str]] = {}) -> ArcResult:
    """The result with these sealers listed."""
    found = judge(message, records=records)
    assert isinstance(found, Verified)
    return vouched(found, facts_of(message), listed)


def test_a_listed_sealer_vouches_for_what_it_found() -> None:
    """Its results, as it wrote them."""
    found = trusted(seal(MESSAGE, LIST), LIST, "other.example")
    assert found.trusted
    assert found.vouchers == (ArcVoucher(1, LIST, (PASS,)),)


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize("listed", ["example", "sub.list.example", "xlist.example", ""])
def test_an_unlisted_sealer_counts_for_nothing(listed: str) -> None:
    """Nor does one above or below a listed name."""
    found = trusted(seal(MESSAGE, LIST), listed)
    assert (found.status, found.trusted, found.vouchers) == ("pass", False, ())


@pytest.mark.threat("AUTH-15")
def test_a_listed_sealer_below_an_unlisted_one_counts_for_nothing() -> None:
    """Whoever came last may have changed everything."""
    found = trusted(seal(MESSAGE, LIST, "stranger.example"), LIST)
    assert (found.trusted, found.vouchers) == (False, ())


@pytest.mark.threat("AUTH-15")
def test_vouchers_end_at_the_first_unlisted_sealer() -> None:
    """Newest first; what stands below a stranger's seal is as the stranger left it."""
    message = seal(MESSAGE, LIST, "stranger.example", "relay.example", FORWARD)
    found = trusted(message, LIST, "relay.example", FORWARD)
    assert [(voucher.instance, voucher.sealer) for voucher in found.vouchers] == [(4, FORWARD), (3, "relay.example")]
    everybody = trusted(message, LIST, "relay.example", FORWARD, "stranger.example")
    assert [voucher.instance for voucher in everybody.vouchers] == [4, 3, 2, 1]


@pytest.mark.threat("AUTH-15")
def test_a_chain_that_does_not_pass() -> None:
    """Whoever sealed it."""
    assert not trusted(seal(MESSAGE, LIST) + b"more\r\n", LIST).trusted
    assert not trusted(seal(MESSAGE, LIST), LIST, records={"list": []}).trusted
    assert not trusted(MESSAGE, LIST, "").trusted


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize("tags", [{"h": "to:subject"}, {"l": "0"}])
def test_a_signature_that_leaves_something_open(tags: dict[str, str]) -> None:
    """Somebody may have put in what the sealer never saw."""
    message = craft(MESSAGE, message_tags=tags)
    assert trusted(message, LIST).status == "pass"
    assert not trusted(message, LIST).trusted


@pytest.mark.threat("AUTH-01")
def test_a_second_from() -> None:
    """The chain passes, as the sealed From is still there; it does not stand for the other one."""
    message = b"From: ceo@bank.example\r\n" + seal(MESSAGE, LIST)
    assert trusted(message, LIST).status == "pass"
    assert not trusted(message, LIST).trusted


@pytest.mark.threat("AUTH-15")
def test_a_message_signature_of_somebody_else() -> None:
    """A listed sealer's seal over a stranger's signature: the stranger may change the key to fit another message."""
    message = craft(MESSAGE, message_tags={"d": "stranger.example"})
    assert trusted(message, LIST).status == "pass"
    assert not trusted(message, LIST).trusted
    assert trusted(message, LIST, "stranger.example").trusted


def test_a_key_for_tests() -> None:
    """RFC 6376, section 3.6.1, t=y: no better than unsigned."""
    assert not trusted(seal(MESSAGE, LIST), LIST, records={"list": [key_record(RSA_1024, t="y")]}).trusted


@pytest.mark.threat("AUTH-14")
@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("none", ()),
        ("dmarc=pass header.from=a.example; dmarc=fail header.from=b.example; spf=none", ("spf",)),
        ("arc=pass; arc=fail; spf=none", ("spf",)),
        ("dkim=pass header.d=a.example; dkim=fail header.d=b.example", ("dkim", "dkim")),
        ("spf=pass smtp.helo=a.example; spf=fail smtp.mailfrom=b.example", ("spf", "spf")),
        ("dmarc=pass header.from=a.example(x); spf=none", ("spf",)),
    ],
)
def test_only_unmistakable_results(results: str, expected: tuple[str, ...]) -> None:
    """Of a method with one result two are one too many, and what is outside the grammar is not said."""
    (voucher,) = trusted(craft(MESSAGE, results=results), LIST).vouchers
    assert tuple(one.method for one in voucher.results) == expected


@pytest.mark.threat("AUTH-14")
@pytest.mark.parametrize("results", ['spf=pass smtp.mailfrom="a; dmarc=pass', "spf=pass (a; dmarc=pass", "x" * 5000])
def test_results_that_cannot_be_read(results: str) -> None:
    """The sealer is trusted and has said nothing."""
    found = trusted(craft(MESSAGE, results=results), LIST)
    assert (found.trusted, found.vouchers) == (True, ())

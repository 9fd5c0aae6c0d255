"""All signatures of a message against it: which are looked at, what they sign, what they leave open."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dkim import MAX_SIGNATURES, HashedBody, prepare
from filterd.domains import normalise
from filterd.model.authentication import DkimStatus, SignatureFacts
from tests.support.signing import SIGNED_AT, craft, split

MESSAGE = (
    b"From: Alice <alice@example.test>\r\nTo: bob@example.org\r\nSubject: one\r\nDate: today\r\n"
    b"Message-ID: <1@example.test>\r\n\r\nHello\r\n"
)
BODY_HASH = base64.b64encode(hashlib.sha256(b"Hello\r\n").digest())  # in either form


def facts_of(message: bytes) -> tuple[SignatureFacts, ...]:
    """What prepare makes of a message."""
    return prepare(*split(message), now=SIGNED_AT)


def only(message: bytes) -> SignatureFacts:
    """The only signature's facts."""
    (facts,) = facts_of(message)
    return facts


def test_no_signature() -> None:
    """An unsigned message costs nothing."""
    assert facts_of(MESSAGE) == ()


def test_signed_bytes_relaxed() -> None:
    """RFC 6376, section 3.7: the fields of h= from the last one up, then the signature without b= and final CRLF."""
    header = (
        b"Subject:  last \r\n  of two\r\nFROM\t:\t A  B <a@example.test>\r\nsubject : first\t\r\n"
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed; d=example.test;\r\n\ts=sel; b = AA\r\n AA ;\r\n"
        b" h=subject:from:subject:to:subject:from;  bh=" + BODY_HASH + b"\r\n\r\nHello\r\n"
    )
    signed = (
        b"subject:first\r\nfrom:A B <a@example.test>\r\nsubject:last of two\r\n"
        b"dkim-signature:v=1; a=rsa-sha256; c=relaxed; d=example.test; s=sel; b =;"
        b" h=subject:from:subject:to:subject:from; bh=" + BODY_HASH
    )
    facts = only(header)
    assert (facts.status, facts.tag) == (None, "AAAA")
    assert facts.header_digest == hashlib.sha256(signed).digest()


def test_signed_bytes_simple() -> None:
    """In the simple form every byte of a field counts, and the value of b= goes with the blanks around it."""
    value = b" v=1; a=rsa-sha256; d=example.test;\r\n\ts=sel; h=from : SUBJECT;  bh=" + BODY_HASH
    header = (
        b"Subject:  last \r\n  of two\r\nFrom:a\r\nDKIM-Signature:" + value + b"; b=\r\n AAAA\r\n \r\n\r\nHello\r\n"
    )
    signed = b"From:a\r\nSubject:  last \r\n  of two\r\nDKIM-Signature:" + value + b"; b="
    assert only(header).header_digest == hashlib.sha256(signed).digest()


def test_bytes_beyond_ascii_are_signed_as_they_are() -> None:
    """Field values in any charset count byte for byte."""
    first, second = (only(craft(MESSAGE.replace(b"one", value), {})) for value in (b"\xe9", b"\xc3\xa9"))
    assert first.status is second.status is None
    assert first.header_digest != second.header_digest


@pytest.mark.threat("AUTH-06")
def test_flood_of_signatures() -> None:
    """Of 500 signatures eight are looked at."""
    fields, body = split(craft(MESSAGE, {}))
    assert len(prepare([fields[0]] * 500 + fields[1:], body, now=SIGNED_AT)) == MAX_SIGNATURES


@pytest.mark.threat("AUTH-06")
def test_signature_of_the_author_among_many() -> None:
    """Where there are too many signatures, those of From's domain, above or below it, are looked at first."""
    others = "".join(f"DKIM-Signature: d=other{number}.test; s=sel\r\n" for number in range(20)).encode()
    for domain in ("example.test", "mail.example.test"):
        message = others + craft(MESSAGE, {"d": domain})
        facts = facts_of(message)
        assert [each.domain for each in facts] == [f"other{number}.test" for number in range(7)] + [domain]
        assert facts[-1].status is None


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("alice@news.example.test", "mail.example.test"),
        ("alice@a.b.example.co.uk", "example.co.uk"),
        ("alice@b\u00fccher.test", "xn--bcher-kva.test"),
        ("alice@B\u00dcCHER.test", "mail.b\u00fccher.test"),
    ],
)
def test_signature_of_the_author_s_organisation_among_many(sender: str, domain: str) -> None:
    """One that relaxed alignment may accept is looked at, whatever its neighbours are."""
    others = "".join(f"DKIM-Signature: d=other{number}.test; s=sel\r\n" for number in range(20)).encode()
    message = MESSAGE.replace(b"alice@example.test", sender.encode())
    facts = facts_of(others + craft(message, {"d": domain}))
    assert facts[-1].status is None
    assert facts[-1].domain == normalise(domain)


def test_the_same_name_comes_before_the_same_organisation() -> None:
    """Nine signers of one organisation, and among them the author itself, at the bottom."""
    others = "".join(f"DKIM-Signature: d=d{number}.example.test; s=sel\r\n" for number in range(9)).encode()
    assert facts_of(others + craft(MESSAGE, {}))[-1].domain == "example.test"


@pytest.mark.parametrize("sender", [b"", b"From: nobody\r\n", b"From: a@\xff\r\n", b"From: \xff@example.test\r\n"])
def test_too_many_signatures_of_nobody(sender: bytes) -> None:
    """Without an author's domain the first eight are looked at."""
    others = "".join(f"DKIM-Signature: d=other{number}.test; s=sel\r\n" for number in range(20)).encode()
    found = facts_of(sender + others + b"\r\n")
    assert [each.domain for each in found] == [f"other{number}.test" for number in range(8)]


def test_signature_of_a_parent_domain_among_many() -> None:
    """The organisation may sign for a subdomain in From."""
    message = MESSAGE.replace(b"alice@example.test", b"alice@news.example.test")
    others = b"DKIM-Signature: d=other.test; s=sel\r\n" * 20
    assert facts_of(others + craft(message, {}))[-1].domain == "example.test"


@pytest.mark.threat("AUTH-05")
@pytest.mark.parametrize(
    ("limit", "uncovered", "status"),
    [
        ("0", 7, None),
        ("5", 2, None),
        ("7", 0, None),
        ("8", 0, DkimStatus.PERMERROR),
        ("9" * 4300, 0, DkimStatus.PERMERROR),
    ],
)
def test_length_limit(limit: str, uncovered: int, status: DkimStatus | None) -> None:
    """What l= leaves uncovered is counted; more than there is, is a permerror (RFC 6376, section 3.5)."""
    facts = only(craft(MESSAGE, {"l": limit}))
    assert (facts.uncovered, facts.status) == (uncovered, status)


@pytest.mark.threat("AUTH-05")
def test_appended_body() -> None:
    """What is appended behind l= is reported, and without l= breaks the signature."""
    appended = b"and more\r\n"
    assert only(craft(MESSAGE, {"l": "7"}) + appended).uncovered == len(appended)
    assert only(craft(MESSAGE, {}) + appended).reason == "body hash did not verify"


@pytest.mark.threat("AUTH-05")
@pytest.mark.parametrize("cut", [0, 3, 5, 6, 7])
@pytest.mark.parametrize("tags", [{}, {"l": "5"}, {"l": "7"}, {"c": "simple"}], ids=str)
def test_a_body_of_which_a_part_was_read(tags: dict[str, str], cut: int) -> None:
    """It verifies no signature and refutes none, whatever the part would hash to; it is not hashed at all."""
    fields, body = split(craft(MESSAGE, tags))
    hashed = HashedBody(body[:cut], whole=False)
    (facts,) = prepare(fields, hashed, now=SIGNED_AT)
    assert (facts.status, facts.reason) == (DkimStatus.TEMPERROR, "message is longer than what is read of it")
    assert (facts.domain, hashed.hashes(())) == ("example.test", {})


@pytest.mark.threat("AUTH-05")
def test_what_the_body_cannot_change_stands_though_it_was_not_read() -> None:
    """A signature that the RFC refuses before its body is looked at is refused."""
    for tags, status in [({"x": "1"}, DkimStatus.PERMERROR), ({"a": "rsa-sha1"}, DkimStatus.POLICY)]:
        fields, body = split(craft(MESSAGE, tags))
        (facts,) = prepare(fields, HashedBody(body, whole=False), now=SIGNED_AT)
        assert facts.status is status


@pytest.mark.threat("AUTH-01")
@pytest.mark.parametrize("names", ["from:to", "from:subject:date"])
def test_second_from_is_not_signed(names: str) -> None:
    """A From field that the signature does not cover is a permerror, above or below the signed one."""
    message = craft(MESSAGE, {"h": names})
    second = b"From: ceo@bank.test\r\n"
    header, body = message.split(b"\r\n\r\n", 1)
    for forged in (second + message, header + b"\r\n" + second + b"\r\n" + body):
        facts = only(forged)
        assert (facts.status, facts.reason) == (DkimStatus.PERMERROR, "a From field is not signed")


def test_no_from_field() -> None:
    """A message without From cannot be signed."""
    message = craft(MESSAGE, {}).replace(b"\r\nFrom:", b"\r\nX-From:")
    assert only(message).reason == "no From field"


def test_signature_field_does_not_sign_itself() -> None:
    """RFC 6376, section 3.5: h= may name other signatures, never the field itself."""
    lower = craft(MESSAGE, {"s": "low"})
    upper = craft(lower, {"h": "from:dkim-signature:dkim-signature"})
    fields, body = split(upper)
    alone = prepare(fields[1:], body, now=SIGNED_AT)[0]
    both = prepare(fields, body, now=SIGNED_AT)
    assert both[1] == alone
    assert both[0].status is None
    swapped = prepare([fields[1], fields[0], *fields[2:]], body, now=SIGNED_AT)
    assert swapped[1].header_digest == both[0].header_digest


@pytest.mark.threat("AUTH-08")
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("from:to:subject:date", False),
        ("from:from:to:to:subject:subject:date:date", True),
        ("from:from:to:to:subject:subject:date", False),
    ],
)
def test_oversigned(names: str, *, expected: bool) -> None:
    """Only where each of From, To, Subject and Date is named once more than it is there can none be added."""
    assert only(craft(MESSAGE, {"h": names})).oversigned is expected


def test_oversigned_absent_field() -> None:
    """A field that is not there is protected by being named."""
    message = MESSAGE.replace(b"Date: today\r\n", b"")
    assert only(craft(message, {"h": "from:from:to:to:subject:subject:date"})).oversigned is True


WELL_FORMED = b" v=1; a=rsa-sha256; d=b.test; s=s; h=from; bh=" + BODY_HASH + b"; b=AAAA"
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"From", b"from ", b"DKIM-Signature", b"dkim-signature", b"Subject", b"", b"\xff"]),
        st.binary(max_size=30) | st.sampled_from([b"a@b.test", WELL_FORMED]),
    ),
    max_size=12,
)


@given(HEADERS, st.binary(max_size=30))
def test_any_message(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Any fields and any body give at most eight facts, each final or with a digest to verify."""
    facts = prepare(fields, body, now=SIGNED_AT)
    assert len(facts) <= MAX_SIGNATURES
    assert all((each.status is None) is (len(each.header_digest) == 32) for each in facts)

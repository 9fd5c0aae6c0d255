"""Whole signatures through prepare and verify: each outcome apart."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dkim import key_question, prepare, verify
from filterd.dns.fake import FakeResolver
from filterd.model.authentication import DkimResult, DkimStatus
from filterd.model.dns import Answer, AnswerStatus
from tests.support.signing import ED25519_SEED, RSA_1024, RSA_2048, SIGNED_AT, craft, key_record, sign, split

NAME = "sel._domainkey.example.test"
MESSAGE = (
    b"From: Alice <alice@example.test>\r\nTo: bob@example.org\r\nSubject: A  subject\r\n\twith a fold\r\n"
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n"
    b"Hello  \r\n\r\n  two\tblanks\r\n\r\n\r\n"
)


def outcome(message: bytes, *records: str, **fake: list[str]) -> DkimResult:
    """The only signature's result with these key records under its name; `fake` goes to the resolver."""
    resolver = FakeResolver(txt={NAME: records or [key_record()]}, **fake)  # type: ignore[arg-type]  # fail alone
    (facts,) = prepare(*split(message), now=SIGNED_AT)
    question = key_question(facts.domain or "none.test", facts.selector or "none")
    assert question is not None
    return verify(facts, resolver.lookup(question))


@pytest.mark.parametrize("form", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
@pytest.mark.parametrize("key", [RSA_1024, RSA_2048, ED25519_SEED], ids=["rsa1024", "rsa2048", "ed25519"])
def test_signed_by_dkimpy(form: str, key: bytes) -> None:
    """What dkimpy signs, in any form and with any key, verifies, and a changed body or field does not."""
    message = sign(MESSAGE, "example.test", "sel", key, canonicalization=form)
    record = key_record(key)
    assert outcome(message, record).status is DkimStatus.PASS
    assert outcome(message.replace(b"Hello", b"Hallo"), record).reason == "body hash did not verify"
    changed = outcome(message.replace(b"A  subject", b"B  subject"), record)
    assert (changed.status, changed.reason) == (DkimStatus.FAIL, "signature did not verify")


def test_result_says_what_was_verified() -> None:
    """Domain, selector, algorithm, identity, key size and the beginning of b= go with the result."""
    message = craft(MESSAGE, {"i": "news@sub.example.test"})
    result = outcome(message)
    value = dict(split(message)[0])[b"DKIM-Signature"]
    assert replace(result, tag="") == DkimResult(
        DkimStatus.PASS, "example.test", "sel", "rsa-sha256", "news@sub.example.test", 2048
    )
    assert value.rpartition(b"b=")[2][:8].decode() == result.tag


def test_internationalised_signature() -> None:
    """RFC 8616: d=, s= and i= may be U-labels; the key stands under A-labels."""
    message = craft(MESSAGE, {"d": "b\u00fccher.test", "s": "\u00e9l", "i": "j\u00f6rg@b\u00fccher.test"})
    (facts,) = prepare(*split(message), now=SIGNED_AT)
    resolver = FakeResolver(txt={"xn--l-9fa._domainkey.xn--bcher-kva.test": [key_record()]})
    question = key_question(facts.domain, facts.selector)
    assert question is not None
    assert verify(facts, resolver.lookup(question)).status is DkimStatus.PASS


# The key's answer: RFC 6376, section 6.1.2


def test_failed_lookup() -> None:
    """A key that nobody could look up is a temperror."""
    result = outcome(craft(MESSAGE, {}), fail=[f"txt {NAME}"])
    assert (result.status, result.reason) == (DkimStatus.TEMPERROR, "key lookup failed")


@pytest.mark.parametrize("status", [AnswerStatus.NXDOMAIN, AnswerStatus.NODATA])
def test_no_key(status: AnswerStatus) -> None:
    """A name without a key is a permerror."""
    (facts,) = prepare(*split(craft(MESSAGE, {})), now=SIGNED_AT)
    question = key_question(facts.domain, facts.selector)
    assert question is not None
    result = verify(facts, Answer(question, status))
    assert (result.status, result.reason) == (DkimStatus.PERMERROR, "no key")


def test_settled_without_key() -> None:
    """Where the outcome is settled, the answer changes nothing."""
    message = craft(MESSAGE, {"a": "rsa-sha1"})
    for fail in ([], [f"txt {NAME}"]):
        assert outcome(message, fail=fail).status is DkimStatus.POLICY


def test_several_records() -> None:
    """Of several records under one name the one that verifies counts, wherever it stands among four."""
    message = craft(MESSAGE, {})
    others = ["v=DKIM1; p=", "some text", key_record(RSA_1024)]
    assert outcome(message, *others, key_record()).status is DkimStatus.PASS
    assert outcome(message, key_record(), *others).status is DkimStatus.PASS
    assert outcome(message, *others).status is DkimStatus.FAIL
    assert outcome(message, *others[:2]).reason == "key revoked"
    assert outcome(message, *others, "more", key_record()).status is DkimStatus.FAIL


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize(
    ("algorithm", "key"), [("rsa-sha256", ED25519_SEED), ("ed25519-sha256", RSA_2048)], ids=["rsa", "ed25519"]
)
def test_key_of_another_type(algorithm: str, key: bytes) -> None:
    """A key that does not fit a= is a permerror, and no library sees the pair."""
    result = outcome(craft(MESSAGE, {"a": algorithm}), key_record(key))
    assert (result.status, result.reason) == (DkimStatus.PERMERROR, "key is of another type than a=")


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize("key", [RSA_2048, ED25519_SEED], ids=["rsa", "ed25519"])
@pytest.mark.parametrize("size", [1, 32, 63, 64, 65, 255, 256, 257, 512])
def test_signature_of_another_size(key: bytes, size: int) -> None:
    """A signature whose size does not fit the key fails, nothing more."""
    algorithm = "ed25519-sha256" if key is ED25519_SEED else "rsa-sha256"
    for octet in (b"\0", b"\xff"):
        message = craft(MESSAGE, {"a": algorithm, "b": base64.b64encode(octet * size).decode()})
        assert outcome(message, key_record(key)).status is DkimStatus.FAIL


@pytest.mark.parametrize(
    ("identity", "status"),
    [("", DkimStatus.PASS), ("@example.test", DkimStatus.PASS), ("a@sub.example.test", DkimStatus.PERMERROR)],
)
def test_strict_key(identity: str, status: DkimStatus) -> None:
    """RFC 6376, section 3.6.1, t=s: the identity must lie in d= itself."""
    assert outcome(craft(MESSAGE, {"i": identity}), key_record(t="s")).status is status


def test_testing_key() -> None:
    """RFC 6376, section 3.6.1, t=y: a failure is no worse than no signature; a pass says that it is a test."""
    message = craft(MESSAGE, {})
    record = key_record(t="y")
    assert (outcome(message, record).status, outcome(message, record).testing) == (DkimStatus.PASS, True)
    assert outcome(message.replace(b"A  subject", b"B"), record).status is DkimStatus.NEUTRAL


def test_key_for_another_hash() -> None:
    """A key that allows sha1 alone verifies nothing."""
    assert outcome(craft(MESSAGE, {}), key_record(h="sha1")).reason == "key does not allow sha256"


@pytest.mark.threat("AUTH-05")
@pytest.mark.parametrize(("limit", "covers"), [("0", False), ("10", False), ("22", True), ("", True)])
def test_length_limit(limit: str, *, covers: bool) -> None:
    """A signature over a part of the body passes, and the result says that it does not cover the body."""
    result = outcome(craft(MESSAGE, {"l": limit}))
    assert (result.status, result.covers_body) == (DkimStatus.PASS, covers)


@pytest.mark.threat("MTA-15")
def test_message_beyond_ascii() -> None:
    """Raw Latin-1 and UTF-8 in header and body verify as they are."""
    message = MESSAGE.replace(b"A  subject", b"\xe9 \xc3\xa9 \xff").replace(b"Hello", b"\x80\xff")
    for form in ("simple/simple", "relaxed/relaxed"):
        assert outcome(sign(message, "example.test", "sel", canonicalization=form)).status is DkimStatus.PASS


@given(st.binary(min_size=1, max_size=80), st.text(max_size=60), st.sampled_from(["rsa-sha256", "ed25519-sha256"]))
def test_never_raises(signature: bytes, record: str, algorithm: str) -> None:
    """Any signature under any record ends in a result that is no pass."""
    message = craft(MESSAGE, {"a": algorithm, "b": base64.b64encode(signature).decode()})
    for text in (record, key_record(RSA_1024) + record, key_record(ED25519_SEED) + record):
        assert outcome(message, text or "x").status is not DkimStatus.PASS


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_any_ed25519_pair(key: bytes, signature: bytes) -> None:
    """Keys and signatures of points that lie on no curve raise nothing."""
    message = craft(MESSAGE, {"a": "ed25519-sha256", "b": base64.b64encode(signature).decode()})
    assert outcome(message, "k=ed25519; p=" + base64.b64encode(key).decode()).key_bits == 256

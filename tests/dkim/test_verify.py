"""Whole signatures through prepare and verify: each outcome apart."""

import pytest

from filterd.dkim import key_question, prepare, verify
from filterd.dns.fake import FakeResolver
from filterd.model.authentication import DkimResult, DkimStatus
from tests.support.signing import ED25519_SEED, RSA_1024, RSA_2048, SIGNED_AT, key_record, sign, split

NOW = SIGNED_AT
NAME = "sel._domainkey.example.test"
MESSAGE = (
    b"From: Alice <alice@example.test>\r\nTo: bob@example.org\r\nSubject: A  subject\r\n\twith a fold\r\n"
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n"
    b"Hello  \r\n\r\n  two\tblanks\r\n\r\n\r\n"
)


def outcomes(message: bytes, records: dict[str, list[str]], *, now: float = NOW) -> list[DkimResult]:
    """Every signature's result with these TXT records."""
    resolver = FakeResolver(txt=records, fail=["txt gone._domainkey.example.test"])
    fields, body = split(message)
    results = []
    for facts in prepare(fields, body, now=now):
        question = key_question(facts.domain or "none.test", facts.selector or "none")
        assert question is not None
        results.append(verify(facts, resolver.lookup(question)))
    return results


def outcome(message: bytes, record: str = "", *, now: float = NOW) -> DkimResult:
    """The only signature's result."""
    (result,) = outcomes(message, {NAME: [record or key_record()]}, now=now)
    return result


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

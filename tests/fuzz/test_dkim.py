"""DKIM signature fields and key records. Invariant: any bytes are a signature, or settled facts with a plain reason.

What is accepted is within its bounds, what can be guessed ahead is what will be asked, and dkimpy reads the same tags.
"""

import re
from dataclasses import replace
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from dkim.util import DuplicateTag, InvalidTagSpec, parse_tag_value

from filterd.dkim import key_question, prepare, signature_hints, verify
from filterd.dkim.key import MAX_RSA_BITS, MIN_RSA_BITS, parse_key
from filterd.dkim.signature import INFINITE, MAX_SIGNATURE, MAX_SIGNED_NAMES, Signature, read_signature
from filterd.dkim.tags import TagError, compact, parse_tags, without_value
from filterd.domains import is_subdomain, normalise
from filterd.model.authentication import DkimResult, DkimStatus, SignatureFacts
from filterd.model.dns import Answer, AnswerStatus
from tests.fuzz.corpus import values
from tests.fuzz.engine import Target, fuzz
from tests.support.signing import ED25519_SEED, RSA_1024, RSA_2048, SIGNED_AT, key_record

BODY: Final = b"hello \r\n\r\n"
WORD: Final = re.compile(r"[ -~]{0,400}")
SEEDS: Final = (
    (
        b"v=1; a=rsa-sha256; c=relaxed/simple; d=example.test; s=sel; h=from:to:date; t=1600000000; x=1900000000;\r\n"
        b" bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n b=AAAA\r\n BBBB; l=5; i=@a.example.test; q=dns/txt; z=x"
    ),
    b"v=1;a=ed25519-sha256;d=b.test;s=e;h=From;bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;b=AAAA",
    "v=1; a=rsa-sha256; d=b\u00fccher.test; s=s\u00e9l; h=from; bh=AAAA; b=AAAA; i=j\u00f6rg@b\u00fccher.test".encode(),
    key_record(RSA_1024).encode(),
    key_record(RSA_2048, t="y:s", h="sha256:sha1", s="email").encode(),
    key_record(ED25519_SEED).encode(),
    b"v=DKIM1; p=",
    b"k=rsa; n=note; p=MIGfMA0G\r\n CSqGSIb3",
)
TOKENS: Final = (
    b";",
    b"=",
    b":",
    b" ",
    b"\r\n ",
    b"\t",
    b"v=1",
    b"a=rsa-sha256",
    b"a=rsa-sha1",
    b"d=example.test",
    b"d=(.x",
    b"s=a b",
    b"h=",
    b"from:",
    b"b=",
    b"bh=",
    b"l=0",
    b"l=99999999999999999999999999",
    b"t=9999999999999",
    b"x=1",
    b"i=a@b@example.test",
    b"c=relaxed",
    b"q=x",
    b"p=",
    b"k=ed25519",
    b"t=y",
    b"\0",
    b"\xff",
    b"\xc3\xbc",
    b"MIIB",
    b"====",
    b'"',
)


def check(value: bytes) -> None:
    """The bytes as a signature field, as all of a message's, and as a key record."""
    signature(value)
    facts = prepare(((b"From", b" a@example.test"), (b"DKIM-Signature", value)), BODY, now=SIGNED_AT)
    assert len(facts) == 1
    record = parse_key(value.decode("latin-1"))
    assert WORD.fullmatch(record.reason)
    if record.status is None:
        assert record.key is not None
        if isinstance(record.key, RSAPublicKey):
            assert MIN_RSA_BITS <= record.bits == record.key.key_size <= MAX_RSA_BITS
    for one in facts:
        plain(one)
        question = key_question(one.domain, one.selector)
        assert question is not None or one.status is not None
        if question is not None:
            plain(verify(one, Answer(question, AnswerStatus.NOERROR, (value.decode("latin-1"), key_record()))))
    tags(value)


def signature(value: bytes) -> None:
    """One field by itself."""
    read = read_signature(value, SIGNED_AT)
    if isinstance(read, SignatureFacts):
        assert read.status is not None
        return
    assert isinstance(read, Signature)
    assert signature_hints(value) == (read.domain, read.selector)
    assert normalise(read.domain) == read.domain
    assert is_subdomain(read.identity.rpartition("@")[2], read.domain)
    assert b"from" in read.names
    assert len(read.names) <= MAX_SIGNED_NAMES
    assert 0 < len(read.signature) <= MAX_SIGNATURE
    assert all(
        limit is None or 0 <= limit <= INFINITE**7 for limit in (read.body_form.limit, read.timestamp, read.expires)
    )


def plain(facts: SignatureFacts | DkimResult) -> None:
    """What goes into header fields and logs is printable, or quoted there."""
    assert facts.status is None or facts.status in DkimStatus
    assert WORD.fullmatch(facts.reason)
    assert WORD.fullmatch(facts.domain + facts.selector + facts.algorithm + facts.tag)
    facts.identity.encode()


def tags(value: bytes) -> None:
    """The same tags as dkimpy has, where both accept the list; and one of them taken out."""
    try:
        ours = parse_tags(value)
        theirs = parse_tag_value(value)
    except (TagError, DuplicateTag, InvalidTagSpec):
        return
    assert {name: compact(text) for name, text in ours.items()} == {
        name: compact(text) for name, text in theirs.items()
    }
    emptied = parse_tags(without_value(value, b"b"))
    assert emptied == ours | ({b"b": b""} if b"b" in ours else {})


TARGET: Final = Target("dkim", check, SEEDS, TOKENS, runs=2_000, largest=18_000)


@pytest.mark.threat("AUTH-06", "AR-05")
def test_any_bytes() -> None:
    """The invariant over mutants of signatures and keys."""
    fuzz(TARGET)


@pytest.mark.threat("AUTH-06")
def test_mutants_of_real_signatures(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real fields."""
    fuzz(replace(TARGET, name="real-dkim", seeds=values(mail, b"dkim-signature") or SEEDS, runs=600))

"""Thousands of real messages: what dkimpy signs verifies, and what stands in them hashes as in dkimpy."""

import base64
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import dkim
import pytest
from dkim.canonicalization import CanonicalizationPolicy
from dkim.util import parse_tag_value

from filterd.dkim import key_question, prepare, verify
from filterd.model.authentication import DkimStatus, SignatureFacts
from filterd.model.dns import Answer, AnswerStatus
from tests.support.signing import ED25519_SEED, RSA_2048, SIGNED_AT, key_record, sign, split

SAMPLE = 15  # one message in so many is signed, chosen by its name
KEYS = {RSA_2048: "rsa2048", ED25519_SEED: "ed25519"}
FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]
WAYS = list(product(FORMS, KEYS))


class Corpus(NamedTuple):
    """`sample` is what gets signed, `signed` what carries signatures of its own."""

    sample: list[bytes]
    signed: list[bytes]


def on_the_wire(raw: bytes) -> bytes:
    """A message as an MTA hands it over: no mbox line, CRLF everywhere, no NUL."""
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    return re.sub(rb"\r*\n", b"\r\n", raw.replace(b"\0", b""))


@cache
def corpus(archive: Path) -> Corpus:
    """The archive, read once."""
    found = Corpus([], [])
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None or not member.name.endswith(".eml"):
                continue
            message = on_the_wire(content.read())
            if zlib.crc32(member.name.encode()) % SAMPLE == 0:
                found.sample.append(message)
            if re.search(rb"^DKIM-Signature:", message.partition(b"\r\n\r\n")[0], re.IGNORECASE | re.MULTILINE):
                found.signed.append(message)
    return found


def mail(shared: Path) -> Corpus:
    """The corpus, or a skip."""
    archive = shared / "data/mail/dev-mail.tar.xz"
    if not archive.exists():
        pytest.skip(f"{archive} is not there")
    return corpus(archive)


def judge(message: bytes, record: str) -> tuple[DkimStatus, str]:
    """The result of the topmost signature."""
    facts = next(each for each in prepare(*split(message), now=SIGNED_AT) if each.domain == "signer.test")
    question = key_question(facts.domain, facts.selector)
    assert question is not None
    result = verify(facts, Answer(question, AnswerStatus.NOERROR, (record,)))
    return result.status, result.reason


def flip(data: bytes, start: int) -> bytes:
    """The data with the first letter at or behind `start` changed; as it was where there is none."""
    match = re.compile(rb"[A-Za-z]").search(data, start)
    if match is None:
        return data
    return data[: match.start()] + (b"y" if match[0] == b"x" else b"x") + data[match.end() :]


@pytest.mark.parametrize("way", range(len(WAYS)), ids=[f"{form}-{KEYS[key]}" for form, key in WAYS])
def test_signed_by_dkimpy(shared: Path, way: int) -> None:
    """What dkimpy signs verifies, and fails once a letter of the body or of a signed field is another."""
    (form, key), record = WAYS[way], key_record(WAYS[way][1])
    messages = mail(shared).sample[way :: len(WAYS)]
    signed = 0
    for message in messages:
        try:
            result = sign(message, "signer.test", "sel", key, canonicalization=form)
        except dkim.DKIMException:
            continue  # a header that dkimpy does not take: no From, no field name
        signed += 1
        assert judge(result, record) == (DkimStatus.PASS, "")
        header, end, body = result.partition(b"\r\n\r\n")
        if (other := flip(body, len(body) // 2)) != body:
            assert judge(header + end + other, record) == (DkimStatus.FAIL, "body hash did not verify")
        sender = re.search(rb"^From:", header, re.IGNORECASE | re.MULTILINE)
        assert sender is not None
        assert judge(flip(header, sender.end()) + end + body, record) == (DkimStatus.FAIL, "signature did not verify")
    assert signed >= 0.95 * len(messages) > 60


def own_signatures(message: bytes) -> Iterator[tuple[bytes, dict[bytes, bytes], SignatureFacts]]:
    """The signatures that a message came with: value, tags as dkimpy reads them, facts."""
    fields, body = split(message)
    values = [value for name, value in fields if name.lower() == b"dkim-signature"]
    tags = [parse_tag_value(value) for value in values]
    now = max(int(each.get(b"t", b"1")) for each in tags)
    facts = prepare(fields, body, now=now)
    assert len(facts) == len(values)
    yield from zip(values, tags, facts, strict=True)


def test_body_hashes_as_dkimpy(shared: Path) -> None:
    """For every signature in the corpus: the body hash verifies where dkimpy's does, and only there."""
    compared = {True: 0, False: 0}
    for message in mail(shared).signed:
        body = split(message)[1]
        for _, tags, facts in own_signatures(message):
            if facts.status not in {None, DkimStatus.FAIL}:
                continue
            canonical = CanonicalizationPolicy.from_c_value(tags.get(b"c")).canonicalize_body(body)
            digest = hashlib.sha256(canonical[: int(tags[b"l"])] if b"l" in tags else canonical).digest()
            same = digest == base64.b64decode(tags[b"bh"])
            compared[same] += 1
            assert (facts.status is None) is same
    assert min(compared.values()) > 100, compared


def test_header_digests_as_dkimpy(shared: Path) -> None:
    """For every signature in the corpus whose body hash verifies: the digest to be verified is dkimpy's."""
    compared = 0
    for message in mail(shared).signed:
        fields = [[name, value + b"\r\n"] for name, value in split(message)[0]]
        for value, tags, facts in own_signatures(message):
            if facts.status is not None:
                continue
            policy = CanonicalizationPolicy.from_c_value(tags.get(b"c"))
            names = [name.strip().lower() for name in tags[b"h"].split(b":")]
            digest = hashlib.sha256()
            name = next(name for name, content in fields if content == value + b"\r\n")
            dkim.hash_headers(digest, policy, policy.canonicalize_headers(fields), names, [name, value], tags)
            assert facts.header_digest == digest.digest()
            compared += 1
    assert compared > 500, compared

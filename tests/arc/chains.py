"""ARC chains for tests: sealed by dkimpy, or set by set with any tags at all."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

import dkim
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from dkim.canonicalization import CanonicalizationPolicy, Relaxed

from filterd.arc import Unverified, Verified, evaluate, prepare
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.model.authentication import ArcFacts
from tests.support.signing import RSA_1024, SIGNED_AT, _private, key_record, split

MESSAGE: Final = (
    b"From: Anna <anna@sender.example>\r\nTo: list@list.example\r\nSubject: s\r\nDate: now\r\n"
    b"Message-ID: <1@sender.example>\r\n\r\nHello\r\n"
)
LIST: Final = "list.example"
RECORDS: Final = {
    f"s._domainkey.{domain}": [key_record(RSA_1024)]
    for domain in (LIST, "forward.example", "relay.example", "stranger.example")
}
ONE: Final = "dmarc=pass header.from=sender.example"
ARC: Final = (b"arc-seal", b"arc-message-signature", b"arc-authentication-results")


def seal(message: bytes, *domains: str, results: str = ONE) -> bytes:
    """The message with one more set by dkimpy for each domain, the first one's at the bottom."""
    for domain in domains:
        arc = "; arc=pass" if b"ARC-Seal:" in message else ""
        field = f"Authentication-Results: mx.{domain}; {results}{arc}\r\n".encode()
        lines = dkim.arc_sign(
            field + message,
            b"s",
            domain.encode(),
            RSA_1024,
            f"mx.{domain}".encode(),
            include_headers=[b"from", b"to", b"subject", b"date", b"message-id"],
            timestamp=SIGNED_AT,
        )
        assert len(lines) == 3
        message = b"".join(lines) + message
    return message


def craft(  # one parameter for each thing a sealer chooses
    message: bytes,
    *,
    domain: str = LIST,
    results: str = ONE,
    message_tags: Mapping[str, str] = {},
    seal_tags: Mapping[str, str] = {},
    key_pem: bytes = RSA_1024,
) -> bytes:
    """The message with one more set, whose fields have the tags that are not empty; bh= and b= are filled in.

    An `h` of one blank is an empty list.
    """
    fields, body = dkim.rfc822_parse(message)
    chain = [field for field in fields if field[0].lower() in ARC][::-1]
    instance = str(len(chain) // 3 + 1)
    algorithm = "rsa-sha256" if key_pem.startswith(b"-----") else "ed25519-sha256"
    shared = {"i": instance, "a": algorithm, "d": domain, "s": "s", "t": str(SIGNED_AT)}
    own = (b"ARC-Authentication-Results", f" i={instance}; mx.{domain}; {results}\r\n".encode())
    tags = {**shared, "c": "relaxed/relaxed", "h": "from:to:subject:date:message-id", **message_tags}
    policy = CanonicalizationPolicy.from_c_value(tags["c"].encode() or b"relaxed/relaxed")
    canonical = policy.canonicalize_body(body)
    covered = canonical[: int(tags["l"])] if tags.get("l", "").isdigit() else canonical
    tags.setdefault("bh", base64.b64encode(hashlib.sha256(covered).digest()).decode())
    names = [name.encode() for name in tags["h"].lower().split(":")]
    signed = policy.canonicalize_headers(dkim.select_headers([own, *fields], names))
    second = _signed(b"ARC-Message-Signature", tags, signed, key_pem, policy)
    first = _signed(
        b"ARC-Seal",
        {**shared, "cv": "pass" if chain else "none", **seal_tags},
        Relaxed.canonicalize_headers([*chain, own, second]),
        key_pem,
        CanonicalizationPolicy.from_c_value(b"relaxed/relaxed"),
    )
    return b"".join([name + b":" + value for name, value in (first, second, own)]) + message


def _signed(
    name: bytes,
    tags: Mapping[str, str],
    signed: list[tuple[bytes, bytes]],
    key_pem: bytes,
    policy: CanonicalizationPolicy,
) -> tuple[bytes, bytes]:
    """A field with these tags and a signature over `signed`, which is canonical, and itself."""
    text = " " + "; ".join(f"{tag}={value}" for tag, value in tags.items() if value)
    if "b" in tags:
        return name, text.encode() + b"\r\n"
    ((own, value),) = policy.canonicalize_headers([(name, f"{text}; b=\r\n".encode())])
    data = b"".join(field + b":" + content for field, content in signed) + own + b":" + value[:-2]
    digest, private = hashlib.sha256(data).digest(), _private(key_pem)
    if isinstance(private, RSAPrivateKey):
        signature = private.sign(digest, PKCS1v15(), Prehashed(SHA256()))
    else:
        signature = private.sign(digest)
    return name, f"{text}; b={base64.b64encode(signature).decode()}\r\n".encode()


def facts_of(message: bytes) -> ArcFacts:
    """What prepare makes of a message."""
    return prepare(*split(message), now=SIGNED_AT)


def judge(
    message: bytes, *, fail: tuple[str, ...] = (), records: Mapping[str, list[str]] = {}
) -> Verified | Unverified:
    """The outcome with everybody's key; `records` are those of s._domainkey.NAME.example instead."""
    given = {f"s._domainkey.{name}.example": texts for name, texts in records.items()}
    return complete(evaluate(facts_of(message)), FakeResolver(txt={**RECORDS, **given}, fail=fail).lookup)

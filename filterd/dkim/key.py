"""Key records (RFC 6376, section 3.6): the question that asks for one, its text, and which keys are accepted."""

import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from filterd.dkim.der import DerError, read_rsa
from filterd.dkim.tags import TagError, compact, parse_tags
from filterd.domains import normalise
from filterd.model.authentication import DkimStatus
from filterd.model.dns import Question, RRType

MIN_RSA_BITS: Final = 1024  # RFC 8301, section 3.2: shorter keys never verify
MAX_RSA_BITS: Final = 4096  # RFC 8301, section 3.2: verifiers need not handle longer ones
MAX_EXPONENT: Final = 1 << 33  # the cost of verifying grows with it; F4 is 2^16 + 1, the largest in use is below 2^32
MAX_RECORD: Final = 8192  # characters of a key record; one with a 4096-bit key has some 800
MAX_KEY: Final = 4096  # bytes of p= decoded; enough to name the size of keys that are too long
ED25519_SIZE: Final = 32  # bytes; RFC 8463, section 4.2
_CACHED: Final = 512  # records with their key objects, about 2 KB each


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key record as read. `status` and `reason` are set where it cannot verify anything.

    `kind` is k=; `testing` is t=y, `strict` t=s; `bits` is the key's size as far as it could be read.
    """

    key: RSAPublicKey | Ed25519PublicKey | None = None
    kind: str = ""
    bits: int = 0
    testing: bool = False
    strict: bool = False
    status: DkimStatus | None = None
    reason: str = ""


class _Unusable(ValueError):  # noqa: N818  # an outcome, not an error of ours
    def __init__(self, reason: str, status: DkimStatus = DkimStatus.PERMERROR, bits: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.bits = bits


def key_question(domain: str, selector: str) -> Question | None:
    """Where the key stands (RFC 6376, section 3.6.2.1), or None where that is no name DNS could hold."""
    name = normalise(f"{selector}._domainkey.{domain}") if domain and selector else None
    return None if name is None else Question(name, RRType.TXT)


@lru_cache(maxsize=_CACHED)
def _parse(text: str) -> KeyRecord:
    kind, testing, strict = "", False, False
    try:
        tags = _tags(text)
        flags = compact(tags.get(b"t", b"")).split(b":")
        testing, strict = b"y" in flags, b"s" in flags
        kind = _kind(tags)
        key, bits = _key(kind, compact(tags[b"p"]))
    except TagError as error:
        return KeyRecord(status=DkimStatus.PERMERROR, reason="key record: " + str(error))
    except _Unusable as unusable:
        return KeyRecord(None, kind, unusable.bits, testing, strict, unusable.status, unusable.reason)
    return KeyRecord(key, kind, bits, testing, strict)


def parse_key(text: str) -> KeyRecord:
    """One TXT record (one latin-1 character per byte) as a key record. Never raises; what was read before is cached."""
    if len(text) > MAX_RECORD:
        return KeyRecord(status=DkimStatus.PERMERROR, reason="key record too long")
    try:
        return _parse(text)
    except UnicodeEncodeError:
        return KeyRecord(status=DkimStatus.PERMERROR, reason="key record: not bytes")


def _tags(text: str) -> dict[bytes, bytes]:
    tags = parse_tags(text.encode("latin-1"))
    # RFC 6376, section 3.6.1: v=, where it is there, comes first and is DKIM1.
    if b"v" in tags and (tags[b"v"] != b"DKIM1" or next(iter(tags)) != b"v"):
        raise _Unusable("not a DKIM key record")
    if b"p" not in tags:
        raise _Unusable("key record without p=")
    return tags


def _kind(tags: dict[bytes, bytes]) -> str:
    kind = tags.get(b"k", b"rsa")
    if kind not in {b"rsa", b"ed25519"}:
        raise _Unusable("unsupported key type")
    # RFC 6376, section 3.6.1: h= and s= restrict the key's use; what they do not name is not allowed.
    if b"h" in tags and b"sha256" not in compact(tags[b"h"]).split(b":"):
        raise _Unusable("key does not allow sha256")
    if b"s" in tags and not {b"*", b"email"} & set(compact(tags[b"s"]).split(b":")):
        raise _Unusable("key is not for email")
    return kind.decode("ascii")


def _key(kind: str, encoded: bytes) -> tuple[RSAPublicKey | Ed25519PublicKey, int]:
    if not encoded:
        raise _Unusable("key revoked")  # RFC 6376, section 3.6.1
    try:
        data = binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error:
        raise _Unusable("p= is not base64") from None
    if kind == "ed25519":
        if len(data) != ED25519_SIZE:
            raise _Unusable("not an Ed25519 key")
        return Ed25519PublicKey.from_public_bytes(data), 8 * ED25519_SIZE
    if len(data) > MAX_KEY:
        raise _Unusable(f"RSA key longer than {MAX_RSA_BITS} bits", DkimStatus.POLICY)
    return _rsa(data)


def _rsa(data: bytes) -> tuple[RSAPublicKey, int]:
    try:
        modulus, exponent = read_rsa(data)
    except DerError:
        raise _Unusable("not an RSA key") from None
    # Bounds before any arithmetic: the sender chooses these numbers, and we would pay for them.
    bits = modulus.bit_length()
    if bits < MIN_RSA_BITS:
        raise _Unusable(f"RSA key of {bits} bits, shorter than {MIN_RSA_BITS}", DkimStatus.POLICY, bits)
    if bits > MAX_RSA_BITS:
        raise _Unusable(f"RSA key of {bits} bits, longer than {MAX_RSA_BITS}", DkimStatus.POLICY, bits)
    if exponent >= MAX_EXPONENT:
        raise _Unusable("RSA key with an exponent of more than 33 bits", DkimStatus.POLICY, bits)
    if modulus % 2 == 0:
        raise _Unusable("not an RSA key", bits=bits)
    try:
        return RSAPublicNumbers(exponent, modulus).public_key(), bits
    except ValueError:
        raise _Unusable("not an RSA key", bits=bits) from None  # an exponent that is even or below 3

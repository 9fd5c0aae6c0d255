"""Just enough DER (X.690) to read an RSA public key's numbers before any arithmetic is done with them.

RFC 6376, section 3.6.1 (erratum 3017 included): p= holds a SubjectPublicKeyInfo, or a bare RSAPublicKey. Lengths are at
most two octets here, as the longest key that is looked at fits them.
"""

from typing import Final, NamedTuple

_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_SEQUENCE: Final = 0x30
_LONG_FORM: Final = 0x80
# OID 1.2.840.113549.1.1.1 rsaEncryption with its NULL, and without it, as some encoders leave it out.
_RSA: Final = (bytes.fromhex("06092a864886f70d0101010500"), bytes.fromhex("06092a864886f70d010101"))


class DerError(ValueError):
    """The bytes are no RSA public key."""


class RsaNumbers(NamedTuple):
    """Modulus and exponent, both positive, neither checked further."""

    modulus: int
    exponent: int


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, which has this tag, and what follows it."""
    if len(data) < 2 or data[0] != tag:  # noqa: PLR2004  # a tag and a length
        raise DerError
    size, start = data[1], 2
    if size >= _LONG_FORM:
        start += size - _LONG_FORM
        if start not in {3, 4}:
            raise DerError
        size = int.from_bytes(data[2:start], "big")
    end = start + size
    if len(data) < end:
        raise DerError
    return data[start:end], data[end:]


def _whole(data: bytes, tag: int) -> bytes:
    content, rest = _take(data, tag)
    if rest:
        raise DerError
    return content


def read_rsa(data: bytes) -> RsaNumbers:
    """The numbers of a SubjectPublicKeyInfo or an RSAPublicKey; DerError where it is neither."""
    content = _whole(data, _SEQUENCE)
    if content[:1] != bytes([_INTEGER]):
        algorithm, rest = _take(content, _SEQUENCE)
        if algorithm not in _RSA:
            raise DerError
        bits = _whole(rest, _BIT_STRING)
        if bits[:1] != b"\0":
            raise DerError
        content = _whole(bits[1:], _SEQUENCE)
    modulus, rest = _take(content, _INTEGER)
    exponent = _whole(rest, _INTEGER)
    numbers = RsaNumbers(int.from_bytes(modulus, "big", signed=True), int.from_bytes(exponent, "big", signed=True))
    if numbers.modulus <= 0 or numbers.exponent <= 0:
        raise DerError
    return numbers

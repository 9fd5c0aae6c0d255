"""Key records: RFC 6376, section 3.6, the bounds of RFC 8301, Ed25519 of RFC 8463."""

import base64
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given
from hypothesis import strategies as st

from filterd.dkim import key_question
from filterd.dkim.der import DerError, read_rsa
from filterd.dkim.key import MAX_EXPONENT, MAX_KEY, MAX_RECORD, KeyRecord, parse_key
from filterd.model.authentication import DkimStatus
from filterd.model.dns import Question, RRType
from tests.support.signing import ED25519_SEED, RSA_1024, key_record

F4: Final = 65537
RSA_OID: Final = bytes.fromhex("06092a864886f70d0101010500")


def der(tag: int, content: bytes) -> bytes:
    """One element with the shortest length."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | octets]) + size.to_bytes(octets, "big") + content


def integer(number: int) -> bytes:
    """A DER integer."""
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def rsa(modulus: int, exponent: int = F4, *, bare: bool = False) -> str:
    """A record of these numbers, as SubjectPublicKeyInfo or bare RSAPublicKey."""
    key = der(0x30, integer(modulus) + integer(exponent))
    if not bare:
        key = der(0x30, der(0x30, RSA_OID) + der(0x03, b"\0" + key))
    return "p=" + base64.b64encode(key).decode()


def modulus(bits: int) -> int:
    """An odd number of so many bits; whether it is a product of two primes does not matter to verify."""
    return (1 << (bits - 1)) | 1


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize(("bits", "accepted"), [(512, 0), (1023, 0), (1024, 1), (4096, 1), (4097, 0), (16_384, 0)])
def test_size_of_rsa_keys(bits: int, accepted: int) -> None:
    """RFC 8301, section 3.2: 1024 to 4096 bits; others are told apart from broken keys, and their size is named."""
    key = parse_key(rsa(modulus(bits)))
    assert key.bits == bits
    assert isinstance(key.key, RSAPublicKey) is bool(accepted)
    assert key.status is (None if accepted else DkimStatus.POLICY)


@pytest.mark.threat("AUTH-06")
def test_key_too_long_to_read() -> None:
    """A key of 64 kbit does not fit the record; one of 32 kbit is refused unread."""
    assert parse_key(rsa(modulus(32_768))).reason == "RSA key longer than 4096 bits"
    assert parse_key(rsa(modulus(65_536))).reason == "key record too long"
    assert parse_key("p=" + base64.b64encode(b"x" * (MAX_KEY + 1)).decode()).status is DkimStatus.POLICY


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize(
    ("exponent", "status"),
    [
        (3, None),
        (F4, None),
        (MAX_EXPONENT - 1, None),
        (MAX_EXPONENT + 1, DkimStatus.POLICY),
        (modulus(1024) - 2, DkimStatus.POLICY),
        (modulus(4000), DkimStatus.POLICY),
        (1, DkimStatus.PERMERROR),
        (2, DkimStatus.PERMERROR),
        (0, DkimStatus.PERMERROR),
        (-3, DkimStatus.PERMERROR),
    ],
)
def test_exponents(exponent: int, status: DkimStatus | None) -> None:
    """An exponent that would make verifying slow is refused before any arithmetic, and so is nonsense."""
    assert parse_key(rsa(modulus(1024), exponent)).status is status


@pytest.mark.parametrize("number", [modulus(1024) + 1, -modulus(1024), 0])
def test_impossible_modulus(number: int) -> None:
    """An even, negative or zero modulus is no key."""
    assert parse_key(rsa(number)).key is None


def test_bare_key() -> None:
    """RFC 6376, section 3.6.1: p= may hold an RSAPublicKey without the wrapping."""
    wrapped, bare = parse_key(rsa(modulus(1024))), parse_key(rsa(modulus(1024), bare=True))
    assert isinstance(wrapped.key, RSAPublicKey)
    assert isinstance(bare.key, RSAPublicKey)
    assert bare.key.public_numbers() == wrapped.key.public_numbers()


NUMBERS = integer(modulus(1024)) + integer(F4)
KEY = der(0x30, NUMBERS)


def wrapped(algorithm: bytes, bits: bytes) -> bytes:
    """A SubjectPublicKeyInfo of these parts."""
    return der(0x30, der(0x30, algorithm) + bits)


def test_wrapping() -> None:
    """The algorithm's parameter is NULL, or left out as some encoders do."""
    for algorithm in (RSA_OID, RSA_OID[:-2]):
        assert read_rsa(wrapped(algorithm, der(0x03, b"\0" + KEY))) == (modulus(1024), F4)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        KEY[:-1],
        KEY + b"\0",
        b"\x31" + KEY[1:],
        b"\x30\x80" + NUMBERS,
        b"\x30\x83\x00\x00\x8a" + NUMBERS,
        b"\x30\xff",
        der(0x30, integer(modulus(1024))),
        der(0x30, NUMBERS + integer(3)),
        der(0x30, integer(modulus(1024)) + b"\x05\x00"),
        der(0x30, b"\x02\x00" + integer(F4)),
        wrapped(bytes.fromhex("06072a8648ce3d0201"), der(0x03, b"\0" + KEY)),
        wrapped(RSA_OID, der(0x03, b"\1" + KEY)),
        wrapped(RSA_OID, der(0x03, b"")),
        wrapped(RSA_OID, der(0x03, b"\0" + KEY + b"\0")),
        wrapped(RSA_OID, der(0x04, b"\0" + KEY)),
        wrapped(RSA_OID, der(0x03, b"\0" + KEY) + b"\0"),
    ],
)
def test_broken_der(data: bytes) -> None:
    """Cut, padded, wrongly tagged or of another algorithm: no key."""
    with pytest.raises(DerError):
        read_rsa(data)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("", "key record without p="),
        ("v=DKIM1", "key record without p="),
        ("k=rsa; v=DKIM1; p=", "not a DKIM key record"),
        ("v=DKIM2; p=", "not a DKIM key record"),
        ("v=dkim1; p=", "not a DKIM key record"),
        ("v=DMARC1; p=none", "not a DKIM key record"),
        ("v=spf1 -all", "not a DKIM key record"),
        ("google-site-verification", "key record: syntax error in tag list"),
        ("p=a; p=b", "key record: duplicate tag"),
        ("p=\x00", "key record: control character in tag list"),
        ("p=\u20ac", "key record: not bytes"),
        ("p=", "key revoked"),
        ("v=DKIM1; k=rsa; p= ; n=gone", "key revoked"),
        ("k=ed25519; p=", "key revoked"),
        ("p=!", "p= is not base64"),
        ("p=AAA", "p= is not base64"),
        ("p=AAAA", "not an RSA key"),
        ("k=ed25519; p=AAAA", "not an Ed25519 key"),
        ("k=dsa; p=AAAA", "unsupported key type"),
        ("k=RSA; p=AAAA", "unsupported key type"),
        ("h=sha1; p=AAAA", "key does not allow sha256"),
        ("h=; p=AAAA", "key does not allow sha256"),
        ("s=tlsrpt; p=AAAA", "key is not for email"),
        ("n=" + "x" * MAX_RECORD, "key record too long"),
    ],
)
def test_unusable(record: str, reason: str) -> None:
    """Each way not to be a usable key is a permerror with its own reason."""
    key = parse_key(record)
    assert (key.key, key.status, key.reason) == (None, DkimStatus.PERMERROR, reason)


@pytest.mark.parametrize(
    "tags",
    [{}, {"h": "sha1 : sha256"}, {"s": "*"}, {"s": "other:email"}, {"g": "*"}, {"n": "note"}, {"x": "unknown"}],
)
@pytest.mark.parametrize("pem", [RSA_1024, ED25519_SEED], ids=["rsa", "ed25519"])
def test_usable(tags: dict[str, str], pem: bytes) -> None:
    """Restrictions that allow us, and tags that we do not know, change nothing."""
    key = parse_key(key_record(pem, **tags))
    assert (key.status, key.testing, key.strict) == (None, False, False)


def test_flags() -> None:
    """t= holds flags; unknown ones are ignored."""
    key = parse_key(key_record(RSA_1024, t="y : s:x"))
    assert (key.testing, key.strict) == (True, True)
    assert parse_key(key_record(RSA_1024, t="ys")).testing is False


def test_white_space_in_key() -> None:
    """A key cut into pieces with blanks between is whole again."""
    record = key_record(RSA_1024)
    assert parse_key(record[:60] + " \t " + record[60:]).bits == 1024


@pytest.mark.threat("DNS-07")
@pytest.mark.parametrize(
    ("domain", "selector"),
    [("", "s"), ("d.test", ""), ("a..test", "s"), ("d.test", "a b"), ("d.test", "s" * 64), ("a." * 125 + "test", "s")],
)
def test_no_question_for_impossible_names(domain: str, selector: str) -> None:
    """Where DNS cannot hold the name, nothing is asked."""
    assert key_question(domain, selector) is None


def test_question() -> None:
    """RFC 6376, section 3.6.2.1: the key stands at selector._domainkey.domain."""
    assert key_question("example.test", "a.b") == Question("a.b._domainkey.example.test", RRType.TXT)


@given(st.binary(max_size=80))
def test_any_der(data: bytes) -> None:
    """Any bytes are a key's numbers or a DerError."""
    for each in (data, der(0x30, data), der(0x30, der(0x30, RSA_OID) + der(0x03, b"\0" + data))):
        try:
            numbers = read_rsa(each)
        except DerError:
            continue
        assert numbers.modulus > 0
        assert numbers.exponent > 0


@given(st.binary(min_size=32, max_size=32))
def test_any_ed25519_key(data: bytes) -> None:
    """Any 32 bytes pass for an Ed25519 key until a signature is verified, or are refused: nothing is raised."""
    assert isinstance(parse_key("k=ed25519; p=" + base64.b64encode(data).decode()), KeyRecord)


@given(st.text(alphabet="vkpthsngDKIM1ray;=: \x00\u00e9\u20ac", max_size=60))
def test_any_record(text: str) -> None:
    """Any text is a key record that can be used, or says why not."""
    key = parse_key(text)
    assert (key.key is None) is (key.status is not None)

"""Encrypted packages ([MS-OFFCRYPTO]): opened with the password that Office itself tries, or one that the mail says.

Writers of malware encrypt with Excel's own password: scanners stop, and no reader is asked for anything.
"""

import base64
import hashlib
import hmac
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from filterd.unpack.budget import Budget

DEFAULT: Final = "VelvetSweatshop"  # MS-XLS 2.2.10: tried before anybody is asked
MAX_ATTEMPTS: Final = 6  # passwords tried on one document: each costs some 60 ms by design
COST: Final = 10  # of the message's guesses that one such attempt counts for
MAX_SPIN: Final = 100_000  # rounds of the hash; Office writes this many, and more only make us wait
MAX_INFO: Final = 20_000  # bytes of the description that are read
_AGILE: Final = (4, 4)
_SEGMENT: Final = 4_096
_STANDARD_ROUNDS: Final = 50_000
_ATTRIBUTE: Final = re.compile(rb'\b(\w{1,40})="([^"]{0,1000})"')
_ELEMENT: Final = re.compile(rb"<(?:\w{1,20}:)?(keyData|encryptedKey)\b([^<>]{0,4000})")
_VERIFIER: Final = bytes.fromhex("fea7d2763b4b9e79")
_EXPECTED: Final = bytes.fromhex("d7aa0f6d3061344e")
_KEY: Final = bytes.fromhex("146e0be7abacd0d6")
_HASHES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA384": lambda data: hashlib.sha384(data).digest(),
    "SHA512": lambda data: hashlib.sha512(data).digest(),
}
_SIZES: Final = (16, 24, 32)  # bytes of a key


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of the description: its attributes."""

    attributes: dict[str, str]

    def raw(self, name: str) -> bytes:
        """Base64; empty where it is broken."""
        try:
            return base64.b64decode(self.attributes.get(name, ""))
        except ValueError:
            return b""

    def number(self, name: str) -> int:
        """A number; 0 where it is none."""
        text = self.attributes.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004  # digits


def decrypt(info: bytes, package: bytes, budget: Budget, path: str) -> bytes | None:
    """The package; None where no password opens it, or it is encrypted in a way that is not known. Never raises."""
    attempt = _agile(info[:MAX_INFO]) if _version(info) == _AGILE else _standard(info[:MAX_INFO])
    if attempt is None:
        return None
    for number, password in enumerate(dict.fromkeys((DEFAULT, *budget.words()))):
        if number >= MAX_ATTEMPTS or budget.guesses <= 0 or budget.late(path):
            break
        budget.guesses -= COST
        opened = attempt(password)
        if opened is not None:
            size = int.from_bytes(package[:8], "little")
            return opened(package[8:])[:size]
    return None


def _version(info: bytes) -> tuple[int, int]:
    return int.from_bytes(info[:2], "little"), int.from_bytes(info[2:4], "little")


Opened = Callable[[bytes], bytes]
Attempt = Callable[[str], Opened | None]


def _agile(info: bytes) -> Attempt | None:
    """2.3.4.10: agile encryption, as Office 2010 and later write it."""
    found = {
        match[1].decode(): _Element(
            {name.decode(): value.decode("latin-1") for name, value in _ATTRIBUTE.findall(match[2])}
        )
        for match in _ELEMENT.finditer(info)
    }
    data, key = found.get("keyData"), found.get("encryptedKey")
    if data is None or key is None or not 0 < key.number("spinCount") <= MAX_SPIN:
        return None
    digest = _HASHES.get(key.attributes.get("hashAlgorithm", ""))
    data_digest = _HASHES.get(data.attributes.get("hashAlgorithm", ""))
    size = key.number("keyBits") // 8
    salts = (key.raw("saltValue"), data.raw("saltValue"))
    if digest is None or data_digest is None or size not in _SIZES or min(map(len, salts)) < 16:  # noqa: PLR2004  # AES
        return None
    texts = [key.raw(f"encrypted{part}") for part in ("VerifierHashInput", "VerifierHashValue", "KeyValue")]
    if any(not text or len(text) % 16 for text in texts):
        return None

    def attempt(password: str) -> Opened | None:
        start = _spin(digest, salts[0], password, key.number("spinCount"))
        blocks = (_VERIFIER, _EXPECTED, _KEY)
        plain = [
            _cbc(_sized(digest(start + block), size), salts[0][:16], text)
            for block, text in zip(blocks, texts, strict=True)
        ]
        expected = digest(plain[0][: key.number("saltSize") or 16])
        if not hmac.compare_digest(expected, plain[1][: len(expected)]):
            return None
        secret = plain[2][:size]
        return lambda package: _segments(secret, salts[1], data_digest, package)

    return attempt


def _segments(secret: bytes, salt: bytes, digest: Callable[[bytes], bytes], package: bytes) -> bytes:
    """2.3.4.15: every 4,096 bytes begin anew."""
    out: list[bytes] = []
    for number, place in enumerate(range(0, len(package), _SEGMENT)):
        piece = package[place : place + _SEGMENT]
        piece += bytes(-len(piece) % 16)
        out.append(_cbc(secret, digest(salt + struct.pack("<L", number))[:16], piece))
    return b"".join(out)


def _standard(info: bytes) -> Attempt | None:
    """2.3.4.5: standard encryption, as Office 2007 writes it: AES by blocks, SHA-1."""
    if _version(info)[1] != 2 or len(info) < 12:  # noqa: PLR2004  # 2.3.4.5: minor version 2
        return None
    begin = 12 + int.from_bytes(info[8:12], "little")
    size = int.from_bytes(info[28:32], "little") // 8
    salt, verifier, expected = (
        info[begin + 4 : begin + 20],
        info[begin + 20 : begin + 36],
        info[begin + 40 : begin + 72],
    )
    if size not in _SIZES or len(expected) < 32:  # noqa: PLR2004  # a padded SHA-1
        return None
    digest = _HASHES["SHA1"]

    def attempt(password: str) -> Opened | None:
        start = digest(_spin(digest, salt, password, _STANDARD_ROUNDS) + bytes(4))
        first = digest(bytes([one ^ 0x36 for one in start.ljust(64, b"\0")]))
        second = digest(bytes([one ^ 0x5C for one in start.ljust(64, b"\0")]))
        secret = (first + second)[:size]
        if digest(_ecb(secret, verifier)) != _ecb(secret, expected)[:20]:
            return None
        return lambda package: _ecb(secret, package[: len(package) & ~15])

    return attempt


def _spin(digest: Callable[[bytes], bytes], salt: bytes, password: str, rounds: int) -> bytes:
    """A password's hash, made slow on purpose."""
    value = digest(salt + password.encode("utf-16-le", "replace"))
    for number in range(rounds):
        value = digest(struct.pack("<L", number) + value)
    return value


def _sized(value: bytes, size: int) -> bytes:
    """2.3.4.11: cut, or filled up."""
    return value[:size].ljust(size, b"\x36")


def _cbc(secret: bytes, start: bytes, data: bytes) -> bytes:
    machine = Cipher(AES(secret), CBC(start)).decryptor()
    return machine.update(data) + machine.finalize()


def _ecb(secret: bytes, data: bytes) -> bytes:
    machine = Cipher(AES(secret), ECB()).decryptor()  # noqa: S305  # the format's own mode
    return machine.update(data) + machine.finalize()

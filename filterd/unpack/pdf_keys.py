"""The key of a PDF document that anybody can open (ISO 32000-2, 7.6.4.3: an empty user password).

qpdf would find it itself, but takes random numbers from a device for that, and an inspector can open none.
"""

import hashlib
import re
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from pikepdf import Dictionary, Object, PikepdfError, String

MAX_DICTIONARIES: Final = 5  # that look like one of encryption; one counts
_MAX_ROUNDS: Final = 1_000  # of the hash; the standard's end by chance after 64 to some 300
_REVISIONS: Final = (5, 6)
_STANDARD: Final = re.compile(rb"/Filter\s{0,20}/Standard\b")
_LOOK_AROUND: Final = 2_000  # bytes before and behind in which the dictionary lies
_DIGESTS: Final = (hashlib.sha256, hashlib.sha384, hashlib.sha512)


def empty_password_key(data: bytes) -> str | None:
    """The file's key in hexadecimal; empty where qpdf can find it, None where a password is needed. Never raises."""
    answer: str | None = ""
    for count, match in enumerate(_STANDARD.finditer(data)):
        if count == MAX_DICTIONARIES:
            break
        found = _dictionary(data, match.start())
        if found is None or found.get("/R") not in _REVISIONS:
            continue
        user, packed = _bytes(found, "/U"), _bytes(found, "/UE")
        if len(user) < 48 or len(packed) != 32:  # noqa: PLR2004  # 7.6.4.2: a hash and two salts; a key
            continue
        strong = found.get("/R") == _REVISIONS[1]
        if _hashed(user[32:40], strong=strong) == user[:32]:
            machine = Cipher(AES(_hashed(user[40:48], strong=strong)), CBC(bytes(16))).decryptor()
            return (machine.update(packed) + machine.finalize()).hex()
        answer = None
    return answer


def _dictionary(data: bytes, place: int) -> Object | None:
    """The dictionary around a place; None where there is none that can be read."""
    start = data.rfind(b"obj", max(0, place - _LOOK_AROUND), place)
    end = data.find(b"endobj", place, place + _LOOK_AROUND)
    if start < 0 or end < 0:
        return None
    try:
        found = Object.parse(data[start + 3 : end].strip())
    except (PikepdfError, ValueError, RuntimeError, TypeError):
        return None
    return found if isinstance(found, Dictionary) else None


def _bytes(found: Object, key: str) -> bytes:
    """A string's bytes; empty for anything else."""
    value = found.get(key)
    return bytes(value) if isinstance(value, String) else b""


def _hashed(salt: bytes, *, strong: bool) -> bytes:
    """Algorithm 2.B for an empty password; revision 5 takes its first step alone."""
    key = hashlib.sha256(salt).digest()
    number = 0
    while strong and number < _MAX_ROUNDS:
        machine = Cipher(AES(key[:16]), CBC(key[16:32])).encryptor()
        mixed = machine.update(key * 64)
        key = _DIGESTS[sum(mixed[:16]) % 3](mixed).digest()
        number += 1
        if number >= 64 and mixed[-1] <= number - 32:  # noqa: PLR2004  # the rounds of the standard
            break
    return key[:32]

"""Encrypted binary workbooks ([MS-OFFCRYPTO] 2.3.5 and 2.3.6): RC4, under the password that Excel itself tries."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from filterd.unpack.budget import Budget
from filterd.unpack.ole_crypt import DEFAULT

MAX_ATTEMPTS: Final = 20  # passwords tried on one workbook: some microseconds each
_BLOCK: Final = 1_024  # bytes under one key
_RC4: Final = 1
_PLAIN: Final = frozenset({0x809, 0x2F, 0x194, 0x195, 0xE1, 0x196, 0x138})  # MS-XLS 2.2.10: records left as they are
_FILE_PASS: Final = 0x2F
_SHEET: Final = 0x85
_PLACE: Final = 4  # bytes of such a record that are left as they are: where the sheet begins
_SHORT_KEY: Final = 5
_LONG_KEY: Final = 16
_SIZES: Final = (5, 7, 8, 10, 16)  # bytes of a key that the machine takes; writers know 5 and 16
_HEAD: Final = struct.Struct("<HH")
Keys = Callable[[int], bytes]  # a block's key


def unlock(data: bytes, record: bytes, budget: Budget, path: str) -> bytes | None:
    """The stream as it was before; None where no password opens it. Never raises."""
    if int.from_bytes(record[:2], "little") != _RC4:
        return None
    strong = record[2:6] != b"\1\0\1\0"
    for password in dict.fromkeys((DEFAULT, *budget.words()[:MAX_ATTEMPTS])):
        if budget.guesses <= 0 or budget.late(path):
            break
        budget.guesses -= 1
        keys = _strong(record[2:], password) if strong else _weak(record[6:], password)
        if keys is not None:
            return _records(data, b"".join(_blocks(data, keys)))
    return None


def _weak(record: bytes, password: str) -> Keys | None:
    """2.3.6.2: forty bits, MD5."""
    salt, verifier, expected = record[:16], record[16:32], record[32:48]
    start = _md5((_md5(password.encode("utf-16-le", "replace"))[:_SHORT_KEY] + salt) * 16)
    return _checked(verifier, expected, _md5, lambda block: _md5(start[:_SHORT_KEY] + struct.pack("<L", block)))


def _strong(record: bytes, password: str) -> Keys | None:
    """2.3.5.2: forty bits and more, SHA-1."""
    begin = 12 + int.from_bytes(record[8:12], "little")
    size = (int.from_bytes(record[28:32], "little") or 40) // 8
    salt, verifier = record[begin + 4 : begin + 20], record[begin + 20 : begin + 36]
    start = _sha1(salt + password.encode("utf-16-le", "replace"))
    if size not in _SIZES:
        return None

    def key(block: int) -> bytes:
        found = _sha1(start + struct.pack("<L", block))[:size]
        return found.ljust(_LONG_KEY, b"\0") if size == _SHORT_KEY else found

    return _checked(verifier, record[begin + 40 : begin + 60], _sha1, key)


def _checked(verifier: bytes, expected: bytes, digest: Callable[[bytes], bytes], keys: Keys) -> Keys | None:
    """The keys, where they give what the file says about them."""
    plain = _rc4(keys(0), verifier + expected)
    return keys if len(verifier) == _LONG_KEY and digest(plain[:16]) == plain[16:] else None


def _blocks(data: bytes, keys: Keys) -> Iterator[bytes]:
    """Every block under its own key."""
    for number, place in enumerate(range(0, len(data), _BLOCK)):
        yield _rc4(keys(number), data[place : place + _BLOCK])


def _records(data: bytes, plain: bytes) -> bytes:
    """The records without the one on encryption: their heads, and some of them, are as they were."""
    out: list[bytes] = []
    position = 0
    while position + _HEAD.size <= len(data):
        kind, size = _HEAD.unpack_from(data, position)
        begin = position + _HEAD.size
        kept = size if kind in _PLAIN else _PLACE if kind == _SHEET else 0
        if kind != _FILE_PASS:
            out.append(data[position : begin + kept])
            out.append(plain[begin + kept : begin + size])
        position = begin + size
    return b"".join(out)


def _rc4(key: bytes, data: bytes) -> bytes:
    machine = Cipher(ARC4(key), mode=None).decryptor()
    return machine.update(data) + machine.finalize()


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()

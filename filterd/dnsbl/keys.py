"""How the name that a list is asked for is built: a text such as `{lower|untag|sha1}.{zone}`, read once at start.

`{asked}.{zone}` is the usual one: an address in reverse, or a domain name. Lists of hashes name the steps from the
e-mail address or the file's digest to what stands in front of the zone, in the order in which they are taken.
"""

import hashlib
import re
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ASKED: Final = "asked"
USUAL: Final = "{asked}.{zone}"
MAX_LABEL: Final = 63  # octets; RFC 1035, section 2.3.4
_EXAMPLE: Final = "{lower|sha1}.{zone}"
_QUERY: Final = re.compile(r"\{([a-z0-9_|]{1,100})\}((?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?){0,3})\.\{zone\}")
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


def _lower(address: str) -> str:
    return address.lower()


def _untag(address: str) -> str:
    """Without what stands behind a plus sign: anna+shop@ and anna@ are one mailbox nearly everywhere."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def _gmail(address: str) -> str:
    """One spelling for one Gmail mailbox: dots mean nothing there, and googlemail.com is gmail.com."""
    local, _, domain = address.rpartition("@")
    return f"{local.replace('.', '') or local}@gmail.com" if domain.lower() in _GMAIL else address


def _hex(digest: bytes) -> str:
    return digest.hex()


def _halves(digest: bytes) -> str:
    """In hexadecimal as two labels, for digests longer than one."""
    text = digest.hex()
    return f"{text[: len(text) // 2]}.{text[len(text) // 2 :]}"


def _base32(digest: bytes) -> str:
    return b32encode(digest).decode("ascii").rstrip("=").lower()


_TEXT: Final[dict[str, Callable[[str], str]]] = {"lower": _lower, "untag": _untag, "gmail": _gmail}
_DIGEST_SIZES: Final = {"md5": 16, "sha1": 20, "sha256": 32}  # octets
_ENCODE: Final[dict[str, Callable[[bytes], str]]] = {"hex": _hex, "base32": _base32, "halves": _halves}
STEPS: Final = (*_TEXT, *_DIGEST_SIZES, *_ENCODE)


@dataclass(frozen=True, slots=True)
class Key:
    """The steps from an e-mail address or a digest to the labels in front of a zone; all empty for `{asked}`."""

    texts: tuple[str, ...] = ()
    digest: str = ""
    encoding: str = "hex"

    def of_address(self, address: str) -> str:
        """The labels for an e-mail address."""
        for step in self.texts:
            address = _TEXT[step](address)
        hashed = hashlib.new(self.digest, address.encode("utf-8", "replace"), usedforsecurity=False)
        return _ENCODE[self.encoding](hashed.digest())

    def of_digest(self, digest: str) -> str:
        """The labels for a digest in hexadecimal, taken as it is."""
        return _ENCODE[self.encoding](bytes.fromhex(digest))


def parse_query(text: str) -> tuple[Key, str]:
    """The key, and the labels that stand between it and the zone. ValueError where the text cannot be meant."""
    found = _QUERY.fullmatch(text)
    if found is None:
        raise ValueError(f"query: expected {USUAL}, or for hashes such as {_EXAMPLE}, got {text!r}")
    steps = found[1].split("|")
    return (Key() if steps == [ASKED] else _key(steps)), found[2].removeprefix(".")


def _key(steps: list[str]) -> Key:
    for step in steps:
        if step not in STEPS:
            raise ValueError(f"query: expected steps from {', '.join(STEPS)}, got {step!r}")
    digests = [step for step in steps if step in _DIGEST_SIZES]
    if len(digests) != 1 or len(set(steps)) != len(steps):
        raise ValueError(f"query: expected one of {', '.join(_DIGEST_SIZES)} and every step once")
    digest = digests[0]
    place = steps.index(digest)
    texts, rest = steps[:place], steps[place + 1 :]
    if not all(step in _TEXT for step in texts) or len(rest) > 1 or not all(step in _ENCODE for step in rest):
        raise ValueError(f"query: expected {', '.join(_TEXT)} before {digest}, one of {', '.join(_ENCODE)} behind it")
    encoding = rest[0] if rest else "hex"
    if max(map(len, _ENCODE[encoding](bytes(_DIGEST_SIZES[digest])).split("."))) > MAX_LABEL:
        raise ValueError(f"query: {digest} in {encoding} is longer than a label: expected base32 or halves behind it")
    return Key(tuple(texts), digest, encoding)

"""Domain names: normalised once, then compared as plain strings."""

import re
from functools import cache, lru_cache
from typing import Final, Protocol

import idna

MAX_NAME: Final = 253  # octets without the final dot; RFC 1035, section 2.3.4 less the length octets
_MAX_INPUT: Final = 1024  # characters; mapping shortens (zero-width, compatibility forms), but not from more than this
_CACHE: Final = 4096  # names; one message asks for the same few a dozen times, and most mail comes from known ones

# A label: letters, digits, hyphen, underscore, no hyphen at either end (RFC 5891, section 4.2.3.1). A name whose last
# label is all digits is an IPv4 address written without brackets, never a domain (RFC 3696, section 2).
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_ONE_LABEL: Final = re.compile(_LABEL)


def normalise(text: str | bytes) -> str | None:
    """The name in lower-case A-labels without a final dot; None where it is no domain name. Bytes are read as UTF-8."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return None
    return None if len(text) > _MAX_INPUT else _normal(text)


@lru_cache(maxsize=_CACHE)
def _normal(text: str) -> str | None:
    return _checked(text.lower()) if text.isascii() else _from_unicode(text)


def _checked(name: str) -> str | None:
    name = name.removesuffix(".")
    return name if len(name) <= MAX_NAME and _NAME.fullmatch(name) else None


def _from_unicode(text: str) -> str | None:
    # RFC 5895 and UTS #46, non-transitional: case, width and the ideographic full stops are mapped, then IDNA 2008.
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        labels = [_alabel(label) for label in mapped.split(".")]
    except (idna.IDNAError, UnicodeError):
        return None
    return _checked(".".join(labels))


def _alabel(label: str) -> str:
    if not label or _ONE_LABEL.fullmatch(label):
        return label
    return idna.alabel(label).decode("ascii")


def is_subdomain(name: str, of: str) -> bool:
    """True where `name` is `of` or lies below it; both normalised."""
    return name == of or (bool(of) and name.endswith("." + of))


class _SuffixList(Protocol):
    def privatesuffix(self, domain: str) -> str | None:
        """The name one label below the public suffix."""


@cache
def _suffix_list() -> _SuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  # 42 ms and 2.7 MB that most processes never need

    suffixes: _SuffixList = PublicSuffixList()
    return suffixes


def load_suffixes() -> None:
    """Read the public suffix list now, which else happens at its first use: before a fork all children share it."""
    _suffix_list()


@lru_cache(maxsize=_CACHE)
def registrable(name: str) -> str:
    """The domain one would register to own `name` (a normalised one), by the installed public suffix list.

    A public suffix itself comes back unchanged. For displays, grouping and reputation: never for DMARC.
    """
    return _suffix_list().privatesuffix(name) or name

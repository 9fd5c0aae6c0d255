"""URLs in text and links, and the hosts they lead to (RFC 3986; read as forgivingly as browsers do)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from filterd.domains import normalise, normalise_address

MAX_URLS: Final = 10_240  # URLs of one message; beyond it nothing is looked at
MAX_URL: Final = 2_000  # characters of one URL
_REST: Final = re.compile(r"://[^\s<>\"'`{}|\x00-\x1f]{1,2000}")
_SCHEMES: Final = ("https", "http", "ftp")
_WWW: Final = re.compile(r"(?<![A-Za-z0-9./@-])www\.[A-Za-z0-9-]{1,63}\.[^\s<>\"'`{}|\x00-\x1f]{1,2000}", re.IGNORECASE)
_TRAILING: Final = ".,;:!?)]*_"
_AUTHORITY_END: Final = re.compile(r"[/?#\\]")
_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10}")
_IPV4: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,11})(?:\.(?:0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,11})){3}")
_WHOLE_IPV4: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Url:
    """A URL as written; `host` in A-labels or a normalised address, empty where it is neither."""

    text: str
    host: str
    scheme: str
    userinfo: str = ""
    port: str = ""
    address: bool = False


def extract(texts: Iterable[str], links: Iterable[str]) -> tuple[tuple[Url, ...], bool]:
    """The distinct URLs of texts and link targets, in order of appearance, and whether there were too many."""
    found: dict[str, Url] = {}
    for candidate in _candidates(texts, links):
        if candidate in found:
            continue
        if len(found) >= MAX_URLS:
            return tuple(found.values()), True
        url = parse_url(candidate)
        if url is not None:
            found[candidate] = url
    return tuple(found.values()), False


def _candidates(texts: Iterable[str], links: Iterable[str]) -> Iterator[str]:
    """Links first: they are what a click follows."""
    for link in links:
        yield link[:MAX_URL].strip()
    for text in texts:
        for match in _REST.finditer(text):
            before = text[max(0, match.start() - 5) : match.start()].lower()
            scheme = next((name for name in _SCHEMES if before.endswith(name)), "")
            if scheme:
                yield (scheme + match[0]).rstrip(_TRAILING)
        if "www." in text or "WWW." in text:
            for match in _WWW.finditer(text):
                yield match[0].rstrip(_TRAILING)


def parse_url(text: str) -> Url | None:
    """One URL; None where it has no host that a browser would go to."""
    cleaned = text.replace("\t", "").replace("\n", "").replace("\r", "")
    scheme, colon, rest = cleaned.partition(":")
    scheme = scheme.lower()
    if not colon or scheme not in _SCHEMES:
        if cleaned[:2] == "//":
            scheme, rest = "https", cleaned
        elif cleaned[:4].lower() == "www.":
            scheme, rest = "http", "//" + cleaned
        else:
            return None
    # Browsers take any number of slashes, and backslashes for slashes.
    authority = _AUTHORITY_END.split(rest.lstrip("/\\"), maxsplit=1)[0]
    userinfo, _, place = authority.rpartition("@")
    if place[:1] == "[":
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if "%" in host:
        host = re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), host)
    address = _address(host)
    if address:
        return Url(text, address, scheme, userinfo, port, address=True)
    name = normalise(host) if host else None
    if name is None or "." not in name:
        return None
    return Url(text, name, scheme, userinfo, port)


def _address(host: str) -> str:
    """An IP address however it is written: dotted, one number, hexadecimal, octal; empty where it is none."""
    if not host or not (host[0].isdigit() or ":" in host):
        return ""
    if _NUMBER.fullmatch(host):
        number = _number(host)
        if number is None or number >= _WHOLE_IPV4:
            return ""
        return ".".join([str(number >> shift & 255) for shift in (24, 16, 8, 0)])
    if _IPV4.fullmatch(host):
        parts = [_number(part) for part in host.split(".")]
        if all(part is not None and part <= 255 for part in parts):  # noqa: PLR2004  # an octet
            return ".".join([str(part) for part in parts])
        return ""
    return normalise_address(host) if ":" in host else ""


def _number(text: str) -> int | None:
    """A number as inet_aton reads it: 0x hexadecimal, leading 0 octal."""
    try:
        if text[:2].lower() == "0x":
            return int(text, 16)
        return int(text, 8) if text[:1] == "0" and len(text) > 1 else int(text)
    except ValueError:
        return None


def hosts_of(urls: tuple[Url, ...]) -> tuple[str, ...]:
    """The distinct hosts, in order of appearance."""
    return tuple(dict.fromkeys([url.host for url in urls]))

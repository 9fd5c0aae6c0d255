"""URLs read as forgivingly as browsers do (RFC 3986), and a form in which two that lead to one place are equal."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from filterd.domains.addresses import normalise_address
from filterd.domains.names import normalise

SCHEMES: Final = ("https", "http", "ftp")
TRAILING: Final = ".,;:!?)]*_"  # at the end of a URL in running text: the sentence's, not the URL's
_DEFAULT_PORTS: Final = frozenset({("http", "80"), ("https", "443"), ("ftp", "21")})
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


def parse_url(text: str) -> Url | None:
    """One URL; None where it has no host that a browser would go to."""
    halves = _split(text)
    if halves is None:
        return None
    scheme, authority, _ = halves
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


def place_of(url: Url) -> str:
    """Where the URL leads, without scheme, user and fragment: equal for two that a browser takes to one place.

    Escapes are resolved wherever they stand, which RFC 3986 would not do for %2F: too much is equal rather than too
    little. What stands at the end of a sentence is no part of it.
    """
    halves = _split(url.text)
    rest = "" if halves is None else halves[2].split("#", 1)[0]
    path, mark, query = rest.partition("?")
    port = f":{url.port}" if url.port and (url.scheme, url.port) not in _DEFAULT_PORTS else ""
    return f"{url.host}{port}{_walked(unquote(path))}{mark}{unquote(query)}".rstrip(TRAILING)


def _walked(path: str) -> str:
    """The path as a browser asks for it: backslashes are slashes, and dots have been followed (RFC 3986, 5.2.4)."""
    steps: list[str] = []
    for step in path.replace("\\", "/").split("/")[1:]:
        if step == "..":
            del steps[-1:]
        elif step != ".":
            steps.append(step)
    return "/" + "/".join(steps)


def _split(text: str) -> tuple[str, str, str] | None:
    """Scheme, authority and what follows; None where it is no URL of these schemes."""
    cleaned = text.replace("\t", "").replace("\n", "").replace("\r", "")
    scheme, colon, rest = cleaned.partition(":")
    scheme = scheme.lower()
    if not colon or scheme not in SCHEMES:
        if cleaned[:2] == "//":
            scheme, rest = "https", cleaned
        elif cleaned[:4].lower() == "www.":
            scheme, rest = "http", "//" + cleaned
        else:
            return None
    # Browsers take any number of slashes, and backslashes for slashes.
    rest = rest.lstrip("/\\")
    end = _AUTHORITY_END.search(rest)
    at = len(rest) if end is None else end.start()
    return scheme, rest[:at], rest[at:]


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

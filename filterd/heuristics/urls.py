"""URLs in text and links, and the hosts they lead to."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from filterd.domains.urls import SCHEMES, TRAILING, Url, parse_url

MAX_URLS: Final = 10_240  # URLs of one message; beyond it nothing is looked at
MAX_URL: Final = 2_000  # characters of one URL
_REST: Final = re.compile(r"://[^\s<>\"'`{}|\x00-\x1f]{1,2000}")
_WWW: Final = re.compile(r"(?<![A-Za-z0-9./@-])www\.[A-Za-z0-9-]{1,63}\.[^\s<>\"'`{}|\x00-\x1f]{1,2000}", re.IGNORECASE)


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
            scheme = next((name for name in SCHEMES if before.endswith(name)), "")
            if scheme:
                yield (scheme + match[0]).rstrip(TRAILING)
        if "www." in text or "WWW." in text:
            for match in _WWW.finditer(text):
                yield match[0].rstrip(TRAILING)


def hosts_of(urls: tuple[Url, ...]) -> tuple[str, ...]:
    """The distinct hosts, in order of appearance."""
    return tuple(dict.fromkeys([url.host for url in urls]))

"""E-mail addresses that a message names beside its author: where an answer goes, and what links and text say."""

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from filterd.domains import normalise
from filterd.mime.address import read_mailboxes

MAX_ADDRESSES: Final = 64  # kept of one message; fewer are asked about, and long threads have some dozens
MAX_SIGNS: Final = 2_000  # @ signs looked at in one message
MAX_LOCAL: Final = 64  # octets; RFC 5321, section 4.5.3.1.1
_MAX_MAILTO: Final = 1_000  # characters of one link
_LOCAL_BACKWARDS: Final = re.compile(r"[A-Za-z0-9._%+~-]{1,64}")
_DOMAIN: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z][A-Za-z0-9-]{1,62}")
_LEADING: Final = ".-"


def mentioned(reply_to: bytes, links: Iterable[str], texts: Iterable[str]) -> tuple[str, ...]:
    """The distinct addresses, Reply-To first, then links, then text; domains in A-labels. Linear; never raises."""
    found: dict[str, None] = {}
    for local, domain in _candidates(reply_to, links, texts):
        name = normalise(domain)
        if name is not None and 0 < len(local) <= MAX_LOCAL:
            found[f"{local}@{name}"] = None
            if len(found) == MAX_ADDRESSES:
                break
    return tuple(found)


def _candidates(reply_to: bytes, links: Iterable[str], texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for mailbox in read_mailboxes(reply_to):
        yield mailbox.local_part, mailbox.domain
    for link in links:
        if link[:7].lower() == "mailto:":
            yield from _in_text(unquote(link[7:_MAX_MAILTO], errors="replace"), MAX_SIGNS)
    left = MAX_SIGNS
    for text in texts:
        yield from _in_text(text, left)
        left -= min(left, text.count("@"))


def _in_text(text: str, most: int) -> Iterator[tuple[str, str]]:
    """What stands around each @ and looks like an address."""
    place = -1
    for _ in range(most):
        place = text.find("@", place + 1)
        if place < 0:
            return
        domain = _DOMAIN.match(text, place + 1)
        if domain is None:
            continue
        local = _LOCAL_BACKWARDS.match(text[max(0, place - MAX_LOCAL) : place][::-1])
        if local is not None:
            yield local[0][::-1].lstrip(_LEADING), domain[0]

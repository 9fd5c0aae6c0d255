"""Values as RFC 8601 writes them: whatever the text is, it ends where we end it and is one value for every reader."""

import re
from typing import Final

from filterd.domains import normalise

MAX_VALUE: Final = 320  # characters, an address's most (RFC 5321, section 4.5.3.1); keeps lines far below 998

# RFC 2045, section 5.1 has more tokens than this: what some readers take for a delimiter is quoted too.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.+-]+")
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


def printable(text: str) -> str:
    """Printable ASCII of bounded length: a question mark stands for every other character."""
    return _UNPRINTABLE.sub("?", text[:MAX_VALUE])


def value(text: str) -> str:
    """`value` of RFC 8601, section 2.2: a token where that suffices, else a quoted string."""
    text = printable(text)
    return text if _TOKEN.fullmatch(text) else _quoted(text)


def name(text: str) -> str:
    """A domain name in A-labels; what is no domain name as a value."""
    return normalise(text) or value(text)


def mailbox(text: str) -> str:
    """`[[local-part] "@"] domain-name`; quoted as a whole where there is no domain name behind the last @."""
    local, at, host = text.rpartition("@")
    domain = normalise(host)
    if domain is None:
        return value(text)
    if not at or len(local) > MAX_VALUE:
        return domain
    local = printable(local)
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return f"{local if not local or _LOCAL_PART.fullmatch(local) else _quoted(local)}@{domain}"


def dot_atom(text: str) -> str:
    """`dot-atom / quoted-string` of RFC 7208, section 9.1: plain words stay, all else is quoted."""
    text = printable(text)
    return text if _LOCAL_PART.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

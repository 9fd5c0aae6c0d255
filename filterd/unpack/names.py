"""Names of archive members: text that others wrote, to be readable and judged and never to be opened."""

import re
import unicodedata
from typing import Final

_DRIVE: Final = re.compile(r"[A-Za-z]:")
_STEP: Final = re.compile(r"[/\\]")
_UP: Final = re.compile(r"(?:\A|[/\\])\.\.(?:\Z|[/\\])")
_VOLUME: Final = re.compile(r"\.(?:[rz]\d\d|(?:7z|zip|rar|tar|gz|cab|arj)\.\d{3})\Z", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"\.(?:7z|rar|zipx?|tar|t?gz|t?bz2?|t?xz|t?zst|lzh|lha|cab|iso|cpio|deb|rpm|jar|lz4?|lzma|arj|ace|xar|wim|alz|egg"
    r"|zoo|sitx?|lrz|zpaq|dmg|vhdx?|vmdk|udf)\Z",
    re.IGNORECASE,
)
_CLAIMS: Final = {
    "7z": "7z",
    "rar": "rar",
    "cab": "cab",
    "r00": "rar",
    "cbr": "rar",
    "cb7": "7z",
    "arj": "arj",
    "ace": "ace",
}
_HIDING: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})  # controls, marks of direction, line breaks, lone surrogates


def leaves(name: str, link: str = "") -> bool:
    """Whether an unpacker that believes the name writes outside of its folder; or follows `link` there, to the name."""
    if name[:1] in ("/", "\\") or _DRIVE.match(name) is not None:
        return True
    depth = len([step for step in _STEP.split(link)[:-1] if step not in ("", ".")])
    for step in _STEP.split(name):
        depth += -1 if step == ".." else step not in ("", ".")
        if depth < 0:
            return True
    return not link and _UP.search(name) is not None


def claimed(name: str) -> tuple[str, ...]:
    """The kinds of archive that the name's extension has an unpacker look for, wherever in the file it begins."""
    kind = _CLAIMS.get(name.rpartition(".")[2].lower()) if "." in name else None
    return (kind,) if kind else ()


def promised(name: str) -> str:
    """What a name promises that content of no known kind does not keep, empty where it promises no archive."""
    if _VOLUME.search(name) is not None:
        return "one of several volumes"
    return "it is named as an archive" if _NAMED.search(name) is not None else ""


def readable(name: str) -> str:
    """The name with what a terminal obeys or an eye does not see written out as its number."""
    if name.isascii() and name.isprintable():
        return name
    return "".join([_escaped(letter) if unicodedata.category(letter) in _HIDING else letter for letter in name])


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004  # as Python writes them

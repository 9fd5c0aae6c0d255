"""Outlook's messages ([MS-OXMSG]): properties are streams whose names tell their number and type."""

import re
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.ole import Compound, Entry
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.tnef_rtf import unpack_rtf

MAX_PROPERTIES: Final = 10_000  # streams of one file that are looked at
_PREFIX: Final = "__substg1.0_"
_ATTACHMENT: Final = "__attach_version1.0_"
_TAG: Final = re.compile(r"__substg1\.0_([0-9A-F]{4})([0-9A-F]{4})", re.IGNORECASE)
_DATA: Final = "3701"
_NAMES: Final = ("3707", "3704", "3001")  # long, short, display
_BODY: Final = "1000"
_HTML: Final = "1013"
_RTF: Final = "1009"
_UNICODE: Final = "001F"
_BINARY: Final = "0102"


def is_message(names: set[str]) -> bool:
    """Whether a compound file with these (lower-case) names holds one."""
    return any(name.startswith((_PREFIX, "__properties_version1.0")) for name in names)


def pieces(compound: Compound, path: str, budget: Budget) -> Iterator[Piece]:
    """Texts and attachments of the message and of those inside it, whose properties lie deeper in the same file."""
    folders: dict[tuple[str, ...], dict[str, Entry]] = {}
    for number, entry in enumerate(compound.entries):
        if number >= MAX_PROPERTIES:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "more properties than are read", path)
            break
        match = _TAG.fullmatch(entry.name)
        if match is not None and entry.stream:
            folders.setdefault(entry.path[:-1], {})[match[1].upper()] = entry
    for folder, properties in folders.items():
        where = "/".join([part.removeprefix(_ATTACHMENT) for part in folder])
        where = f"{where}/" if where else ""
        for tag in (_BODY, _HTML, _RTF):
            text = properties.get(tag)
            if text is not None and text.size and not budget.stopped:
                yield from _text(compound, text, tag, where, path, budget)
        content = properties.get(_DATA)
        if content is not None and not budget.stopped and folder and folder[-1].lower().startswith(_ATTACHMENT):
            names = [_string(compound, properties[tag]) for tag in _NAMES if tag in properties]
            names = list(dict.fromkeys([name for name in names if name])) or ["attachment"]
            yield from hand_out(budget, path, where + names[0], compound.read(content), *names)


def _text(compound: Compound, entry: Entry, tag: str, where: str, path: str, budget: Budget) -> Iterator[Piece]:
    """A body in one of its forms."""
    content = compound.read(entry)
    if tag == _RTF:
        allowance = budget.allowance(len(content))
        yield from hand_out(budget, path, f"{where}body.rtf", unpack_rtf(content, allowance))
        return
    if entry.name[-4:].upper() == _UNICODE:
        content = content.decode("utf-16-le", "replace").encode()
    yield from hand_out(budget, path, where + ("body.html" if tag == _HTML else "body.txt"), content)


def _string(compound: Compound, entry: Entry) -> str:
    """A name; of Unicode or of the sender's code page."""
    content = compound.read(entry, 2_000)
    text = content.decode("utf-16-le" if entry.name[-4:].upper() == _UNICODE else "latin-1", "replace")
    return text.rstrip("\0").strip()

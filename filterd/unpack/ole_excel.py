"""Excel's binary workbooks ([MS-XLS], and its predecessor): encryption, macro sheets, DDE links."""

from dataclasses import dataclass, field
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget

MAX_RECORDS: Final = 1_000_000  # of one workbook: each costs under a microsecond
_FILE_PASS: Final = 0x2F
_SHEET: Final = 0x85
_NAME: Final = 0x18
_BOOK: Final = 0x1AE
_OLD_BOOK: Final = 0x17
_BEGIN: Final = 0x809
_OLD_BEGINS: Final = frozenset({0x009, 0x209, 0x409})  # of versions 2 to 4, where a file is one sheet
_MACROS: Final = b"\x40\0"  # 2.4.21: what follows is a macro sheet
_VERSION_8: Final = b"\x00\x06"
_MACRO_SHEET: Final = b"\1"
_WANTED: Final = _OLD_BEGINS | frozenset({_BEGIN, _SHEET, _NAME, _BOOK, _OLD_BOOK})
_HIDDEN: Final = ("", "hidden", "very hidden")
_BUILT_IN: Final = 0x20
_BY_ITSELF: Final = {1: "Auto_Open", 2: "Auto_Close", 10: "Auto_Activate", 11: "Auto_Deactivate"}
_LONGEST: Final = 255  # characters of a link's path; larger counts are marks (2.4.271)
_HEAD: Final = 4


def look(data: bytes, path: str, budget: Budget) -> bytes | None:
    """Findings of a workbook's stream; None, or how it is encrypted where it is."""
    facts = _Facts()
    position = 0
    for _ in range(MAX_RECORDS):
        if position + _HEAD > len(data):
            break
        kind = data[position] | data[position + 1] << 8
        size = data[position + 2] | data[position + 3] << 8
        position += _HEAD
        if kind == _FILE_PASS:
            return data[position : position + size]
        if kind in _WANTED:
            facts.record(kind, data[position : position + size])
        position += size
    else:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, "more records than are read", path)
    for link in dict.fromkeys(facts.links):
        budget.note(symbols.OFFICE_DDE, link, path)
    if facts.macro_sheet and not facts.macros:
        facts.macros.append("a macro sheet that nothing lists")
    if facts.macros:
        budget.note(symbols.OFFICE_XLM, *list(dict.fromkeys(facts.macros))[:10], path)
        names = [name for name in dict.fromkeys(facts.starts) if name]
        if names:
            budget.note(symbols.OFFICE_MACRO_AUTOEXEC, *names[:4], path)
    return None


@dataclass(slots=True)
class _Facts:
    """What the records say."""

    eight: bool = True
    macro_sheet: bool = False
    macros: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def record(self, kind: int, record: bytes) -> None:
        """Take one of those that are wanted."""
        if kind == _BEGIN or kind in _OLD_BEGINS:
            self.eight = kind == _BEGIN and record[:2] == _VERSION_8
            self.macro_sheet = self.macro_sheet or record[2:4] == _MACROS
        elif kind == _SHEET:
            if record[5:6] == _MACRO_SHEET:
                self.macros.append(_sheet(record, eight=self.eight))
        elif kind == _NAME:
            self.starts.append(_start(record, eight=self.eight))
        else:
            link = _link(record, old=kind == _OLD_BOOK)
            if link:
                self.links.append(link)


def _sheet(record: bytes, *, eight: bool) -> str:
    """2.4.28: a sheet's name, and how it is hidden."""
    raw = record[8:] if eight and record[7:8] in (b"\0", b"\1") else record[7:]
    name = raw.decode("utf-16-le" if eight and record[7:8] == b"\1" else "latin-1", "replace")
    hidden = record[4] & 3
    return f"{name[:100]} ({_HIDDEN[hidden]})" if hidden in (1, 2) else name[:100]


def _start(record: bytes, *, eight: bool) -> str:
    """2.4.150: a defined name that makes Excel run what it stands for; empty for all others."""
    if not record:
        return ""
    flags = record[0]
    name = record[15:] if eight else record[14:]
    if flags & _BUILT_IN:
        return _BY_ITSELF.get(name[0], "") if name else ""
    size = record[3] if len(record) > 3 else 0  # noqa: PLR2004  # where the length stands
    text = name[:size].decode("latin-1")
    return text if text.lower().replace("_", "").startswith(("autoopen", "autoclose")) else ""


def _link(record: bytes, *, old: bool) -> str:
    """2.4.271: the program and topic of a DDE link, which a 3h parts; empty for other books."""
    if old:
        size, text = record[0] if record else 0, record[1:]
    else:
        size, text = int.from_bytes(record[2:4], "little"), record[4:]
        if record[:2] != b"\0\0" or not 1 <= size <= _LONGEST:
            return ""
        if text[:1] == b"\1":
            text = text[1 : 1 + size * 2].decode("utf-16-le", "replace").encode("latin-1", "replace")
        else:
            text = text[1:]
    program, mark, topic = text[:size].partition(b"\3")
    return f"{program.decode('latin-1')}|{topic.decode('latin-1')}" if mark and program else ""

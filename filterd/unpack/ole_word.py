"""Word's binary documents ([MS-DOC]): encryption, DDE fields, templates from elsewhere."""

import re
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.dde import field_command, field_link
from filterd.unpack.ole import Compound, Entry

MAX_STRINGS: Final = 64  # of the list that names the template; there are 18
MAX_FIELD: Final = 1_000  # bytes of a field's instruction
MAX_FIELDS: Final = 10_000  # looked at; a long report with its index has thousands
_ENCRYPTED: Final = 0x0100
_SECOND_TABLE: Final = 0x0200
_FLAGS: Final = 0x0A
_ASSOCIATED: Final = 0x019A  # 2.5.6: fcSttbfAssoc
_TEMPLATE: Final = 1  # 2.2.4: the second string of that list
_IDENT: Final = b"\xec\xa5"
# A field begins with 13h, its result with 14h, it ends with 15h (2.8.25); text has one byte a character, or two.
_FIELD: Final = re.compile(rb"\x13([^\x13-\x15]{1,%d})" % MAX_FIELD)
_REMOTE: Final = re.compile(r"(?:https?|ftp|file|mhtml):|\\\\", re.IGNORECASE)


def look(compound: Compound, entry: Entry, path: str, budget: Budget) -> bool:
    """Findings of a document whose text is in `entry`; True where it can be read."""
    data = compound.read(entry)
    if data[:2] != _IDENT:
        return True
    flags = int.from_bytes(data[_FLAGS : _FLAGS + 2], "little")
    if flags & _ENCRYPTED:
        return False
    for number, match in enumerate(_FIELD.finditer(data)):
        if number >= MAX_FIELDS:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "more fields than are read", path)
            break
        instruction = match[1].replace(b"\0", b"").decode("latin-1")
        budget.link(field_link(instruction))
        command = field_command(instruction)
        if command:
            budget.note(symbols.OFFICE_DDE, command, path)
    table = "1table" if flags & _SECOND_TABLE else "0table"
    for other in compound.entries:
        if other.stream and other.name.lower() == table and other.path[:-1] == entry.path[:-1]:
            template = _template(data, compound.read(other))
            if _REMOTE.match(template):
                budget.note(symbols.OFFICE_TEMPLATE, template, path)
    return True


def _template(document: bytes, table: bytes) -> str:
    """The attached template's place, empty where none is named."""
    begin = int.from_bytes(document[_ASSOCIATED : _ASSOCIATED + 4], "little")
    size = int.from_bytes(document[_ASSOCIATED + 4 : _ASSOCIATED + 8], "little")
    strings = table[begin : begin + size]
    if strings[:2] != b"\xff\xff":
        return ""
    position = 6
    for number in range(MAX_STRINGS):
        count = int.from_bytes(strings[position : position + 2], "little")
        if number == _TEMPLATE:
            return strings[position + 2 : position + 2 + count * 2].decode("utf-16-le", "replace")
        position += 2 + count * 2
    return ""

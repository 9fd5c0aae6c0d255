"""Dynamic data exchange: instructions in fields and cells by which a document starts a program."""

import re
from typing import Final

MAX_COMMAND: Final = 200  # characters shown of an instruction
MAX_QUOTED: Final = 400  # numbers read of a QUOTE field
_DDE: Final = re.compile(r'[\s"\x01]{0,100}(DDE(?:AUTO)?)(?![A-Za-z])', re.IGNORECASE)
_QUOTE: Final = re.compile(
    rf"\s{{0,100}}QUOTE\s{{1,100}}((?:\d{{1,3}}\s{{1,10}}){{2,{MAX_QUOTED}}}\d{{1,3}})", re.IGNORECASE
)
_LINK: Final = re.compile(r'\s{0,100}HYPERLINK\s{1,20}(?:"([^"]{1,2000})"|([^\s"\\]{1,2000}))', re.IGNORECASE)
# A cell of CSV or SYLK: what begins a formula, a program, a topic (where it is quoted it ends with the quote), an item.
_CELL: Final = re.compile(
    rb"""(?:^|[,;\t"])[ \t]{0,20}(?:K|E)?"?[=+\-@]{1,4}[ \t]{0,20}(?:[A-Z0-9.]{1,40}\()?'?([A-Za-z][\w.\\:]{0,60})'?"""
    rb"""[|](?:'[^'\r\n]{1,500}'|[^!'|\r\n]{1,500})![\w'"]""",
    re.MULTILINE,
)
_HARMLESS: Final = frozenset({b"excel"})


def field_command(instruction: str) -> str:
    """The field's instruction where it is a DDE one, also where it is spelt by numbers; else empty."""
    instruction = quoted(instruction) or instruction
    return instruction.strip()[:MAX_COMMAND] if _DDE.match(instruction) else ""


def field_link(instruction: str) -> str:
    """Where a HYPERLINK field leads, empty for others and for places in the document itself."""
    match = _LINK.match(instruction)
    return (match[1] or match[2]) if match is not None else ""


def quoted(instruction: str) -> str:
    """What a QUOTE field of character numbers stands for, empty for other fields."""
    match = _QUOTE.match(instruction)
    return "".join([chr(int(number)) for number in match[1].split()]) if match is not None else ""


def cell_commands(data: bytes) -> tuple[str, ...]:
    """Formulas of a text table that ask another program."""
    if b"|" not in data or b"!" not in data:
        return ()
    found = [
        match[0].strip(b',;\t"').decode("latin-1")[:MAX_COMMAND]
        for match in _CELL.finditer(data)
        if match[1].lower() not in _HARMLESS
    ]
    return tuple(dict.fromkeys(found))[:10]

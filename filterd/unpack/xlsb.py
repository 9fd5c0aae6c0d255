"""Parts of Excel's binary packages ([MS-XLSB]): links to other programs, names that run by themselves."""

from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece
from filterd.unpack.types import Data

_LINK: Final = b"\xe8\x02"  # 2.4.635: BrtBeginSupBook, at the start of an external link
_BOOK: Final = b"\x83\x01\x00"  # BrtBeginBook, at the start of a workbook: it is empty
_DDE: Final = 1
MAX_LINK: Final = 2_000  # bytes of such a record that are read
_AUTO_OPEN: Final = [name.encode("utf-16-le") for name in ("Auto_Open", "Auto_Close")]


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Findings of a part; it holds no files."""
    head = bytes(data[:3])
    if head[:2] == _LINK:
        _link(bytes(data[2:MAX_LINK]), path, budget)
    elif head == _BOOK:
        whole = bytes(data)
        if any(name in whole for name in _AUTO_OPEN):
            budget.note(symbols.OFFICE_MACRO_AUTOEXEC, "Auto_Open", path)
    yield from ()


def _link(record: bytes, path: str, budget: Budget) -> None:
    """The program and its topic, where the link asks another program."""
    position = 0
    while position < 3 and record[position : position + 1] >= b"\x80":  # noqa: PLR2004  # 2.1.4: up to four bytes of size
        position += 1
    position += 1
    if int.from_bytes(record[position : position + 2], "little") != _DDE:
        return
    position += 2
    words: list[str] = []
    for _ in range(2):
        size = int.from_bytes(record[position : position + 4], "little") * 2
        words.append(record[position + 4 : position + 4 + size].decode("utf-16-le", "replace"))
        position += 4 + size
    budget.note(symbols.OFFICE_DDE, "|".join(words), path)

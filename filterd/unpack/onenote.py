"""OneNote's sections ([MS-ONESTORE]): files inside, found by the marks around each."""

from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.types import Data, detect

MAX_FILES: Final = 1_000  # in one notebook
# 2.6.13: FileDataStoreObject: a GUID, the length in eight bytes, twelve more, the file, another GUID.
_BEGIN: Final = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
_END: Final = bytes.fromhex("22a7fb712ef0d8479c2f1a0f9a3fcff9")
_HEAD: Final = 36
_PICTURES: Final = frozenset({"png", "jpeg", "gif", "bmp", "tiff"})


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Every file, also behind a length that lies: then it ends at the next mark. Linear."""
    whole = bytes(data)
    place = whole.find(_BEGIN)
    count = 0
    while place >= 0:
        count += 1
        if count > MAX_FILES or budget.stopped:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "more files in a notebook than are read", path)
            return
        begin = place + _HEAD
        size = int.from_bytes(whole[place + 16 : place + 24], "little")
        following = whole.find(_BEGIN, place + 16)
        if begin + size > len(whole):
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "a file in a notebook that is cut short", path)
            size = max(0, (following if following >= 0 else len(whole)) - begin)
        content = whole[begin : begin + size]
        if detect(content)[0] not in _PICTURES:
            budget.note(symbols.ONENOTE_EMBEDDED, detect(content)[0], f"{size} bytes", path)
        yield from hand_out(budget, path, f"file-{count}", content)
        # A file inside of a file is one of its own.
        place = following

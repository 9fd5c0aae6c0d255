"""Reading a held message as what it was: whoever reads it to its end learns that not one byte is another."""

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO, Final

from filterd.quarantine.coding import DamagedError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK: Final = 256 * 1024  # bytes read at once


def checked(source: BinaryIO, sha256: str) -> BinaryIO:
    """The same bytes, as a file that closes `source` with it.

    The read that finds its end is DamagedError where the bytes before it have not this digest.
    """
    return io.BufferedReader(_Checked(source, sha256), CHUNK)


class _Checked(io.RawIOBase):
    """Counts what goes by into a digest."""

    def __init__(self, source: BinaryIO, sha256: str) -> None:
        self._source = source
        self._wanted = sha256
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        piece = self._source.read(len(view))
        self._digest.update(piece)
        if view and not piece and (found := self._digest.hexdigest()) != self._wanted:
            raise DamagedError(f"what is stored is not what was held: its sha256 is {found}, not {self._wanted}")
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._source.close()
        super().close()

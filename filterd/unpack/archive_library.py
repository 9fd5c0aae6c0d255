"""libarchive by the functions that filterd needs: one format and at most one filter at a time, out of memory.

libarchive guesses well and far: it stacks filters on each other, starts programs for some, and follows what a name
says. So nothing is guessed here: the caller says what the bytes are, by their content.
"""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from libarchive import ffi

from filterd.unpack.types import Data

_EOF: Final = 1
_RETRY: Final = -10
_WARN: Final = -20
_FAILED: Final = -25
_TYPE: Final = 0o170000  # the bits of a mode that tell what an entry is
_FOLDER: Final = 0o040000
_LINK: Final = 0o120000
_FILE: Final = 0o100000
_SIMPLE: Final = 0  # PyBUF_SIMPLE: bytes in one piece
_PIECE: Final = 1 << 20  # bytes copied at once: what is stored comes in one block as large as the archive
MAX_RETRIES: Final = 100  # headers in a row that are damaged, and blocks that are empty: libarchive goes on behind them


def _function(name: str, *arguments: Any, result: Any = ctypes.c_int) -> Callable[..., Any]:
    """A function of the library as it is, without libarchive-c's own logging of warnings, and with `errno` at 0.

    libarchive ends the process where a text cannot be converted and errno says "no memory", whoever set it and when.
    """
    function: Any = ctypes.CFUNCTYPE(result, *arguments, use_errno=True)((f"archive_{name}", ffi.libarchive))

    def call(*values: Any) -> Any:
        ctypes.set_errno(0)
        return function(*values)

    return call


_ARCHIVE: Final = ctypes.c_void_p
_ENTRY: Final = ctypes.c_void_p
_new: Final = _function("read_new", result=ctypes.c_void_p)
_free: Final = _function("read_free", _ARCHIVE)
_open: Final = _function("read_open_memory", _ARCHIVE, ctypes.c_void_p, ctypes.c_size_t)
_options: Final = _function("read_set_options", _ARCHIVE, ctypes.c_char_p)
_password: Final = _function("read_add_passphrase", _ARCHIVE, ctypes.c_char_p)
_header: Final = _function("read_next_header", _ARCHIVE, ctypes.POINTER(ctypes.c_void_p))
_block: Final = _function(
    "read_data_block",
    _ARCHIVE,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_int64),
)
_error: Final = _function("error_string", _ARCHIVE, result=ctypes.c_char_p)
_position: Final = _function("filter_bytes", _ARCHIVE, ctypes.c_int, result=ctypes.c_int64)
_filters: Final = _function("filter_count", _ARCHIVE)
_path_utf8: Final = _function("entry_pathname_utf8", _ENTRY, result=ctypes.c_char_p)
_path: Final = _function("entry_pathname", _ENTRY, result=ctypes.c_char_p)
_type: Final = _function("entry_filetype", _ENTRY)
_hardlink: Final = _function("entry_hardlink", _ENTRY, result=ctypes.c_char_p)
_symlink: Final = _function("entry_symlink", _ENTRY, result=ctypes.c_char_p)
_encrypted: Final = _function("entry_is_encrypted", _ENTRY)

FORMATS: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    name: tuple(_function(f"read_support_format_{part}", _ARCHIVE) for part in parts)
    for name, parts in {
        "7z": ("7zip",),
        "rar": ("rar",),
        "rar5": ("rar5",),
        "tar": ("tar",),
        "cab": ("cab",),
        "iso": ("iso9660",),
        "lha": ("lha",),
        "cpio": ("cpio",),
        "ar": ("ar",),
        "xar": ("xar",),
        "zip": ("zip_seekable",),
        "raw": ("raw", "empty"),
    }.items()
}
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    name: _function(f"read_support_filter_{name}", _ARCHIVE)
    for name in ("compress", "lz4", "lzip", "lzma", "zstd", "rpm")
}


class _Buffer(ctypes.Structure):
    """Py_buffer, by which an object shows its bytes where they lie."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("owner", ctypes.c_void_p),
        ("size", ctypes.c_ssize_t),
        ("item_size", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("dimensions", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_show: Final = ctypes.pythonapi.PyObject_GetBuffer
_show.argtypes = (ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int)
_hide: Final = ctypes.pythonapi.PyBuffer_Release
_hide.argtypes = (ctypes.POINTER(_Buffer),)
_hide.restype = None


class ArchiveError(Exception):
    """libarchive cannot go on with this archive, in its words."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry: what it is ("file", "folder", "link", "device"), and where a link leads."""

    name: bytes
    kind: str
    target: bytes
    encrypted: bool


class Reading:
    """One pass over one archive; to be used in a `with`, for libarchive frees what it holds only when told to."""

    def __init__(self, data: Data, kind: str, coding: str = "", options: str = "", password: bytes = b"") -> None:
        """Open `data` as `kind` (of FORMATS) behind `coding` (of FILTERS, or none). ArchiveError."""
        self._buffer = _Buffer()  # the library reads from these bytes: they stay where they are as long as this
        _show(data, ctypes.byref(self._buffer), _SIMPLE)
        self._entry = ctypes.c_void_p()
        self.warnings: list[str] = []
        self._archive: Any = _new()
        for support in FORMATS[kind]:
            support(self._archive)
        if coding:
            FILTERS[coding](self._archive)
        if options:
            _options(self._archive, options.encode())
        if password:
            _password(self._archive, password)
        if _open(self._archive, self._buffer.address, self._buffer.size) < _WARN:
            reason = self._reason()
            self.close()
            raise ArchiveError(reason)

    def __enter__(self) -> Self:
        """The reading itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Free what the library holds."""
        self.close()

    def close(self) -> None:
        """Free what the library holds, once."""
        archive, self._archive = self._archive, None
        if archive is not None:
            _free(archive)
            _hide(ctypes.byref(self._buffer))

    def next(self) -> Item | None:
        """The next entry, None behind the last. ArchiveError."""
        for _ in range(MAX_RETRIES):
            status = _header(self._archive, ctypes.byref(self._entry))
            if status == _EOF:
                return None
            if status < _FAILED:
                break
            if status >= _WARN and status != _RETRY:
                if status == _WARN:
                    self.warnings.append(self._reason())
                return self._item()
            self.warnings.append(self._reason())
        raise ArchiveError(self._reason())

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """The entry's content, piece by piece with its place; between two pieces may be a hole. ArchiveError."""
        place, size, offset = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_int64()
        empty = 0
        while True:
            status = _block(self._archive, ctypes.byref(place), ctypes.byref(size), ctypes.byref(offset))
            if status == _EOF:
                return
            if status == _WARN:
                self.warnings.append(self._reason())
            elif status < 0:
                raise ArchiveError(self._reason())
            empty = 0 if size.value else empty + 1
            if empty > MAX_RETRIES:
                raise ArchiveError("it does not come to an end")
            if empty:
                yield offset.value, b""
            for begin in range(0, size.value, _PIECE):
                piece = ctypes.string_at((place.value or 0) + begin, min(_PIECE, size.value - begin))
                yield offset.value + begin, piece

    @property
    def used(self) -> int:
        """How many of the archive's bytes were read."""
        return int(_position(self._archive, -1))

    @property
    def filtered(self) -> bool:
        """Whether the filter asked for took the data for its own."""
        return int(_filters(self._archive)) > 1

    def _reason(self) -> str:
        """The library's words for what went wrong last."""
        return (_error(self._archive) or b"it cannot be read").decode("utf-8", "replace")

    def _item(self) -> Item:
        entry = self._entry
        mode = _type(entry) & _TYPE
        hard = _hardlink(entry)
        target = hard or (_symlink(entry) if mode == _LINK else None)
        kind = "link" if target is not None or mode == _LINK else "folder" if mode == _FOLDER else "file"
        if kind == "file" and mode not in (_FILE, 0):
            kind = "device"
        return Item(_path_utf8(entry) or _path(entry) or b"", kind, target or b"", _encrypted(entry) == 1)

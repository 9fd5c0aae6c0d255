"""Archives and compressed streams through libarchive, under the message's budget.

Nothing is written, no link is followed, no program started. Content is taken in pieces, so that a bomb is left in the
middle; what was read before an archive breaks is handed out all the same, and the break is said.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import Final

from filterd.mime import symbols
from filterd.mime.charset import decode
from filterd.unpack import archive_tar  # noqa: F401  # it adds its look to CHECKS
from filterd.unpack.archive_checks import CHECKS, Look, only_zeros
from filterd.unpack.archive_library import FILTERS, ArchiveError, Item, Reading
from filterd.unpack.archive_rar import NEW
from filterd.unpack.behind import MARKS, embedded
from filterd.unpack.budget import MAX_MEMBER, RATIO_FROM, Budget
from filterd.unpack.names import leaves
from filterd.unpack.pieces import Piece, Reader
from filterd.unpack.streams import StreamError, zstd_end
from filterd.unpack.types import Data, skipped

MAX_NAME: Final = 1_000  # characters of a member's name
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "tar": ("read_concatenated_archives",),
    # Two readings of one disc: by its Joliet names, and by those of ISO 9660 itself. Rock Ridge adds names and links
    # for Unix, and libarchive runs in circles where its records do.
    "iso": ("!rockridge", "!rockridge,!joliet"),
}
_REPEATING: Final = frozenset({"7z", "rar", "tar", "cab", "lha", "cpio"})  # where one name names one file
_ZISOFS: Final = b"\x37\xe4\x53\x96\xc9\xdb\xd6\x07"  # the mark of a file that Linux unpacks while reading it
_HARMLESS: Final = ("convert", "translat")  # words of warnings about names in other character sets
_CLOCK_EVERY: Final = 64  # blocks


@dataclass(slots=True)
class _Archive:
    """One archive being read: where it stands, what it may still give, what came out of it."""

    kind: str
    path: str
    budget: Budget
    look: Look
    left: int
    packed: int
    names: set[bytes] = field(default_factory=set)
    contents: list[set[int]] = field(default_factory=list)
    items: int = 0
    full: bool = False

    def unread(self, reason: str) -> None:
        """Say that something stays unread."""
        self.budget.note(symbols.UNSCANNABLE_ARCHIVE, f"{self.kind}: {reason}", self.path)


def _open(kind: str, data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """All members of an archive of that kind."""
    raw = data
    if kind in MARKS and bytes(raw[: len(MARKS[kind])]) != MARKS[kind]:
        raw = memoryview(raw)[max(0, embedded(raw, kind)) :]
    look = CHECKS[kind](raw) if kind in CHECKS else Look()
    for symbol, reason in look.findings:
        budget.note(symbol, f"{kind}: {reason}", path)
    if look.closed:
        return
    archive = _Archive(kind, path, budget, look, max(RATIO_FROM, len(raw) * budget.ratio), len(raw))
    name = "rar5" if bytes(raw[: len(NEW)]) == NEW else kind
    for options in _OPTIONS.get(kind, ("",)):
        archive.contents.append(set())
        try:
            with Reading(raw, name, options=options) as reading:
                yield from _entries(reading, archive)
        except ArchiveError as fault:
            archive.unread(str(fault))
        if budget.stopped or archive.full:
            return
    if len(archive.contents) > 1 and archive.contents[0] != archive.contents[1]:
        budget.note(symbols.AMBIGUOUS_ARCHIVE, f"{kind}: different files in its two directories", path)
    if 0 <= archive.items < look.files:
        archive.unread("members that were not read")


def _entries(reading: Reading, archive: _Archive) -> Iterator[Piece]:
    """The entries one by one. ArchiveError."""
    budget = archive.budget
    while not archive.full and not budget.stopped:
        item = reading.next()
        _warn(reading, archive)
        if item is None or not budget.take_file(archive.path):
            return
        archive.items += 1
        name = _text(item.name)
        if item.kind == "folder":
            continue
        if item.kind in ("link", "device"):
            if leaves(_text(item.target), name if item.kind == "link" else ""):
                budget.note(symbols.ARCHIVE_ESCAPE, f"{name} -> {_text(item.target)}", archive.path)
            yield name, (), b"", False
            continue
        if item.encrypted or item.name in archive.look.encrypted:
            budget.note(symbols.UNSCANNABLE_ENCRYPTED, name, archive.path)
            yield name, (), b"", True
            continue
        _repeated(item, archive)
        content = _content(reading, name, archive)
        _warn(reading, archive)
        if _new(content, archive):
            budget.spend(len(content))
            archive.left -= len(content)
            yield name, (), content, False
        del content  # the next one needs its room


def _new(content: bytes, archive: _Archive) -> bool:
    """Whether this content did not come out in an earlier pass over the same archive."""
    mark = zlib.crc32(content)
    archive.contents[-1].add(mark)
    return len(archive.contents) == 1 or mark not in archive.contents[0]


def _repeated(item: Item, archive: _Archive) -> None:
    """Two members of one name: unpackers keep the first or the last."""
    if archive.kind not in _REPEATING:
        return
    name = item.name.lower()
    if name in archive.names:
        archive.budget.note(symbols.AMBIGUOUS_ARCHIVE, f"{archive.kind}: two members of one name", archive.path)
    archive.names.add(name)


def _content(reading: Reading, name: str, archive: _Archive) -> bytes:
    """One member's content as far as it may and can be read; what hinders is said."""
    budget = archive.budget
    allowance = max(0, min(budget.bytes, archive.left, MAX_MEMBER, budget.room))
    out = BytesIO()
    try:
        for count, (offset, block) in enumerate(reading.blocks()):
            # A hole of a sparse file reads as zeros.
            place = min(max(offset, out.tell()), allowance + 1)
            out.write(bytes(place - out.tell()))
            out.write(block[: allowance + 1 - place])
            if out.tell() > allowance:
                _overdrawn(allowance, name, archive)
                break
            if count % _CLOCK_EVERY == 0 and budget.late(archive.path):
                break
    except ArchiveError as fault:
        archive.unread(f"{name}: {fault}")
    out.truncate(allowance)  # before it is bytes, which would be copied
    content = out.getvalue()
    if content.startswith(_ZISOFS):
        archive.unread(f"{name}: zisofs")
    return content


def _overdrawn(allowance: int, name: str, archive: _Archive) -> None:
    """Say which limit was reached. What follows in the archive is left: it lies behind all that is not unpacked."""
    where = f"{archive.path}/{name}"
    archive.full = True
    if allowance == archive.budget.bytes:
        archive.budget.stop("too many bytes", where)
    elif allowance == archive.left:
        archive.budget.stop("compression ratio", where)
    elif allowance < MAX_MEMBER:
        archive.budget.note(symbols.UNSCANNABLE_SIZE, "member too large beside what it lies in", where)
    else:
        archive.budget.note(symbols.UNSCANNABLE_SIZE, "member too large", where)


def _warn(reading: Reading, archive: _Archive) -> None:
    """Pass on what libarchive was not content with."""
    for warning in reading.warnings:
        if not any(word in warning for word in _HARMLESS):
            archive.unread(warning)
    reading.warnings.clear()


def _text(name: bytes) -> str:
    """A name as text: libarchive gives UTF-8 where it knows, else what stands there."""
    return decode(name[: 4 * MAX_NAME], "utf-8")[:MAX_NAME]


def unfilter(kind: str, data: Data, allowance: int) -> bytes:
    """A compressed stream's content, at most one byte more than `allowance`. StreamError."""
    out = BytesIO()
    raw = memoryview(data)
    raw = raw[skipped(raw, len(raw)) :] if kind in ("lz4", "zstd") else raw
    end = zstd_end(raw) if kind == "zstd" else len(raw)
    try:
        with Reading(raw[:end], "raw", kind) as reading:
            if not len(raw) or reading.next() is None:
                raise StreamError("it is cut short")
            if not reading.filtered:
                raise StreamError("it cannot be read")
            for _, block in reading.blocks():
                out.write(block[: allowance + 1 - out.tell()])
                if out.tell() > allowance:
                    return out.getvalue()
            if reading.warnings:
                raise StreamError(reading.warnings[0], out.getvalue())
            used = min(reading.used, end)
    except ArchiveError as fault:
        raise StreamError(str(fault), out.getvalue()) from fault
    if not only_zeros(raw, used):
        raise StreamError("bytes behind the stream", out.getvalue())
    return out.getvalue()


# Not "xar", though libarchive knows it: two files that name each other as links keep it busy for ever.
READERS: Final[dict[str, Reader]] = {
    kind: partial(_open, kind) for kind in ("7z", "rar", "tar", "cab", "iso", "lha", "cpio", "ar")
}
STREAMS: Final[dict[str, Callable[[Data, int], bytes]]] = {kind: partial(unfilter, kind) for kind in FILTERS}

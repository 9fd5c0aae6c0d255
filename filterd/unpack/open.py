"""Opening whatever is an archive, depth first, under one budget."""

import zlib
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.mime.decode import let_go
from filterd.mime.parameters import names as candidate_names
from filterd.unpack import archive
from filterd.unpack.active import as_shown
from filterd.unpack.budget import Budget, Member
from filterd.unpack.documents import LOOKING, READERS
from filterd.unpack.image import FORMATS, look
from filterd.unpack.kinds import CLOSED, STREAMS, holds_zip, inner_name, judge, kinds
from filterd.unpack.names import leaves, readable
from filterd.unpack.passwords import unlock
from filterd.unpack.pieces import VIEWED_FROM, Piece, Reader, cut
from filterd.unpack.streams import StreamError, bunzip, inflate
from filterd.unpack.types import Data, detect
from filterd.unpack.zip_member import METHODS, read
from filterd.unpack.zipfile import ENCRYPTED, MAX_NAME, Entry, Listing, list_members

_STORED: Final = 0
_DEFLATED: Final = 8
_BZIP2: Final = 12


def unpack(
    data: Data, path: str, name: str, depth: int, budget: Budget, declared: str = "", types: tuple[str, ...] = ()
) -> Iterator[Member]:
    """All members of `data`, those of inner archives behind their own; nothing where it is no archive.

    `depth` counts the archives around `data`; `declared` is the content type that the mail gives, `types` what detect()
    says, where that is known. Never raises; what was not unpacked is in the budget's findings.
    """
    yield from _open(data, as_shown(types or detect(data), (name,), declared), path, name, depth, budget)


def _open(data: Data, types: tuple[str, ...], path: str, name: str, depth: int, budget: Budget) -> Iterator[Member]:
    """As unpack, for content whose types are known."""
    for kind in kinds(data, types, path, name, budget):
        if kind in CLOSED:
            budget.note(symbols.UNSCANNABLE_ARCHIVE, kind, path)
        elif kind in FORMATS:
            look(data, kind, path, budget)
        elif kind == "zip" or kind in STREAMS or kind in READERS or kind in archive.READERS:
            if kind == "text" and not name:
                continue  # a message's own words
            for member_name, others, content, encrypted in _members(data, types, kind, path, name, budget):
                if depth >= budget.depth:
                    budget.stop("archives too deep", path)
                    return
                member = Member(
                    f"{path}/{judge(kind, member_name, path, budget)}",
                    tuple(candidate_names((member_name, *others))),
                    content,
                    detect(content),
                    depth + 1,
                    encrypted,
                )
                yield member
                if len(content) and not budget.stopped:
                    shown = as_shown(member.types, member.names)
                    with budget.holding(_own(content)):
                        yield from _open(content, shown, member.path, member_name, depth + 1, budget)
                del member, content  # the next one needs their room


def _own(content: Data) -> int:
    """Bytes that content takes by itself: what is shown where it lies takes none."""
    return 0 if isinstance(content, memoryview) else len(content)


def _members(data: Data, types: tuple[str, ...], kind: str, path: str, name: str, budget: Budget) -> Iterator[Piece]:
    """What is directly inside content of this kind."""
    if kind == "zip":
        # Office stores the theme of a document as a zip inside the compound file, in pieces where it is long: it is
        # looked into, but says nothing about the file. So is a zip that another archive holds.
        return _zip(data, path, budget, inner=types[0] in ("ole", "biff") or holds_zip(data, types))
    if kind in READERS:
        return _document(READERS[kind], data, path, budget)
    if kind in archive.READERS:
        return archive.READERS[kind](data, path, budget)
    return _stream(data, kind, path, name, budget)


def _document(reader: Reader, data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """What a document holds. Its readers want bytes, which are a copy of what is shown where it lies."""
    if reader in LOOKING:
        yield from reader(data, path, budget)
        return
    copied = len(data) if isinstance(data, memoryview) else 0
    if copied > budget.room:
        budget.note(symbols.UNSCANNABLE_SIZE, "document too large beside what it lies in", path)
        return
    whole = bytes(data)
    if isinstance(data, memoryview):
        let_go(data)
    with budget.holding(copied):
        yield from reader(whole, path, budget)


def _stream(data: Data, kind: str, path: str, name: str, budget: Budget) -> Iterator[Piece]:
    """The one member of a compressed stream, named as the stream without its suffix."""
    if not budget.take_file(path):
        return
    inner = inner_name(name, kind)
    allowance = budget.allowance(len(data))
    try:
        content: Data = STREAMS[kind](data, allowance)
    except StreamError as error:
        budget.note(symbols.UNSCANNABLE_ARCHIVE, f"{kind}: {error}", path)
        content = error.partial
    yield from _spent(inner, (), content, len(data), allowance, path, budget)


def _zip(data: Data, path: str, budget: Budget, *, inner: bool) -> Iterator[Piece]:
    """The members of both views of a zip; of one inside something else damage is not said."""
    listing = list_members(data)
    if not inner:
        _doubts(listing, path, budget)
    if listing.overlap:
        # Members that share their bytes unpack to many times the file without any of them being large.
        budget.stop("overlapping members", path)
        return
    locked = 0
    for entry in listing.entries:
        if entry.name.endswith("/") and not entry.packed:
            continue
        if not budget.take_file(path):
            return
        if entry.flags & ENCRYPTED:
            yield from _encrypted(data, entry, locked, path, budget)
            locked += 1
        else:
            yield from _plain(data, entry, path, budget, inner=inner)
        if budget.stopped:
            return


def _plain(data: Data, entry: Entry, path: str, budget: Budget, *, inner: bool) -> Iterator[Piece]:
    """A member that is not encrypted."""
    packed = memoryview(data)[max(entry.begin, 0) : max(entry.begin + entry.packed, 0)]
    # In other methods the member is put into a zip of its own, a copy.
    with budget.holding(len(packed) if entry.method in METHODS else 0):
        allowance = budget.allowance(len(packed))
    content: Data
    try:
        content = _member(packed, entry, allowance, data)
    except StreamError as error:
        if not inner:
            budget.note(symbols.UNSCANNABLE_ARCHIVE, f"{entry.name}: {error}", path)
        content = error.partial
    if entry.link:
        _follows(entry.name, content, path, budget)
    others = (entry.other_name,) if entry.other_name else ()
    yield from _spent(entry.name, others, content, len(packed), allowance, path, budget)


def _follows(name: str, content: Data, path: str, budget: Budget) -> None:
    """Say where a link leads out of its folder; its content is its target."""
    target = bytes(content[:MAX_NAME]).decode("utf-8", "replace")
    if leaves(target, name):
        budget.note(symbols.ARCHIVE_ESCAPE, f"{readable(name)} -> {readable(target)}", path)


def _doubts(listing: Listing, path: str, budget: Budget) -> None:
    """What is odd about a zip as a whole."""
    if listing.broken:
        budget.note(symbols.UNSCANNABLE_ARCHIVE, f"zip: {listing.broken}", path)
    for doubt in listing.doubts:
        budget.note(symbols.AMBIGUOUS_ARCHIVE, doubt, path)


def _encrypted(data: Data, entry: Entry, earlier: int, path: str, budget: Budget) -> Iterator[Piece]:
    """An encrypted member: its name, and its content where the mail itself says the password."""
    others = (entry.other_name,) if entry.other_name else ()
    with budget.holding(min(entry.packed, len(data))):  # a copy of it, in a zip of its own
        allowance = budget.allowance(entry.packed)
    content = unlock(data, entry, earlier, allowance, budget)
    if content is None:
        budget.note(symbols.UNSCANNABLE_ENCRYPTED, entry.name, path)
        yield entry.name, others, b"", True
        return
    budget.note(symbols.ARCHIVE_PASSWORD, path)
    for name, names, opened, _ in _spent(entry.name, others, content, entry.packed, allowance, path, budget):
        yield name, names, opened, True


def _spent(
    name: str, others: tuple[str, ...], content: Data, packed: int, allowance: int, path: str, budget: Budget
) -> Iterator[Piece]:
    """Hand over a member and count it; what is beyond its allowance is cut off and said."""
    if len(content) > allowance:
        budget.overdrawn(packed, f"{path}/{name}")
        yield from cut(budget, name, others, content, allowance)
        return
    budget.spend(len(content))
    yield name, others, content, False


def _member(packed: memoryview, entry: Entry, allowance: int, data: Data) -> Data:
    """One member's content, at most one byte more than allowed. StreamError."""
    content: Data
    if entry.method == _STORED:
        content = packed if len(packed) >= VIEWED_FROM else bytes(packed)
    elif entry.method == _DEFLATED:
        content, _ = inflate(packed, allowance)
    elif entry.method == _BZIP2:
        content = bunzip(packed, allowance)
    elif entry.method in METHODS:
        return read(data, entry, allowance)
    else:
        raise StreamError(f"method {entry.method}")
    if len(content) <= allowance and entry.crc and zlib.crc32(content) != entry.crc:
        raise StreamError("the checksum is wrong", content)
    if len(content) <= allowance and entry.size not in (0, len(content)):
        raise StreamError("the size is wrong", content)
    return content

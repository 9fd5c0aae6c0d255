"""The documents in a compound file, opened where they are encrypted under a password that everybody knows."""

from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack import ole_excel, ole_rc4, ole_slides, ole_word
from filterd.unpack.budget import Budget
from filterd.unpack.ole import Compound, Entry
from filterd.unpack.ole_crypt import decrypt
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.types import Data

_LOCKED: Final = frozenset({"encryptedsummary", "\x09drmcontent"})


def pieces(compound: Compound, path: str, budget: Budget) -> Iterator[Piece]:
    """What documents hold, and what was encrypted; their findings."""
    names = {entry.name.lower() for entry in compound.entries}
    slides_locked = ole_slides.locked(compound)
    locked = slides_locked or bool(names & _LOCKED)
    for entry in compound.entries:
        name = entry.name.lower()
        if not entry.stream:
            continue
        if name == "worddocument":
            locked = not ole_word.look(compound, entry, path, budget) or locked
        elif name in ("workbook", "book"):
            yield from _workbook(compound, entry, path, budget)
        elif name == "powerpoint document" and not slides_locked:
            yield from ole_slides.pieces(compound, entry, path, budget)
    yield from _package(compound, path, budget)
    if locked:
        _say(path, budget, opened=False)


def _workbook(compound: Compound, entry: Entry, path: str, budget: Budget) -> Iterator[Piece]:
    """A workbook's findings, and its stream where it was encrypted."""
    yield from stream(compound.read(entry), path, budget)


def stream(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """The same for a workbook that is no compound file: old ones are this stream alone, and Excel opens new ones so."""
    data = bytes(data)
    encryption = ole_excel.look(data, path, budget)
    if encryption is None:
        return
    plain = ole_rc4.unlock(data, encryption, budget, path)
    _say(path, budget, opened=plain is not None)
    if plain is not None:
        yield from hand_out(budget, path, "decrypted", plain)


def _package(compound: Compound, path: str, budget: Budget) -> Iterator[Piece]:
    """An encrypted package is a compound file of two streams."""
    found = {entry.name.lower(): entry for entry in compound.entries if entry.stream and len(entry.path) == 1}
    package = found.get("encryptedpackage")
    if package is None:
        return
    info = found.get("encryptioninfo")
    content: bytes | None = None
    if info is not None and package.size <= budget.allowance(package.size):
        content = decrypt(compound.read(info), compound.read(package), budget, path)
    _say(path, budget, opened=content is not None)
    if content is not None:
        yield from hand_out(budget, path, "decrypted", content)


def _say(path: str, budget: Budget, *, opened: bool) -> None:
    """That a document is encrypted, and where nobody has looked inside."""
    budget.note(symbols.OFFICE_ENCRYPTED, path)
    if not opened:
        budget.note(symbols.UNSCANNABLE_ENCRYPTED, "an encrypted document", path)

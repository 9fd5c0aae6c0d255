"""Which reader opens which kind of archive, and what kinds one content has to two unpackers."""

from collections.abc import Callable
from typing import Final

from filterd.mime.symbols import AMBIGUOUS_ARCHIVE, ARCHIVE_ESCAPE, UNSCANNABLE_ARCHIVE
from filterd.unpack import archive
from filterd.unpack.behind import embedded
from filterd.unpack.budget import Budget
from filterd.unpack.names import claimed, leaves, promised, readable
from filterd.unpack.streams import bunzip, gunzip, unxz
from filterd.unpack.types import ARCHIVES, Data, ends_in_zip

STREAMS: Final[dict[str, Callable[[Data, int], bytes]]] = {
    "gzip": gunzip,
    "bzip2": bunzip,
    "xz": unxz,
    **archive.STREAMS,
}
NAMING: Final = frozenset({"zip", *archive.READERS})  # archives whose members have names of their own
CLOSED: Final = ARCHIVES - STREAMS.keys() - NAMING
_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".lz", ".lzma", ".z")
_TARS: Final = (".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".tlz", ".taz")


def kinds(data: Data, types: tuple[str, ...], path: str, name: str, budget: Budget) -> tuple[str, ...]:
    """The types, and those that the name leads an unpacker to find further behind; what is odd about them is said."""
    found = types + tuple([kind for kind in claimed(name) if kind not in types and embedded(data, kind) >= 0])
    archives = [kind for kind in found if kind in ARCHIVES]
    if len(archives) > 1 and (archives[1:] != ["zip"] or ends_in_zip(data)):
        # A zip that an archive holds unpacked may stand near its end; only one that ends the file is another reading.
        budget.note(AMBIGUOUS_ARCHIVE, " and ".join(archives), path)
    if types[0] == "data" and not archives and (promise := promised(name)):
        budget.note(UNSCANNABLE_ARCHIVE, promise, path)
    return found


def holds_zip(data: Data, types: tuple[str, ...]) -> bool:
    """Whether a zip found in content of these types is but a member of an archive, stored as it is."""
    return types[0] in ARCHIVES and types[0] != "zip" and not ends_in_zip(data)


def judge(kind: str, name: str, path: str, budget: Budget) -> str:
    """A member's name as it is shown; one that leads out of its folder is said."""
    shown = readable(name)
    if kind in NAMING and leaves(name):
        budget.note(ARCHIVE_ESCAPE, shown, path)
    return shown


def inner_name(name: str, kind: str) -> str:
    """What a compressed stream of that name holds."""
    if name.lower().endswith(_TARS):
        return name.rpartition(".")[0] + ".tar"
    return next((name[: -len(suffix)] for suffix in _SUFFIXES if name.lower().endswith(suffix)), name) or kind

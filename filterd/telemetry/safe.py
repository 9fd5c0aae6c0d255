"""Making any value fit for a log line: bounded, visible, and something JSON can hold."""

from collections.abc import Collection
from itertools import islice
from typing import Final

MAX_FIELD: Final = 1024  # bytes of UTF-8; one hostile header field must not fill a log
MAX_TRACE: Final = 8192  # bytes; a traceback is ours, and its end is what counts
MAX_ITEMS: Final = 100  # entries of a list or table; a message may have 1,000 recipients
SHORT: Final = MAX_FIELD // 4  # characters: no UTF-8 form of that many is longer than MAX_FIELD
CUT: Final = "..."
_INT64: Final = 1 << 63  # what JSON readers and orjson can hold


def safe(value: object, depth: int = 2) -> object:
    """The value as JSON can hold it: texts visible and cut, containers cut, everything else as text."""
    if isinstance(value, str):
        return value if type(value) is str and len(value) <= SHORT and value.isprintable() else visible(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else visible(hex(value)[:MAX_FIELD])
    if depth and isinstance(value, dict | list | tuple | set | frozenset):
        return _container(value, depth - 1)
    return _other(value)


def _container(value: dict[object, object] | Collection[object], depth: int) -> object:
    if isinstance(value, dict):
        return {visible(str(name)): safe(entry, depth) for name, entry in islice(value.items(), MAX_ITEMS)}
    if all(type(entry) is str for entry in value):  # lists of names are the usual ones: one look at all of them
        joined = "".join(value)  # type: ignore[arg-type]  # all texts
        if len(joined) <= SHORT and joined.isprintable():
            return list(value)
    entries = [safe(entry, depth) for entry in islice(value, MAX_ITEMS)]
    if len(value) > MAX_ITEMS:
        entries.append(f"and {len(value) - MAX_ITEMS} more")
    return entries


def _other(value: object) -> str:
    try:
        return visible(repr(value))
    except Exception:  # noqa: BLE001  # a log call never raises, whatever an object's repr does
        return f"<{type(value).__name__}>"


def visible(text: str) -> str:
    """At most MAX_FIELD bytes, in which nothing moves a cursor, hides, reverses, or ends a line."""
    if len(text) <= SHORT and text.isprintable():
        return str(text)
    # Cut first: the work is bounded however long the text is.
    shown = text[: MAX_FIELD + 1]
    if not shown.isprintable():
        shown = "".join([c if c.isprintable() else _escaped(c) for c in shown])
    if len(shown.encode()) <= MAX_FIELD:
        return shown
    return shown.encode()[: MAX_FIELD - len(CUT)].decode("utf-8", "ignore") + CUT


def trace(text: str) -> str:
    """A traceback: its last MAX_TRACE bytes, line ends kept, everything else visible."""
    if len(text) > MAX_TRACE:
        text = CUT + text[-MAX_TRACE:]
    return "\n".join("".join([c if c.isprintable() else _escaped(c) for c in line]) for line in text.split("\n"))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

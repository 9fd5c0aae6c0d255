# noqa: INP001  # a script of this checkout, in no package
"""Text as Markdown takes it for what it is, and tables."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

_CODE: Final = re.compile(r"(`[^`]+`)")
_MARKS: Final = re.compile(r"([\\`*_\[\]<>|~])")


def plain(text: str) -> str:
    """Words without a meaning of their own; what stands in backquotes is code, as the authors mean it."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join([code(part.strip("`")) if _CODE.fullmatch(part) else _MARKS.sub(r"\\\1", part) for part in parts])


def code(text: str) -> str:
    """A word as code, inside of a table too; nothing for none."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"| {' | '.join(line)} |" for line in lines]) + "\n"

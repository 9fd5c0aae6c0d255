"""YARA's successor, yara-x, as a second linter and as the formatter of rule files: filterd never scans with it.

It is no dependency but an extra (`filterd[yara-x]`), for it is larger than all else that scans; where it is missing,
`rules check` says so and goes on, and `rules fmt` says so and ends.
"""

import contextlib
import difflib
import io
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.sources import MODULES, RuleFile

AVAILABLE: Final = find_spec("yara_x") is not None
MISSING: Final = "yara-x is not installed: pip install 'filterd[yara-x]'"
MAX_TOLD: Final = 100  # warnings of one file; whoever has more knows by then
MAX_TEXT: Final = 300  # characters of one
# As the shipped rules are written: a brace has a line of its own, sections are indented by four blanks and not parted.
_STYLE: Final = {
    "align_metadata": False,
    "align_patterns": False,
    "indent_spaces": 4,
    "newline_before_curly_brace": True,
    "empty_line_before_section_header": False,
}
_SLOW: Final = "slow_pattern"


class Remark(msgspec.Struct, frozen=True):
    """What yara-x says of a line; `slow` where that is about speed."""

    line: int
    text: str
    slow: bool


class Formatted(msgspec.Struct, frozen=True):
    """A file in the common form; `problem` says why it has none, else empty."""

    text: str
    problem: str = ""


def library() -> Any:
    """The module, or None where it is not installed. Import it before a fork: children then have it for nothing."""
    return import_module("yara_x") if AVAILABLE else None


def remarks(file: RuleFile) -> list[Remark]:
    """Errors and warnings of a file that the compiler in use takes. To be called in a child: see apart()."""
    compiler = _compiled(file.text)
    found = [(entry, "error") for entry in compiler.errors()] + [(entry, "") for entry in compiler.warnings()]
    return list(_told(found))


def formatted(file: RuleFile) -> Formatted:
    """The file with other white space. To be called in a child: see apart()."""
    if file.problem:
        return Formatted("", file.problem)
    syntax = [entry for entry in _compiled(file.text).errors() if entry["type"] == "SyntaxError"]
    if syntax:
        return Formatted("", f"{file.path}:{syntax[0].get('line', 0)}: {_text(syntax[0])}")
    out = io.BytesIO()
    try:
        library().Formatter(**_STYLE).format(io.BytesIO(file.text.replace("\r\n", "\n").encode()), out)
        text = out.getvalue().decode()
    except ValueError as error:  # text that is not UTF-8 among them
        return Formatted("", f"{file.path}: {error}"[:MAX_TEXT])
    if "".join(text.split()) != "".join(file.text.split()):
        return Formatted("", f"{file.path}: cannot be formatted without changing more than white space")
    return Formatted(text if file.text.strip() else file.text)


def difference(file: RuleFile, text: str) -> str:
    """What formatting changes, as diff -u shows it."""
    before, after = file.text.splitlines(keepends=True), text.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, str(file.path), str(file.path)))


def _compiled(text: str) -> Any:
    """A compiler that has read the text."""
    yara_x = library()
    compiler = yara_x.Compiler(relaxed_re_syntax=True, includes_enabled=False)
    compiler.max_warnings(MAX_TOLD)
    for name, value in EXTERNALS.items():
        compiler.define_global(name, value)
    for name in set(yara_x.module_names()) - MODULES:
        compiler.ignore_module(name)
    with contextlib.suppress(yara_x.CompileError):  # the compiler keeps them
        compiler.add_source(text.encode("utf-8", "replace").decode())
    return compiler


def _told(entries: list[tuple[dict[str, Any], str]]) -> Iterator[Remark]:
    for entry, kind in entries[:MAX_TOLD]:
        words = "its syntax is no longer taken: " if kind else ""
        yield Remark(int(entry.get("line") or 0), f"yara-x: {words}{_text(entry)}", entry.get("code") == _SLOW)


def _text(entry: dict[str, Any]) -> str:
    """Title and label, in one line."""
    labels = [str(label.get("text", "")) for label in entry.get("labels", ())][:1]
    return ": ".join([str(entry.get("title", "")), *[label for label in labels if label]])[:MAX_TEXT]

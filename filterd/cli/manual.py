"""The manual pages, printed from the commands and the configuration's models: `python -m filterd.cli.manual FOLDER`.

filterd(8), a page for each group of commands (filterd-quarantine(8)), and filterd.toml(5); beside them the completion
scripts of bash, zsh and fish. They say what the help texts and docs/configuration.md say, in the words of there. Made
twice they are the same; SOURCE_DATE_EPOCH dates them.
"""

import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer.main
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # it is there, but in no list

from filterd import __version__
from filterd.cli import app
from filterd.cli.described import EXAMPLE, Command, children, commands
from filterd.config.reference import tables

NAME: Final = "filterd"
VARIABLE: Final = "_FILTERD_COMPLETE"  # as typer calls it
# Where each shell looks for completions, below /usr/local/share.
SCRIPTS: Final = {
    "bash": "bash-completion/completions/filterd",
    "zsh": "zsh/site-functions/_filterd",
    "fish": "fish/vendor_completions.d/filterd.fish",
}
_FILES: Final = (
    ("/etc/filterd/filterd.toml", "The configuration where no other is named; filterd.toml(5)."),
    ("/var/lib/filterd", "State, held mail and the journal, where [paths] state says so."),
)
_ESCAPES: Final = {"\\": "\\e", "-": "\\-", '"': "\\(dq", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
_ABOUT: Final = (
    "One file in TOML. Unknown keys, values of the wrong type and ${...} are errors: filterd names file, line and key,"
    " and does not start; a reload with such a file leaves what is running in place. filterd config check tests a file,"
    " filterd config default prints one with every key, filterd config show prints what holds."
)
_STATUS: Final = (
    ("0", "Done, whatever the verdict."),
    ("1", "It failed; the words are on standard error."),
    ("2", "Wrong usage."),
    ("3", "Of scan with --fail-on: a message reached that action or worse."),
)


def pages() -> dict[str, str]:
    """The pages by their file names."""
    root: Any = typer.main.get_command(app)
    groups = {name: child for name, child in root.commands.items() if children(child)}
    found = {f"{NAME}-{name}.8": _page(f"{NAME}-{name}", child, f"{NAME} {name}") for name, child in groups.items()}
    others = [f"{NAME}-{name}(8)" for name in groups]
    found[f"{NAME}.8"] = _page(NAME, root, NAME, others)
    found[f"{NAME}.toml.5"] = _settings()
    return found


def scripts() -> dict[str, str]:
    """What each shell reads to complete commands, by the place where it looks."""
    return {
        place: get_completion_script(prog_name=NAME, complete_var=VARIABLE, shell=shell) + "\n"
        for shell, place in SCRIPTS.items()
    }


def _page(title: str, group: Any, words: str, others: list[str] | None = None) -> str:
    """A group's page: its commands that are no groups of their own page, one after the other."""
    about = EXAMPLE.sub("", group.help or "").strip()
    lines = [*_head(title, 8), ".SH NAME", f"{_text(title)} \\- {_text(about.rstrip('.'))}", ".SH SYNOPSIS"]
    lines += [".B " + _text(words), _text("COMMAND [options] [arguments]")]
    lines.append(".SH COMMANDS")
    for command in commands(group, words, nested=others is None):
        lines += _command(command)
    if others is not None:
        lines += [".SH EXIT STATUS", *_table(_STATUS), ".SH FILES", *_table(_FILES)]
    lines += [".SH SEE ALSO", _text(", ".join(others or [f"{NAME}(8)"]) + f", {NAME}.toml(5)")]
    return "\n".join(lines) + "\n"


def _command(command: Command) -> Iterator[str]:
    yield f".SS {_text(command.usage)}"
    yield from _paragraphs(command.help)
    yield from _table(command.rows)


def _settings() -> str:
    """filterd.toml(5): every table with every key."""
    lines = [*_head(f"{NAME}.toml", 5), ".SH NAME", f"{NAME}.toml \\- {_text('configuration of filterd(8)')}"]
    lines += [".SH DESCRIPTION", _text(_ABOUT)]
    for table in tables():
        lines += [f".SH {_text(f'[{table.title}]')}", *_paragraphs(table.about)]
        for row in table.rows:
            unit = f" Unit: {row.unit}." if row.unit else ""
            default = f" Default: {row.default}" if row.default else " Absent by default."
            lines += [".TP", f".B {_text(row.key)}", _text(f"{row.meaning}{unit}{default}")]
    return "\n".join([*lines, ".SH SEE ALSO", _text("filterd(8)")]) + "\n"


def _head(title: str, section: int) -> Iterator[str]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    date = datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d") if epoch.isdecimal() else ""
    yield f'.TH "{_text(title.upper())}" "{section}" "{date}" "{NAME} {__version__}" "{NAME}"'
    yield ".nh"  # words of the command line are not to be parted
    yield ".ad l"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        example = EXAMPLE.fullmatch(paragraph)
        line = _text(" ".join((example["line"] if example else paragraph).split()))
        yield from (".PP", ".EX", line, ".EE") if example else (".PP", line)


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, meaning in rows:
        yield from (".TP", f".B {_text(name)}", _text(" ".join(meaning.split())) or "\\&")


def _text(text: str) -> str:
    """Text as troff takes it for what it is: no escapes, no requests, dashes that can be copied, no special quotes."""
    for mark, written in _ESCAPES.items():
        text = text.replace(mark, written)
    text = "".join([letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text])
    return f"\\&{text}" if text[:1] in {".", "'"} else text


def main(folder: Path) -> None:
    """Write pages to man/ and completion scripts to share/ of that folder."""
    written = {f"man/man{name[-1]}/{name}": text for name, text in pages().items()}
    written |= {f"share/{place}": text for place, text in scripts().items()}
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    sys.stdout.write(f"{folder}: {', '.join(sorted(written))}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  # its name and a folder
        sys.exit("expected a folder to write to: python -m filterd.cli.manual build")
    main(Path(sys.argv[1]))

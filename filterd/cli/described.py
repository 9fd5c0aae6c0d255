"""Commands as a manual describes them: read from the parsers, for the manual pages and the site's reference."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

EXAMPLE: Final = re.compile(r"Example:\s+(?P<line>filterd .*)", re.DOTALL)  # a paragraph of a help text
_SWITCHES: Final = ("--install-completion", "--show-completion", "--help")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that does something: its whole name, how it is written, its help text, arguments and options."""

    words: str
    usage: str
    help: str
    rows: tuple[tuple[str, str], ...]


def commands(group: Any, words: str, *, nested: bool) -> Iterator[Command]:
    """The commands of a group that is called by these words, those of groups within too where that is wanted."""
    for name, child in group.commands.items():
        if not children(child):
            yield _command(f"{words} {name}", child)
        elif nested:
            yield from commands(child, f"{words} {name}", nested=True)


def children(command: Any) -> Any:
    """The commands of a group by name; None for a command."""
    return getattr(command, "commands", None)


def _command(words: str, command: Any) -> Command:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.opts[0] not in _SWITCHES]
    kinds = get_type_hints(inspect.unwrap(command.callback))
    rows = [(_argument(one), one.help or "") for one in arguments] + [
        (_option(one, kinds[one.name]), _help(one)) for one in options
    ]
    usage = " ".join([words, *["[options]"] * bool(options), *map(_argument, arguments)])
    return Command(words, usage, inspect.cleandoc(command.help or ""), tuple(rows))


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: Any, kind: object) -> str:
    names = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len))
    return names if option.is_flag else f"{names} {option.metavar or _value(kind)}"


def _value(kind: object) -> str:
    """What stands for a value of that type: of lists and of what may be absent, the type of one that is there."""
    while arguments := [one for one in get_args(kind) if one is not NoneType]:
        kind = arguments[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join([str(one.value) for one in kind])
    return "FILE" if kind is Path else "N" if kind in {int, float} else "TEXT"


def _help(option: Any) -> str:
    default = getattr(option.default, "value", option.default)
    plain = isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
    return f"{option.help or ''}{f' Default: {default}.' if plain else ''}"

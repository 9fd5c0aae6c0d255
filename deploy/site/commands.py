# noqa: INP001  # a script of this checkout, in no package
"""Every command with its arguments and options, from the parsers, as the manual pages have them."""

from collections.abc import Iterator
from typing import Any, Final

import typer.main

from deploy.site.words import code, plain, table
from filterd.cli import app
from filterd.cli.described import EXAMPLE, Command, children, commands

_HEAD: Final = """\
`filterd COMMAND --help` says the same in the terminal, and so do the manual pages (`make man`, or `man filterd` where
the Debian package is installed). `--config FILE` names another file than `/etc/filterd/filterd.toml`; `--json` prints
one object a line.

| exit status | |
|---|---|
| 0 | done, whatever the verdict |
| 1 | it failed; the words are on standard error |
| 2 | wrong usage |
| 3 | of `scan --fail-on`: a message reached that action or worse; of `status`: mail is filtered, something is missing |
"""


def markdown() -> str:
    """The page behind its title: first the commands by themselves, then each group."""
    root: Any = typer.main.get_command(app)
    parts = [_HEAD, "## filterd", *map(_command, commands(root, "filterd", nested=False))]
    for name, group in root.commands.items():
        if children(group):
            parts += [f"## filterd {name}", plain(EXAMPLE.sub("", group.help or "").strip())]
            parts += map(_command, commands(group, f"filterd {name}", nested=True))
    return "\n\n".join([part.rstrip("\n") for part in parts]) + "\n"


def _command(command: Command) -> str:
    rows = [(code(name), plain(meaning)) for name, meaning in command.rows]
    parts = [f"### {command.words}", f"```\n{command.usage}\n```", *_help(command.help)]
    return "\n\n".join([*parts, *([table(("", ""), rows)] if rows else [])])


def _help(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        example = EXAMPLE.fullmatch(paragraph)
        yield f"Example: `{' '.join(example['line'].split())}`" if example else plain(paragraph)

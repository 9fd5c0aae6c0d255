"""`filterd rules`: asks a process of its own about rule files. The compiler never runs in the command itself."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import filterd.model

_CODE: Final = str(Path(filterd.model.__file__).parents[2])  # where the package itself stands
MODULE: Final = "filterd.yarascan"  # by name: what is here must not import it
MAX_SAID: Final = 2_000  # characters of an error's text


class RulesCommandError(Exception):
    """The process did not do what it was asked to; the text says why."""


def ask(word: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows that the process answers, as they come. RulesCommandError at the end where it failed."""
    command = [sys.executable, "-P", "-m", MODULE, word, *arguments]
    environment = os.environ | {"PYTHONPATH": _CODE, "MALLOC_ARENA_MAX": "2"}
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment) as process:  # noqa: S603  # our own interpreter and module
            try:
                for line in process.stdout or ():
                    yield json.loads(line)
            except BaseException:  # of the caller's: the process must not go on for nobody
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            said = errors.read(MAX_SAID).decode("utf-8", "replace").strip()
            raise RulesCommandError(said or f"ended with {process.returncode}")


def next_step(moved: dict[str, Any]) -> str:
    """What whoever has moved a rule to another stage does next, in words."""
    match moved["after"]:
        case "test":
            return "It is only counted now. After filterd reload, look at its hits: filterd rules list"
        case "shadow":
            return (
                "It shows in every verdict and weighs nothing. Try it on mail you have (filterd rules backtest "
                f"{moved['file']} --against DIR), then filterd reload"
            )
        case "score":
            weight = f"adds {moved['score']} points" if moved["score"] else "has no score yet: give it one"
            return f"It {weight}. Run filterd rules check and filterd rules test, then filterd reload"
        case _:
            action = moved["action"]
            effect = f"sets {action}, whatever the score" if action else "has no action to set yet: give it one"
            return f"It {effect}. Run filterd rules backtest {moved['file']} --against DIR, then filterd reload"

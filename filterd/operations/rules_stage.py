"""`filterd rules promote|demote` for regex rules: another stage in the rule's file, and not one other byte changed."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, Final

from filterd.config.rewriting import rewrite
from filterd.regex.declarations import TABLE, RegexRule
from filterd.score.stages import STAGES

STEPS: Final = {"promote": 1, "demote": -1}
_HEAD: Final = re.compile(r"\s*\[")
_STAGE: Final = re.compile(r"""(\s*stage\s*=\s*)(?:"[^"]*"|'[^']*')""")


class StageError(ValueError):
    """Nothing was changed; the text says why."""


def move(rules: Sequence[RegexRule], name: str, word: str) -> dict[str, Any]:
    """Move the rule of that symbol one stage on or back and write its file; a row as for YARA. StageError, OSError."""
    found = [rule for rule in rules if rule.symbol == name]
    if not found:
        raise StageError(f"no rule {name!r}")
    if len(found) > 1:
        places = ", ".join([f"{rule.path}:{rule.line}" for rule in found])
        raise StageError(f"{name} is in several places: {places}")
    (rule,) = found
    place = STAGES.index(rule.stage) + STEPS[word]
    if not 0 <= place < len(STAGES):
        raise StageError(f"{name} is at stage {rule.stage} already, the {'last' if STEPS[word] > 0 else 'first'}")
    after = STAGES[place].value
    with rule.path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    changed = with_stage(text, rule.line, after)
    wanted = tomllib.loads(text)
    wanted[TABLE][name]["stage"] = after
    if _loaded(changed) != wanted:
        raise StageError(
            f"{rule.path}:{rule.line}: the stage cannot be written into this rule: give it a table of its own"
        )
    rewrite(rule.path, changed.encode())
    floor = rule.floor.value if rule.floor else ""
    return {
        "file": str(rule.path),
        "line": rule.line,
        "rule": name,
        "before": rule.stage.value,
        "after": after,
        "score": f"{rule.weight:g}",
        "action": floor,
    }


def _loaded(text: str) -> dict[str, Any]:
    """The tables of a text; none where it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def with_stage(text: str, line: int, stage: str) -> str:
    """The text with that stage in the table that begins in that line; where it has none, as its first key."""
    lines = text.splitlines(keepends=True)
    for number in range(line, len(lines)):
        if _HEAD.match(lines[number]):
            break
        if _STAGE.match(lines[number]):
            lines[number] = _STAGE.sub(rf'\g<1>"{stage}"', lines[number], count=1)
            return "".join(lines)
    end = "\r\n" if lines[line - 1].endswith("\r\n") else "\n"
    return "".join([*lines[:line], f'stage = "{stage}"{end}', *lines[line:]])

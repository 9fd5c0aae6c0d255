"""The tables of docs/heuristics.md, from the catalogue and rules/scores.toml.

`python -m filterd.heuristics.reference docs/heuristics.md` writes them anew between the two marks of the document.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from filterd.config.root import shipped_rules
from filterd.heuristics import (
    attachment,
    deception,
    header,
    hosts,
    html,
    language,
    mailer,
    path,
    structure,
    text,
    title,
    url,
)
from filterd.score import ScoreRules, load_scores

BEGIN: Final = "<!-- symbols: begin -->"
END: Final = "<!-- symbols: end -->"
_MODULES: Final[tuple[tuple[str, ModuleType], ...]] = (
    ("Header fields", header),
    ("The way it came", path),
    ("The program that wrote it", mailer),
    ("Subject and display name", title),
    ("Posing as somebody else", deception),
    ("Text", text),
    ("Languages", language),
    ("Structure", structure),
    ("HTML", html),
    ("URLs", url),
    ("Hosts of URLs", hosts),
    ("Attachments", attachment),
)


def symbols_of(module: ModuleType) -> Iterator[str]:
    """The symbols of a module's tables, in their order."""
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, tuple) and not name.startswith("_"):
            yield from [entry[0] for entry in value if isinstance(entry, tuple)]


def markdown(rules: ScoreRules) -> str:
    """A table for each module."""
    lines: list[str] = []
    for heading, module in _MODULES:
        lines += [f"### {heading}", "", "| symbol | points | group | meaning |", "|---|---|---|---|"]
        for symbol in symbols_of(module):
            row = rules.symbols[symbol]
            lines.append(f"| `{symbol}` | {row.weight:g} | {row.group} | {row.description} |")
        lines.append("")
    return "\n".join(lines)


def replaced(document: str, rules: ScoreRules) -> str:
    """The document with fresh tables."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown(rules)}\n{END}{after}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    shipped = load_scores(shipped_rules() / "scores.toml")
    target.write_text(replaced(target.read_text(encoding="utf-8"), shipped), encoding="utf-8")

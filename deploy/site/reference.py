# noqa: INP001  # a script of this checkout, in no package
"""The pages of docs/reference/, printed from the code and the rules: `python -m deploy.site.reference`.

Commands from the parsers, symbols from rules/, reasons, metrics and log events from their vocabularies. A test says
where one of them is not what this prints.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from deploy.site import commands, reasons, symbols, telemetry

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "reference"
_MARK: Final = "<!-- Printed by `python -m deploy.site.reference`; edit {source}, not this file. -->"
# By the page: its title, what it is made of, and what makes it.
_PAGES: Final[Mapping[str, tuple[str, str, Callable[[], str]]]] = {
    "commands.md": ("Commands", "the commands in filterd/cli/", commands.markdown),
    "symbols.md": ("Symbols", "rules/", symbols.markdown),
    "reasons.md": ("Reasons", "filterd/pipeline/reasons.py", reasons.markdown),
    "metrics.md": ("Metrics", "filterd/telemetry/series.py", telemetry.metrics),
    "log.md": ("Log events", "filterd/telemetry/events.py", telemetry.events),
}


def pages() -> dict[str, str]:
    """The pages by their file names."""
    return {
        name: f"# {title}\n\n{_MARK.format(source=source)}\n\n{make()}"
        for name, (title, source, make) in _PAGES.items()
    }


def main() -> None:
    """Write them."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{FOLDER}: {', '.join(_PAGES)}\n")


if __name__ == "__main__":
    main()

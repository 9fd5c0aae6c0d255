"""The symbols that YARA rules report, read from their files' text: what composites and overrides may name.

Only a look, without the compiler, which fronts do not have: a rule that does not compile is known too, so that one
broken file does not make a configuration invalid that names its symbols.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from filterd.model.inspection import RULE_PREFIX

SUFFIXES: Final = frozenset({".yar", ".yara"})
SAMPLES: Final = ".samples"  # folders of what rules must and must not match
MAX_FILE: Final = 4_000_000  # bytes; as the compiler takes them
_SYMBOL: Final = re.compile(RULE_PREFIX + r"[A-Z0-9_]{1,59}")
# Comments, strings and regular expressions are stepped over: a word inside them declares nothing.
_TOKEN: Final = re.compile(
    r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?"
    r'|\bsymbol\s*+=\s*+"(?P<symbol>(?:[^"\\\n]|\\.)*+)"?'
    r"|\b(?P<private>(?:private\s++|global\s++)*+)rule\s++(?P<rule>[A-Za-z_]\w*+)"
    r'|"(?:[^"\\\n]|\\.)*+"?|/(?:[^/\\\n]|\\.)*+/?',
    re.DOTALL,
)


def yara_symbols(directory: Path, wanted: Iterable[str]) -> tuple[frozenset[str], bool]:
    """Those of the wanted symbols that rules below a directory report, and whether every file could be read.

    A file in which none of them stands, nor a name that would make one, is not looked through: there may be thousands.
    """
    asked = frozenset(wanted)
    words = [name.removeprefix(RULE_PREFIX).lower().encode() for name in asked]
    symbols: set[str] = set()
    problems: list[OSError] = []
    for folder, inner, names in os.walk(directory, onerror=problems.append):
        inner[:] = [name for name in inner if not name.endswith(SAMPLES)]
        for path in [Path(folder, name) for name in names if Path(name).suffix in SUFFIXES]:
            try:
                with path.open("rb") as file:
                    text = file.read(MAX_FILE)
            except OSError as error:
                problems.append(error)
                continue
            lowered = text.lower()
            if any(word in lowered for word in words):
                symbols.update(symbols_in(text.decode("utf-8", "replace")))
    return asked & symbols, not problems


def symbols_in(text: str) -> Iterator[str]:
    """The symbols of the rules in a file; private ones report nothing."""
    rule, declared, private = "", "", False
    for match in _TOKEN.finditer(text):
        if match["rule"] is not None:
            if rule and not private:
                yield declared or RULE_PREFIX + rule.upper()
            rule, declared, private = match["rule"], "", "private" in match["private"]
        elif match["symbol"] is not None and _SYMBOL.fullmatch(match["symbol"]) and not declared:
            declared = match["symbol"]
    if rule and not private:
        yield declared or RULE_PREFIX + rule.upper()

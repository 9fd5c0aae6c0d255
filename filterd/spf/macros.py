"""Macro strings (RFC 7208, section 7): parsed once, expanded per message in time bounded by what comes out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

MAX_NAME: Final = 253  # octets of a domain name without its final dot; longer expansions lose labels on the left
MAX_EXPLANATION: Final = 512  # characters of exp= text that are kept; it ends up in one SMTP reply line
_MAX_DIGITS: Final = 3  # a name has at most 127 labels: a longer number keeps them all

# macro-expand of section 7.1, or a run of macro-literal; the explanation's blanks are let in by its own pattern.
_MACRO: Final = (
    r"%\{(?P<letter>[A-Za-z])(?P<digits>[0-9]*)(?P<reverse>[rR]?)(?P<delimiters>[.\-+,/_=]*)\}|(?P<escape>%[%_-])"
)
_DOMAIN_TOKEN: Final = re.compile(_MACRO + r"|(?P<literal>[\x21-\x24\x26-\x7e]+)")
_TEXT_TOKEN: Final = re.compile(_MACRO + r"|(?P<literal>[\x20-\x24\x26-\x7e]+)")
_ESCAPES: Final = {"%%": "%", "%_": " ", "%-": "%20"}
_LETTERS: Final = frozenset("slodiphv")
_TEXT_LETTERS: Final = _LETTERS | frozenset("crt")  # section 7.2: only in explanation text


@dataclass(frozen=True, slots=True)
class Macro:
    """One %{...}: `labels` is how many are kept on the right, 0 for all; `pattern` splits at the delimiters."""

    letter: str
    labels: int
    reverse: bool
    pattern: re.Pattern[str] | None
    escape: bool

    def expand(self, value: str) -> str:
        """The value after the transformers (section 7.3), escaped for a URL where the letter was upper case."""
        if self.pattern is not None or self.labels or self.reverse:
            labels = self.pattern.split(value) if self.pattern is not None else value.split(".")
            if self.reverse:
                labels.reverse()
            value = ".".join(labels[-self.labels :])
        return quote(value, safe="", errors="replace") if self.escape else value


@dataclass(frozen=True, slots=True)
class MacroString:
    """Literals and macros in order.

    `name` is what it stands for where there is nothing to expand, else None; `open_end` is true where the last token
    begins with %: then it need not end in a top-level label (section 7.1, domain-end).
    """

    parts: tuple[str | Macro, ...]
    name: str | None
    letters: frozenset[str]
    open_end: bool

    def expand_name(self, values: Mapping[str, str]) -> str:
        """The domain name it stands for: lower case, no final dot, at most 253 octets; it may still not be askable.

        RFC 8616, section 4: a value beyond ASCII makes no name, escaped or not; the result is empty.
        """
        if self.name is not None:
            return self.name
        expanded: list[str] = []
        size = 0
        # Section 7.3: what is too long loses labels on the left, so nothing is expanded that would be cut anyway.
        for part in reversed(self.parts):
            if isinstance(part, str):
                text = part
            elif (value := values[part.letter]).isascii():
                text = part.expand(value)
            else:
                return ""
            expanded.append(text)
            size += len(text)
            if size > MAX_NAME + 1:
                break
        return as_name("".join(reversed(expanded)))

    def expand_text(self, values: Mapping[str, str]) -> str:
        """The explanation it stands for, cut at MAX_EXPLANATION characters."""
        expanded: list[str] = []
        size = 0
        for part in self.parts:
            text = part if isinstance(part, str) else part.expand(values[part.letter])
            expanded.append(text)
            size += len(text)
            if size >= MAX_EXPLANATION:
                break
        return "".join(expanded)[:MAX_EXPLANATION]


def as_name(text: str) -> str:
    """Lower case without the final dot, labels cut on the left until it fits (section 7.3).

    Beyond ASCII nothing is mapped: the lower case of the Kelvin sign is a plain k, which would make a name of it.
    """
    name = text.removesuffix(".")
    if name.isascii():
        name = name.lower()
    if len(name) > MAX_NAME:
        _, _, name = name[-MAX_NAME - 1 :].partition(".")
    return name


def parse_macro_string(text: str, *, explanation: bool = False) -> MacroString | None:
    """Read a macro string (explanation text, which may hold blanks and %{c} %{r} %{t}); None where it is malformed."""
    open_end = False
    token = _TEXT_TOKEN if explanation else _DOMAIN_TOKEN
    allowed = _TEXT_LETTERS if explanation else _LETTERS
    parts: list[str | Macro] = []
    position = 0
    while position < len(text):
        match = token.match(text, position)
        if match is None:
            return None
        position = match.end()
        if (literal := match["literal"]) is not None:
            parts.append(literal)
            open_end = False
            continue
        open_end = True
        if (escape := match["escape"]) is not None:
            parts.append(_ESCAPES[escape])
        elif (macro := _macro(match, allowed)) is not None:
            parts.append(macro)
        else:
            return None
    letters = frozenset(part.letter for part in parts if isinstance(part, Macro))
    return MacroString(tuple(parts), None if letters else as_name("".join(map(str, parts))), letters, open_end)


def _macro(match: re.Match[str], allowed: frozenset[str]) -> Macro | None:
    letter, digits, delimiters = match["letter"], match["digits"], match["delimiters"]
    significant = digits.lstrip("0")
    if letter.lower() not in allowed or (digits and not significant):
        return None  # section 7.3: a number of labels must not be zero
    labels = int(significant) if significant and len(significant) <= _MAX_DIGITS else 0
    pattern = re.compile(f"[{re.escape(delimiters)}]") if delimiters and delimiters != "." else None
    return Macro(letter.lower(), labels, bool(match["reverse"]), pattern, letter.isupper())

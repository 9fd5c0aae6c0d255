"""Where things stand in the text of a rule file: rules, their metadata and strings, with lines and offsets.

Reads just enough of YARA's language to point at things and to replace a value; whether a file is right the compiler
says. What is no YARA gives fewer rules, never an exception, in linear time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

# A "/" that begins no comment always begins a regular expression: YARA divides by "\".
_TOKEN: Final = re.compile(
    r"(?P<gap>\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)"
    r'|(?P<text>"(?:[^"\\\n]|\\.)*+"?)'
    r"|(?P<regex>/(?:[^/\\\n]|\\.)*+/?[is]*+)"
    r"|(?P<word>[$#@!]?\w++)"
    r"|(?P<sign>.)",
    re.DOTALL,
)
_HEX: Final = re.compile(r"\{(?:[^}/]|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|/)*+\}?")
_SECTIONS: Final = frozenset({"meta", "strings", "condition"})


class Token(NamedTuple):
    """A piece of the text: kind is one of text, regex, word, sign and hex."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Meta:
    """`key = value`; the offsets are the value's. Text values are without quotes, others as they are written."""

    key: str
    value: str
    quoted: bool
    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A string of a rule; kind is one of text, regex and hex, `body` as it is written, with its delimiters."""

    name: str
    kind: str
    body: str
    line: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `start` is where its first modifier stands, `body` where its block begins, `meta_end` behind "meta:".

    `uses` are the words of its condition: other rules among them.
    """

    name: str
    line: int
    start: int
    body: int
    end: int
    modifiers: frozenset[str]
    meta: tuple[Meta, ...]
    meta_end: int  # 0 where there is no such section
    patterns: tuple[Pattern, ...]
    uses: frozenset[str]

    def value(self, key: str) -> str:
        """The last value of a key, as YARA has it; empty where there is none."""
        return next((meta.value for meta in reversed(self.meta) if meta.key == key), "")

    @property
    def private(self) -> bool:
        """True where the rule only serves others."""
        return "private" in self.modifiers


def rules_in(text: str) -> tuple[Rule, ...]:
    """The rules of a file in their order."""
    return tuple(_rules(text, _Lines(text), list(_tokens(text))))


class _Lines:
    """Line numbers of growing offsets."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def __call__(self, offset: int) -> int:
        self._line += self._text.count("\n", self._at, offset)
        self._at = max(self._at, offset)
        return self._line


def _tokens(text: str) -> Iterator[Token]:
    """All but comments and blanks; a "{" behind "=" begins a hex string."""
    at, before = 0, ""
    while at < len(text):
        found = _HEX.match(text, at) if before == "=" and text[at] == "{" else _TOKEN.match(text, at)
        if found is None:  # cannot be: the last alternative takes any character
            return
        kind = found.lastgroup or "hex"
        at = found.end()
        if kind != "gap":
            before = found.group()
            yield Token(kind, found.start(), at, before)


def _rules(text: str, line: _Lines, tokens: list[Token]) -> Iterator[Rule]:
    start, modifiers = -1, set[str]()
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.text in {"private", "global"}:
            start = token.start if start < 0 else start
            modifiers.add(token.text)
            at += 1
            continue
        if token.text == "rule" and at + 1 < len(tokens) and tokens[at + 1].kind == "word":
            opening = next((n for n in range(at + 2, len(tokens)) if tokens[n].text == "{"), len(tokens))
            closing = next((n for n in range(opening, len(tokens)) if tokens[n].text == "}"), len(tokens))
            if closing == len(tokens):
                return
            head = start if start >= 0 else token.start
            span = (head, tokens[opening].end, tokens[closing].end)
            yield _rule(
                text, line, tokens[at + 1], span, frozenset(modifiers), _sections(tokens[opening + 1 : closing])
            )
            at = closing
        start, modifiers = -1, set()
        at += 1


def _sections(tokens: list[Token]) -> dict[str, tuple[int, list[Token]]]:
    """The sections of a rule's block, by name: where their text begins, and their tokens."""
    found: dict[str, tuple[int, list[Token]]] = {}
    current: list[Token] = []
    for n, token in enumerate(tokens):
        following = tokens[n + 1] if n + 1 < len(tokens) else None
        if token.text in _SECTIONS and token.text not in found and following is not None and following.text == ":":
            current = []
            found[token.text] = (following.end, current)
        else:
            current.append(token)
    return found


def _rule(
    text: str,
    line: _Lines,
    name: Token,
    span: tuple[int, int, int],
    modifiers: frozenset[str],
    sections: dict[str, tuple[int, list[Token]]],
) -> Rule:
    number = line(name.start)
    meta_end, declared = sections.get("meta", (0, []))
    meta = tuple(_meta(line, declared))
    patterns = tuple(_patterns(line, sections.get("strings", (0, []))[1]))
    condition = sections.get("condition", (0, []))[1]
    uses = frozenset([token.text for token in condition if token.kind == "word"])
    line(min(span[2], len(text)))
    return Rule(name.text, number, span[0], span[1], span[2], modifiers, meta, meta_end, patterns, uses)


def _meta(line: _Lines, tokens: list[Token]) -> Iterator[Meta]:
    for n, token in enumerate(tokens):
        if token.text != "=" or not n or n + 1 >= len(tokens):
            continue
        key, value = tokens[n - 1], tokens[n + 1]
        last = tokens[n + 2] if value.text == "-" and n + 2 < len(tokens) else value
        quoted = value.kind == "text"
        shown = value.text[1:].removesuffix('"') if quoted else value.text if last is value else value.text + last.text
        yield Meta(key.text, shown, quoted, value.start, last.end, line(key.start))


def _patterns(line: _Lines, tokens: list[Token]) -> Iterator[Pattern]:
    for n, token in enumerate(tokens):
        if token.text == "=" and n and n + 1 < len(tokens) and tokens[n + 1].kind in {"text", "regex", "hex"}:
            name = tokens[n - 1]
            yield Pattern(name.text, tokens[n + 1].kind, tokens[n + 1].text, line(name.start))

"""The part of UCL that rspamd's files are written in, read leniently: what cannot be read is passed over, and told.

Objects are lists of pairs, for keys repeat; each pair has the line it stands in. Includes and macros are pairs whose
key begins with a dot. Variables stay as they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, Union

from filterd.operations.importing import ImportFailedError

MAX_DEPTH: Final = 20  # objects and lists inside each other; rspamd's own are five deep
_TOKEN: Final = re.compile(
    r"""(?P<skip>[\s;,]+|\#[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)
    |(?P<sign>[{}\[\]=:])
    |"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'
    |(?P<word>(?:[^\s{}\[\]=:;,"'\#]|:(?=[^\s{}\[]))+)""",
    re.VERBOSE | re.DOTALL,
)

Value: TypeAlias = Union[str, "Table", "list[Value]"]


class Pair(NamedTuple):
    """A key with its value and its line."""

    key: str
    value: Value
    line: int


@dataclass(slots=True)
class Table:
    """An object."""

    pairs: list[Pair] = field(default_factory=list)

    def get(self, key: str) -> "Value | None":
        """The last value of a key."""
        return next((pair.value for pair in reversed(self.pairs) if pair.key == key), None)

    def text(self, key: str) -> str:
        """The last value of a key, where it is a word; else nothing."""
        value = self.get(key)
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> list[str]:
        """All values of a key that are words, and words of lists."""
        found: list[str] = []
        for pair in self.pairs:
            if pair.key == key:
                values = pair.value if isinstance(pair.value, list) else [pair.value]
                found += [value for value in values if isinstance(value, str)]
        return found

    def tables(self) -> Iterator[Pair]:
        """Pairs whose value is an object; `key "name" { }` is one whose key is name."""
        for pair in self.pairs:
            if isinstance(pair.value, Table):
                yield pair


class _Token(NamedTuple):
    kind: str  # sign, word
    text: str
    line: int


def parse(text: str, name: str) -> Table:
    """The file's object. ImportFailedError where it cannot be one."""
    reader = _Reader(_tokens(text), name)
    return reader.table(0, top=True)


def _tokens(text: str) -> list[_Token]:
    found, at, line = [], 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:  # a quote that is not closed, a sign that means nothing
            line += text[at] == "\n"
            at += 1
            continue
        kind = match.lastgroup or ""
        if match["sign"]:
            found.append(_Token("sign", match["sign"], line))
        elif match["skip"] is None:
            quoted = next((match[one] for one in ("double", "single", "word") if match[one] is not None), "")
            found.append(_Token("word" if kind == "word" else "quoted", quoted, line))
        line += match[0].count("\n")
        at = match.end()
    return found


class _Reader:
    """Reads tokens; stops at the end of them."""

    def __init__(self, tokens: list[_Token], name: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._name = name

    def table(self, depth: int, *, top: bool = False) -> Table:
        """Pairs up to the closing brace, or to the end."""
        table = Table()
        while (token := self._next()) is not None:
            if token.kind == "sign":
                if token.text == "}" and not top:
                    break
                continue
            table.pairs.append(Pair(token.text, self._value(depth, token), token.line))
        return table

    def _value(self, depth: int, key: _Token) -> Value:
        """What stands behind a key: = value, { }, or another name first."""
        if depth >= MAX_DEPTH:
            raise ImportFailedError(f"{self._name}:{key.line}: nested deeper than rspamd's files are")
        token = self._next()
        while token is not None and token.kind == "sign" and token.text in "=:":
            token = self._next()
        if token is None:
            return ""
        if token.kind != "sign":
            following = self._peek()
            if (
                following is not None
                and following.text == "{"
                and following.kind == "sign"
                and following.line == token.line
            ):
                self._next()
                return Table([Pair(token.text, self.table(depth + 1), token.line)])
            return token.text
        if token.text == "{":
            return self.table(depth + 1)
        if token.text == "[":
            return self._list(depth + 1)
        self._at -= 1  # a key without a value at the end of an object
        return ""

    def _list(self, depth: int) -> list[Value]:
        found: list[Value] = []
        while (token := self._next()) is not None and not (token.kind == "sign" and token.text == "]"):
            if token.kind != "sign":
                found.append(token.text)
            elif token.text == "{" and depth < MAX_DEPTH:
                found.append(self.table(depth + 1))
        return found

    def _next(self) -> _Token | None:
        token = self._peek()
        self._at += token is not None
        return token

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

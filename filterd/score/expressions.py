"""Boolean expressions over symbols: `A & B & !C | any(D, E) & count(F, G, H) >= 2`.

    expression = both *("|" both)
    both       = single *("&" single)
    single     = "!" single | "(" expression ")" | SYMBOL
               | ("any" | "all") "(" list ")" | "count" "(" list ")" ">=" number
    list       = expression *("," expression)

Parsed once, in linear time; what comes out is asked with the set of symbols that a message has. Positions in errors
count characters from 1.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

MAX_LENGTH: Final = 2_000  # characters; longer than anybody can read at once
MAX_DEPTH: Final = 16  # parentheses and negations inside each other
MAX_NAMES: Final = 100  # places where a symbol stands
MAX_SHOWN: Final = 30  # characters of a piece that is repeated in an error

_NOTHING: Final = frozenset[str]()
_TOKEN: Final = re.compile(
    r"\s*+(?:(?P<symbol>[A-Z][A-Z0-9_]*+)|(?P<word>[a-z]++)|(?P<number>[0-9]++)|(?P<sign>>=|\S))"
)


class ExpressionError(ValueError):
    """This is no expression: at `position` (from 1) something else was expected."""

    def __init__(self, position: int, problem: str) -> None:
        """Take the place and what is wrong there."""
        super().__init__(f"at {position}: {problem}")
        self.position = position


class Place(NamedTuple):
    """Where a symbol stands. It is `positive` where its being found can make the expression true, and never false."""

    symbol: str
    position: int
    positive: bool


class Expression(Protocol):
    """What a parsed expression can be asked."""

    def holds(self, present: AbstractSet[str]) -> bool:
        """Whether it is true for a message with exactly these symbols."""

    def places(self, *, positive: bool = True) -> Iterator[Place]:
        """Every place of a symbol, from left to right."""

    def needs(self) -> frozenset[str]:
        """Symbols of which one at least must be there; for an expression that does not hold where nothing was found."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """True where the symbol was found."""

    name: str
    position: int

    def holds(self, present: AbstractSet[str]) -> bool:
        """Whether it is there."""
        return self.name in present

    def places(self, *, positive: bool = True) -> Iterator[Place]:
        """Itself."""
        yield Place(self.name, self.position, positive)

    def needs(self) -> frozenset[str]:
        """Itself."""
        return frozenset({self.name})


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is not."""

    part: Expression

    def holds(self, present: AbstractSet[str]) -> bool:
        """The contrary."""
        return not self.part.holds(present)

    def places(self, *, positive: bool = True) -> Iterator[Place]:
        """Those of its part, turned round."""
        yield from self.part.places(positive=not positive)

    def needs(self) -> frozenset[str]:
        """All that speak for it: what is not there makes a part false only by being found."""
        return frozenset([place.symbol for place in self.places() if place.positive])


@dataclass(frozen=True, slots=True)
class AtLeast:
    """True where so many of its parts are: all of them for "&", one for "|"."""

    number: int
    parts: tuple[Expression, ...]

    def holds(self, present: AbstractSet[str]) -> bool:
        """Count as far as needed."""
        wanting, left = self.number, len(self.parts)
        for part in self.parts:
            left -= 1
            wanting -= part.holds(present)
            if wanting <= 0 or wanting > left:
                break
        return wanting <= 0

    def places(self, *, positive: bool = True) -> Iterator[Place]:
        """Those of all parts."""
        for part in self.parts:
            yield from part.places(positive=positive)

    def needs(self) -> frozenset[str]:
        """Those of as many parts as cannot all be false, the first ones: of "&" that is one."""
        false = [part for part in self.parts if not part.holds(_NOTHING)]
        missing = self.number - (len(self.parts) - len(false))
        return frozenset().union(*[part.needs() for part in false[: len(false) - missing + 1]])


def parse(text: str) -> Expression:
    """The expression. ExpressionError says where it is none; one that holds where nothing was found is none either."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(MAX_LENGTH + 1, f"expected at most {MAX_LENGTH} characters, got {len(text)}")
    parser = _Parser(_tokens(text), len(text) + 1)
    found = parser.expression(MAX_DEPTH)
    parser.end()
    if found.holds(_NOTHING):
        raise ExpressionError(1, "holds for a message in which nothing was found: begin it with a symbol that must be")
    return found


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(str(match.lastgroup), match[str(match.lastgroup)], match.start(str(match.lastgroup)) + 1)
        for match in _TOKEN.finditer(text.rstrip())  # blanks that nothing follows would be looked at again and again
    ]


class _Parser:
    """Goes over the tokens once."""

    def __init__(self, tokens: Sequence[_Token], end: int) -> None:
        self._tokens = tokens
        self._at = 0
        self._end = _Token("end", "", end)
        self._names = 0

    def expression(self, depth: int) -> Expression:
        """Alternatives."""
        return self._joined("|", depth)

    def end(self) -> None:
        """Nothing more may come."""
        if self._next.kind != "end":
            raise self._expected('"&", "|" or the end')

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else self._end

    def _take(self, text: str) -> bool:
        """Step over this piece if it comes next."""
        taken = self._next.text == text and self._next.kind != "end"
        self._at += taken
        return taken

    def _want(self, text: str) -> None:
        if not self._take(text):
            raise self._expected(f'"{text}"')

    def _expected(self, what: str) -> ExpressionError:
        got = repr(self._next.text[:MAX_SHOWN]) if self._next.kind != "end" else "the end"
        return ExpressionError(self._next.position, f"expected {what}, got {got}")

    def _joined(self, sign: str, depth: int) -> Expression:
        parts = [self._part(sign, depth)]
        while self._take(sign):
            parts.append(self._part(sign, depth))
        if len(parts) == 1:
            return parts[0]
        return AtLeast(1 if sign == "|" else len(parts), tuple(parts))

    def _part(self, sign: str, depth: int) -> Expression:
        return self._joined("&", depth) if sign == "|" else self._single(depth)

    def _single(self, depth: int) -> Expression:
        if not depth:
            raise ExpressionError(self._next.position, f"expected at most {MAX_DEPTH} levels")
        if self._take("!"):
            return Not(self._single(depth - 1))
        if self._take("("):
            inner = self.expression(depth - 1)
            self._want(")")
            return inner
        token = self._next
        if token.kind == "symbol":
            return self._symbol(token)
        if token.text in {"any", "all", "count"}:
            self._at += 1
            return self._counted(token.text, self._list(depth - 1))
        raise self._expected('a symbol, "!", "(", any, all or count')

    def _symbol(self, token: _Token) -> Expression:
        self._names += 1
        if self._names > MAX_NAMES:
            raise ExpressionError(token.position, f"expected at most {MAX_NAMES} symbols")
        self._at += 1
        return Symbol(token.text, token.position)

    def _list(self, depth: int) -> tuple[Expression, ...]:
        self._want("(")
        parts = [self.expression(depth)]
        while self._take(","):
            parts.append(self.expression(depth))
        self._want(")")
        return tuple(parts)

    def _counted(self, word: str, parts: tuple[Expression, ...]) -> Expression:
        if word != "count":
            return AtLeast(1 if word == "any" else len(parts), parts)
        self._want(">=")
        token = self._next
        if token.kind != "number" or len(token.text) > len(str(MAX_NAMES)) or not 1 <= int(token.text) <= len(parts):
            raise self._expected(f"a number from 1 to {len(parts)}")
        self._at += 1
        return AtLeast(int(token.text), parts)

"""Bars as inline SVG: no script, nothing loaded, every text escaped, readable in print and by a screen reader."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from filterd.model.verdict import Action

COLOURS: Final[Mapping[str, str]] = {
    Action.ACCEPT: "#4c9a6a",
    Action.ADD_HEADER: "#a9c46c",
    Action.GREYLIST: "#9aa5b1",
    Action.DEFER: "#5f6f80",
    Action.QUARANTINE: "#e0a030",
    Action.REJECT: "#c8503c",
    Action.DISCARD: "#7d2a3a",
}
OTHER: Final = "#6a7fb0"
WIDTH: Final = 900
MARGIN: Final = 48  # left of a plot, for its numbers
FOOT: Final = 22  # below, for its labels
LABELS: Final = 12  # below a plot at most
LINE: Final = 20  # height of one bar that lies
TEXT: Final = 240  # width of the names beside bars that lie
LETTERS: Final = 34  # that fit there


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in pieces, each with its name, in their order."""

    label: str
    pieces: Sequence[tuple[str, float]]

    @property
    def total(self) -> float:
        """All pieces."""
        return sum([size for _, size in self.pieces])


def upright(title: str, bars: Sequence[Bar], *, height: int = 220) -> str:
    """Bars side by side, their pieces one on the other."""
    tallest = max([bar.total for bar in bars], default=0) or 1
    room, step = height - FOOT - 8, (WIDTH - MARGIN) / max(1, len(bars))
    shown = list(_upright(bars, room / tallest, step, room + 8))
    marks = [_text(MARGIN - 6, 8 + room, "0", "end"), _text(MARGIN - 6, 14, _short(tallest), "end")]
    return _svg(title, height, [*marks, *shown])


def _upright(bars: Sequence[Bar], scale: float, step: float, bottom: float) -> Iterator[str]:
    every = max(1, -(-len(bars) // LABELS))
    for number, bar in enumerate(bars):
        x, y = MARGIN + number * step, bottom
        for name, size in bar.pieces:
            y -= size * scale
            told = f"{bar.label}: {name} {_short(size)}" if name else f"{bar.label}: {_short(size)}"
            yield _rect(x, y, max(1.0, step * 0.85), size * scale, name, told)
        if number % every == 0:
            yield _text(x, bottom + 15, bar.label, "start")


def lying(title: str, bars: Sequence[Bar]) -> str:
    """Bars one below the other, with their names before them and their sums behind."""
    longest = max([bar.total for bar in bars], default=0) or 1
    room = WIDTH - TEXT - 70
    shown: list[str] = []
    for number, bar in enumerate(bars):
        x, y = float(TEXT), number * LINE + 2
        label = _visible(bar.label)
        label = label if len(label) <= LETTERS else f"{label[: LETTERS - 1]}…"
        shown.append(_text(TEXT - 8, y + 13, label, "end"))
        for name, size in bar.pieces:
            wide = size / longest * room
            shown.append(_rect(x, y, wide, LINE - 4, name, f"{bar.label}: {name} {_short(size)}"))
            x += wide
        shown.append(_text(x + 6, y + 13, _short(bar.total), "start"))
    return _svg(title, len(bars) * LINE + 4, shown)


def legend(names: Sequence[str]) -> str:
    """What the colours mean."""
    keys = [f'<i style="background:{_colour(name)}"></i>{clean(name)}' for name in names]
    return "".join([f'<span class="key">{key}</span>' for key in keys])


def clean(text: str) -> str:
    """Hostile text for HTML: markup is text, and what a browser obeys or hides (controls, bidi) is a visible escape."""
    return escape(_visible(text))


def _visible(text: str) -> str:
    shown = [one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode() for one in text]
    return "".join(shown)


def _svg(title: str, height: float, inside: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{clean(title)}">'
    return f"{head}<title>{clean(title)}</title>{''.join(inside)}</svg>"


def _rect(x: float, y: float, width: float, height: float, name: str, told: str) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{max(0.0, height):.1f}"'
    return f'<rect {where} fill="{_colour(name)}"><title>{clean(told)}</title></rect>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{clean(text)}</text>'


def _colour(name: str) -> str:
    return COLOURS.get(name, OTHER)


def _short(number: float) -> str:
    """A number in few letters."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{number:,.0f}" if number == int(number) else f"{number:.3g}"

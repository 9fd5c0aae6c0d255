"""Which three letters of a text are worth looking for: the rare ones of it.

The index of trigrams knows for each three letters the entries that have them. Those of ".example" stand in every entry
and rule out none, but to read that costs a tenth of a second among a million; so only those are asked for that the
newest entries hardly have. What is found is compared with the whole text afterwards.
"""

from collections.abc import Sequence
from typing import Final

LETTERS: Final = 3
MOST: Final = 4  # threes that are asked for: each further one rules out little more
SAMPLE: Final = 1_000  # newest entries whose texts say which are common


def rarest(text: str, sample: Sequence[str]) -> list[str]:
    """The threes of a text that stand in the fewest of these others, all in ASCII, lower case; [] where it has none.

    ASCII only, for the index knows other letters' cases in its own way.
    """
    lower = text.lower()
    found = dict.fromkeys([lower[at : at + LETTERS] for at in range(len(lower) - LETTERS + 1)])
    plain = [three for three in found if three.isascii() and three.isprintable()]
    joined = "\n".join(sample).lower()
    return sorted(plain, key=joined.count)[:MOST]


def match(column: str, threes: Sequence[str]) -> str:
    """What FTS5 is asked: all of these in that column."""
    quoted = ['"' + three.replace('"', '""') + '"' for three in threes]
    return f"{column} : ({' AND '.join(quoted)})"

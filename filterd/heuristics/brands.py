"""Names that impostors borrow, as data: who may use them, and where they are found in names of people and hosts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from filterd.domains import is_subdomain, registrable
from filterd.domains.confusables import plain, readable, skeleton

_SHORTEST: Final = 3  # characters of a name
_LONGEST: Final = 30
_GAPS: Final = 4  # words: a word with gaps has as many
_TEXT: Final = 200  # characters of a display name
MAX_WORDS: Final = 20  # of a display name or a host that are looked at
_WORD: Final = re.compile(r"[^\W_]+")
_PIECE: Final = re.compile(r"[^.\-_]+")
_GAPPY: Final = re.compile(r"(?<!\w)\w(?:[ .\-_*]\w){3,30}(?!\w)")
_BLANKS: Final = re.compile(r"[ .\-_*]")
# Endings under which a name mostly belongs to who is known by it; a two-letter one is a country's.
_SOLID: Final = frozenset({"com", "net", "org"})
_COUNTRY: Final = 2  # letters


@dataclass(frozen=True, slots=True)
class Brand:
    """`names` in words; `domains` are its own; a `common` name is a word or a surname as well."""

    key: str
    names: tuple[str, ...]
    domains: frozenset[str]
    common: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """A brand's name found in a text: the words as they stand there, and whether they are disguised."""

    brand: Brand
    words: str
    disguised: bool


@lru_cache(maxsize=4096)
def _look(word: str) -> str:
    """The skeleton: most mail has the same words in its hosts."""
    return skeleton(word)


@lru_cache(maxsize=4096)
def _pieces(host: str) -> tuple[str, ...]:
    """What stands between the dots and hyphens."""
    return tuple(_PIECE.findall(readable(host))[:MAX_WORDS])


class Brands:
    """All brands, by the look of their names."""

    def __init__(self, brands: tuple[Brand, ...] = ()) -> None:
        """Index them."""
        self._by_look: dict[str, tuple[Brand, str]] = {}
        for brand in brands:
            for name in brand.names:
                self._by_look[skeleton(name.replace(" ", ""))] = brand, name.replace(" ", "").lower()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._by_look)

    def named_by(self, text: str) -> list[Use]:
        """Brands that a display name speaks of: up to three words, also written as one, and letters with gaps."""
        shown = text[:_TEXT]
        text = plain(shown)
        words = _WORD.findall(text)[:MAX_WORDS]
        threes = [one + two + three for one, two, three in zip(words, words[1:], words[2:], strict=False)]
        found = self._used([*words, *[one + two for one, two in pairwise(words)], *threes])
        if text != shown:
            found = [Use(use.brand, use.words, use.disguised or use.words not in shown) for use in found]
        for match in _GAPPY.finditer(text) if len(words) >= _GAPS else ():
            joined = self._used([_BLANKS.sub("", match[0])])
            found += [Use(use.brand, match[0], disguised=True) for use in joined]
        return found

    def in_host(self, host: str) -> list[Use]:
        """Brands that a host's labels, or pieces of them between hyphens, look like."""
        return self._used(_pieces(host))

    def _used(self, words: Sequence[str]) -> list[Use]:
        known = self._by_look
        found = []
        for word in words:
            brand = known.get(_look(word)) if _SHORTEST <= len(word) <= _LONGEST else None
            if brand is not None:
                found.append(Use(brand[0], word, word.lower() != brand[1]))
        return found


def owns(brand: Brand, domain: str) -> bool:
    """Whether mail and links of the domain are the brand's own."""
    if any(is_subdomain(domain, own) for own in brand.domains):
        return True
    label, _, ending = registrable(domain).partition(".")
    plain = {name.replace(" ", "").lower() for name in brand.names}
    last = ending.rpartition(".")[2]
    return label in plain and (ending in _SOLID or len(last) == _COUNTRY)

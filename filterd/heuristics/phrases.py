"""Phrases, freemail domains and link shorteners as data: rules/phrases.toml, compiled once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import re2

from filterd.config.toml import ConfigError, parse_toml, read_text

MAX_LOOKED: Final = 100_000  # characters of text searched for phrases; spam says it at the top
_LISTS: Final = frozenset({"subject", "body", "freemail", "shorteners"})


class PhrasesError(Exception):
    """The file cannot be used; the text names it and what is wrong."""


class PhraseSet:
    """Phrases found in one linear pass, whatever their number; case is ignored, blanks match any white space."""

    def __init__(self, phrases: tuple[str, ...] = ()) -> None:
        """Compile; each phrase stands on word boundaries."""
        self._phrases = phrases
        self._set = None
        if phrases:
            options = re2.Options()
            options.case_sensitive = False
            options.never_capture = True
            self._set = re2.Set.SearchSet(options)
            for phrase in phrases:
                words = r"\s+".join([re2.escape(word) for word in phrase.split()])
                self._set.Add(rf"(?:^|\W){words}(?:\W|$)")
            self._set.Compile()

    def find(self, text: str) -> tuple[str, ...]:
        """The distinct phrases in `text`, in the file's order."""
        if self._set is None or not text:
            return ()
        # Lone surrogates cannot be handed to the engine.
        clean = text[:MAX_LOOKED] if text.isascii() else text[:MAX_LOOKED].encode("utf-8", "replace").decode()
        return tuple([self._phrases[index] for index in sorted(self._set.Match(clean) or ())])


@dataclass(frozen=True, slots=True)
class Phrases:
    """All lists of the file; empty ones never match."""

    subject: PhraseSet = field(default_factory=PhraseSet)
    body: PhraseSet = field(default_factory=PhraseSet)
    freemail: frozenset[str] = frozenset()
    shorteners: frozenset[str] = frozenset()


def load_phrases(path: Path) -> Phrases:
    """Read the file. PhrasesError names the file, the key and what was expected."""
    try:
        data = parse_toml(path, read_text(path))
    except ConfigError as error:
        raise PhrasesError(str(error)) from error
    lists: dict[str, tuple[str, ...]] = dict.fromkeys(_LISTS, ())
    for key, value in data.items():
        if key not in _LISTS:
            raise PhrasesError(f"{path}: {key}: unknown key, expected one of {', '.join(sorted(_LISTS))}")
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise PhrasesError(f"{path}: {key}: expected a list of texts")
        lists[key] = tuple(value)
    return Phrases(
        PhraseSet(lists["subject"]),
        PhraseSet(lists["body"]),
        frozenset([item.lower() for item in lists["freemail"]]),
        frozenset([item.lower() for item in lists["shorteners"]]),
    )

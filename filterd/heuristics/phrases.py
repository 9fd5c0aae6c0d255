"""What heuristics know as data: phrases, brands, freemail domains and kinds of hosts, files of the rules directory.

Beside rules/phrases.toml lie brands.toml, freemail.toml and hosts.toml. They are read and compiled once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

import re2

from filterd.config.toml import ConfigError, parse_toml, read_text
from filterd.domains.confusables import skeleton
from filterd.heuristics.brands import Brand, Brands

MAX_LOOKED: Final = 20_000  # characters of text searched for phrases; spam says it at the top
MAX_FOUND: Final = 200  # phrases, also the same one over and over
_MEMORY: Final = 64 << 20  # bytes that one compiled set may use; the states it has found so far are kept there
_WORD_LISTS: Final = ("subject", "roles")
HOST_KINDS: Final = ("shorteners", "hosting", "redirectors", "pictures", "endings")


class PhrasesError(Exception):
    """The file cannot be used; the text names it and what is wrong."""


class PhraseSet:
    """Phrases found in one linear pass, whatever their number; case is ignored, blanks match any white space.

    Where one phrase is a part of another or overlaps it, the first and longest is found.
    """

    def __init__(self, phrases: Mapping[str, str] | None = None) -> None:
        """Compile; each phrase stands on word boundaries, and has a kind (or another word to report) beside it."""
        self._kinds = {_joined(phrase): kind for phrase, kind in (phrases or {}).items()}
        self._pattern = None
        if phrases:
            options = re2.Options()
            options.case_sensitive = False
            options.never_capture = True
            options.longest_match = True
            options.max_mem = _MEMORY
            words = [r"\s+".join([re2.escape(word) for word in phrase.split()]) for phrase in phrases]
            self._pattern = re2.compile(rf"\b(?:{'|'.join(words)})\b", options)
            self.find("\n".join(phrases))  # builds states that every inspector then has from its fork

    def find(self, text: str) -> tuple[str, ...]:
        """The distinct phrases in `text`, in the order in which they stand there."""
        if self._pattern is None or not text:
            return ()
        # As bytes: lone surrogates cannot be handed to the engine, and offsets need no reckoning.
        data = text[:MAX_LOOKED].encode("utf-8", "replace")
        found = [match[0] for match in islice(self._pattern.finditer(data), MAX_FOUND)]
        return tuple(dict.fromkeys([_joined(phrase.decode("utf-8", "replace")) for phrase in found]))

    def by_kind(self, text: str) -> dict[str, tuple[str, ...]]:
        """The distinct phrases in `text` under their kinds."""
        found: dict[str, tuple[str, ...]] = {}
        for phrase in self.find(text):
            kind = self._kinds.get(phrase, "")
            found[kind] = (*found.get(kind, ()), phrase)
        return found


def _joined(phrase: str) -> str:
    """A phrase as it is told from others: lower case, one blank between words."""
    return " ".join(phrase.lower().split())


class Hosts:
    """Names of hosts and domains under the kinds of HOST_KINDS. What lies below a name is of its kind."""

    def __init__(self, names: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """Take the names of each kind."""
        self._kinds: dict[str, tuple[str, ...]] = {}
        for kind, listed in (names or {}).items():
            for name in listed:
                self._kinds[name] = (*self._kinds.get(name, ()), kind)

    def kinds(self, host: str) -> Iterator[str]:
        """The kinds of a normalised name, perhaps one of them twice."""
        place = -1
        while True:
            yield from self._kinds.get(host[place + 1 :], ())
            place = host.find(".", place + 1)
            if place < 0:
                return


@dataclass(frozen=True, slots=True)
class Phrases:
    """All lists; empty ones never match.

    `alike` has the phrases of `subject` in the form of skeleton(). `languages` are those the operator reads, empty for
    all.
    """

    subject: PhraseSet = field(default_factory=PhraseSet)
    alike: PhraseSet = field(default_factory=PhraseSet)
    body: PhraseSet = field(default_factory=PhraseSet)
    roles: frozenset[str] = frozenset()
    freemail: frozenset[str] = frozenset()
    hosts: Hosts = field(default_factory=Hosts)
    brands: Brands = field(default_factory=Brands)
    languages: frozenset[str] = frozenset()


def load_phrases(path: Path) -> Phrases:
    """Read phrases.toml and the files beside it. PhrasesError names the file, the key and what was expected."""
    data = _read(path)
    lists = {key: _texts(path, key, data.pop(key, [])) for key in _WORD_LISTS}
    body = data.pop("body", {})
    if data:
        _refuse(path, next(iter(data)), f"unknown key, expected one of body, {', '.join(_WORD_LISTS)}")
    kinds = _tables(path, "body", body)
    return Phrases(
        PhraseSet(dict.fromkeys(lists["subject"], "")),
        PhraseSet({skeleton(phrase): phrase for phrase in lists["subject"]}),
        PhraseSet({phrase: kind for kind, phrases in kinds.items() for phrase in phrases}),
        frozenset([word.lower() for word in lists["roles"]]),
        _freemail(path.with_name("freemail.toml")),
        _hosts(path.with_name("hosts.toml")),
        _brands(path.with_name("brands.toml")),
    )


def _freemail(path: Path) -> frozenset[str]:
    data = _beside(path)
    domains = _texts(path, "domains", data.pop("domains", []))
    if data:
        _refuse(path, next(iter(data)), "unknown key, expected domains")
    return frozenset([name.lower() for name in domains])


def _hosts(path: Path) -> Hosts:
    data = _beside(path)
    for key in data:
        if key not in HOST_KINDS:
            _refuse(path, key, f"unknown key, expected one of {', '.join(HOST_KINDS)}")
    return Hosts({key: tuple([name.lower() for name in _texts(path, key, value)]) for key, value in data.items()})


def _brands(path: Path) -> Brands:
    brands = []
    for name, table in _beside(path).items():
        if not isinstance(table, dict) or not table.keys() <= {"names", "domains", "common"}:
            _refuse(path, name, "expected a table with names, domains and perhaps common")
        common = table.get("common", False)
        if not isinstance(common, bool):
            _refuse(path, f"{name}.common", "expected true or false")
        names = _texts(path, f"{name}.names", table.get("names", [name]))
        domains = _texts(path, f"{name}.domains", table.get("domains"))
        brands.append(Brand(name, names, frozenset([domain.lower() for domain in domains]), common))
    return Brands(tuple(brands))


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(path, read_text(path))
    except ConfigError as error:
        raise PhrasesError(str(error)) from error


def _beside(path: Path) -> dict[str, Any]:
    """A file that may be missing."""
    return _read(path) if path.exists() else {}


def _tables(path: Path, name: str, value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        _refuse(path, name, "expected a table of lists")
    return {kind: _texts(path, f"{name}.{kind}", phrases) for kind, phrases in value.items()}


def _texts(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        _refuse(path, key, "expected a list of texts")
    return tuple(value)


def _refuse(path: Path, key: str, what: str) -> NoReturn:
    raise PhrasesError(f"{path}: {key}: {what}")

"""Finding a part of a text by the index of trigrams, among more entries than are looked through."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import EntryFilter, Quarantine, ledger
from filterd.quarantine.threes import MOST, rarest
from tests.quarantine.samples import evidence, identifier, raw, whole

SUBJECTS = (
    "Invoice 4711",
    'say "hello" AND (NOT) * OR ^x',
    "100% off_everything",
    "Überweisung für Größe",
    "ПРИВЕТ мир",
    "日本語の件名です",
    "a\\b\\c",
    "-- ; DROP TABLE entries",
    "tab\tand\u200bnothing",
    "",
)


@pytest.fixture
def quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Quarantine]:
    """Messages with these subjects, of which only the newest is looked through without the index."""
    monkeypatch.setattr(ledger, "RECENT", 1)
    with closing(Quarantine(tmp_path / "quarantine")) as made:
        for number, subject in enumerate(SUBJECTS):
            body = b"%d" % number
            with raw(body) as message:
                made.hold(evidence(number, whole(body), subject=subject), message)
        yield made


@pytest.mark.parametrize("subject", [one for one in SUBJECTS if one])
def test_finds_parts(quarantine: Quarantine, subject: str) -> None:
    """Each part of a subject finds it, and finds nothing that has not got it; letters of ASCII in any case."""
    for begin in range(len(subject)):
        for end in range(begin + 1, min(len(subject), begin + 9) + 1):
            part = subject[begin:end]
            wanted = {identifier(number) for number, other in enumerate(SUBJECTS) if _has(other, part)}
            assert {entry.id for entry in quarantine.entries(EntryFilter(subject=part))} == wanted


def _has(text: str, part: str) -> bool:
    """As SQLite compares: only letters of ASCII have a case."""
    return _lower(part) in _lower(text)


def _lower(text: str) -> str:
    return "".join([letter.lower() if letter.isascii() else letter for letter in text])


def test_rare_ones_are_asked_for() -> None:
    """Of a domain's name what is common to all of them is not asked for."""
    sample = [f"someone@d{number}.example" for number in range(500)]
    found = rarest("@d777.example", sample)
    assert len(found) == MOST
    assert {"exa", "xam", "amp", "mpl", "ple"}.isdisjoint(found)

"""Finding a part of a text by the index of trigrams, among more entries than are looked through."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Actor, EntryFilter, Quarantine, ledger, searching
from filterd.quarantine.threes import MOST, rarest
from tests.quarantine.samples import evidence, identifier, raw, whole

ME = Actor("me")
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


@pytest.fixture(params=[0, 5, len(SUBJECTS)], ids=["none indexed", "some", "all"])
def quarantine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Quarantine]:
    """Messages with these subjects, of which only the newest is looked through in any case."""
    monkeypatch.setattr(ledger, "RECENT", 1)
    with closing(Quarantine(tmp_path / "quarantine")) as made:
        for number, subject in enumerate(SUBJECTS):
            if number == request.param:
                made.index()
            hold(made, number, subject)
        if request.param == len(SUBJECTS):
            made.index()
        yield made


def hold(quarantine: Quarantine, number: int, subject: str) -> None:
    """One more."""
    body = b"%d" % number
    with raw(body) as message:
        quarantine.hold(evidence(number, whole(body), subject=subject), message)


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


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Quarantine]:
    """No message, and small bites for the index."""
    monkeypatch.setattr(ledger, "RECENT", 0)
    monkeypatch.setattr(searching.index, "__defaults__", (2,))
    with closing(Quarantine(tmp_path / "quarantine")) as made:
        yield made


def test_removed_before_and_after_indexing(empty: Quarantine, tmp_path: Path) -> None:
    """What is purged before it was indexed, or after, leaves an index that is sound, and numbers given again are found.

    An entry's number is given to the next one when the newest was purged.
    """
    for number in range(5):
        hold(empty, number, f"subject{number}")
    for purged in (4, 1):
        empty.purge(identifier(purged), ME, "asked")
    empty.index()
    for number in (5, 6):
        hold(empty, number, f"subject{number}")
    empty.index()
    for purged in (6, 5, 0):
        empty.purge(identifier(purged), ME, "asked")
    hold(empty, 7, "subject7")
    for _ in range(2):
        found = {number for number in range(8) if empty.entries(EntryFilter(subject=f"subject{number}"))}
        assert found == {2, 3, 7}
        empty.index()
    with closing(sqlite3.connect(tmp_path / "quarantine" / "ledger.sqlite")) as connection, connection:
        connection.execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")


def test_pages_over_both(empty: Quarantine) -> None:
    """A page holds what is indexed and what is not, newest first, and the next one begins behind it."""
    for number in range(6):
        hold(empty, number, "common words")
        if number == 3:
            empty.index()
    wanted = EntryFilter(subject="common")
    first = empty.entries(wanted, limit=4)
    second = empty.entries(wanted, before=first[-1].id, limit=4)
    assert [entry.id for entry in (*first, *second)] == [identifier(number) for number in (5, 4, 3, 2, 1, 0)]

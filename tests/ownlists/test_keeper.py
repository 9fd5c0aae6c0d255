"""The lists in the shared state: changed one after the other, seen by all, kept where the store fails or forgets."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.ownlists import ChangeError, Document, DocumentError, Entry, Kind, OwnLists, Which, change, read
from filterd.ownlists.changing import ALL, LOCK, VERSION
from filterd.ownlists.document import MAX_CHANGES, MAX_ENTRIES, Change, decode, encode
from filterd.ownlists.keeper import read_copy, write_copy
from filterd.store import MemoryStore
from filterd.store.writes import BatchStore


def entry(number: int) -> Entry:
    """One of many."""
    return Entry(Which.BLOCK, Kind.IP, f"192.0.{number // 256}.{number % 256}/32", "spam", "op")


def put(store: BatchStore, number: int, copy: Document | None = None) -> Document:
    """Add that entry."""
    return change(store, copy, lambda old: replace(old, entries=(*old.entries, entry(number))))


def names(lists: OwnLists) -> list[str]:
    """The names of what is in force."""
    return [one.name for one in lists.book().entries]


def test_seen_by_others(store: BatchStore) -> None:
    """What one process adds another has with its next look, and not before."""
    lists = OwnLists(store)
    put(store, 1)
    assert names(lists) == []
    assert lists.refresh()
    put(store, 2)
    assert (names(lists), lists.refresh(), names(lists)) == (["192.0.0.1/32"], True, ["192.0.0.1/32", "192.0.0.2/32"])


def test_nobody_is_overwritten(store: BatchStore) -> None:
    """Changes by several commands at the same time all count."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: put(store, number), range(8)))
    found = read(store)
    assert found is not None
    assert (found.version, {one.name for one in found.entries}) == (8, {entry(number).name for number in range(8)})


def test_removed_for_all(store: BatchStore) -> None:
    """The last entry's removal is a change too: an empty list is not a list that is lost."""
    lists = OwnLists(store)
    put(store, 1)
    lists.refresh()
    change(store, None, lambda old: replace(old, entries=()))
    lists.refresh()
    assert (names(lists), lists.version) == ([], 2)


@pytest.mark.threat("RES-03")
def test_the_store_is_silent(tmp_path: Path) -> None:
    """What was in force stays, also for a front that starts meanwhile; each failed look is counted."""
    store, failed = MemoryStore(), [0]

    def count() -> None:
        failed[0] += 1

    lists = OwnLists(store, tmp_path / "lists.json", failed=count)
    put(store, 1)
    lists.refresh()
    store.fail = True
    assert [lists.refresh(), lists.refresh()] == [False, False]
    started = OwnLists(store, tmp_path / "lists.json", failed=count)
    assert not started.refresh()
    assert (names(lists), names(started), failed) == (["192.0.0.1/32"], ["192.0.0.1/32"], [3])
    with pytest.raises(ChangeError, match="shared state cannot be used"):
        put(store, 2)


@pytest.mark.threat("RES-03")
def test_the_store_forgets(store: BatchStore, tmp_path: Path) -> None:
    """A store that has lost its data is told again by whoever still knows; nothing vanishes meanwhile."""
    lists = OwnLists(store, tmp_path / "lists.json")
    put(store, 1)
    lists.refresh()
    for key in (ALL, VERSION):
        store.delete(key)
    assert lists.refresh()
    found = read(store)
    assert found is not None
    assert (names(lists), found.entries, found.version) == (["192.0.0.1/32"], (entry(1),), 1)


def test_a_change_after_a_loss(store: BatchStore, tmp_path: Path) -> None:
    """Where the store has lost its data a change goes out from this machine's copy."""
    write_copy(tmp_path / "lists.json", Document(7, (entry(1),)))
    found = put(store, 2, read_copy(tmp_path / "lists.json"))
    assert (found.version, found.entries) == (8, (entry(1), entry(2)))


def test_an_older_store(store: BatchStore) -> None:
    """A store that was put back to an older state does not bring back what was removed since."""
    lists = OwnLists(store)
    older = put(store, 1)
    change(store, None, lambda old: replace(old, entries=()))
    lists.refresh()
    store.put(ALL, encode(older), 60)
    store.put(VERSION, b"1", 60)
    lists.refresh()
    assert (names(lists), read(store)) == ([], Document(2))


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'{"version": 9, "entries": [1]}', b"\xff", b"[" * 100_000])
def test_somebody_else_wrote_there(raw: bytes) -> None:
    """What is no document of ours leaves what is in force, and no change is made on top of it."""
    store = MemoryStore()
    lists = OwnLists(store)
    put(store, 1)
    lists.refresh()
    store.put(ALL, raw, 60)
    store.put(VERSION, b"9", 60)
    lists.refresh()
    assert names(lists) == ["192.0.0.1/32"]


@pytest.mark.parametrize("version", [b"x", b"", b"-1", "²".encode(), b"9" * 5_000])
def test_a_version_that_is_none(version: bytes) -> None:
    """It is taken for none: the store is told again."""
    store = MemoryStore()
    lists = OwnLists(store)
    put(store, 1)
    lists.refresh()
    store.put(VERSION, version, 60)
    lists.refresh()
    assert names(lists) == ["192.0.0.1/32"]
    assert store.get_many([VERSION]) == [b"1"]


def test_entries_that_were_tampered_with() -> None:
    """An entry that no command writes makes the whole document none: everybody is never allowed by accident."""
    for name in ("0.0.0.0/0", "192.0.2.1", "x"):
        with pytest.raises(DocumentError):
            decode(encode(Document(1, (Entry(Which.ALLOW, Kind.IP, name),))))


def test_too_many() -> None:
    """More entries than are kept are refused, and nothing is changed."""
    store = MemoryStore()
    many = tuple(map(entry, range(MAX_ENTRIES + 1)))
    with pytest.raises(ChangeError, match="at most"):
        change(store, None, lambda _: Document(0, many))
    assert store.get_many([ALL, VERSION, LOCK]) == [None, None, None]


def test_history_is_bounded() -> None:
    """The newest changes are kept."""
    store = MemoryStore()
    did = tuple([Change(float(number), "op", "", "add", entry(number)) for number in range(MAX_CHANGES + 5)])
    found = change(store, None, lambda _: Document(0, (), did))
    assert [found.changes[0].at, found.changes[-1].at, len(found.changes)] == [5.0, MAX_CHANGES + 4.0, MAX_CHANGES]


def test_somebody_else_is_at_it() -> None:
    """Who does not get the lease in time says so and changes nothing."""
    store = MemoryStore()
    store.put(LOCK, b"1", 60)
    with pytest.raises(ChangeError, match="somebody else"):
        change(store, None, lambda old: old, sleep=lambda _: None)


def test_a_copy_that_cannot_be_kept(tmp_path: Path) -> None:
    """Without a folder for the copy the lists are in force all the same."""
    store = MemoryStore()
    lists = OwnLists(store, tmp_path / "none" / "lists.json")
    put(store, 1)
    assert lists.refresh()
    assert names(lists) == ["192.0.0.1/32"]


@pytest.mark.parametrize("raw", [b"", b"x", b'{"version": 1, "entries": 3}'])
def test_a_broken_copy(tmp_path: Path, raw: bytes) -> None:
    """A copy that cannot be read is none."""
    (tmp_path / "lists.json").write_bytes(raw)
    assert read_copy(tmp_path / "lists.json") is None
    os.mkfifo(tmp_path / "pipe")
    assert read_copy(tmp_path) is None


def test_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once started it looks at once, and again and again."""
    monkeypatch.setattr("filterd.ownlists.keeper.FRESH", 0.005)
    store, seen = MemoryStore(), threading.Event()
    put(store, 1)
    lists = OwnLists(store)
    lists.start()
    try:
        assert names(lists) == ["192.0.0.1/32"]
        put(store, 2)
        while len(names(lists)) < 2:
            seen.wait(0.005)
    finally:
        lists.close()

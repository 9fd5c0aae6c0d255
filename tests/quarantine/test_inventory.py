"""Finding and mending what crashes and strange hands leave in a quarantine."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.inventory import Kind
from tests.quarantine.samples import evidence, identifier, raw, whole

ME = Actor("me")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A quarantine with two held messages."""
    folder = tmp_path / "quarantine"
    with closing(Quarantine(folder)) as made:
        for number in range(2):
            body = b"%d" % number
            with raw(body) as message:
                made.hold(evidence(number, whole(body)), message)
    return folder


@pytest.fixture
def quarantine(root: Path) -> Iterator[Quarantine]:
    """Opened."""
    with closing(Quarantine(root)) as made:
        yield made


def found(quarantine: Quarantine, *, contents: bool = False, mend: bool = False) -> list[tuple[Kind, str, str]]:
    """What is wrong, and what was done about it."""
    inventory = quarantine.inventory()
    return [
        (one.kind, one.name, inventory.mend(one, ME, time.time()) if mend else "")
        for one in list(inventory.problems(contents=contents))
    ]


def blob(root: Path, number: int) -> Path:
    """The file of a message."""
    return next(root.glob(f"blobs/*/{evidence(number, whole(b'%d' % number)).sha256}"))


def test_nothing_wrong(quarantine: Quarantine) -> None:
    """A sound quarantine has no problems."""
    assert found(quarantine, contents=True) == []


@pytest.mark.threat("RES-05")
def test_lost_ledger(root: Path) -> None:
    """A ledger that is lost is made again from the files: every message is held again, as it was."""
    with closing(Quarantine(root)) as before:
        entries = before.entries()
    for path in root.glob("ledger.sqlite*"):
        path.unlink()
    with closing(Quarantine(root)) as quarantine:
        mended = found(quarantine, mend=True)
        assert sorted(mended) == [(Kind.UNLISTED, identifier(number), "held again") for number in range(2)]
        assert [(one.id, one.digest, one.subject, one.state) for one in quarantine.entries()] == [
            (one.id, one.digest, one.subject, one.state) for one in entries
        ]
        assert found(quarantine, contents=True) == []


@pytest.mark.threat("QUA-01")
def test_crash_before_the_commit(quarantine: Quarantine, root: Path) -> None:
    """A message whose evidence a crash did not leave is an orphan, and goes."""
    (root / "blobs" / "ab").mkdir(mode=0o700, exist_ok=True)
    orphan = root / "blobs" / "ab" / f"ab{'0' * 62}"
    orphan.write_bytes(b"x")
    assert found(quarantine, mend=True) == [(Kind.ORPHAN, orphan.name, "removed")]
    assert not orphan.exists()
    assert found(quarantine) == []


@pytest.mark.threat("QUA-12")
@pytest.mark.parametrize("way", ["purge", "sweep"])
def test_crash_in_a_removal(quarantine: Quarantine, root: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A removal that died between its commit and its files is finished: nothing comes back."""

    class DiedError(Exception):
        """As a kill."""

    def dies(*_: object) -> None:
        raise DiedError

    quarantine.delete(identifier(0), ME)
    acts: dict[str, Callable[[], object]] = {
        "purge": lambda: quarantine.purge(identifier(0), ME, "address sha256 00"),
        "sweep": lambda: quarantine.sweep(time.time() + 1),
    }
    with monkeypatch.context() as patch:
        patch.setattr(quarantine._files, "_unlink", dies)
        with pytest.raises(DiedError):
            acts[way]()
    path = blob(root, 0)
    assert found(quarantine, mend=True) == [(Kind.LEFT, identifier(0), "removed")]
    assert not path.exists()
    assert [one.id for one in quarantine.entries(EntryFilter(state=State.HELD))] == [identifier(1)]
    assert found(quarantine) == []


@pytest.mark.parametrize("what", ["evidence", "message"])
def test_files_taken_away(quarantine: Quarantine, root: Path, what: str) -> None:
    """An entry whose files somebody has taken is said, and cannot be mended."""
    path = root / "evidence" / f"{identifier(0)}.json" if what == "evidence" else blob(root, 0)
    path.unlink()
    assert found(quarantine, mend=True) == [(Kind.GONE, identifier(0), "")]


def test_altered(quarantine: Quarantine, root: Path) -> None:
    """A message whose bytes have changed is found where contents are read."""
    path = blob(root, 0)
    with path.open("r+b") as file:
        file.write(b"X")
    assert found(quarantine) == []
    assert found(quarantine, contents=True) == [(Kind.ALTERED, path.name, "")]


def test_strange_files(quarantine: Quarantine, root: Path) -> None:
    """Evidence that cannot be read is said and left alone."""
    (root / "evidence" / "x.json").write_bytes(b"{")
    path = root / "evidence" / f"{identifier(7)}.json"
    path.write_bytes(os.urandom(30))
    assert sorted(one[:2] for one in found(quarantine, mend=True)) == [
        (Kind.UNREADABLE, identifier(7)),
        (Kind.UNREADABLE, "x"),
    ]
    assert path.exists()

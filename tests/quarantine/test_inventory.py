"""Finding and mending what crashes and strange hands leave in a quarantine."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.evidence import encode
from filterd.quarantine.inventory import Kind
from filterd.quarantine.local import LocalFiles
from filterd.quarantine.segments import SECTOR, Record, Slot
from filterd.quarantine.segments import Kind as Content
from filterd.quarantine.spool import SMALL
from tests.quarantine.kept import kept
from tests.quarantine.samples import evidence, identifier, raw, whole

ME = Actor("me")


def body(size: str, number: int) -> bytes:
    """A small one is in a segment, a large one in a file."""
    return b"%d" % number * (1 if size == "small" else SMALL + 1)


def digest(size: str, number: int) -> str:
    """Of the whole message."""
    return evidence(number, whole(body(size, number))).sha256


@pytest.fixture(params=["small", "large"])
def size(request: pytest.FixtureRequest) -> str:
    """Of both messages."""
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path, size: str) -> Path:
    """A quarantine with two held messages."""
    folder = tmp_path / "quarantine"
    with closing(Quarantine(folder)) as made:
        for number in range(2):
            with raw(body(size, number)) as message:
                made.hold(evidence(number, whole(body(size, number))), message)
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


def wreck(quarantine: Quarantine, what: str) -> None:
    """Take away, or alter, the message or the evidence of the first entry."""
    files = quarantine._files
    assert isinstance(files, LocalFiles)
    found = files._of_entry(identifier(0))
    assert found is not None
    slot = found.record if what == "evidence" else found.body
    if slot:
        at = Slot.of(slot)
        path, offset = files._root / "segments" / at.segment, at.offset + at.length - 1
    else:
        path, offset = files.loose.blobs.path(found.sha256), 0
        if what == "evidence":
            path = files._root / "evidence" / f"{identifier(0)}.json"
    if what == "altered":
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(b"X")
    elif slot:
        files.spool.segments.erase(Slot.of(slot))
    else:
        path.unlink()


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
@pytest.mark.parametrize("after", ["verify", "sweep"])
def test_crash_in_a_removal(quarantine: Quarantine, root: Path, size: str, way: str, after: str) -> None:
    """A removal that died between its commit and its files is finished: nothing comes back, no record stays."""
    quarantine.delete(identifier(0), ME)
    acts: dict[str, Callable[[], object]] = {
        "purge": lambda: quarantine.purge(identifier(0), ME, "address sha256 00"),
        "sweep": lambda: quarantine.sweep(time.time() + 1),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_unlink", "_erase"):
            patch.setattr(quarantine._files, name, dies)
        with pytest.raises(DiedError):
            acts[way]()
    if size == "large":
        assert found(quarantine, mend=True) == [(Kind.LEFT, identifier(0), "removed")]
    elif after == "sweep":
        assert quarantine.sweep(0) == 0
    else:
        assert found(quarantine, mend=True) == []  # the ledger knows that it is to go
        quarantine.sweep(0)
    assert len(kept(root)) == 2
    assert [one.id for one in quarantine.entries(EntryFilter(state=State.HELD))] == [identifier(1)]
    assert found(quarantine) == []


class DiedError(Exception):
    """As a kill."""


def dies(*_: object) -> None:
    """In place of what removes files."""
    raise DiedError


@pytest.mark.parametrize("what", ["evidence", "message"])
def test_files_taken_away(quarantine: Quarantine, what: str) -> None:
    """An entry whose files somebody has taken is said, and cannot be mended."""
    wreck(quarantine, what)
    assert found(quarantine, mend=True) == [(Kind.GONE, identifier(0), "")]


def test_altered(quarantine: Quarantine, size: str) -> None:
    """A message whose bytes have changed is found where contents are read."""
    wreck(quarantine, "altered")
    assert found(quarantine) == []
    assert found(quarantine, contents=True) == [(Kind.ALTERED, digest(size, 0), "")]


@pytest.mark.threat("QUA-01")
def test_crash_before_the_commit_of_a_small_one(quarantine: Quarantine, root: Path) -> None:
    """Records that were written and never committed: with both the message is held, a message alone goes."""
    files = quarantine._files
    assert isinstance(files, LocalFiles)
    given = evidence(7, whole(b"7"))
    message = Record(Content.MESSAGE, "", bytes.fromhex(given.sha256), whole(b"7"))
    files.spool.segments.write([message])
    assert found(quarantine, mend=True) == [(Kind.ORPHAN, given.sha256, "removed")]
    encoded = encode(given)
    files.spool.segments.write([message, Record(Content.EVIDENCE, given.id, hashlib.sha256(encoded).digest(), encoded)])
    assert found(quarantine, mend=True) == [(Kind.UNLISTED, given.id, "held again")]
    assert found(quarantine, contents=True) == []
    assert quarantine.evidence(given.id) == given
    with quarantine.open_raw(given.id) as stored:
        assert stored.read() == whole(b"7")
    assert len(kept(root)) == 6


@pytest.mark.threat("QUA-01")
@pytest.mark.parametrize("gap", ["message", "evidence"])
def test_power_cut_in_a_write(quarantine: Quarantine, root: Path, gap: str) -> None:
    """Records of which the disk has got a part before the host stopped are not held again, they go."""
    files = quarantine._files
    assert isinstance(files, LocalFiles)
    segments = files.spool.segments
    body = b"7" * 20_000
    given = evidence(7, whole(body))
    encoded = encode(given)
    message = Record(Content.MESSAGE, "", bytes.fromhex(given.sha256), whole(body))
    slots = segments.write(
        [message, Record(Content.EVIDENCE, given.id, hashlib.sha256(encoded).digest(), encoded)],
    )
    slot = slots[gap == "evidence"]
    with (root / "segments" / slot.segment).open("r+b") as file:
        file.seek(slot.offset + SECTOR)
        file.write(bytes(SECTOR))
    first = {
        "message": [(Kind.UNLISTED, given.id, "removed")],
        "evidence": [(Kind.LEFT, given.id, "removed"), (Kind.ORPHAN, given.sha256, "removed")],
    }
    assert found(quarantine, mend=True) == first[gap]
    assert found(quarantine, mend=True) == [(Kind.ORPHAN, given.sha256, "removed")] * (gap == "message")
    assert found(quarantine, contents=True) == []
    assert len(quarantine.entries()) == 2


def test_altered_before_it_was_listed(quarantine: Quarantine, root: Path) -> None:
    """A message without an entry whose bytes have changed is neither held again nor removed: it is said."""
    files = quarantine._files
    assert isinstance(files, LocalFiles)
    given = evidence(7, whole(b"7"))
    encoded = encode(given)
    message = Record(Content.MESSAGE, "", bytes.fromhex(given.sha256), whole(b"8"))
    files.spool.segments.write([message, Record(Content.EVIDENCE, given.id, hashlib.sha256(encoded).digest(), encoded)])
    assert found(quarantine, mend=True) == [(Kind.UNLISTED, given.id, "")]
    assert len(kept(root)) == 6


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

"""A copy of a quarantine in use: its ledger names exactly what is in it."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Actor, Quarantine
from filterd.quarantine.copying import LEDGER, QuarantineCopy
from filterd.quarantine.inventory import Kind
from filterd.quarantine.local import LocalFiles
from filterd.quarantine.segments import Slot
from filterd.quarantine.spool import SMALL
from filterd.quarantine.whereabouts import of_entry
from tests.quarantine.samples import evidence, identifier, raw, whole

ME = Actor("me")
SCHEMAS = Path(__file__).parent / "schemas"


def body(size: str, number: int) -> bytes:
    """A small one is in a segment, a large one in a file; each has its own letters."""
    return bytes([97 + number]) * (1_000 if size == "small" else SMALL + 1)


def hold(quarantine: Quarantine, size: str, number: int) -> None:
    """Hold one message."""
    content = body(size, number)
    with raw(content) as message:
        quarantine.hold(evidence(number, whole(content)), message)


@pytest.fixture(params=["small", "large"])
def size(request: pytest.FixtureRequest) -> str:
    """Of all messages."""
    return str(request.param)


@pytest.fixture
def live(tmp_path: Path, size: str) -> Iterator[Quarantine]:
    """A quarantine with three messages."""
    with closing(Quarantine(tmp_path / "live")) as made:
        for number in range(3):
            hold(made, size, number)
        yield made


def nothing() -> None:
    """Happens meanwhile."""


def copied(tmp_path: Path, meanwhile: Callable[[], None] = nothing, at: int = 0) -> QuarantineCopy:
    """Copy it into the folder `copy`; something happens when the ledger and so many chunks of files were copied."""
    root = tmp_path / "copy"
    root.mkdir(mode=0o700)
    copy = QuarantineCopy(tmp_path / "live", root / LEDGER, os.fsync)
    copy.take_ledger(lambda _done, _whole: None)
    chunks = 0
    for piece in copy.pieces():
        path = root / piece.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in piece.chunks:
                if chunks == at:
                    meanwhile()
                file.write(chunk)
                chunks += 1
        assert path.stat().st_size == piece.size
    copy.settle(ME, 0.0)
    for name in copy.unneeded:
        (root / name).unlink(missing_ok=True)
    return copy


def problems(tmp_path: Path) -> list[Kind]:
    """What is wrong with the copy."""
    with closing(Quarantine(tmp_path / "copy")) as quarantine:
        assert quarantine.verify_audit().broken is None
        return [problem.kind for problem in quarantine.inventory().problems(contents=True)]


def bytes_of(tmp_path: Path) -> bytes:
    """All bytes of the copy's files but the ledger's."""
    paths = [path for path in (tmp_path / "copy").rglob("*") if path.is_file() and not path.name.startswith("ledger")]
    return b"".join([path.read_bytes() for path in sorted(paths)])


def test_all_is_there(tmp_path: Path, live: Quarantine, size: str) -> None:
    """Every message reads back byte for byte with its evidence, and verify finds nothing wrong."""
    copy = copied(tmp_path)
    assert (copy.entries, copy.left_out, copy.damaged) == (3, [], [])
    assert problems(tmp_path) == []
    with closing(Quarantine(tmp_path / "copy")) as quarantine:
        for number in range(3):
            with quarantine.open_raw(identifier(number)) as stored:
                assert stored.read() == whole(body(size, number))
            assert quarantine.evidence(identifier(number)) == live.evidence(identifier(number))


@pytest.mark.threat("QUA-12")
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_purged(tmp_path: Path, live: Quarantine, size: str, when: str) -> None:
    """What is purged before or while the copy is made is not in it: no byte, and no entry."""

    def purge() -> None:
        assert live.purge(identifier(1), ME, "asked for")

    if when == "before":
        purge()
    copy = copied(tmp_path, nothing if when == "before" else purge)
    assert copy.left_out == ([] if when == "before" else [identifier(1)])
    assert copy.damaged == []
    assert problems(tmp_path) == []
    assert body(size, 1) not in bytes_of(tmp_path)
    with closing(Quarantine(tmp_path / "copy")) as quarantine:
        assert quarantine.entry(identifier(1)) is None
        assert [row.action for row in quarantine.audit(identifier(1))][-1] == "purge"


@pytest.mark.parametrize("at", range(1, 8))
def test_purged_in_the_middle(tmp_path: Path, live: Quarantine, at: int) -> None:
    """Whatever was copied of a message that is purged then, the copy is sound, and no listing of it has the message.

    Either it was copied whole before, or nothing of it is left but the audit.
    """
    copy = copied(tmp_path, lambda: require(live.purge(identifier(1), ME, "asked for")), at)
    assert copy.damaged == []
    assert problems(tmp_path) == []
    with closing(Quarantine(tmp_path / "copy")) as quarantine:
        listed = quarantine.entry(identifier(1)) is not None
        assert listed == (copy.left_out == [])
        quarantine.sweep(0.0)
    assert problems(tmp_path) == []


def require(done: bool) -> None:  # noqa: FBT001  # what a command has said
    """It was done."""
    assert done


def test_swept_meanwhile(tmp_path: Path, live: Quarantine) -> None:
    """An entry whose files are swept meanwhile is in the copy as one without them."""
    live.delete(identifier(1), ME)

    def sweep() -> None:
        assert live.sweep(2e12) == 1

    copy = copied(tmp_path, sweep)
    assert copy.left_out == [identifier(1)]
    assert problems(tmp_path) == []
    with closing(Quarantine(tmp_path / "copy")) as quarantine:
        entry = quarantine.entry(identifier(1))
        assert entry is not None
        assert not entry.files


def test_held_meanwhile(tmp_path: Path, live: Quarantine, size: str) -> None:
    """What is held after the ledger was copied is in none of the copy."""
    copy = copied(tmp_path, lambda: hold(live, size, 3))
    assert copy.entries == 3
    assert problems(tmp_path) == []
    assert body(size, 3) not in bytes_of(tmp_path)


def test_one_message_twice(tmp_path: Path, live: Quarantine, size: str) -> None:
    """A message that two entries share is in the copy as long as one of them is."""
    content = body(size, 1)
    with raw(content) as message:
        live.hold(evidence(7, whole(content)), message)

    def purge() -> None:
        live.purge(identifier(1), ME, "asked for")

    copy = copied(tmp_path, purge)
    assert problems(tmp_path) == []
    assert copy.damaged == []
    with closing(Quarantine(tmp_path / "copy")) as quarantine, quarantine.open_raw(identifier(7)) as stored:
        assert stored.read() == whole(content)


@pytest.mark.parametrize("harm", ["gone", "altered"])
def test_damage(tmp_path: Path, live: Quarantine, size: str, harm: str) -> None:
    """What somebody has taken away or changed before is told of, and the rest is copied."""
    files = live._files
    assert isinstance(files, LocalFiles)
    digest = evidence(1, whole(body(size, 1))).sha256
    if size == "small":
        with files._ledger.reading() as connection:
            found = of_entry(connection, identifier(1))
        assert found is not None
        slot = Slot.of(found.body)
        path, at = tmp_path / "live" / "segments" / slot.segment, slot.offset + (0 if harm == "gone" else 200)
    else:
        path, at = files.loose.blobs.path(digest), 200
    if size == "large" and harm == "gone":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"\0" * 8)
    copy = copied(tmp_path)
    assert (copy.left_out, copy.damaged) == ([], [identifier(1)])
    assert {Kind.GONE, Kind.ALTERED}.issuperset(problems(tmp_path))


@pytest.mark.threat("QUA-15")
def test_a_ledger_of_an_earlier_release(tmp_path: Path) -> None:
    """It is copied too, and in the copy it has this release's schema; the live one is left as it is."""
    root = tmp_path / "live"
    with closing(Quarantine(root)) as made:
        hold(made, "large", 0)
        rows = made.entries()
    (root / LEDGER).unlink()
    for name in (f"{LEDGER}-wal", f"{LEDGER}-shm"):
        (root / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(root / LEDGER)) as old:
        old.executescript((SCHEMAS / "sqlite-1.sql").read_text())
        names = [row[1] for row in old.execute("PRAGMA table_info(entries)")]
        entry = rows[0]
        values = {"id": entry.id, "state": "held", "sha256": entry.sha256, "size": entry.size}
        row = [values.get(name, "[]" if name == "recipients" else 0) for name in names]
        old.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(names))})", row)  # noqa: S608  # marks
        old.commit()
    (root / LEDGER).chmod(0o600)
    before = (root / LEDGER).read_bytes()
    copy = copied(tmp_path)
    assert (copy.entries, copy.damaged) == (1, [])
    assert problems(tmp_path) == []
    assert (root / LEDGER).read_bytes() == before
    shutil.rmtree(tmp_path / "copy")

"""Holding, finding, reading and deleting messages."""

import errno
import os
import sqlite3
import stat
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.model.custody import CustodyError
from filterd.model.message import RawMessage
from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.local import LocalFiles
from filterd.quarantine.spool import SMALL
from tests.quarantine.kept import kept
from tests.quarantine.samples import BODY, FIELDS, evidence, identifier, raw, whole

ME = Actor("me", "tty1")
LARGE = b"x" * (SMALL + 1)


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """An empty one."""
    made = Quarantine(tmp_path / "quarantine", busy=0.2)
    yield made
    made.close()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size, in the words of mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mount = folder / "small"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(mount)], check=False
    ).returncode:
        pytest.skip("no right to mount")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def hold(quarantine: Quarantine, number: int = 0, body: bytes = BODY, sender: str = "sender@a.test") -> str:
    """Hold a sample message."""
    with raw(body) as message:
        return quarantine.hold(evidence(number, whole(body), sender=sender), message)


def read(quarantine: Quarantine, identifier: str) -> bytes:
    """The stored bytes."""
    with quarantine.open_raw(identifier) as stored:
        return stored.read()


@pytest.mark.threat("QUA-03")
def test_identical(quarantine: Quarantine) -> None:
    """Stored bytes are the received ones, and the evidence is the one given; the body's file offset stays."""
    with raw() as message:
        os.lseek(message.body_fd, 3, os.SEEK_SET)
        held = quarantine.hold(evidence(), message)
        assert os.lseek(message.body_fd, 0, os.SEEK_CUR) == 3
    assert held == identifier()
    assert read(quarantine, held) == whole()
    assert quarantine.evidence(held) == evidence()


@pytest.mark.parametrize("body", [b"", b"x" * (256 * 1024), b"\r\n" * 200_000], ids=["none", "a chunk", "two"])
def test_sizes(quarantine: Quarantine, body: bytes) -> None:
    """No body, a body of exactly one chunk, a body of several."""
    assert read(quarantine, hold(quarantine, body=body)) == whole(body)


def test_memory(quarantine: Quarantine) -> None:
    """A 50 MB message is never in memory as a whole."""
    descriptor = os.memfd_create("big", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, 50_000_000)
    message = RawMessage(FIELDS, descriptor, 50_000_000)
    data = whole(b"")
    given = evidence(0, data + bytes(50_000_000))
    tracemalloc.start()
    quarantine.hold(given, message)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    os.close(descriptor)
    assert peak < 2_000_000


def test_entry(quarantine: Quarantine) -> None:
    """The ledger shows what a reviewer looks for."""
    entry = quarantine.entry(hold(quarantine))
    assert entry is not None
    assert (entry.sender, entry.recipients, entry.client) == ("sender@a.test", ("to@b.test",), "192.0.2.7")
    assert (entry.subject, entry.header_from, entry.code) == ("Your invoice", "ceo@a.test", "score")
    assert (entry.score, entry.size, entry.state) == (12.5, len(whole()), State.HELD)
    assert entry.id.endswith(entry.public_id)


def test_uninspected(quarantine: Quarantine) -> None:
    """A message that no inspector has read shows its raw subject."""
    with raw() as message:
        held = quarantine.hold(replace(evidence(), inspection=None), message)
    entry = quarantine.entry(held)
    assert entry is not None
    assert entry.subject == "Your invoice \ufffd"


def test_hostile_columns(quarantine: Quarantine) -> None:
    """Text that the database cannot hold is shown escaped, and exact in the evidence."""
    with raw() as message:
        held = quarantine.hold(evidence(sender="a\udc80@b", subject="\ud800" * 5000), message)
    entry = quarantine.entry(held)
    assert entry is not None
    assert (entry.sender, len(entry.subject)) == ("a\\udc80@b", 1000)
    assert quarantine.evidence(held).envelope.sender == "a\udc80@b"


def test_retries_merged(quarantine: Quarantine) -> None:
    """Retries of one message are listed once, as the newest, with their number; other recipients are not retries."""
    hold(quarantine, 0)
    hold(quarantine, 1)
    with raw() as message:
        quarantine.hold(evidence(2, recipients=("other@b.test",)), message)
    assert [(entry.id, entry.copies) for entry in quarantine.entries()] == [(identifier(2), 1), (identifier(1), 2)]


def test_paging(quarantine: Quarantine) -> None:
    """Newest first; a page begins behind the last entry of the one before."""
    for number in range(5):
        hold(quarantine, number, b"%d" % number)
    first = quarantine.entries(limit=2)
    second = quarantine.entries(limit=2, before=first[-1].id)
    assert [entry.id for entry in (*first, *second)] == [identifier(number) for number in (4, 3, 2, 1)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (EntryFilter(sender="A_%"), [1]),
        (EntryFilter(sender="_"), [1]),
        (EntryFilter(sender="SENDER@"), [0]),
        (EntryFilter(recipient="to@b"), [1, 0]),
        (EntryFilter(recipient='"'), [1, 0]),
        (EntryFilter(subject="' OR 1=1 --"), []),
        (EntryFilter(code="score", min_score=10), [1, 0]),
        (EntryFilter(min_score=13), []),
        (EntryFilter(since=1_700_000_001.0), [1]),
        (EntryFilter(until=1_700_000_001.0), [0]),
        (EntryFilter(state=State.DELETED), []),
    ],
)
def test_filters(quarantine: Quarantine, wanted: EntryFilter, found: list[int]) -> None:
    """Filters take their text literally."""
    hold(quarantine, 0)
    hold(quarantine, 1, sender="a_%x@c.test")
    assert [entry.id for entry in quarantine.entries(wanted)] == [identifier(number) for number in found]


@pytest.mark.threat("QUA-07")
@pytest.mark.parametrize(
    "bad",
    [
        "",
        "../x",
        "*",
        "%",
        "_" * 26,
        "x" * 10_000,
        identifier().lower(),
        identifier() + "\n",
        "\u0661" * 26,
        "0\0",
        ".",
    ],
)
def test_bad_ids(quarantine: Quarantine, bad: str) -> None:
    """What is no id is not found, whatever it looks like, and never becomes a path."""
    hold(quarantine)
    assert (quarantine.entry(bad), quarantine.entries(before=bad)) == (None, [])
    for read_it in (quarantine.evidence, quarantine.open_raw, quarantine.audit):
        with pytest.raises(KeyError):
            read_it(bad)
    with pytest.raises(KeyError):
        quarantine.delete(bad, ME)
    with raw() as message, pytest.raises(CustodyError):
        quarantine.hold(replace(evidence(), id=bad), message)


@pytest.mark.threat("QUA-07")
@pytest.mark.parametrize("sha256", ["", "../../etc/passwd", "A" * 64, "a" * 63])
def test_bad_digest(quarantine: Quarantine, sha256: str) -> None:
    """What is no SHA-256 never becomes a path."""
    with raw() as message, pytest.raises(CustodyError):
        quarantine.hold(replace(evidence(), sha256=sha256), message)


@pytest.mark.threat("QUA-10")
def test_modes(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, even under umask 0."""
    before = os.umask(0)
    try:
        with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
            hold(quarantine)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()} == {0o600}


@pytest.mark.threat("QUA-10")
@pytest.mark.parametrize("name", [".", "blobs", "evidence", "drafts", "segments", "ledger.sqlite"])
def test_open_modes_refused(tmp_path: Path, name: str) -> None:
    """A quarantine that others may read is refused, and the error names the path."""
    with closing(Quarantine(tmp_path / "quarantine")) as first:
        hold(first)
    path = tmp_path / "quarantine" / name
    path.chmod(path.stat().st_mode | 0o004)
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine, pytest.raises(CustodyError, match=path.name):
        quarantine.prepare()


def test_delete(quarantine: Quarantine, tmp_path: Path) -> None:
    """Deleting takes a message from the list, copies included; its files go with the sweep, the row stays."""
    first, second = hold(quarantine, 0), hold(quarantine, 1)
    assert (quarantine.delete(first, ME), quarantine.delete(first, ME)) == (None, "was deleted")
    assert (quarantine.entries(), read(quarantine, second)) == ([], whole())
    assert quarantine.sweep(time.time() + 1) == 2
    assert kept(tmp_path / "quarantine") == set()
    entry = quarantine.entry(first)
    assert entry is not None
    assert (entry.state, entry.files) == (State.DELETED, False)
    for read_it in (quarantine.evidence, quarantine.open_raw):
        with pytest.raises(KeyError):
            read_it(first)


def test_sweep_leaves_shared_blobs(quarantine: Quarantine) -> None:
    """A blob stays while another entry uses it."""
    first, second = hold(quarantine, 0), hold(quarantine, 1, sender="other@a.test")
    quarantine.delete(first, ME)
    assert quarantine.sweep(time.time() + 1) == 1
    assert read(quarantine, second) == whole()


@pytest.mark.threat("QUA-16")
def test_delete_race(quarantine: Quarantine) -> None:
    """Of many who delete one message, one has done it."""
    held = hold(quarantine)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda actor: quarantine.delete(held, Actor(actor)), "abcd"))
    assert sorted(done, key=str) == [None, "was deleted", "was deleted", "was deleted"]


def test_delete_beside_hold(quarantine: Quarantine) -> None:
    """A blob that is deleted and held again at the same time is there for every entry that is held."""
    stop = threading.Event()

    def deleting() -> None:
        while not stop.is_set():
            for entry in quarantine.entries():
                with suppress(CustodyError):
                    quarantine.delete(entry.id, ME)
                    quarantine.sweep(time.time() + 1)

    thread = threading.Thread(target=deleting)
    thread.start()
    for number in range(40):
        hold(quarantine, number)
    stop.set()
    thread.join()
    held = hold(quarantine, 41)
    assert all(read(quarantine, entry.id) == whole() for entry in quarantine.entries())
    assert read(quarantine, held) == whole()


def test_audit(quarantine: Quarantine) -> None:
    """Who viewed, exported and deleted is written down, failed deletions too."""
    held = hold(quarantine)
    quarantine.note(ME, "view", held)
    quarantine.delete(held, ME)
    quarantine.delete(held, Actor("you", "ssh"))
    done = [(row.actor, row.origin, row.action, row.result) for row in quarantine.audit(held)]
    assert done == [
        ("filterd", "", "hold", "done"),
        ("me", "tty1", "view", "done"),
        ("me", "tty1", "delete", "done"),
        ("you", "ssh", "delete", "was deleted"),
    ]


def test_concurrent(quarantine: Quarantine) -> None:
    """Holds of many threads are all kept."""
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(lambda number: hold(quarantine, number, b"%d" % number), range(40)))
    assert [read(quarantine, held[number]) for number in range(40)] == [whole(b"%d" % number) for number in range(40)]
    assert len(quarantine.entries(limit=100)) == 40


def test_id_taken(quarantine: Quarantine) -> None:
    """A second message under one id is refused and the first stays as it is."""
    held = hold(quarantine)
    with pytest.raises(CustodyError, match="taken"):
        hold(quarantine, 0, b"another")
    assert (read(quarantine, held), quarantine.evidence(held)) == (whole(), evidence())


@pytest.mark.parametrize("body", [b"longer than it was", b"short", BODY[:-1] + b"!"])
def test_wrong_evidence(quarantine: Quarantine, tmp_path: Path, body: bytes) -> None:
    """Evidence of another message is refused, and nothing is left."""
    with raw(body) as message, pytest.raises(CustodyError):
        quarantine.hold(evidence(), message)
    assert kept(tmp_path / "quarantine") == set()


def test_short_body(quarantine: Quarantine, tmp_path: Path) -> None:
    """A body that ends before its size is refused."""
    with raw() as message, pytest.raises(CustodyError, match="ends at"):
        quarantine.hold(evidence(), replace(message, body_size=len(BODY) + 1))
    assert kept(tmp_path / "quarantine") == set()


def test_damaged_blob_replaced(quarantine: Quarantine) -> None:
    """A file of the wrong size is written anew by the next hold of the same bytes."""
    held = hold(quarantine, body=LARGE)
    assert isinstance(quarantine._files, LocalFiles)
    path = quarantine._files.loose.blobs.path(evidence(0, whole(LARGE)).sha256)
    path.write_bytes(b"cut")
    hold(quarantine, 1, LARGE)
    assert read(quarantine, held) == whole(LARGE)


def test_empty(tmp_path: Path) -> None:
    """Looking into a quarantine that does not exist finds nothing and creates nothing."""
    quarantine = Quarantine(tmp_path / "none")
    assert (quarantine.entries(), quarantine.entry(identifier())) == ([], None)
    assert not (tmp_path / "none").exists()


class FailingFsync:
    """Fails with EIO at the calls of these numbers (from 1), or at all where there are none."""

    def __init__(self, *numbers: int) -> None:
        """Remember which."""
        self.calls = 0
        self._numbers = numbers

    def __call__(self, descriptor: int) -> None:
        """As os.fsync."""
        self.calls += 1
        if not self._numbers or self.calls in self._numbers:
            raise OSError(errno.EIO, "told to fail")
        os.fsync(descriptor)


@pytest.mark.threat("RES-04")
@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
def test_fsync_fails(tmp_path: Path, number: int, body: bytes) -> None:
    """Whichever fsync of a hold fails: it is written anew and held, or a folder's failure leaves nothing behind."""
    with closing(Quarantine(tmp_path / "quarantine")) as sound:
        held = hold(sound, body=body)  # the folders exist
        sound.delete(held, ME)
        sound.sweep(time.time() + 1)
    fsync = FailingFsync(number)
    with closing(Quarantine(tmp_path / "quarantine", fsync=fsync)) as quarantine:
        try:
            hold(quarantine, 1, body)
        except CustodyError:
            assert (kept(tmp_path / "quarantine"), quarantine.entries()) == (set(), [])
        else:
            assert read(quarantine, identifier(1)) == whole(body)
        assert read(quarantine, hold(quarantine, 2, body)) == whole(body)


@pytest.mark.threat("RES-04")
def test_fsync_dead(tmp_path: Path) -> None:
    """A disk that never syncs holds nothing and shows nothing."""
    with closing(Quarantine(tmp_path / "quarantine", fsync=FailingFsync())) as quarantine:
        with pytest.raises(CustodyError):
            hold(quarantine)
        assert quarantine.entries() == []


@pytest.mark.threat("RES-04")
def test_disk_full(tmp_path: Path) -> None:
    """A full disk is CustodyError with nothing visible and the space given back; with room again, holding goes on."""
    with small_disk(tmp_path, "700k") as mount, closing(Quarantine(mount / "quarantine")) as quarantine:
        first = hold(quarantine, 0)
        for attempt in range(5):
            with pytest.raises(CustodyError):
                hold(quarantine, 1 + attempt, b"x" * 900_000)
        filler = mount / "filler"
        with suppress(OSError):
            filler.write_bytes(bytes(2_000_000))
        with pytest.raises(CustodyError):
            hold(quarantine, 8, b"small")
        assert [entry.id for entry in quarantine.entries()] == [first]
        assert len(kept(mount / "quarantine")) == 2
        filler.unlink()
        assert read(quarantine, hold(quarantine, 9, b"small")) == whole(b"small")


@pytest.mark.threat("RES-04")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
def test_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, body: bytes) -> None:
    """No room, no quota, a disk that has become read-only: an error in words, nothing visible, and then it goes on."""
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        first = hold(quarantine)
        before = kept(tmp_path / "quarantine")

        def fails(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", fails)
            with pytest.raises(CustodyError, match=os.strerror(number)):
                hold(quarantine, 1, body)
            assert [entry.id for entry in quarantine.entries()] == [first]
            assert kept(tmp_path / "quarantine") == before
        assert read(quarantine, hold(quarantine, 2, body)) == whole(body)


@pytest.mark.threat("RES-04")
@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
def test_read_only(tmp_path: Path, body: bytes) -> None:
    """A disk that was remounted read-only holds nothing and shows what it has; writable again, holding goes on."""
    with small_disk(tmp_path, "9m") as mount, closing(Quarantine(mount / "quarantine")) as quarantine:
        first = hold(quarantine, 0)
        quarantine.close()  # what has a file open for writing would keep the disk from it
        subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
        with pytest.raises(CustodyError):
            hold(quarantine, 1, body)
        subprocess.run(["mount", "-o", "remount,rw", str(mount)], check=True)
        assert [entry.id for entry in quarantine.entries()] == [first]
        assert read(quarantine, hold(quarantine, 2, body)) == whole(body)


@pytest.mark.threat("RES-05")
def test_wal_unwritable(tmp_path: Path) -> None:
    """A write-ahead log that cannot be written: nothing is held, nothing is shown by half, and then it goes on."""
    root = tmp_path / "quarantine"
    with closing(Quarantine(root)) as quarantine:
        first = hold(quarantine)
    wal = root / "ledger.sqlite-wal"
    wal.unlink(missing_ok=True)
    wal.mkdir()
    with closing(Quarantine(root)) as quarantine:
        with pytest.raises(CustodyError, match="ledger: "):
            hold(quarantine, 1)
        wal.rmdir()
        assert [entry.id for entry in quarantine.entries()] == [first]
        assert len(kept(root)) == 2
        assert read(quarantine, hold(quarantine, 2)) == whole()


@pytest.mark.threat("RES-05")
def test_locked(quarantine: Quarantine, tmp_path: Path) -> None:
    """A locked ledger is CustodyError after a bounded wait, for many at once too; afterwards holding goes on."""
    hold(quarantine)
    with closing(sqlite3.connect(tmp_path / "quarantine" / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(hold, quarantine, 1 + number, b"%d" % number) for number in range(8)]
            assert all(isinstance(future.exception(), CustodyError) for future in waiting)
        assert time.monotonic() - start < 60  # two waits of 0.2 s; without a bound it would hang until the test dies
        other.execute("ROLLBACK")
    assert len(quarantine.entries()) == 1
    assert len(kept(tmp_path / "quarantine")) == 2
    assert read(quarantine, hold(quarantine, 20)) == whole()


@pytest.mark.threat("RES-05")
@pytest.mark.parametrize("damage", [b"", b"this is no database" * 1000])
def test_damaged(tmp_path: Path, damage: bytes) -> None:
    """A damaged ledger is CustodyError or replaced, never a hold that is not there afterwards."""
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        hold(quarantine)
    (tmp_path / "quarantine" / "ledger.sqlite").write_bytes(damage)
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        with suppress(CustodyError):
            hold(quarantine, 1)
            assert quarantine.entry(identifier(1)) is not None
        path = tmp_path / "quarantine" / "ledger.sqlite"
        assert path.read_bytes()[: len(damage)] == damage or damage == b""


@pytest.mark.threat("RES-05")
def test_deleted_database(quarantine: Quarantine, tmp_path: Path) -> None:
    """A ledger deleted under a running daemon does not swallow entries: the next hold goes into a new file."""
    hold(quarantine)
    for path in (tmp_path / "quarantine").glob("ledger.sqlite*"):
        path.unlink()
    held = hold(quarantine, 1)
    with closing(Quarantine(tmp_path / "quarantine")) as other:
        assert other.entry(held) is not None


@pytest.mark.threat("QUA-15")
def test_other_schema(quarantine: Quarantine, tmp_path: Path) -> None:
    """A ledger of another release is refused, not misread."""
    hold(quarantine)
    quarantine.close()
    with closing(sqlite3.connect(tmp_path / "quarantine" / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(CustodyError, match="schema 99"):
        hold(quarantine, 1)


def test_drafts_swept(quarantine: Quarantine, tmp_path: Path) -> None:
    """What a crash left half-written is removed at start."""
    quarantine.prepare()
    draft = tmp_path / "quarantine" / "drafts" / "left"
    draft.write_bytes(b"half")
    Quarantine(tmp_path / "quarantine").prepare()
    assert not draft.exists()

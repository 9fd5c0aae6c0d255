"""Records in segments: whole or not there, whatever happens to the file, and gone when they are taken out."""

import ctypes
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.quarantine import segments as module
from filterd.quarantine.segments import BLOCK, SECTOR, Kind, Record, Segments, Slot, has_gaps

DATA = (b"first " * 1_500, b"", b"third " * 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where segments are."""
    made = tmp_path / "segments"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def segments(folder: Path) -> Iterator[Segments]:
    """None yet."""
    made = Segments(folder, os.fsync)
    yield made
    made.leave()


def record(data: bytes, kind: Kind = Kind.MESSAGE, name: str = "") -> Record:
    """One with the right digest."""
    return Record(kind, name, hashlib.sha256(data).digest(), data)


def read_all(segments: Segments) -> list[bytes]:
    """What is in all of them."""
    return [segments.read(slot, found.kind).data for name in segments.names() for slot, found in segments.scan(name)]


def test_read_back(segments: Segments) -> None:
    """What was written is read back by its slot, and found by looking through; a slot survives as a text."""
    slots = segments.write([record(data) for data in DATA])
    assert [segments.read(Slot.of(str(slot)), Kind.MESSAGE).data for slot in slots] == list(DATA)
    assert read_all(segments) == list(DATA)
    assert {slot.offset % BLOCK for slot in slots} == {0}


def test_only_what_is_asked_for(segments: Segments) -> None:
    """Another kind, another length or another place is no such record."""
    (slot,) = segments.write([record(b"x", Kind.EVIDENCE, "01HF7YAT000000000000000000")])
    assert segments.read(slot, Kind.EVIDENCE).name == "01HF7YAT000000000000000000"
    for wrong, kind in (
        (slot, Kind.MESSAGE),
        (Slot(slot.segment, slot.offset, slot.length + 1), Kind.EVIDENCE),
        (Slot(slot.segment, slot.offset + BLOCK, slot.length), Kind.EVIDENCE),
        (Slot("00000000000-00000000", slot.offset, slot.length), Kind.EVIDENCE),
    ):
        with pytest.raises(FileNotFoundError):
            segments.read(wrong, kind)


@pytest.mark.threat("QUA-07")
@pytest.mark.parametrize("text", ["", "x", "../../etc/passwd:0:10", "1a2110db0ee-d0cdfb04:x:1", "a:1:2:3"])
def test_no_slot(text: str) -> None:
    """What is no slot never becomes a path."""
    with pytest.raises(ValueError):  # noqa: PT011  # int()'s words are no concern of ours
        Slot.of(text)


@pytest.mark.threat("QUA-12")
@pytest.mark.parametrize("holes", [True, False], ids=["holes", "zeros"])
def test_erased(segments: Segments, folder: Path, monkeypatch: pytest.MonkeyPatch, *, holes: bool) -> None:
    """A record that was taken out has left no byte, its neighbours are as they were, and its blocks are given back."""
    if not holes:
        monkeypatch.setattr(module, "_libc", NoHoles())
    slots = segments.write([record(letter * 100_000) for letter in (b"A", b"B", b"C")])
    path = folder / slots[0].segment
    before = path.stat().st_blocks
    segments.erase(slots[1])
    segments.erase(slots[1])
    assert b"BBBB" not in path.read_bytes()
    assert read_all(segments) == [b"A" * 100_000, b"C" * 100_000]
    with pytest.raises(FileNotFoundError):
        segments.read(slots[1], Kind.MESSAGE)
    assert (path.stat().st_blocks < before) == holes


class NoHoles:
    """A file system that cannot make holes."""

    def fallocate(self, *_: int) -> int:
        """As the C library's."""
        ctypes.set_errno(errno.EOPNOTSUPP)
        return -1


@pytest.mark.parametrize("holes", [True, False], ids=["holes", "zeros"])
def test_empty_ones_go(segments: Segments, monkeypatch: pytest.MonkeyPatch, *, holes: bool) -> None:
    """A segment goes when nothing is in it any more, but never while its writer lives."""
    if not holes:
        monkeypatch.setattr(module, "_libc", NoHoles())
    kept, gone = segments.write([record(b"kept"), record(b"gone")])
    segments.erase(gone)
    segments.tidy()
    assert read_all(segments) == [b"kept"]
    segments.erase(kept)
    segments.tidy()
    assert segments.names() == [kept.segment]
    segments.leave()
    segments.tidy()
    assert segments.names() == []


def test_removed_under_the_writer(segments: Segments, folder: Path) -> None:
    """A segment that somebody removes swallows nothing that comes after that."""
    (first,) = segments.write([record(b"1")])
    (folder / first.segment).unlink()
    segments.write([record(b"2")])
    assert read_all(segments) == [b"2"]


def test_full_ones_are_left(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its size another one is begun."""
    monkeypatch.setattr(module, "SEGMENT", 3 * BLOCK)
    for number in range(5):
        segments.write([record(b"%d" % number)])
    assert len(segments.names()) == 3
    assert sorted(read_all(segments)) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_fork_has_its_own(segments: Segments) -> None:
    """Two processes never write into one segment."""
    segments.write([record(b"parent")])
    child = os.fork()
    if child == 0:
        segments.write([record(b"child")])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    segments.write([record(b"parent again")])
    assert len(segments.names()) == 2
    assert sorted(read_all(segments)) == [b"child", b"parent", b"parent again"]


@pytest.mark.threat("RES-04")
def test_fsync_fails_once(folder: Path) -> None:
    """After a failed fsync all is written anew, elsewhere; what it was to be is not found twice."""
    calls = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 4:  # the segment, its folder, a write, this one
            raise OSError(errno.EIO, "told to fail")
        os.fsync(descriptor)

    segments = Segments(folder, fsync)
    segments.write([record(b"before")])
    segments.write([record(data) for data in DATA])
    assert len(segments.names()) == 2
    assert sorted(read_all(segments)) == sorted([b"before", *DATA])
    segments.leave()


def test_written_ahead(segments: Segments, folder: Path) -> None:
    """What comes next fills zeros that are there: the file grows by a megabyte at a time, and has no holes."""
    (slot,) = segments.write([record(b"first")])
    path = folder / slot.segment
    sizes = []
    for _ in range(30):
        segments.write([record(b"x" * 100_000)])
        sizes.append(path.stat().st_size)
    assert len(set(sizes)) == 3
    assert sizes == sorted(sizes)
    assert path.stat().st_blocks * SECTOR >= sizes[-1]
    assert read_all(segments) == [b"first", *[b"x" * 100_000] * 30]


@pytest.mark.threat("RES-04")
def test_no_room_for_zeros(segments: Segments, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a disk has room for a message and not for zeros behind it, the message is written."""

    def write_all(descriptor: int, data: bytes, offset: int) -> None:
        os.pwrite(descriptor, data, offset)
        if data and not any(data):
            raise OSError(errno.ENOSPC, "told to fail")

    monkeypatch.setattr(module, "write_all", write_all)
    slots = [segments.write([record(data)])[0] for data in DATA]
    assert read_all(segments) == list(DATA)
    assert (folder / slots[0].segment).stat().st_size == slots[-1].end


def test_zeros_go(segments: Segments, folder: Path) -> None:
    """Zeros behind the last record go when nobody writes there any more, not those that are a message's own."""
    data = [b"first", bytes(3 * BLOCK)]
    slots = segments.write([record(one) for one in data])
    path = folder / slots[0].segment
    before = path.stat().st_size
    segments.tidy()
    assert path.stat().st_size == before
    segments.leave()
    for _ in range(2):
        segments.tidy()
        assert path.stat().st_size == slots[-1].end
    assert read_all(segments) == data
    segments.erase(slots[1])
    segments.tidy()
    assert (path.stat().st_size, read_all(segments)) == (slots[0].end, [b"first"])


def test_gaps() -> None:
    """A part that a disk writes by itself and that is all zeros is one, the last part too; a few zeros are none."""
    first = SECTOR - module._HEADER.size
    text = b"x" * 5_000
    assert not has_gaps(record(b""))
    assert not has_gaps(record(bytes(first)))
    assert not has_gaps(record(text[:100] + bytes(500) + text))
    assert has_gaps(record(text[: first + SECTOR] + bytes(SECTOR) + text))
    assert has_gaps(record(text[:first] + bytes(10)))


@pytest.mark.threat("QUA-02")
def test_cut_anywhere(segments: Segments, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a power cut ends the file, the records before it are there, and nothing is there by half."""
    monkeypatch.setattr(module, "AHEAD", BLOCK)
    slots = segments.write([record(data) for data in DATA])
    path = folder / slots[0].segment
    data = path.read_bytes()
    for end in [0, 10, BLOCK, *range(BLOCK + 1, len(data), 509), len(data)]:
        path.write_bytes(data[:end])
        whole = [given for slot, given in zip(slots, DATA, strict=True) if slot.offset + slot.length <= end]
        assert read_all(segments) == whole


@pytest.mark.threat("QUA-02")
def test_a_message_is_no_record(segments: Segments, folder: Path) -> None:
    """A message that looks like a segment's inside stays one message, even where its own header is destroyed."""
    other = Segments(folder, os.fsync)
    (inner,) = other.write([record(b"forged", Kind.EVIDENCE, "01HF7YAT000000000000000000")])
    forged = (folder / inner.segment).read_bytes()
    other.leave()
    (folder / inner.segment).unlink()
    header = module._HEADER.size
    (slot,) = segments.write([record(bytes(BLOCK - header) + forged)])
    assert len(read_all(segments)) == 1
    with (folder / slot.segment).open("r+b") as file:
        file.seek(slot.offset)
        file.write(b"destroyed")
    assert read_all(segments) == []

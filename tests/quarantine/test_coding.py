"""Held bytes as zstd frames: the same bytes come back, or it is said that they do not; never more than were held."""

import io
import os
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from backports import zstd
from typer.testing import CliRunner

from filterd.app.custody import quarantine_of
from filterd.cli import app
from filterd.config import Config
from filterd.model.custody import CustodyError
from filterd.operations.release import Releaser
from filterd.quarantine import Actor, EvidenceError, Lease, Place, Quarantine, State, coding, open_quarantine
from filterd.quarantine.coding import CHUNK, Coding, DamagedError, content_size, pack, packed, unpack, unpacked
from filterd.quarantine.inventory import Kind
from filterd.quarantine.local import LocalFiles
from filterd.quarantine.relay import Answer
from filterd.quarantine.segments import BLOCK, Record, Segments, Slot, size_on_disk
from filterd.quarantine.segments import Kind as Content
from filterd.quarantine.spool import SMALL
from filterd.quarantine.spool import content as content_of
from tests.quarantine.backends import hold, read
from tests.quarantine.kept import bytes_kept
from tests.quarantine.samples import evidence, identifier, raw, whole

ME = Actor("me")
GIGABYTE = 1_000_000_000
TEXT = b"All the same, line by line.\r\n"
BODIES = {"small": TEXT * 1_000, "large": TEXT * (SMALL // len(TEXT) + 9), "random": random.Random(7).randbytes(9_000)}
MEMORY = 3_000_000  # bytes; two chunks, the library's window and what Python has beside them


def opened(root: Path, how: Coding = Coding.ZSTD) -> Quarantine:
    """A quarantine whose next messages are written so."""
    return Quarantine(root, coding=how, fsync=lambda _: None)


# --- frames


@pytest.mark.parametrize("alphabet", [1, 20, 64, 256])
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 20 * CHUNK + 7])
def test_the_same_bytes(size: int, alphabet: int) -> None:
    """Whatever they are, as a whole and piece by piece."""
    data = bytes(random.Random(size).choices(range(alphabet), k=size))
    frame = pack(data)
    assert content_size(frame) == size
    assert unpack(frame, size) == data
    with unpacked(io.BytesIO(frame), size) as source:
        assert b"".join(iter(lambda: source.read(1_000), b"")) == data


def test_every_bit_is_watched() -> None:
    """Whichever bit is another, it is damage: no other bytes come back, no other error, nothing endless.

    RFC 8878, section 3.1.1.1.1: one bit of the header means nothing, and a larger window does no harm.
    """
    data = TEXT * 5
    frame = bytearray(pack(data))
    passed = 0
    for place in range(len(frame) * 8):
        frame[place // 8] ^= 1 << place % 8
        with suppress(DamagedError):
            assert unpacked(io.BytesIO(frame), len(data)).read() == data
            passed += 1
        frame[place // 8] ^= 1 << place % 8
    assert passed < 9


@pytest.mark.parametrize("cut", [0, 1, 5, 20, -1])
def test_cut_off(cut: int) -> None:
    """What ends early is damaged, also where all of its content was read and only the checksum lacks."""
    frame = pack(TEXT)
    with pytest.raises(DamagedError):
        unpacked(io.BytesIO(frame[:cut]), len(TEXT)).read()
    with pytest.raises(DamagedError):
        unpack(frame[:cut], SMALL)


@pytest.mark.parametrize("behind", [b"x", b"\0", pack(b"more")])
def test_something_behind(behind: bytes) -> None:
    """A file that goes on after its frame is not the one that was written."""
    with pytest.raises(DamagedError, match="behind"):
        unpacked(io.BytesIO(pack(TEXT) + behind), len(TEXT)).read()


def _peak() -> int:
    return tracemalloc.get_traced_memory()[1]


@pytest.fixture
def traced() -> Iterator[None]:
    """Memory is counted."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A gigabyte in thirty kilobytes."""
    return b"".join(packed((b"\0" * CHUNK for _ in range(GIGABYTE // CHUNK)), GIGABYTE // CHUNK * CHUNK))


@pytest.mark.usefixtures("traced")
def test_a_bomb(bomb: bytes) -> None:
    """It is given up one byte behind the size that was recorded, without having been unfolded."""
    with pytest.raises(DamagedError, match="more bytes than were held"):
        unpacked(io.BytesIO(bomb), 1_000).read()
    with pytest.raises(DamagedError, match=f"{SMALL} at most"):
        unpack(bomb, SMALL)
    assert _peak() < MEMORY


@pytest.mark.usefixtures("traced")
def test_a_bomb_that_lies(bomb: bytes) -> None:
    """A frame whose header tells of less than is in it, or of nothing, is given up as early."""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.content_size_flag: 0})
    mute = compressor.compress(b"\0" * 10_000_000) + compressor.flush()
    assert content_size(mute) is None
    with pytest.raises(DamagedError, match="not in its header"):
        unpack(mute, SMALL)
    small = bytearray(bomb)
    place = small.index(content_size(bomb).to_bytes(4, "little"))  # type: ignore[union-attr]  # it has one
    small[place : place + 4] = (1_000).to_bytes(4, "little")
    tracemalloc.reset_peak()
    with pytest.raises(DamagedError):
        unpack(bytes(small), SMALL)
    assert _peak() < MEMORY


def test_a_window_that_is_none_of_ours() -> None:
    """A frame that would have the reader keep 128 MB is refused for that alone."""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    frame = compressor.compress(TEXT) + compressor.flush()
    with pytest.raises(DamagedError):
        unpacked(io.BytesIO(frame), len(TEXT)).read()


@pytest.mark.parametrize("chunks", [[b"abc"], [b"abcd", b"e"], []])
def test_another_size_than_was_said(chunks: list[bytes]) -> None:
    """A frame is only made of as many bytes as its header says."""
    with pytest.raises(DamagedError):
        list(packed(chunks, 4))


# --- kept so


@pytest.mark.threat("QUA-03")
@pytest.mark.parametrize("name", BODIES)
def test_identical_and_smaller(tmp_path: Path, name: str) -> None:
    """What is held comes back byte for byte, its digest is that of the bytes, and it takes less space, never more."""
    body = BODIES[name]
    sizes = {}
    for how in Coding:
        root = tmp_path / how.name
        with closing(opened(root, how)) as quarantine:
            hold(quarantine, 0, body)
            assert read(quarantine, identifier()) == whole(body)
            assert quarantine.evidence(identifier()) == evidence(0, whole(body))
            assert list(quarantine.inventory().problems(contents=True)) == []
        with closing(opened(root, how)) as quarantine:
            quarantine.sweep(0)  # takes away the zeros behind what was held
        sizes[how] = sum([path.stat().st_size for path in root.rglob("*") if "ledger" not in path.name])
    assert sizes[Coding.ZSTD] <= sizes[Coding.NONE] * (1 if name == "random" else 0.6)


@pytest.mark.threat("QUA-15")
@pytest.mark.parametrize("name", BODIES)
def test_one_setting_after_the_other(tmp_path: Path, name: str) -> None:
    """A store in which both are is read in either setting, and one message is stored once in it."""
    for number, how in enumerate((Coding.NONE, Coding.ZSTD, Coding.NONE)):
        with closing(opened(tmp_path / "q", how)) as quarantine:
            hold(quarantine, number, BODIES[name] + b"%d" % number)
            hold(quarantine, 10 + number, BODIES[name], sender=f"{number}@a.test")
    for how in Coding:
        with closing(opened(tmp_path / "q", how)) as quarantine:
            for number in range(3):
                assert read(quarantine, identifier(number)) == whole(BODIES[name] + b"%d" % number)
                assert read(quarantine, identifier(10 + number)) == whole(BODIES[name])
            assert list(quarantine.inventory().problems(contents=True)) == []
    if name == "large":
        assert len([path for path in (tmp_path / "q" / "blobs").rglob("*") if path.is_file()]) == 4
    with closing(opened(tmp_path / "q")) as quarantine:
        assert quarantine.purge(identifier(10), ME, "asked")
        assert read(quarantine, identifier(11)) == whole(BODIES[name])


@pytest.mark.threat("QUA-01")
@pytest.mark.parametrize("name", BODIES)
def test_a_lost_ledger(tmp_path: Path, name: str) -> None:
    """It is made again from frames as from bare bytes."""
    with closing(opened(tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES[name])
    for path in (tmp_path / "q").glob("ledger.sqlite*"):
        path.unlink()
    with closing(opened(tmp_path / "q", Coding.NONE)) as quarantine:
        quarantine.prepare()
        inventory = quarantine.inventory()
        assert [inventory.mend(one, ME, 1.0) for one in inventory.problems(contents=True)] == ["held again"]
        assert read(quarantine, identifier()) == whole(BODIES[name])


def test_what_does_not_shrink_stays(tmp_path: Path) -> None:
    """A record that would take as many blocks of the disk is written as it is: it is read faster."""
    with closing(opened(tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES["random"])
        hold(quarantine, 1, BODIES["small"])
    segments = Segments(tmp_path / "q" / "segments", os.fsync)
    found = [record for name in segments.names() for _, record in segments.scan(name)]
    assert [record.coding for record in found if record.kind is Content.MESSAGE] == [Coding.NONE, Coding.ZSTD]
    assert BODIES["random"] in bytes_kept(tmp_path / "q")
    assert size_on_disk(BLOCK) == 2 * BLOCK


def test_a_coding_from_tomorrow(tmp_path: Path) -> None:
    """A record that a later release has written in another way is not given out as it stands."""
    (tmp_path / "segments").mkdir(mode=0o700)
    segments = Segments(tmp_path / "segments", lambda _: None)
    (slot,) = segments.write([Record(Content.MESSAGE, "", bytes(32), b"x", 2)])
    with pytest.raises(DamagedError, match="does not know: 2"):
        content_of(segments, slot, Content.MESSAGE)


# --- damaged


def _message_file(root: Path) -> Path:
    """The only blob."""
    (found,) = [path for path in (root / "blobs").rglob("*") if path.is_file()]
    assert found.suffix == ".zst"
    return found


def _damage(root: Path, name: str, frame: bytes | None = None) -> None:
    """Alter a byte in the middle of the message's frame, or put another frame in its place."""
    if name == "large":
        path = _message_file(root)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data if frame is None else frame)
        return
    files = LocalFiles(root, None, lambda _: None)  # type: ignore[arg-type]  # the ledger is not asked
    segments = files.spool.segments
    (segment,) = segments.names()
    slot = next(at for at, record in segments.scan(segment) if record.kind is Content.MESSAGE)
    _flip(root / "segments" / segment, slot)


def _flip(path: Path, slot: Slot) -> None:
    with path.open("r+b") as file:
        file.seek(slot.offset + slot.length - 9)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


@pytest.mark.threat("QUA-01")
@pytest.mark.parametrize("name", ["small", "large"])
def test_a_damaged_message_is_a_finding(tmp_path: Path, name: str) -> None:
    """`verify --contents` names it and goes on, and who reads it is told instead of getting something else."""
    with closing(opened(tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES[name])
        hold(quarantine, 1, b"whole")
        _damage(tmp_path / "q", name)
        inventory = quarantine.inventory()
        problems = list(inventory.problems(contents=True))
        assert [(one.kind, one.name) for one in problems] == [(Kind.ALTERED, evidence(0, whole(BODIES[name])).sha256)]
        assert inventory.mend(problems[0], ME, 1.0) == ""
        with pytest.raises(DamagedError):
            read(quarantine, identifier(0))
        assert read(quarantine, identifier(1)) == whole(b"whole")


@pytest.mark.threat("QUA-01")
def test_a_bomb_in_the_store(tmp_path: Path, bomb: bytes) -> None:
    """One that strange hands have put in a message's place is a finding as well, and soon."""
    with closing(opened(tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES["large"])
        _damage(tmp_path / "q", "large", bomb)
        tracemalloc.start()
        begun = time.process_time()
        (problem,) = quarantine.inventory().problems(contents=True)
        with pytest.raises(DamagedError):
            read(quarantine, identifier())
        seconds, peak = time.process_time() - begun, _peak()
        tracemalloc.stop()
        assert (problem.kind, problem.text) == (Kind.ALTERED, "zstd: more bytes than were held")
        assert peak < MEMORY + 3 * len(BODIES["large"])
        assert seconds < 1  # unfolding all of it takes longer
        # The next copy of that message takes its place.
        hold(quarantine, 1, BODIES["large"], sender="other@a.test")
        assert read(quarantine, identifier()) == whole(BODIES["large"])


@pytest.mark.threat("QUA-01")
@pytest.mark.parametrize("name", ["small", "large"])
def test_a_lost_ledger_and_a_damaged_message(tmp_path: Path, name: str) -> None:
    """What cannot be read is not made an entry of, and nothing else is kept from being mended."""
    with closing(opened(tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES[name])
        hold(quarantine, 1, b"whole")
    _damage(tmp_path / "q", name)
    for path in (tmp_path / "q").glob("ledger.sqlite*"):
        path.unlink()
    with closing(opened(tmp_path / "q")) as quarantine:
        quarantine.prepare()
        inventory = quarantine.inventory()
        done = {(one.name, one.kind): inventory.mend(one, ME, 1.0) for one in inventory.problems(contents=True)}
        assert (done[identifier(0), Kind.UNLISTED], done[identifier(1), Kind.UNLISTED]) == ("", "held again")
        assert read(quarantine, identifier(1)) == whole(b"whole")


def test_damaged_evidence(tmp_path: Path) -> None:
    """It is a finding, and evidence that cannot be read wherever it is asked for."""
    with closing(opened(tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES["small"])
        segments = Segments(tmp_path / "q" / "segments", os.fsync)
        (segment,) = segments.names()
        slot = next(at for at, record in segments.scan(segment) if record.kind is Content.EVIDENCE)
        _flip(tmp_path / "q" / "segments" / segment, slot)
        (problem,) = quarantine.inventory().problems(contents=True)
        assert (problem.kind, problem.name) == (Kind.UNREADABLE, identifier())
        with pytest.raises(EvidenceError):
            quarantine.evidence(identifier())


@pytest.mark.threat("QUA-04")
def test_a_damaged_message_is_not_released(tmp_path: Path) -> None:
    """The MTA gets nothing, and a release that waits has failed with the reason: it would never be otherwise."""

    def deliver(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        raise AssertionError((sender, recipients, message))

    with closing(opened(tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES["small"])
        _damage(tmp_path / "q", "small")
        releaser = Releaser(quarantine, deliver, "mx.test")
        assert releaser.release(identifier(), ME).state is State.FAILED
        assert quarantine.begin_release(identifier(), ME, ("to@b.test",), Lease("gone", 0)) is None
        (done,) = releaser.retry(ME)
        assert (done.state, "DamagedError" in done.text) == (State.FAILED, True)


# --- settings


def test_by_configuration(tmp_path: Path) -> None:
    """`compress = "zstd"` writes frames; commands give back the bytes, whatever the setting is then."""
    config = Config.model_validate({"paths": {"state": tmp_path}, "quarantine": {"compress": "zstd"}})
    with closing(quarantine_of(config)) as quarantine:
        hold(quarantine, 0, BODIES["large"])
        hold(quarantine, 1, BODIES["small"])
    assert _message_file(tmp_path / "quarantine").stat().st_size < SMALL
    path = tmp_path / "filterd.toml"
    path.write_text(f'[paths]\nstate = "{tmp_path}"\n')
    for number, name in enumerate(("large", "small")):
        argv = ["quarantine", "export", "--raw", "-o", "-", identifier(number), "--config", str(path)]
        assert CliRunner().invoke(app, argv).stdout_bytes == whole(BODIES[name])
    assert CliRunner().invoke(app, ["quarantine", "verify", "--contents", "--config", str(path)]).exit_code == 0


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is not installed."""
    coding._zstd.cache_clear()  # it was loaded by another test
    nothing: ModuleType | None = None
    for name in ("backports", "backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, nothing)
    yield
    coding._zstd.cache_clear()  # as above


def test_without_the_library(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Who asks for it is told at the start what to install, and so is who reads what was written with it."""
    place = Place(compress=True)
    with closing(open_quarantine(place, tmp_path / "q")) as quarantine:
        hold(quarantine, 0, BODIES["small"])
        hold(quarantine, 1, b"short")
    request.getfixturevalue("without_library")
    with pytest.raises(CustodyError, match=r"filterd\[zstd\]"):
        open_quarantine(place, tmp_path / "q")
    with closing(open_quarantine(replace(place, compress=False), tmp_path / "q")) as quarantine:
        with pytest.raises(CustodyError, match=r"filterd\[zstd\]"):
            read(quarantine, identifier(0))
        assert read(quarantine, identifier(1)) == whole(b"short")
        with raw(b"new") as message:
            quarantine.hold(evidence(2, whole(b"new")), message)
    path = tmp_path / "filterd.toml"
    path.write_text(f'[paths]\nstate = "{tmp_path}"\n[quarantine]\ncompress = "zstd"\n')
    done = CliRunner().invoke(app, ["quarantine", "list", "--config", str(path)])
    assert (done.exit_code, "pip install filterd[zstd]" in done.stderr) == (1, True)

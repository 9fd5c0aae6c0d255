"""The file that inspectors map: what they read is one generation, or nothing."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.classifier.layer import MAX_DOMAINS
from filterd.classifier.modelfile import BYTES, PAGE, Half, Known, Model, ModelFileError, ModelWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the model is."""
    return tmp_path / "model.bin"


def first(half: Half, known: Known) -> tuple[int, float, float]:
    """The generation and two of its numbers."""
    return known.generation, float(half.weights[0]), float(half.layer[-1])


def write(writer: ModelWriter, value: float) -> Known:
    """One more generation, all of whose numbers are the same."""
    half = writer.prepare()
    half.weights[:] = value
    half.layer[:] = value
    return writer.commit(Known(spam=int(value)))


def test_a_reader_sees_each_generation_without_opening_anything(path: Path) -> None:
    """What is committed after the file was mapped is read as a whole."""
    writer = ModelWriter(path)
    reader = Model(path)
    assert reader.read(first) == (0, 0.0, 0.0)
    for number in (1, 2, 3):
        known = write(writer, number)
        assert reader.read(first) == (number, number, number)
        assert reader.read(lambda _, known: known.id) == known.id


def test_what_is_prepared_does_not_count(path: Path) -> None:
    """A writer that was killed in the middle leaves the model as it was, and the next one goes on from there."""
    write(ModelWriter(path), 1)
    reader = Model(path)
    ModelWriter(path).prepare().weights[:] = 7
    assert reader.read(first) == (1, 1.0, 1.0)
    assert Model(path).read(first) == (1, 1.0, 1.0)
    write(ModelWriter(path), 2)
    assert reader.read(first) == (2, 2.0, 2.0)


def test_a_half_that_is_overwritten_while_it_is_read_is_read_again(path: Path) -> None:
    """A slow reader whose half a fast writer has begun to change gets the next generation, never a mixture."""
    writer = ModelWriter(path)
    write(writer, 1)
    reader = Model(path)
    asked: list[int] = []

    def slowly(half: Half, known: Known) -> tuple[int, float, float]:
        asked.append(known.generation)
        if len(asked) == 1:
            write(writer, 2)
            write(writer, 3)
        return first(half, known)

    assert reader.read(slowly) == (3, 3.0, 3.0)
    assert asked == [1, 3]


def test_a_reader_that_is_always_overtaken_knows_nothing(path: Path) -> None:
    """It is told that there is no answer, instead of a wrong one."""
    writer = ModelWriter(path)
    reader = Model(path)

    def slowly(half: Half, known: Known) -> tuple[int, float, float]:
        write(writer, 1)
        write(writer, 2)
        return first(half, known)

    assert reader.read(slowly) is None


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda file: os.truncate(file, BYTES - 1), "bytes where"),
        (lambda file: os.pwrite(file, b"no model", 0), "is no model"),
        (lambda file: os.pwrite(file, struct.pack("<I", 99), 8), "another release"),
        (lambda file: os.pwrite(file, struct.pack("<I", 99), 12), "another release"),
        (lambda file: os.pwrite(file, b"x", 3 * PAGE + 100), "damaged"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(path: Path, spoil: Callable[[int], object], cause: str) -> None:
    """Another size, kind, format, or numbers that nobody wrote: each is told by name, and gives no score."""
    ModelWriter(path)
    descriptor = os.open(path, os.O_RDWR)
    spoil(descriptor)
    os.close(descriptor)
    with pytest.raises(ModelFileError, match=cause):
        Model(path)


def test_damaged_facts_give_no_score(path: Path) -> None:
    """Facts whose check sum is wrong are no facts: neither a new reader nor an old one goes by them."""
    writer = ModelWriter(path)
    old = Model(path)
    write(writer, 1)
    with path.open("r+b") as file:
        file.seek(2 * PAGE + 8)
        file.write(b"\xff")
    assert old.read(first) is None
    with pytest.raises(ModelFileError):
        ModelWriter(path).known()


def test_a_missing_file_is_told(path: Path) -> None:
    """Without a file there is no model, and it says so."""
    with pytest.raises(ModelFileError, match="cannot be read"):
        Model(path)


def test_a_writer_replaces_what_does_not_fit(path: Path) -> None:
    """What another release has written is put aside by an empty model, with the reason."""
    path.write_bytes(b"old")
    writer = ModelWriter(path)
    assert "bytes where" in writer.replaced
    assert Model(path).read(first) == (0, 0.0, 0.0)


def test_the_file_is_private_and_bounded(path: Path) -> None:
    """Nobody else reads it, and it takes less than 64 MB whatever was learnt."""
    ModelWriter(path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.stat().st_size == BYTES <= 64_000_000


def test_facts_of_as_many_domains_as_there_may_be_come_back() -> None:
    """A page holds them all."""
    known = Known(1, 2, 3, 4, 5, b"d" * 16, {b"%08d" % number: (number, 7) for number in range(MAX_DOMAINS)})
    assert Known.unpack(known.pack()) == known

"""A body as an inspector may have it."""

import os

import pytest

from filterd.ipc.body import read_only


@pytest.fixture
def body() -> int:
    """A memfd with some bytes."""
    fd = os.memfd_create("body")
    os.write(fd, b"content")
    return fd


def test_it_can_be_read_and_not_written(body: int) -> None:
    """What is delivered later cannot be changed through it."""
    with read_only(body) as fd:
        assert os.pread(fd, 100, 0) == b"content"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(fd, b"x")
        with pytest.raises(OSError, match="Invalid argument"):
            os.ftruncate(fd, 0)
    os.close(body)


def test_it_has_an_offset_of_its_own_and_is_closed(body: int) -> None:
    """Reading through it moves nobody else's place."""
    with read_only(body) as fd:
        os.lseek(fd, 3, os.SEEK_SET)
        assert os.lseek(body, 0, os.SEEK_CUR) == 7
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    os.close(body)


def test_without_proc_the_descriptor_itself_is_given(body: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not closed: it is the caller's."""

    def refuse(*_: object) -> int:
        raise FileNotFoundError

    monkeypatch.setattr(os, "open", refuse)
    with read_only(body) as fd:
        assert fd == body
    os.close(body)

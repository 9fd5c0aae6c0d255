"""Where the milter socket may be opened, and what it is like then."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.config.listen import MAX_UNIX_PATH
from filterd.ipc.listening import ListenError
from filterd.milter.listener import open_listener
from tests.support.process import open_folder

pytestmark = pytest.mark.integration


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path."""
    with open_folder() as path:
        yield path


def _attempt(listen: str, mode: int = 0o660, group: int = -1) -> str:
    """Open it in a process of its own, for libmilter does so once only: empty, or why not."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            open_listener(listen, mode, group)
            status = 0
        except ListenError as error:
            os.write(write_end, str(error).encode())
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        text = answer.read().decode()
    _, status = os.waitpid(pid, 0)
    assert bool(text) == bool(status)
    return text


def _stale(path: Path) -> None:
    """What a killed daemon leaves."""
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.threat("QUA-10")
def test_the_socket_has_the_mode_it_is_to_have(folder: Path, mode: int, umask: int) -> None:
    """Under any umask; and nothing else is left in the folder."""
    path = folder / "m.sock"
    before = os.umask(umask)
    try:
        assert _attempt(f"unix:{path}", mode) == ""
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(path.lstat().st_mode)
    assert stat.S_IMODE(path.lstat().st_mode) == mode
    assert list(folder.iterdir()) == [path]


@pytest.mark.threat("OPS-10")
def test_a_stale_socket_of_ours_is_replaced(folder: Path) -> None:
    """Nobody answers there: a daemon that was killed may start again."""
    path = folder / "m.sock"
    _stale(path)
    path.chmod(0o600)
    assert _attempt(f"unix:{path}", 0o640) == ""
    assert stat.S_IMODE(path.lstat().st_mode) == 0o640


def test_what_a_crash_left_under_the_first_name_is_replaced(folder: Path) -> None:
    """A daemon killed between binding and renaming leaves nothing that keeps the next from starting."""
    _stale(folder / "m.soc~")
    assert _attempt(f"unix:{folder}/m.sock") == ""
    assert [path.name for path in folder.iterdir()] == ["m.sock"]


@pytest.mark.threat("OPS-10")
@pytest.mark.threat("OPS-11")
def test_a_socket_that_answers_is_left_alone(folder: Path) -> None:
    """Another process serves there; it goes on to."""
    path = folder / "m.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert _attempt(f"unix:{path}").endswith("another process answers there")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize("kind", ["file", "folder", "link to a socket", "dangling link", "fifo"])
@pytest.mark.threat("OPS-10")
def test_what_is_no_socket_is_not_removed(folder: Path, kind: str) -> None:
    """Refused in words, and everything is still there."""
    path, other = folder / "m.sock", folder / "other"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        if kind == "link to a socket":
            _stale(other)
        path.symlink_to(other)
    before = path.lstat()
    assert _attempt(f"unix:{path}").endswith("it exists and is not a socket of this user")
    assert path.lstat() == before
    assert other.exists() == (kind == "link to a socket")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a socket of another user")
@pytest.mark.threat("OPS-10")
def test_another_users_socket_is_not_removed(folder: Path) -> None:
    """Even where nobody answers."""
    path = folder / "m.sock"
    _stale(path)
    os.chown(path, 65534, 65534)
    assert _attempt(f"unix:{path}").endswith("it exists and is not a socket of this user")
    assert path.exists()


@pytest.mark.parametrize(("mode", "refused"), [(0o775, True), (0o757, True), (0o1777, False), (0o755, False)])
@pytest.mark.threat("OPS-10")
def test_a_folder_that_others_write_into_is_refused(folder: Path, mode: int, *, refused: bool) -> None:
    """Somebody could put a socket of his own in our place; a sticky bit forbids that."""
    folder.chmod(mode)
    text = _attempt(f"unix:{folder}/m.sock")
    assert text.endswith(f"others may write into {folder}: chmod go-w {folder}") == refused
    assert bool(text) == refused


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("unix:/nonexistent/m.sock", "the folder /nonexistent: No such file or directory"),
        ("inet:1@192.0.2.1", "cannot listen on inet:1@192.0.2.1"),
    ],
)
def test_an_address_that_cannot_be_bound_is_named(listen: str, words: str) -> None:
    """The error says which address and why, not only that libmilter failed."""
    assert words in _attempt(listen)


def test_a_group_that_may_not_be_given_leaves_no_socket(folder: Path) -> None:
    """A socket that the MTA could not use is not left behind under a half-made name."""
    if os.geteuid() == 0:
        assert _attempt(f"unix:{folder}/m.sock", group=65534) == ""
        assert (folder / "m.sock").lstat().st_gid == 65534
    else:
        assert "cannot give" in _attempt(f"unix:{folder}/m.sock", group=65534)
        assert list(folder.iterdir()) == []


def test_the_longest_path_that_the_configuration_allows_can_be_bound(folder: Path) -> None:
    """The name that it is bound under first must not need more."""
    path = folder / ("m" * (MAX_UNIX_PATH - len(str(folder)) - 1))
    assert _attempt(f"unix:{path}") == ""
    assert path.exists()

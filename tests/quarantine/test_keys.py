"""The file with the keys of release tokens: private, durable, and replaced while it is in use."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from filterd.quarantine.keys import KEPT, MAX_FILE, KeyFileError, Keys

pytestmark = pytest.mark.threat("QUA-06")
GOOD = f"{'1a' * 4} {'2b' * 32}\n"


def made(folder: Path) -> Keys:
    """A file with one key."""
    keys = Keys(folder / "state" / "release.key")
    keys.make()
    return keys


def written(folder: Path, content: bytes, mode: int = 0o600) -> Keys:
    """A file that says so."""
    path = folder / "release.key"
    path.write_bytes(content)
    path.chmod(mode)
    return Keys(path)


@pytest.mark.threat("QUA-10")
def test_made_once(tmp_path: Path) -> None:
    """The first who needs it makes it, private under umask 0 too; who comes later finds it."""
    before = os.umask(0)
    try:
        first = made(tmp_path)
    finally:
        os.umask(before)
    again = made(tmp_path)
    assert first.first() == again.first() == again.find(first.first().name)
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert [path.name for path in first.path.parent.iterdir()] == ["release.key"]


def test_made_at_once(tmp_path: Path) -> None:
    """Eight processes' worth of first users end with one and the same key."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: made(tmp_path).first().secret, range(8)))
    assert len(found) == 1


def test_rotate(tmp_path: Path) -> None:
    """The new one signs, the one before verifies, the one before that is gone; who has the file open sees it."""
    reader, writer = made(tmp_path), made(tmp_path)
    first = reader.first()
    second = writer.rotate()
    assert (reader.first(), reader.find(first.name)) == (second, first)
    third = writer.rotate()
    assert [reader.find(key.name) for key in (third, second, first)] == [third, second, None]
    assert len(reader.path.read_text().splitlines()) == KEPT
    assert stat.S_IMODE(reader.path.stat().st_mode) == 0o600


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither by a key's own words nor by an error's."""
    keys = made(tmp_path)
    key = keys.first()
    assert key.secret.hex() not in repr(key)
    keys.path.write_text(f"nonsense\n{key.name} {key.secret.hex()}\n")
    with pytest.raises(KeyFileError) as error:
        Keys(keys.path).first()
    assert key.secret.hex() not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"nonsense\n",
        GOOD.upper().encode(),
        GOOD.replace("2b", "2", 1).encode(),
        GOOD.encode() + b"one more line\n",
        b"\xff\xfe" + GOOD.encode(),
        b"\0" * 10_000,
        GOOD.encode() * 1_000,
    ],
)
def test_what_is_no_key_file(tmp_path: Path, content: bytes) -> None:
    """Is said, with what to do; half of a file is not used."""
    with pytest.raises(KeyFileError, match=r"release\.key: expected lines of a name and a key; take it away"):
        written(tmp_path, content).first()


def test_a_long_file_is_not_read_whole(tmp_path: Path) -> None:
    """Beyond what two keys need nothing is read."""
    keys = written(tmp_path, GOOD.encode() + b" " * MAX_FILE * 100)
    with pytest.raises(KeyFileError):
        keys.first()


@pytest.mark.threat("QUA-10")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_use(tmp_path: Path, mode: int) -> None:
    """Is not used, and the remedy is said."""
    keys = written(tmp_path, GOOD.encode(), mode)
    with pytest.raises(KeyFileError, match=f"must be private: chmod go= {keys.path}"):
        keys.first()


def test_what_is_not_there(tmp_path: Path) -> None:
    """No file, a folder, a symbolic link, a pipe: each in words, and nobody waits."""
    path = tmp_path / "release.key"
    with pytest.raises(KeyFileError, match="is not there: filterd run makes it at its start"):
        Keys(path).first()
    (tmp_path / "real").write_text(GOOD)
    (tmp_path / "real").chmod(0o600)
    path.symlink_to("real")
    with pytest.raises(KeyFileError, match="Too many levels of symbolic links"):
        Keys(path).first()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyFileError):
        Keys(path).first()
    path.unlink()
    path.mkdir(0o700)
    with pytest.raises(KeyFileError, match=r"release\.key: Is a directory"):
        Keys(path).first()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The file is named, and why."""
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match=r"release\.key: (File exists|Not a directory)"):
        Keys(tmp_path / "file" / "release.key").make()

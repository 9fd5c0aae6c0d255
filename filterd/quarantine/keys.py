"""The keys of release tokens: a file of ours alone, one key a line, the newest first; the others only verify.

    NAME SECRET        8 and 64 hexadecimal digits

Nodes that release for each other share the file: copied, not mounted. It is read again when it has changed.
"""

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEPT: Final = 2  # keys: the one that signs, and the one before, whose tokens may still be under way
MAX_FILE: Final = 4_096  # bytes; two keys have 150
NAME_BYTES: Final = 4
SECRET_BYTES: Final = 32  # RFC 2104 3: as long as the hash's output
_LINE: Final = re.compile(r"([0-9a-f]{8}) ([0-9a-f]{64})")
_OTHERS: Final = 0o077


class KeyFileError(Exception):
    """There is no key to be had; the text names the file, says why and what to do, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    name: str
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret: it must not get into a log."""
        return f"Key({self.name})"


class Keys:
    """The keys in a file. Thread-safe: what was read is replaced, never changed."""

    def __init__(self, path: Path, randomness: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """Nothing is opened yet."""
        self.path = path
        self._randomness = randomness
        self._known: tuple[tuple[int, int, int], tuple[Key, ...]] | None = None  # the file's state, what it held

    def make(self) -> None:
        """Make the file with a first key, where there is none. KeyFileError where it cannot be used."""
        if not self.path.exists():
            with suppress(FileExistsError):  # another process was faster
                self._write((), -1, -1)
        self.first()

    def rotate(self) -> Key:
        """Put a new key in front and keep the one before; the owner stays. KeyFileError."""
        known = self._read()
        facts = self.path.stat()
        return self._write(known, facts.st_uid, facts.st_gid)

    def first(self) -> Key:
        """The key that signs. KeyFileError."""
        return self._read()[0]

    def find(self, name: str) -> Key | None:
        """The key of that name, None where there is none. KeyFileError."""
        return next((key for key in self._read() if key.name == name), None)

    def _read(self) -> tuple[Key, ...]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise KeyFileError(f"{self.path} is not there: filterd run makes it at its start") from None
        except OSError as error:
            raise KeyFileError(f"{self.path}: {error.strerror}") from None
        try:
            facts = os.fstat(descriptor)
            state = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if self._known is not None and self._known[0] == state:
                return self._known[1]
            if facts.st_mode & _OTHERS:
                raise KeyFileError(f"{self.path} must be private: chmod go= {self.path}")
            text = os.read(descriptor, MAX_FILE).decode("ascii", "replace")
        except OSError as error:
            raise KeyFileError(f"{self.path}: {error.strerror}") from None
        finally:
            os.close(descriptor)
        found = [_LINE.fullmatch(line) for line in text.splitlines()]
        keys = tuple([Key(match[1], bytes.fromhex(match[2])) for match in found if match])
        if not keys or len(keys) < len(found):
            raise KeyFileError(f"{self.path}: expected lines of a name and a key; take it away for a new one")
        self._known = (state, keys)
        return keys

    def _write(self, known: tuple[Key, ...], user: int, group: int) -> Key:
        """Write beside it and put it in place, durably; FileExistsError where a first one is there already."""
        made = Key(self._randomness(NAME_BYTES).hex(), self._randomness(SECRET_BYTES))
        lines = [f"{key.name} {key.secret.hex()}\n" for key in (made, *known)[:KEPT]]
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.{made.name}")
        try:
            self.path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.fchown(descriptor, user, group)
                os.write(descriptor, "".join(lines).encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if known:
                draft.rename(self.path)
            else:
                os.link(draft, self.path)
        except FileExistsError:
            raise
        except OSError as error:
            raise KeyFileError(f"{self.path}: {error.strerror}") from None
        finally:
            with suppress(OSError):
                draft.unlink()
        return made

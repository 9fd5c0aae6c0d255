"""Secrets stand in files, never in filterd.toml, the environment or a command line."""

import os
import stat
from pathlib import Path
from typing import Final

MAX_SECRET: Final = 4096  # bytes; passwords and list keys are far shorter
MAX_KEY: Final = 65_536  # bytes; a private key of 4096 bits has 3,300 in PEM
OTHERS: Final = stat.S_IROTH | stat.S_IWOTH


class SecretError(Exception):
    """The file cannot be used as a secret. The text names the file and never its content."""


def read_private(path: Path, most: int) -> bytes:
    """The file's first bytes, `most` of them. SecretError where it cannot be read, or is open to others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as problem:
        raise SecretError(f"{path}: {problem.strerror}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise SecretError(f"{path}: not a regular file")
        if facts.st_mode & OTHERS:
            raise SecretError(f"{path}: other users may read or write it; expected mode 0600 or 0640")
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def read_secret(path: Path) -> str:
    """The file's first line without its line end. SecretError where it is missing, empty, or open to others."""
    content = read_private(path, MAX_SECRET)
    try:
        secret = content.decode("utf-8").split("\n", 1)[0].rstrip("\r")
    except UnicodeDecodeError:
        raise SecretError(f"{path}: not UTF-8 text") from None
    if not secret:
        raise SecretError(f"{path}: the first line is empty")
    return secret


def readable(path: Path | None) -> Path | None:
    """The same path for a field of a configuration; ValueError where it cannot be used as a secret."""
    if path is not None:
        try:
            read_secret(path)
        except SecretError as problem:
            raise ValueError(str(problem)) from None
    return path

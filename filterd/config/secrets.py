"""Secrets stand in files, never in filterd.toml, the environment or a command line; nothing that is said shows them.

`credential:NAME` instead of a path is a credential of systemd's (LoadCredential=, SetCredentialEncrypted=). What was
read in a process is known to it from then on: `masked` takes it out of whatever is to be logged or printed, however it
came there (an exception of a library, a URL, a name of a paid block list).
"""

import grp
import json
import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

MAX_SECRET: Final = 4096  # bytes; passwords and list keys are far shorter
MAX_KEY: Final = 65_536  # bytes; a private key of 4096 bits has 3,300 in PEM
OTHERS: Final = stat.S_IROTH | stat.S_IWOTH
SHOWN: Final = "[secret]"  # what stands where one stood
MIN_MASKED: Final = 6  # characters; what is shorter would take ordinary words apart, and keeps nobody out
CREDENTIAL: Final = "credential:"
UNIT: Final = Path("/run/credentials/filterd.service")  # where systemd puts them, for commands outside of the unit
_ROOT: Final = 0


class SecretError(Exception):
    """The file cannot be used as a secret. The text names the file and never its content."""


class _Known:
    """What this process has read, in the forms it may be seen in. Replaced whole: threads read it without a lock."""

    texts: tuple[str, ...] = ()
    lines: tuple[bytes, ...] = ()
    labels: tuple[str, ...] = ()


def remember(secret: str) -> None:
    """Take this out of all that is said from now on."""
    if len(secret) < MIN_MASKED or secret in _Known.texts:
        return
    quoted = [json.dumps(secret, ensure_ascii=escaped)[1:-1] for escaped in (False, True)]
    forms = {secret, secret.lower(), quote(secret, safe=""), *quoted, repr(secret)[1:-1]}
    # The longest first: one may be the beginning of another.
    _Known.texts = tuple(sorted({*_Known.texts, *forms}, key=len, reverse=True))
    _Known.lines = tuple([text.encode("utf-8", "surrogatepass") for text in _Known.texts])


def remember_label(key: str) -> None:
    """Take a paid block list's key, which is a part of names that are asked, out of names that are kept."""
    remember(key)
    _Known.labels = tuple({*_Known.labels, f".{key.lower()}."})


def masked_name(name: str) -> str:
    """A domain name, lower-case, without keys; the same object where it has none."""
    for label in _Known.labels:
        if label in name:
            name = name.replace(label, f".{SHOWN}.")
    return name


def masked(text: str) -> str:
    """The text without secrets that were read here."""
    for secret in _Known.texts:
        if secret in text:
            text = text.replace(secret, SHOWN)
    return text


def masked_line(line: bytes) -> bytes:
    """The same for what is encoded already."""
    for secret in _Known.lines:
        if secret in line:
            line = line.replace(secret, SHOWN.encode())
    return line


def read_private(path: Path, most: int) -> bytes:
    """The file's first bytes, `most` of them. SecretError where it cannot be read, or is open to others."""
    place = place_of(path)
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as problem:
        raise SecretError(f"{path}: {problem.strerror}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise SecretError(f"{path}: not a regular file")
        if facts.st_mode & OTHERS:
            raise SecretError(f"{path}: other users may read or write it; expected mode 0600 or 0640")
        if place is path:  # systemd's own stand in a folder of the unit's, and show an access list as group rights
            _check(path, facts)
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
    remember(secret)
    return secret


def readable(path: Path | None) -> Path | None:
    """The same path for a field of a configuration; ValueError where it cannot be used as a secret."""
    if path is not None:
        try:
            read_secret(path)
        except SecretError as problem:
            raise ValueError(str(problem)) from None
    return path


def place_of(path: Path) -> Path:
    """Where the file is: the path itself, or systemd's credential of that name. SecretError."""
    name = str(path)
    if not name.startswith(CREDENTIAL):
        return path
    name = name.removeprefix(CREDENTIAL)
    if not name or "/" in name or name in {".", ".."}:
        raise SecretError(f"{path}: expected the name of a credential, as LoadCredential=NAME:PATH has it")
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY") or UNIT)
    if not (folder / name).is_file():
        raise SecretError(f"{path}: no such credential in {folder}; the unit needs LoadCredential={name}:PATH")
    return folder / name


def _check(path: Path, facts: os.stat_result) -> None:
    """SecretError where somebody else than root and this user could have written it, or a group of people read it."""
    if facts.st_uid not in {_ROOT, os.geteuid()} and os.geteuid() != _ROOT:
        raise SecretError(f"{path}: it belongs to another user (uid {facts.st_uid}); expected root or this user")
    if facts.st_mode & stat.S_IWGRP:
        raise SecretError(f"{path}: its group may write it; expected mode 0600 or 0640")
    if facts.st_mode & stat.S_IRGRP and _shared(facts.st_gid):
        raise SecretError(f"{path}: a group of others (gid {facts.st_gid}) may read it; expected mode 0600")


def _shared(gid: int) -> bool:
    """Whether a group is of more people than a service; root cannot tell which service, and looks at its members."""
    if gid in {_ROOT, os.getegid()}:
        return False
    try:
        return os.geteuid() != _ROOT or bool(grp.getgrgid(gid).gr_mem)
    except KeyError:
        return False

"""The daemon's folders: made, locked against a second daemon, and cleared of what an earlier one left."""

import fcntl
import os
import shutil
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import Final

from filterd.app.custody import quarantine_of
from filterd.app.releasing import make_keys
from filterd.app.successor import Predecessor
from filterd.app.telling import LOCK_FILE, STATUS_FILE
from filterd.config import Config
from filterd.model.custody import CustodyError
from filterd.quarantine.keys import KeyFileError

LOCK_SECONDS: Final = 1.0
NURSERY_PREFIX: Final = "inspect-"
PASSABLE: Final = 0o711  # the MTA must pass the folder to reach the socket; everything else in it is private itself


class StartRefusedError(Exception):
    """The daemon cannot start; the text says why and what to do."""


def prepare_folders(config: Config, before: Predecessor) -> int:
    """Make the folders and take the lock, where it is not ours already; its descriptor. StartRefusedError."""
    runtime = config.runtime_directory
    try:
        for folder in (config.state_directory, runtime):
            if not folder.is_dir():
                folder.mkdir(parents=True, mode=PASSABLE)
                folder.chmod(PASSABLE)
        descriptor = before.lock if before.lock is not None else _locked(runtime)
        quarantine = quarantine_of(config)
        quarantine.prepare()
        make_keys(config)
    except BlockingIOError:
        raise StartRefusedError(f"another filterd runs with the folder {runtime}: stop it first") from None
    except (OSError, CustodyError, KeyFileError) as error:
        raise StartRefusedError(f"{error}") from None
    clear_folders(config, before.folders)
    return descriptor


def _locked(runtime: Path) -> int:
    """The lock's descriptor. BlockingIOError: another daemon has it."""
    descriptor = os.open(runtime / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    _take(descriptor)
    return descriptor


def _take(descriptor: int) -> None:
    """Lock it; `filterd status` holds the lock for a moment when it looks. BlockingIOError: another daemon has it."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(LOCK_SECONDS / 20)
        else:
            return


def clear_folders(config: Config, kept: Container[Path] = ()) -> None:
    """Remove what an earlier daemon left behind, but for folders that are in use."""
    runtime = config.runtime_directory.resolve()
    for folder in runtime.glob(f"{NURSERY_PREFIX}*"):
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)
    with suppress(FileNotFoundError):
        (runtime / STATUS_FILE).unlink()

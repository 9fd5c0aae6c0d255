"""Listening sockets with a path: a stale one of ours goes, whatever else is there stays and is an error."""

import os
import socket
import stat
from pathlib import Path
from typing import Final

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class ListenError(Exception):
    """A socket cannot be opened; the text says which and why."""


def clear_path(path: Path) -> None:
    """Remove a stale socket of ours; refuse whatever else is there, and a folder where others could put theirs."""
    try:
        folder = path.parent.stat()
    except OSError as error:
        raise ListenError(f"cannot listen on unix:{path}: the folder {path.parent}: {error.strerror}") from None
    if folder.st_mode & _OTHERS_WRITE and not folder.st_mode & stat.S_ISVTX:
        raise ListenError(
            f"cannot listen on unix:{path}: others may write into {path.parent}: chmod go-w {path.parent}"
        )
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        raise ListenError(f"cannot listen on unix:{path}: it exists and is not a socket of this user")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise ListenError(f"cannot listen on unix:{path}: {error}") from None
    raise ListenError(f"cannot listen on unix:{path}: another process answers there")

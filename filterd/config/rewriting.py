"""Changing a file that an operator wrote."""

import os
import tempfile
from pathlib import Path


def rewrite(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, with the mode and owner it had; a link stays a link. OSError."""
    path = path.resolve()
    status = path.stat()
    fd, draft = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            os.fchmod(fd, status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(fd, status.st_uid, status.st_gid)
            file.flush()
            os.fsync(fd)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise

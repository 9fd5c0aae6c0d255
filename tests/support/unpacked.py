"""Public test data out of its archives."""

import tarfile
from pathlib import Path, PurePosixPath


def unpacked(archive: Path, folder: Path) -> Path:
    """Put the regular files of a tar archive below `folder`, which is given back.

    By hand, for the Python of Debian 12 has no filter for extractall, and newer ones want one.
    """
    with tarfile.open(archive) as files:
        for member in files:
            content = files.extractfile(member) if member.isfile() else None
            if content is not None:
                path = PurePosixPath(member.name)
                assert not path.is_absolute(), member.name
                assert ".." not in path.parts, member.name
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
    return folder

"""What belongs to a release, and times that do not change with the day it is built."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("filterd", "rules", "docs", "deploy")
FILES: Final = (
    "pyproject.toml", "requirements.lock", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"
)  # fmt: skip
EARLIEST: Final = 315_532_800  # epoch seconds; a zip file knows no time before 1980
SHOWN: Final = 5  # names of files in a warning
_LEFT_OUT: Final = {"__pycache__"}


def version() -> str:
    """The release's number."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def epoch() -> int:
    """The time that all files get: SOURCE_DATE_EPOCH, else that of the last commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct").strip()
    return max(int(told or 0), EARLIEST)


def files() -> list[str]:
    """Names of the files of a release: those that git knows or would take in, where this is a checkout.

    A module that nobody has committed yet belongs to it: without it what imports it would not start.
    """
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *FOLDERS, *FILES)
    known = {name for name in listed.split("\0") if name}
    if not known:
        found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
        known = {str(path.relative_to(ROOT)) for path in found if not _LEFT_OUT & set(path.parts)} | set(FILES)
    return sorted([name for name in known if (ROOT / name).is_file()])


def changed() -> list[str]:
    """Files of a release that are not as they are in the commit, by name; none where this is no checkout."""
    lines = _git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *FOLDERS, *FILES)
    return sorted([line[3:] for line in lines.split("\0") if line])


def warning() -> str:
    """What is to be said where what is built is no commit's; empty where it is."""
    names = changed()
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    told = (
        f"warning: built of files that are in no commit, so nobody can build it again: {', '.join(names[:SHOWN])}{more}"
    )
    return f"{told}\n" if names else ""


def copy_to(folder: Path) -> None:
    """Put them there, with modes that no umask has a say in."""
    for name in files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod(0o755 if os.access(ROOT / name, os.X_OK) else 0o644)


def fresh(folder: Path) -> Path:
    """That folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def environment() -> dict[str, str]:
    """For everything that is run: the same time, and no order that changes."""
    return {**os.environ, "SOURCE_DATE_EPOCH": str(epoch()), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _git(*arguments: str) -> str:
    """What git says; nothing where this is no checkout, or no git, as in an image that is being built."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""

"""Whether Python and its packages are what this release was checked with: asked at each start, and by doctor.

Two files of the release say so: `data/floors.toml` (releases of CPython that mend known holes) and
`data/packages.toml` (what requirements.lock pins of all that filterd needs). Neither stops a start: who runs something
else may know why, and mail is to be filtered.
"""

import os
import platform
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from filterd.operations.doctor import Diagnosis, Level

DATA: Final = Path(__file__).with_name("data")
DISTRIBUTION: Final = "/usr"  # the prefix of a distribution's own Python; who builds one has it somewhere else
SHOWN: Final = 8  # packages that are named; the rest is a number
_METADATA: Final = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[^-]+)\.dist-info")


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter: its release, and where it was installed."""

    release: tuple[int, ...]
    prefix: str

    @property
    def branch(self) -> str:
        """As 3.11."""
        return ".".join([str(part) for part in self.release[:2]])

    def __str__(self) -> str:
        """As 3.11.2."""
        return ".".join([str(part) for part in self.release[:3]])


def check_environment() -> tuple[Diagnosis, ...]:
    """Both, as they are here and now."""
    own = Python(tuple(sys.version_info[:3]), sys.base_prefix)
    floors = tomllib.loads((DATA / "floors.toml").read_text())
    checked = tomllib.loads((DATA / "packages.toml").read_text())
    cpython = platform.python_implementation() == "CPython"
    today = datetime.now(UTC).date()
    return (*([check_python(own, floors, today)] if cpython else []), check_packages(installed(sys.path), checked))


def check_user(uid: int) -> Diagnosis:
    """A warning where the daemon runs as root: inspectors do not, in any case."""
    if uid:
        return Diagnosis(Level.OK, "the daemon", "does not run as root")
    remedy = "set [paths] user, or User= in the unit"
    return Diagnosis(Level.WARNING, "the daemon", "runs as root, which it needs for nothing", remedy)


def check_python(own: Python, floors: Mapping[str, Any], today: date) -> Diagnosis:
    """A warning where it is older than a release that mends known holes, or nobody mends it any more."""
    subject = f"Python {own}"
    if own.prefix == DISTRIBUTION:
        # Distributions mend holes and keep the number: Debian's 3.11.2 has the mends of many releases behind it.
        return Diagnosis(Level.OK, subject, "is the distribution's: its security updates count, not its number")
    branch = floors["branches"].get(own.branch)
    if branch is None:
        return Diagnosis(Level.OK, subject, f"is of a branch that was not there on {floors['as_of']}")
    if today > date.fromisoformat(branch["until"]):
        text = f"is mended by nobody since {branch['until']}"
        return Diagnosis(Level.WARNING, subject, text, "install filterd with a newer branch of Python")
    if own.release < tuple([int(part) for part in branch["floor"].split(".")]):
        text = f"is older than {branch['floor']}, which mends known holes"
        return Diagnosis(Level.WARNING, subject, text, f"update it to {branch['floor']} or later of {own.branch}")
    return Diagnosis(Level.OK, subject, f"has what was mended until {floors['as_of']}")


def check_packages(found: Mapping[str, str], checked: Mapping[str, str]) -> Diagnosis:
    """A warning where packages that filterd needs are of other versions than those of the lock."""
    subject = "Python packages"
    others = [
        f"{name} {found[name]} (checked: {version})"
        for name, version in checked.items()
        if name in found and found[name] != version
    ]
    if not others:
        return Diagnosis(Level.OK, subject, "are those that this release was checked with")
    rest = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    text = f"are not those that this release was checked with: {', '.join(others[:SHOWN])}{rest}"
    remedy = "pip install --require-hashes -r requirements.lock of this release, or its Debian package"
    return Diagnosis(Level.WARNING, subject, text, remedy)


def installed(folders: Iterable[str]) -> dict[str, str]:
    """Versions by name, as Python would import them. By the names of folders: reading metadata costs a start 50 ms."""
    found: dict[str, str] = {}
    for folder in folders:
        for name, version in _packages(folder):
            found.setdefault(name, version)
    return found


def _packages(folder: str) -> Iterator[tuple[str, str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if match := _METADATA.fullmatch(entry.name):
                yield re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"]

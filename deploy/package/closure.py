"""What an installed filterd needs: the packages of the lock without those that only development needs.

Read from the metadata of the environment that `make setup` has made of the lock, hash by hash. A package that is not in
the lock, or in another version, is an error: what is shipped is what is pinned.
"""

import re
import tomllib
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.package.tree import ROOT

EXTRAS: Final = ("postgresql", "s3", "zstd")  # of filterd, that a package has besides
_PIN: Final = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class ClosureError(Exception):
    """Lock and environment do not fit; the text says what to do."""


def pins() -> dict[str, tuple[str, tuple[str, ...]]]:
    """The lock: versions, and the digests of the files that may be installed, by name."""
    text = (ROOT / "requirements.lock").read_text()
    found = {}
    matches = list(_PIN.finditer(text))
    ends = [match.start() for match in matches[1:]] + [len(text)]
    for match, end in zip(matches, ends, strict=True):
        hashes = tuple(_HASH.findall(text[match.end() : end]))
        found[str(canonicalize_name(match["name"]))] = (match["version"], hashes)
    return found


def declared() -> list[str]:
    """What filterd itself asks for, with EXTRAS: as pyproject.toml says it now, whenever it was installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *[text for extra in EXTRAS for text in extras[extra]]]


def closure() -> dict[str, metadata.Distribution]:
    """All that is needed, with filterd's EXTRAS, by name. ClosureError."""
    locked = pins()
    found: dict[str, metadata.Distribution] = {}
    waiting = [(Requirement(text), "") for text in declared()]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = str(canonicalize_name(wanted.name))
        seen = name in found
        if not seen:
            found[name] = _installed(name, locked)
        for more in ({""} if not seen else set()) | wanted.extras:
            waiting += [(Requirement(text), more) for text in found[name].requires or []]
    return dict(sorted(found.items()))


def _installed(name: str, locked: dict[str, tuple[str, tuple[str, ...]]]) -> metadata.Distribution:
    if name not in locked:
        raise ClosureError(f"{name} is needed and not in requirements.lock: make lock")
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise ClosureError(f"{name} is not installed: make setup") from None
    if distribution.version != locked[name][0]:
        raise ClosureError(f"{name}: installed is {distribution.version}, pinned {locked[name][0]}: make setup")
    if not locked[name][1]:
        raise ClosureError(f"{name} has no hash in requirements.lock: make lock")
    return distribution

"""The lock file holds what every supported Python needs."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[1] / "requirements.lock"


@pytest.mark.parametrize("version", ["3.11.2", "3.11.14", "3.12.0", "3.13.0", "3.14.0"])
def test_lock_is_complete(version: str) -> None:
    """No package of the lock needs one that is missing there, whichever Python installs it: Debian 12 has 3.11.2."""
    locked = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE)}
    assert locked
    assert [needed for name in sorted(locked) for needed in _needed(name, version) if needed not in locked] == []


def _needed(name: str, version: str) -> list[str]:
    """What a package requires under this version of Python."""
    python = {"python_full_version": version, "python_version": version.rpartition(".")[0], "extra": ""}
    found = [Requirement(text) for text in metadata.requires(name) or []]
    return [canonicalize_name(each.name) for each in found if each.marker is None or each.marker.evaluate(python)]

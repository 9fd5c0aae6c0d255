"""Inside of an inspector: everything that hostile mail would want, tried from there."""

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from filterd.inspectors import InspectorPool, NurserySettings, SandboxLevel, start_nursery
from tests.inspectors.conftest import bed, wait_until
from tests.inspectors.readers import LISTENING, PROBES, WRITABLE
from tests.support.process import open_folder

pytestmark = pytest.mark.integration
PROBING: Final = NurserySettings(reader="tests.inspectors.readers:probing")
ALLOWED: Final = frozenset({"nothing", "only what is needed is open"})
# What an inspector without walls may not either: other ids, resource limits, a body opened for reading.
ALWAYS_REFUSED: Final = frozenset(
    {
        "read a secret",
        "write into the root",
        "change a mode",
        "change the body",
        "fork",
        "run a program",
        "kill the nursery",
        "kill all",
        "trace the nursery",
        "read another's memory",
        "become root",
        "mount",
        "raise a limit",
        "open many",
    }
)


@contextmanager
def surroundings() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder that everybody may write to, and a unix socket that everybody may connect to."""
    with open_folder() as folder, socket.socket(socket.AF_UNIX) as path, socket.socket(socket.AF_UNIX) as abstract:
        folder.chmod(0o777)
        (folder / "keep").write_text("kept")
        path.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        path.listen()
        abstract.bind("\0filterd-test")
        abstract.listen()
        yield folder, {WRITABLE: str(folder), LISTENING: str(folder / "socket")}


def outcomes(settings: NurserySettings, more: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """How each probe ended inside of an inspector, with more in the nursery's environment."""
    with surroundings() as (folder, environment):
        with bed(settings, environment={**environment, **more}) as made:
            found = dict(line.split(": ", 1) for line in made.ask(b"body").problems)
        assert sorted(path.name for path in folder.iterdir()) == ["keep", "socket"] or not settings.walls
        assert not Path("/written").exists()
    assert found.keys() == PROBES.keys()
    return found


@pytest.mark.threat("OPS-02")
def test_every_way_out_is_closed() -> None:
    """Files, network, processes, other ids: each attempt is an error, and the inspector answers all the same."""
    found = outcomes(PROBING)
    assert {name for name, how in found.items() if how == "done"} == ALLOWED
    assert found["exec"] == "EPERM"


@pytest.mark.threat("OPS-02")
def test_a_single_wall_missing_leaves_the_others() -> None:
    """Without an empty root, which needs a folder, Landlock and seccomp still refuse every file."""
    found = outcomes(replace(PROBING, empty="/no/such/folder"))
    assert {name for name, how in found.items() if how == "done"} <= ALLOWED | {"see a file"}


@pytest.mark.skipif(os.geteuid() != 0, reason="without root an inspector without walls has our own ids")
@pytest.mark.threat("OPS-02")
def test_without_walls_limits_and_ids_remain() -> None:
    """Where an operator switches the walls off: no secrets, no processes, bounded memory."""
    found = outcomes(replace(PROBING, walls=False))
    assert {name for name in ALWAYS_REFUSED if found[name] == "done"} == set()
    assert found["only what is needed is open"] == "done"


@pytest.mark.threat("OPS-03")
def test_the_level_that_was_reached_is_known() -> None:
    """What this host offers is reported wall by wall, and nothing where walls are off."""
    with bed(PROBING) as made:
        level = made.pool.level
    with bed(replace(PROBING, walls=False)) as made:
        none = made.pool.level
    assert level is not None
    assert level.seccomp
    assert none is not None
    assert (none.namespaces, none.chroot, none.landlock, none.seccomp) == (False, False, 0, False)


# A machine of our own making, told to Python as it starts: a kernel that knows no Landlock, and no libseccomp.
BARE: Final = """
import errno, sys
import pyseccomp
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "landlock_create_ruleset")
rules.load()
sys.modules["pyseccomp"] = None
"""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a nursery on such a machine."""
    tmp_path.chmod(0o755)
    (tmp_path / "sitecustomize.py").write_text(BARE)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}


@pytest.mark.threat("OPS-03")
def test_without_libseccomp_and_landlock_it_is_known_what_is_missing(bare: dict[str, str]) -> None:
    """Mail is read, the level says which walls stand, and what limits and other ids refuse is still refused."""
    with bed(PROBING, environment=bare) as made:
        level = made.pool.level
    assert level is not None
    assert (level.seccomp, level.landlock) == (False, 0)
    assert level.missing(SandboxLevel(landlock=1, seccomp=True)) == ("landlock ABI 1", "seccomp")
    if os.geteuid() == 0:
        found = outcomes(PROBING, bare)
        assert {name for name in ALWAYS_REFUSED if found[name] == "done"} == set()


@pytest.mark.threat("OPS-03")
def test_who_demands_them_does_not_start_without(bare: dict[str, str]) -> None:
    """`sandbox = "required"`: no inspector serves, and it is said why."""
    settings = replace(PROBING, demand=SandboxLevel(landlock=1, seccomp=True))
    with open_folder() as folder:
        nursery = start_nursery(folder, settings, environment=bare)
        pool = InspectorPool(nursery.path, 1)
        try:
            wait_until(lambda: pool.trouble, "the inspector refuses")
            assert pool.trouble == "the sandbox lacks what is demanded: landlock ABI 1, seccomp"
            assert pool.stats()["serving"] == 0
        finally:
            pool.close()
            nursery.stop()

"""Inside of an inspector: everything that hostile mail would want, tried from there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from filterd.inspectors import NurserySettings
from tests.inspectors.conftest import bed
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


def outcomes(settings: NurserySettings) -> dict[str, str]:
    """How each probe ended inside of an inspector."""
    with surroundings() as (folder, environment):
        with bed(settings, environment=environment) as made:
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

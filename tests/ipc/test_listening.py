"""Where a socket is to be and something is already: the policy service's, the control socket, the metrics' address."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.config import Config
from filterd.config.listen import Listen, ListenKind
from filterd.control import ControlServer, Grant
from filterd.ipc.listening import ListenError
from filterd.policy.listener import PolicyListener
from filterd.telemetry.exposition import MetricsServer
from tests.support.process import open_folder

pytestmark = pytest.mark.integration

Close = Callable[[], None]


def policy(path: Path) -> Close:
    """The policy service's."""
    return PolicyListener(Listen(ListenKind.UNIX, path=str(path)), 0o600).close


def control(path: Path) -> Close:
    """The daemon's own."""
    return ControlServer(path, 0o600, lambda _peer: Grant(), lambda *_: {}).close


def metrics(path: Path) -> Close:
    """Prometheus'."""
    return MetricsServer(Listen(ListenKind.UNIX, path=str(path)), lambda: b"").close


Opens = Callable[[Path], Close]
EACH = pytest.mark.parametrize("opens", [policy, control, metrics])


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose paths are short enough."""
    with open_folder() as made:
        yield made


def stale(path: Path) -> None:
    """What a daemon leaves that was killed."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


@EACH
@pytest.mark.threat("OPS-10")
def test_a_stale_socket_of_ours_is_replaced(folder: Path, opens: Opens) -> None:
    """Nobody answers there: the next daemon takes its place, and takes it away when it ends."""
    stale(folder / "s")
    opens(folder / "s")()
    assert not (folder / "s").exists()


@EACH
@pytest.mark.parametrize("kind", ["file", "link", "other user's", "in use"])
@pytest.mark.threat("OPS-10")
def test_whatever_else_is_there_stays(folder: Path, opens: Opens, kind: str) -> None:
    """A file, a link to a stale socket of ours, another user's socket, one that is served: refused, nothing removed."""
    path, other = folder / "s", folder / "other"
    with socket.socket(socket.AF_UNIX) as serving:
        if kind == "file":
            path.write_text("precious")
        elif kind == "link":
            stale(other)
            path.symlink_to(other)
        elif kind == "other user's":
            if os.geteuid() != 0:
                pytest.skip("only root can make a socket of another user")
            stale(path)
            os.chown(path, 65534, 65534)
        else:
            serving.bind(str(path))
            serving.listen()
        before = path.lstat()
        with pytest.raises((ListenError, OSError)) as caught:
            opens(path)
        assert str(path) in str(caught.value)
        assert path.lstat() == before
        assert other.exists() == (kind == "link")


@EACH
@pytest.mark.parametrize(("mode", "refused"), [(0o775, True), (0o757, True), (0o1777, False), (0o711, False)])
@pytest.mark.threat("OPS-10")
def test_a_folder_that_others_write_into_is_refused(folder: Path, opens: Opens, mode: int, *, refused: bool) -> None:
    """Somebody could put a socket of his own in our place; a sticky bit forbids that."""
    folder.chmod(mode)
    if not refused:
        opens(folder / "s")()
        return
    with pytest.raises((ListenError, OSError), match=f"others may write into {folder}: chmod go-w {folder}"):
        opens(folder / "s")
    assert list(folder.iterdir()) == []


@pytest.mark.threat("OPS-07")
def test_nothing_is_opened_to_a_network_by_itself() -> None:
    """As shipped: the control socket is a path, and metrics and the policy service are off."""
    shipped = Config()
    assert (shipped.metrics.address, shipped.policy.address) == (None, None)
    assert shipped.control_socket.name == "control.sock"
    assert shipped.milter.address.kind is ListenKind.UNIX

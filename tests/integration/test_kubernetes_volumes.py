"""A pod's volumes, with owners and modes as the kubelet gives them: the daemon starts there, the second time too."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.daemon import Filterd
from tests.support.process import open_folder

MANIFEST = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "filterd.yaml"
GROUP = 0o660  # what it adds to files where there is an fsGroup
FOLDER = stat.S_ISGID | 0o110  # and to folders, besides
EMPTY_DIR = 0o777  # of the root of an emptyDir
FILE_SYSTEM = 0o755  # of the root of a fresh file system


def settled(folder: Path, policy: str) -> None:
    """What the kubelet does to a volume when a pod is started."""
    mode = folder.stat().st_mode
    fits = mode & (GROUP | FOLDER) == GROUP | FOLDER
    if policy == "OnRootMismatch" and fits:
        return
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) | GROUP | (FOLDER if path.is_dir() else 0))


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that all may pass."""
    with open_folder() as made:
        yield made


def test_a_pod_starts_and_starts_again(folder: Path) -> None:
    """State and sockets are private in there, whatever the volumes' own roots allow, and stay so."""
    objects: dict[str, dict[str, Any]] = {one["kind"]: one for one in yaml.safe_load_all(MANIFEST.read_text())}
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    policy = pod["securityContext"].get("fsGroupChangePolicy", "Always")
    text = objects["ConfigMap"]["data"]["filterd.toml"]
    for name, mode in (("/var/lib/filterd", FILE_SYSTEM), ("/run/filterd", EMPTY_DIR)):
        volume = folder / Path(name).parts[1]
        volume.mkdir()
        volume.chmod(mode)
        assert f'"{name}' in text
        text = text.replace(f'"{name}', f'"{volume}')
    paths = {
        line.split(" = ")[0]: line.split('"')[1]
        for line in text.splitlines()
        if line.startswith(("state =", "runtime ="))
    }
    for _ in range(2):
        for volume in (folder / "var", folder / "run"):
            settled(volume, policy)
        with Filterd(folder, {"milter": {"workers": 1}, "paths": paths}) as daemon:
            assert daemon.events("started")
        (folder / "filterd.log").unlink()
    open_to_others = [path for path in Path(paths["state"]).iterdir() if path.stat().st_mode & stat.S_IRWXO]
    assert open_to_others == []
    assert Path(paths["runtime"]).is_dir()

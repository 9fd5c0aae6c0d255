"""Which files a release is made of."""

import subprocess
from pathlib import Path

import pytest

from deploy.package import tree


def make(folder: Path) -> None:
    """Something like a checkout, without git."""
    for name in ("filterd/__init__.py", "filterd/__pycache__/a.pyc", "rules/scores.toml", *tree.FILES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def commit(folder: Path) -> None:
    """All of it."""
    (folder / ".gitignore").write_text("__pycache__/\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for argv in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", "-C", str(folder), *argv], check=True)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of its own."""
    make(tmp_path)
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    return tmp_path


def test_no_checkout(root: Path) -> None:
    """An unpacked archive is all that lies there, but for what Python has compiled."""
    assert tree.files() == sorted(["filterd/__init__.py", "rules/scores.toml", *tree.FILES])
    assert root.is_dir()


def test_no_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git is not installed, as in an image that is built of a checkout, it is the same."""
    commit(root)
    monkeypatch.setenv("PATH", str(root / "nothing"))
    assert tree.files() == sorted(["filterd/__init__.py", "rules/scores.toml", *tree.FILES])
    assert (tree.changed(), tree.warning()) == ([], "")
    assert tree.epoch() == tree.EARLIEST


def test_what_nobody_has_committed_yet(root: Path) -> None:
    """A new module is part of it, for others import it, and it is said that nobody else can build the same."""
    commit(root)
    assert tree.warning() == ""
    (root / "filterd" / "new.py").write_text("")
    (root / "filterd" / "__init__.py").write_text("from filterd import new\n")
    assert tree.files() == sorted(["filterd/__init__.py", "filterd/new.py", "rules/scores.toml", *tree.FILES])
    assert tree.changed() == ["filterd/__init__.py", "filterd/new.py"]
    assert "no commit" in tree.warning()
    assert "filterd/new.py" in tree.warning()

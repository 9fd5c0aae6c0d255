"""What filterd doctor says of the classifier."""

from pathlib import Path

from filterd.app.learning import look_at_model
from filterd.classifier.learning import Learner
from filterd.config import Config
from filterd.operations.doctor import Level
from tests.classifier.lessons import lesson


def config(folder: Path) -> Config:
    """A configuration with its state there, whose model is asked from three messages of each kind on."""
    return Config.model_validate({"paths": {"state": folder}, "classifier": {"least": 3}})


def test_nothing_learnt_is_no_fault(tmp_path: Path) -> None:
    """A site need not teach; looking makes no file."""
    found = look_at_model(config(tmp_path))
    assert (found.level, "has learnt nothing" in found.text) == (Level.OK, True)
    assert list(tmp_path.iterdir()) == []


def test_too_little_of_one_kind_is_said(tmp_path: Path) -> None:
    """Somebody teaches, and wonders why nothing comes of it."""
    learner = Learner(tmp_path / "classifier")
    learner.learn([lesson(number) for number in (0, 2, 4, 6, 1)])
    found = look_at_model(config(tmp_path))
    assert found.level is Level.WARNING
    assert "4 spam and 1 ham messages" in found.text
    assert "from 3 of each on" in found.text
    learner.learn([lesson(number) for number in (3, 5)])
    assert look_at_model(config(tmp_path)).level is Level.OK
    learner.close()


def test_a_broken_model_is_said(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "classifier").mkdir()
    (tmp_path / "classifier" / "model.bin").write_bytes(b"x")
    found = look_at_model(config(tmp_path))
    assert (found.level, "restart" in found.remedy) == (Level.FAILED, True)

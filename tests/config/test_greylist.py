"""What [greylist], [actions] greylist and [rates] may say."""

from pathlib import Path

import pytest

from filterd.config import ConfigError, load


def problems(folder: Path, text: str) -> str:
    """What is wrong with a file, empty for nothing."""
    path = folder / "filterd.toml"
    path.write_text(text)
    try:
        load(path)
    except ConfigError as error:
        return str(error)
    return ""


def test_off_as_shipped(tmp_path: Path) -> None:
    """Nobody is greylisted or limited who is not told to be."""
    path = tmp_path / "filterd.toml"
    path.write_text("")
    config = load(path)
    assert (config.actions.greylist, config.rates) == (None, {})


@pytest.mark.parametrize(
    "text",
    [
        "[actions]\ngreylist = 4.0\n[greylist]\ndelay = 60\nearly_score = 3\n",
        '[rates.outgoing]\nby = "user"\nlimit = 200\nburst = 50\n[rates.net]\nlimit = 1000\ndry_run = true\n',
        '[rates.box]\nby = "recipient"\nlimit = 10\nper = 60\ntrust = ["stranger", "relay"]\n',
    ],
)
def test_right(tmp_path: Path, text: str) -> None:
    """What can be meant."""
    assert problems(tmp_path, text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[actions]\ngreylist = 10\n", "[actions]: greylist: expected a score below quarantine"),
        (
            "[greylist]\nearly_score = 12\n",
            "[greylist] early_score: expected a score below [actions] quarantine (10), got 12",
        ),
        ("[actions]\nquarantine = 8\n[greylist]\nearly_score = 8\n", "below [actions] quarantine (8), got 8"),
        ("[greylist]\ndelay = 3600\nwindow = 600\n", "expected a window longer than the delay"),
        ("[rates.outgoing]\nby = 'user'\n", "[rates] outgoing: expected limit = a number of recipients"),
        ("[rates.Out-going]\nlimit = 1\n", "expected a name of at most 32 small letters"),
        ("[rates.a]\nlimit = 1\nbusrt = 2\n", 'unknown key; did you mean "burst"?'),
        ("".join(f"[rates.r{number}]\nlimit = 1\n" for number in range(17)), "at most 16 items"),
        ("[replies]\nlimited = 'für'\n", "limited: expected one line of printable ASCII"),
    ],
)
def test_wrong(tmp_path: Path, text: str, expected: str) -> None:
    """What cannot, is said."""
    assert expected in problems(tmp_path, text)

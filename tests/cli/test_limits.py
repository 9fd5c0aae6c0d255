"""filterd limits: who is shown, what a reset does, and what is said where it cannot be."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.app.throttle import TABLE
from filterd.cli import app
from filterd.config.rates import Rate as RateConfig
from filterd.config.rates import RateBy
from filterd.limits import rates_of
from filterd.store import TableBuckets
from filterd.store.buckets import SECOND

RATES = {
    "out": RateConfig(by=RateBy.USER, limit=2),
    "net": RateConfig(by=RateBy.CLIENT, limit=10, dry_run=True),
}


class Site:
    """A state folder with a configuration of two rates."""

    def __init__(self, folder: Path, *, redis: str = "") -> None:
        """Nobody has sent yet."""
        self.state = folder / "state"
        self.config = folder / "filterd.toml"
        self.config.write_text(
            f'[paths]\nstate = "{self.state}"\n[redis]\nurl = "{redis}"\n[rates.out]\nby = "user"\nlimit = 2\n'
            "[rates.net]\nlimit = 10\ndry_run = true\n"
        )

    def sent(self, rate: str, subject: str, count: int) -> None:
        """Somebody has sent to so many recipients just now."""
        buckets = TableBuckets(self.state / TABLE)
        (known,) = [one for one in rates_of(RATES) if one.name == rate]
        for _ in range(count):
            buckets.draw([known.bucket(subject)], round(time.time() * SECOND))
        buckets.close()

    def run(self, *arguments: str) -> Result:
        """A command with this configuration."""
        return CliRunner().invoke(app, ["limits", *arguments, "--config", str(self.config)])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site where alice has used up her rate, bob half of his, and a network a little of its own."""
    made = Site(tmp_path)
    made.sent("out", "alice", 2)
    made.sent("out", "bob", 1)
    made.sent("net", "198.51.100.0/24", 1)
    return made


def test_show(site: Site) -> None:
    """The nearest to the limit comes first; cells are parted by tabs where no terminal is."""
    rows = [line.split("\t") for line in site.run("show").stdout.splitlines()]
    assert [(row[0], row[2], row[3], row[7]) for row in rows] == [
        ("out", "alice", "0", "refused"),
        ("out", "bob", "1", "free"),
        ("net", "198.51.100.0/24", "9", "free"),
    ]


def test_show_as_json(site: Site) -> None:
    """An object per line, with times in seconds."""
    first, *others = [json.loads(line) for line in site.run("show", "--rate", "out", "--json").stdout.splitlines()]
    assert (first["rate"], first["by"], first["subject"], first["left"], first["burst"]) == (
        "out",
        "user",
        "alice",
        0,
        2,
    )
    assert 0 < first["wait"] <= 1800 < first["full_in"] <= 3600
    assert [one["subject"] for one in others] == ["bob"]


def test_show_some(site: Site) -> None:
    """No more than are asked for."""
    assert len(site.run("show", "--limit", "1").stdout.splitlines()) == 1


def test_reset_one(site: Site) -> None:
    """He may send again; the others stay as they are."""
    assert site.run("reset", "out", "Alice").stdout == "out: alice reset\n"
    assert [line.split("\t")[2] for line in site.run("show").stdout.splitlines()] == ["bob", "198.51.100.0/24"]
    assert site.run("reset", "out", "alice").stdout == "out: alice had used nothing\n"


def test_reset_by_address(site: Site) -> None:
    """An address stands for its network."""
    found = site.run("reset", "net", "198.51.100.77", "--json")
    assert json.loads(found.stdout) == {"rate": "net", "subject": "198.51.100.0/24", "reset": 1}


def test_reset_all(site: Site) -> None:
    """Everybody of one rate."""
    assert site.run("reset", "out", "--all").stdout == "out: reset for 2\n"
    assert [line.split("\t")[0] for line in site.run("show").stdout.splitlines()] == ["net"]


@pytest.mark.parametrize("arguments", [("reset", "out"), ("reset", "out", "alice", "--all")])
def test_wrong_usage(site: Site, arguments: tuple[str, ...]) -> None:
    """Neither nobody nor one and everybody."""
    assert site.run(*arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [("show", "--rate", "outgoing"), ("reset", "outgoing", "alice")])
def test_no_such_rate(site: Site, arguments: tuple[str, ...]) -> None:
    """Says which there are."""
    found = site.run(*arguments)
    assert (found.exit_code, "expected the name of a rate (out, net), got 'outgoing'" in found.stderr) == (1, True)


def test_a_rate_that_is_gone(site: Site) -> None:
    """What was drawn from it is shown, as what nobody refuses."""
    site.config.write_text(f'[paths]\nstate = "{site.state}"\n')
    rows = [line.split("\t") for line in site.run("show").stdout.splitlines()]
    assert {row[7] for row in rows} == {"not configured"}


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """Where no front has run there is nothing to show, and no file is made."""
    site = Site(tmp_path)
    assert (site.run("show").stdout, site.run("reset", "out", "--all").stdout) == ("", "out: reset for 0\n")
    assert not site.state.exists()


def test_a_hostile_subject(site: Site) -> None:
    """Nothing in it reaches the terminal raw."""
    site.sent("out", "evil\x1b[2J\u202e", 1)
    assert "\x1b" not in site.run("show").stdout


@pytest.mark.integration
def test_redis_that_is_down(tmp_path: Path) -> None:
    """Says so, and what to look at."""
    found = Site(tmp_path, redis=f"unix://{tmp_path}/nobody.sock").run("show")
    assert (found.exit_code, "is Redis up" in found.stderr) == (1, True)

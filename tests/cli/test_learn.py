"""filterd learn: what is printed, what the exit says, and that mail is judged by what was learnt."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from filterd.classifier.learning import Learner
from filterd.cli import app
from filterd.operations.learn import Row, School

pytestmark = pytest.mark.integration  # each command starts a process of its own

WORDS = {
    "spam": ["pills", "casino", "winner", "cheap", "offer", "click", "credit"],
    "ham": ["meeting", "minutes", "patch", "review", "lunch"],
}


class Site:
    """A configuration with a state of its own, and mail."""

    def __init__(self, folder: Path) -> None:
        """Nothing is learnt yet."""
        self.folder = folder
        self.config = folder / "filterd.toml"
        self.config.write_text(f'[paths]\nstate = "{folder / "state"}"\n[classifier]\nleast = 10\n')
        self._random = random.Random(1)

    def mail(self, kind: str, count: int) -> Path:
        """A folder of messages of that kind."""
        folder = self.folder / f"{kind}{count}"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.eml").write_bytes(self.message(kind))
        return folder

    def message(self, kind: str) -> bytes:
        """One message."""
        text = " ".join(self._random.choices(WORDS[kind], k=40))
        subject = self._random.choice(WORDS[kind])
        return f"From: a{self._random.random()}@x.test\nSubject: {subject}\n\n{text}\n".encode()

    def run(self, *arguments: str, text: bytes = b"") -> Result:
        """One command, as from a shell."""
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)], input=text)

    def rows(self, *arguments: str, text: bytes = b"") -> list[dict[str, Any]]:
        """What it prints with --json."""
        return [json.loads(line) for line in self.run(*arguments, "--json", text=text).stdout.splitlines()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that has learnt nothing."""
    return Site(tmp_path)


def test_learning_shows_in_the_next_scan(site: Site) -> None:
    """After some messages of each kind a new one is judged by them; before, the classifier says nothing."""
    unseen = site.folder / "unseen.eml"
    unseen.write_bytes(site.message("spam"))
    scan = ("scan", str(unseen), "--nameserver", "127.0.0.1:9")
    assert not [one for one in site.rows(*scan)[0]["symbols"] if one["name"].startswith("CLASSIFIER")]
    assert site.run("learn", "spam", str(site.mail("spam", 30))).stdout == "30 messages: 30 learnt\n"
    assert site.run("learn", "ham", str(site.mail("ham", 30))).stdout == "30 messages: 30 learnt\n"
    found = {one["name"]: one for one in site.rows(*scan)[0]["symbols"]}
    assert [name for name in found if name.startswith("CLASSIFIER_SPAM")]


def test_explain_says_what_it_goes_by(site: Site) -> None:
    """The words that were learnt, with what each of them weighs."""
    site.run("learn", "spam", str(site.mail("spam", 30)))
    site.run("learn", "ham", str(site.mail("ham", 30)))
    unseen = site.folder / "unseen.eml"
    unseen.write_bytes(site.message("spam"))
    found = site.run("explain", str(unseen), "--nameserver", "127.0.0.1:9").stdout
    opinion = found[found.index("\nclassifier") :].splitlines()
    assert "by a model of 30 spam and 30 ham messages" in opinion[1]
    assert any(line.startswith("  +") and any(word in line for word in WORDS["spam"]) for line in opinion[2:14])


def test_rows_and_summary(site: Site) -> None:
    """Each message has a row and all have a sum; what is known is said, and what was never learnt."""
    one, other = site.message("spam"), site.message("spam")
    assert site.rows("learn", "spam", "-", text=one) == [
        {"file": "-", "became": "learnt", "problem": ""},
        {"messages": 1, "problems": 0, "learnt": 1},
    ]
    assert site.rows("learn", "spam", "-", text=one)[-1] == {"messages": 1, "problems": 0, "known": 1}
    assert site.rows("learn", "ham", "-", text=one)[-1] == {"messages": 1, "problems": 0, "changed": 1}
    assert site.rows("learn", "forget", "-", text=other)[-1] == {"messages": 1, "problems": 0, "unknown": 1}
    assert site.rows("learn", "forget", "-", text=one)[-1] == {"messages": 1, "problems": 0, "forgotten": 1}


def test_a_message_that_cannot_be_read_fails_the_command(site: Site) -> None:
    """The rest is learnt, and the exit says that there is something to look at."""
    folder = site.mail("spam", 2)
    (folder / "x").write_bytes(b"\n\n")
    found = site.run("learn", "spam", str(folder))
    assert (found.exit_code, found.stdout) == (1, "3 messages: 2 learnt\n")
    assert "x: is no message" in found.stderr
    assert "1 of them could not be read" in found.stderr


@pytest.mark.parametrize(
    "arguments", [("learn", "spam"), ("learn", "spam", "-", "x"), ("learn", "ham", "--domain", "no domain", "-")]
)
def test_wrong_usage(site: Site, arguments: tuple[str, ...]) -> None:
    """No paths, standard input among paths, and what is no domain are exit 2."""
    assert site.run(*arguments).exit_code == 2


def test_a_path_that_is_not_there(site: Site) -> None:
    """It is named, and the exit is 1."""
    found = site.run("learn", "spam", str(site.folder / "nowhere"))
    assert (found.exit_code, "nowhere" in found.stderr) == (1, True)


def test_an_interrupted_run_keeps_what_it_has_done(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it can be started again; what was learnt is mixed and in use."""
    whole = School.learn

    def impatient(*arguments: Any, **options: Any) -> Iterator[Row]:
        yield from whole(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(School, "learn", impatient)
    found = site.run("learn", "spam", str(site.mail("spam", 3)))
    assert (found.exit_code, found.stdout) == (1, "3 messages: 3 learnt\n")
    assert "goes on where it was" in found.stderr
    learner = Learner(site.folder / "state" / "classifier")
    assert not learner.stale
    learner.close()


def test_a_script_is_told_of_problems(site: Site) -> None:
    """The exit is the same with --json."""
    assert site.run("learn", "spam", "-", "--json", text=b"\n").exit_code == 1

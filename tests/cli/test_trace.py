"""filterd trace: any message of the last weeks is found, and nothing of it moves a terminal."""

import io
import json
import sys
import unicodedata
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.cli import trace as command
from filterd.model.ids import sibling
from filterd.quarantine import Journal, Quarantine
from tests.quarantine.samples import NOW, evidence, identifier, journal_row, raw

HOSTILE = "\x1b]0;pwned\x07 \x1b[2J \x9b2J a\rb \u202egpj.exe [bold]x[/bold] \udcff"


class Site:
    """A state folder with a journal of four messages, one of them held."""

    def __init__(self, folder: Path) -> None:
        """Write it."""
        self.folder = folder
        self.config = folder / "filterd.toml"
        self.config.write_text(f'[paths]\nstate = "{folder}/state"\n')
        rows = [
            journal_row(0, sender="anna@a.test", subject="Minutes"),
            journal_row(1, sender="eve@evil.test", action="quarantine", code="score", subject="Invoice"),
            journal_row(2, sender="bob@b.test", action="reject", client="198.51.100.9", queue_id="4XQ2"),
            journal_row(3, sender=HOSTILE, subject=HOSTILE, recipients=(HOSTILE,), helo=HOSTILE, message_id=HOSTILE),
        ]
        with closing(Journal(folder / "state" / "journal.sqlite", interval=60, clock=lambda: NOW)) as journal:
            for row in rows:
                journal.record(row)
        with closing(Quarantine(folder / "state" / "quarantine", fsync=lambda _: None)) as quarantine, raw() as message:
            quarantine.hold(evidence(1, sender="eve@evil.test"), message)

    def run(self, *arguments: str) -> Result:
        """The command."""
        return CliRunner().invoke(app, ["trace", *arguments, "--config", str(self.config)])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """With four messages."""
    return Site(tmp_path)


def _day(days: int) -> str:
    return datetime.fromtimestamp(NOW + 86_400 * days, UTC).strftime("%Y-%m-%d")


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], [3, 2, 1, 0]),
        (["--from", "EVIL"], [1]),
        (["--from", "%"], []),
        (["--to", "cc@b"], [2, 1, 0]),
        (["--subject", "nvoic"], [1]),
        (["--client", "198.51."], [2]),
        (["--client", "192.0.2.7"], [3, 1, 0]),
        (["--action", "reject"], [2]),
        (["--id", identifier(2)], [2]),
        (["--id", "4XQ2"], [2]),
        (["--id", "1@a.test"], [2, 1, 0]),
        (["--id", "../../etc/passwd"], []),
        (["--limit", "2"], [3, 2]),
        (["--since", _day(-1)], [3, 2, 1, 0]),
        (["--until", _day(-1)], []),
        (["--from", "a.test", "--action", "accept"], [3, 0]),
    ],
)
def test_messages_are_found(site: Site, options: list[str], numbers: list[int]) -> None:
    """By parts of texts, client, ids, action and time; newest first; accepted and refused ones too."""
    done = site.run("--json", *options)
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [identifier(one) for one in numbers]


def test_what_became_of_a_held_one(site: Site) -> None:
    """The ledger's state, and what changes there later."""
    found = json.loads(site.run("--json", "--from", "evil").stdout)
    assert (found["state"], found["became"]) == ("held", "held")
    CliRunner().invoke(app, ["quarantine", "delete", identifier(1), "--config", str(site.config)])
    assert json.loads(site.run("--json", "--from", "evil").stdout)["became"] == "held, then deleted"


def test_rows_can_be_cut_up(site: Site) -> None:
    """In a pipe: one line for each message, cells parted by tabs."""
    rows = [line.split("\t") for line in site.run().stdout.splitlines()]
    assert [row[1] for row in rows] == [identifier(number) for number in (3, 2, 1, 0)]
    assert [row[5] for row in rows] == ["handed on", "refused", "held", "handed on"]


def test_an_id_shows_all(site: Site) -> None:
    """One message, a line for each thing that is known."""
    done = site.run("--id", identifier(2))
    for words in (identifier(2), "refused", "bob@b.test", "198.51.100.9", "queue id    4XQ2", "SPF_PASS"):
        assert words in done.stdout


def _harmless(text: str) -> None:
    bad = [c for c in text if c not in "\n\t" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]
    assert bad == []


@pytest.mark.threat("QUA-08")
def test_hostile_texts_in_a_pipe(site: Site) -> None:
    """As a row, as lines and as JSON: no control, format or undecodable character."""
    for arguments in ([], ["--id", identifier(3)], ["--json"]):
        done = site.run(*arguments)
        assert done.exit_code == 0
        _harmless(done.stdout)
    assert len(site.run().stdout.splitlines()) == 4
    assert json.loads(site.run("--json", "--limit", "1").stdout)["sender"].startswith("\x1b]0;pwned")


@pytest.mark.threat("QUA-08")
def test_hostile_texts_on_a_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table keeps its width, and what looks like markup stays text."""

    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    screen = io.BytesIO()
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", Terminal(screen, "utf-8", write_through=True))
    command.trace(limit=50, config=site.config)
    text = screen.getvalue().decode()
    _harmless(text)
    assert max(len(line) for line in text.splitlines()) <= 140


@pytest.mark.threat("QUA-07")
@pytest.mark.parametrize("wrong", ["\udcff", "' OR 1=1 --", "A" * 10_000, '"', "*", "\x1b[2J"])
@pytest.mark.parametrize("option", ["--id", "--from", "--to", "--subject", "--client"])
def test_odd_values_find_nothing_and_break_nothing(site: Site, option: str, wrong: str) -> None:
    """SQL, the index's own language, undecodable bytes, 10 kB: no message, no traceback."""
    done = site.run(option, wrong, "--json", "--limit", "1")
    assert (done.exit_code, done.stderr) == (0, "")
    assert all(json.loads(line)["id"] == identifier(3) for line in done.stdout.splitlines())


def test_no_journal_is_nothing_found_and_nothing_made(tmp_path: Path) -> None:
    """Looking creates no files."""
    config = tmp_path / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{tmp_path}/state"\n')
    done = CliRunner().invoke(app, ["trace", "--config", str(config)])
    assert (done.exit_code, done.output) == (0, "")
    assert not (tmp_path / "state").exists()


@pytest.mark.threat("RES-05")
def test_a_journal_that_cannot_be_read_is_said(site: Site) -> None:
    """Words and exit 1."""
    for path in (site.folder / "state").glob("journal.sqlite*"):
        path.unlink()
    (site.folder / "state" / "journal.sqlite").write_bytes(b"this is no database" * 1_000)
    (site.folder / "state" / "journal.sqlite").chmod(0o600)
    done = site.run()
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("journal: ")


def test_a_time_that_is_none(site: Site) -> None:
    """Wrong usage is exit 2."""
    assert site.run("--since", "yesterday\x1b[2J").exit_code == 2


def test_a_message_with_several_policies_is_found_whole(site: Site) -> None:
    """By the id of any part, and by what the sender was told; each recipient's fate is a row."""
    held = sibling(identifier(5), 1)
    with closing(Journal(site.folder / "state" / "journal.sqlite", interval=60, clock=lambda: NOW)) as journal:
        journal.record(journal_row(5, recipients=("a@b.test",), policy="open"))
        journal.record(journal_row(5, id=held, recipients=("carla@b.test",), action="quarantine", policy="strict"))
    for asked in (identifier(5), held):
        found = [json.loads(line) for line in site.run("--json", "--id", asked).stdout.splitlines()]
        assert {(one["id"], one["policy"], one["became"]) for one in found} == {
            (identifier(5), "open", "handed on"),
            (held, "strict", "held, and in the ledger no more"),
        }
    (only,) = site.run("--json", "--to", "carla@b.test").stdout.splitlines()
    assert json.loads(only)["id"] == held

"""filterd list: entries come and go, all or none, with who did it; what is wrong is said in words."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.ownlists import Document, Entry, Kind, Which
from filterd.ownlists.changing import ALL, VERSION, publish
from filterd.ownlists.keeper import write_copy
from filterd.store import open_store
from tests.ownlists.test_keeper import entry

PAST = date(2020, 1, 1)


class Commands:
    """`filterd list` on a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Write the configuration."""
        self.state = folder / "state"
        self.config = folder / "filterd.toml"
        self.config.write_text(f'[paths]\nstate = "{self.state}"\n')

    def __call__(self, *arguments: str, given: str | None = None) -> Result:
        """Run one command."""
        return CliRunner().invoke(app, ["list", *arguments, "--config", str(self.config)], input=given)

    def shown(self, *arguments: str) -> list[dict[str, object]]:
        """What `show --json` prints."""
        return [json.loads(line) for line in self(*(arguments or ("show",)), "--json").stdout.splitlines()]


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Nothing is listed yet."""
    return Commands(tmp_path)


def test_a_life(commands: Commands) -> None:
    """Added with reason, owner and last day, shown, removed; the history has each step and who did it."""
    added = commands(
        "allow", "add", "domain:Example.org", "--reason", "our bank", "--owner", "ops", "--expires", "never"
    )
    assert (added.exit_code, added.stdout) == (0, "domain:example.org is on the allow list for ever\n")
    (row,) = commands.shown("allow", "show")
    assert [row[key] for key in ("list", "entry", "reason", "owner", "expires", "counts")] == [
        *("allow", "domain:example.org", "our bank", "ops", "never", True)
    ]
    assert commands.shown("block", "show") == []
    assert commands("allow", "remove", "domain:example.org").exit_code == 0
    assert commands.shown() == []
    history = [json.loads(line) for line in commands("history", "--json").stdout.splitlines()]
    assert [(one["what"], one["entry"]) for one in history] == [("add", row["entry"]), ("remove", row["entry"])]
    assert all(one["who"] and one["from"] for one in history)


def test_replaced(commands: Commands) -> None:
    """The same name a second time replaces the entry, in its list alone."""
    for reason in ("first", "second"):
        commands("block", "add", "ip:192.0.2.7", "--reason", reason)
    commands("allow", "add", "ip:192.0.2.7", "--reason", "third")
    assert [(row["list"], row["reason"]) for row in commands.shown()] == [("block", "second"), ("allow", "third")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("allow", "add", "domain:example.org", "nonsense", "--reason", "x"), "expected ip:, domain:"),
        (("allow", "add", "domain:example.org", "--reason", " "), "reason: expected one line"),
        (("allow", "add", "domain:example.org", "--reason", "a\nb"), "reason: expected one line"),
        (("allow", "add", "domain:example.org", "--reason", "x" * 201), "at most 200"),
        (("allow", "add", "domain:example.org", "--reason", "x", "--expires", "soon"), "expected a day such as"),
        (("allow", "add", "domain:example.org", "--reason", "x", "--expires", "2020-01-31"), "is past"),
        (
            ("allow", "add", "domain:example.org", "--reason", "x", "--expires", "9" * 30 + "d"),
            "expected a day such as",
        ),
        (("allow", "remove", "domain:example.org"), "is not on the allow list"),
        (("allow", "remove", "x"), "expected ip:, domain:"),
    ],
)
def test_refused(commands: Commands, arguments: tuple[str, ...], words: str) -> None:
    """What is wrong is said in words, exit 1, and nothing is changed, not even by what else was named."""
    done = commands(*arguments)
    assert (done.exit_code, words in done.stderr, commands.shown()) == (1, True, [])


def test_a_reason_is_asked_for(commands: Commands) -> None:
    """An entry without a reason is a usage error."""
    assert commands("allow", "add", "domain:example.org").exit_code == 2


def test_removed_together_or_not(commands: Commands) -> None:
    """Of two where one is not there none is removed."""
    commands("block", "add", "ip:192.0.2.7", "--reason", "x")
    assert commands("block", "remove", "ip:192.0.2.7", "ip:192.0.2.8").exit_code == 1
    assert len(commands.shown()) == 1


def test_check(commands: Commands) -> None:
    """Which entries mean an address, a domain, a mail address; exit 1 where none does, 2 for what is no value."""
    commands("block", "add", "ip:192.0.2.0/24", "domain:.example.org", "recipient:anna@example.net", "--reason", "x")
    found = [[row["entry"] for row in commands.shown("check", one)] for one in ("192.0.2.7", "b@a.example.org")]
    assert found == [["ip:192.0.2.0/24"], ["domain:.example.org"]]
    assert [row["entry"] for row in commands.shown("check", "Anna@example.net")] == ["recipient:anna@example.net"]
    assert [commands("check", one).exit_code for one in ("198.51.100.1", "example.com", "a b")] == [1, 1, 2]


def test_out_and_in(commands: Commands, tmp_path: Path) -> None:
    """What was exported is imported elsewhere as it was, expired entries too."""
    commands("block", "add", "ip:192.0.2.8", "--reason", "x")
    store = open_store(None, commands.state)
    gone = Entry(Which.BLOCK, Kind.IP, "192.0.2.7/32", "old", "ops", expires=PAST)
    publish(store, Document(5, (gone,)))
    store.close()
    commands("allow", "add", "domain:example.org", "--reason", 'bänk \\ "q"', "--expires", "30d")
    text = commands("export").stdout
    (tmp_path / "other").mkdir()
    other = Commands(tmp_path / "other")
    assert other("import", "-", given=text).stdout == "2 entries imported\n"
    kept = ("list", "entry", "reason", "owner", "expires", "counts")
    here, there = ([[row[key] for key in kept] for row in one.shown()] for one in (commands, other))
    assert here == there


def test_imported_together_or_not(commands: Commands) -> None:
    """Every bad line is named, and none is imported."""
    lines = [
        '{"list": "allow", "entry": "domain:example.org", "reason": "x"}',
        "",
        '{"list": "x", "entry": "domain:example.org", "reason": "x"}',
        '{"list": "allow", "entry": "domain:org", "reason": "x"}',
        '{"list": "allow", "entry": "domain:example.org"}',
        '{"list": "allow", "entry": "domain:example.org", "reason": "x", "more": 1}',
        "nonsense",
        "[" * 5_000,
    ]
    done = commands("import", "-", given="\n".join(lines))
    assert (done.exit_code, commands.shown()) == (1, [])
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [f"line {number}" for number in range(3, 9)]
    assert commands("import", "-", "--dry-run", given=lines[0]).stdout == "1 entries are right\n"
    assert commands.shown() == []


def test_expired(commands: Commands) -> None:
    """Expired entries are marked, found with --expired, and removed by tidy; others stay."""
    commands("block", "add", "ip:192.0.2.8", "--reason", "x")
    store = open_store(None, commands.state)
    old = Entry(Which.BLOCK, Kind.IP, "192.0.2.7/32", "old", "ops", expires=PAST)
    publish(store, Document(5, (old, entry(3))))
    store.close()
    assert "2020-01-01 (expired)" in commands("show").stdout
    assert "1 have expired" in commands("show").stderr
    assert [row["entry"] for row in commands.shown("show", "--expired")] == ["ip:192.0.2.7/32"]
    assert commands("tidy").stdout == "1 expired entries removed\n"
    assert [row["entry"] for row in commands.shown()] == [f"ip:{entry(3).name}"]


def test_looking_makes_nothing(commands: Commands) -> None:
    """Before anything was listed there is nothing to show, and nothing is made by looking."""
    assert (commands("show").exit_code, commands.shown(), commands.state.exists()) == (0, [], False)


@pytest.mark.threat("RES-03")
def test_the_shared_state_has_lost_them(commands: Commands) -> None:
    """What is shown then is the copy that fronts have kept, and that it is one; a change goes out from it."""
    commands("block", "add", "ip:192.0.2.8", "--reason", "x")
    write_copy(commands.state / "lists.json", Document(9, (entry(1),)))
    store = open_store(None, commands.state)
    for key in (ALL, VERSION):
        store.delete(key)
    shown = commands("show")
    assert ("192.0.0.1" in shown.stdout, "this machine's copy" in shown.stderr) == (True, True)
    commands("block", "add", "ip:192.0.2.9", "--reason", "x")
    store.close()
    assert [row["entry"] for row in commands.shown()] == [f"ip:{entry(1).name}", "ip:192.0.2.9/32"]


@pytest.mark.integration
def test_the_store_is_down(tmp_path: Path) -> None:
    """Without the store nothing is changed, and the exit says so; shown is the copy."""
    config = tmp_path / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{tmp_path}"\n[redis]\nurl = "unix://{tmp_path}/none.sock"\n')
    write_copy(tmp_path / "lists.json", Document(9, (entry(1),)))
    argv = [sys.executable, "-m", "filterd", "list"]
    add = subprocess.run(
        [*argv, "block", "add", "ip:192.0.2.9", "--reason", "x", "--config", str(config)],
        capture_output=True,
        check=False,
    )
    show = subprocess.run([*argv, "show", "--config", str(config)], capture_output=True, check=False)
    assert (add.returncode, b"cannot be used" in add.stderr) == (1, True)
    assert (show.returncode, b"192.0.0.1" in show.stdout, b"copy" in show.stderr) == (0, True, True)


def test_hostile_text_does_not_reach_the_terminal(commands: Commands) -> None:
    """An argument with control bytes is shown without them."""
    done = commands("allow", "remove", "domain:\x1b[31mred.example")
    assert (done.exit_code, "\x1b" in done.stderr) == (1, False)

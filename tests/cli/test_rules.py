"""filterd rules: what is printed, what the exit says, and what is written."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.model.inspection import Inspection, RuleHit
from filterd.pipeline.rule_watch import NEVER, RuleWatch
from filterd.quarantine import Actor, Lease, Quarantine
from filterd.quarantine.changes import AuditFilter
from filterd.score import Score
from filterd.store import open_store
from tests.quarantine.samples import evidence, identifier, raw, whole

pytestmark = pytest.mark.integration  # each command starts a process of its own

RULE = """rule needle {
  meta:
    description = "d"
    owner = "team"
    severity = "low"
    stage = "shadow"
    score = 3
    expires = "2020-01-31"
  strings:
    $a = "needle"
  condition: $a
}
"""
OTHER = RULE.replace("needle", "other").replace('    expires = "2020-01-31"\n', "")


class Commands:
    """The commands over a folder of rules with one family in it."""

    def __init__(self, folder: Path) -> None:
        """Write the rule and its samples."""
        self.folder = folder
        self.rules = folder / "rules"
        for kind, name, text in (("hit", "needle.txt", "a needle"), ("miss", "hay.txt", "hay")):
            path = self.rules / "a.samples" / kind / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
        self.write(RULE)

    def write(self, text: str, name: str = "a") -> Path:
        """Write a rule file."""
        path = self.rules / f"{name}.yar"
        path.write_text(text)
        return path

    def run(self, *arguments: str) -> Result:
        """One command, as from a shell."""
        return CliRunner().invoke(app, ["rules", *arguments])

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """What it prints with --json."""
        return [json.loads(line) for line in self.run(*arguments, "--json").stdout.splitlines()]

    def mail(self, **texts: str) -> Path:
        """An index over messages, by name; the first letter of a name is its label."""
        folder = self.folder / "mail"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.eml").write_text(f"Subject: x\nContent-Type: text/plain\n\n{text}\n")
        index = folder / "index.tsv"
        index.write_text("".join(f"{name[0]}\tsource\t{name}.eml\n" for name in texts))
        return index


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """The commands."""
    return Commands(tmp_path)


def test_check_names_file_and_line(commands: Commands) -> None:
    """A warning does not fail unless it is to; an error does."""
    path = commands.rules / "a.yar"
    done = commands.run("check", str(commands.rules))
    assert done.exit_code == 0
    assert done.stdout == f"{path}:1: warning: expired 2020-01-31: it is as in shadow [metadata]\n"
    assert "1 rules in 1 files: 0 errors, 1 warnings" in done.stderr
    assert commands.run("check", "--strict", str(commands.rules)).exit_code == 1
    commands.write(RULE.replace("$a\n}", "$b\n}"))
    done = commands.run("check", str(path))
    assert done.exit_code == 1
    assert f'{path}:12: error: undefined string "$b" [syntax]' in done.stdout


def test_check_as_json(commands: Commands) -> None:
    """One object for each complaint, and one that sums up."""
    complaint, looked = commands.rows("check", str(commands.rules))
    assert (complaint["line"], complaint["severity"], complaint["kind"], complaint["rule"]) == (
        1,
        "warning",
        "metadata",
        "needle",
    )
    assert looked == {"files": 1, "rules": 1, "errors": 0, "warnings": 1}


def test_a_path_that_is_none_fails(commands: Commands) -> None:
    """With words, and the exit of a failure."""
    done = commands.run("check", str(commands.rules / "none.yar"))
    assert done.exit_code == 1
    assert "no such file or directory" in done.stderr


def test_samples_are_tried(commands: Commands) -> None:
    """Agreement is silent; what disagrees is named, and the command fails."""
    done = commands.run("test", str(commands.rules))
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 samples of 1 files: 0 disagreements" in done.stderr
    (commands.rules / "a.samples" / "miss" / "hay.txt").write_text("needle")
    done = commands.run("test", str(commands.rules))
    assert (done.exit_code, done.stdout) == (1, f"{commands.rules}/a.samples/miss/hay.txt: needle matches\n")


def test_the_rules_are_listed(commands: Commands) -> None:
    """Where there is no terminal, a line each; one that has expired says so, and what has hit says when."""
    config = commands.folder / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{commands.folder}/state"\n')
    done = commands.run("list", str(commands.rules), "--config", str(config))
    assert done.stdout == "needle\ta:1\tshadow (expired)\tYARA_NEEDLE\tteam\t2020-01-31\t\t\t\n"
    (commands.folder / "state").mkdir()
    store = open_store(None, commands.folder / "state")
    watch = RuleWatch(store, NEVER)
    facts = Inspection(hits=(RuleHit("needle", "a", "YARA_NEEDLE", "1"),))
    watch.saw(facts, Score(0.0), 6.0, "", 1_700_000_000.0)
    watch.close()
    store.close()
    done = commands.run("list", str(commands.rules), "--config", str(config))
    assert done.stdout.endswith("\t1\t2023-11-14 22:13:20 UTC\t\n")
    (row,) = commands.rows("list", str(commands.rules), "--config", str(config))
    assert (row["rule"], row["stage"], row["expired"], row["score"]) == ("needle", "shadow", True, "3")
    assert (row["hits"], row["last_hit"]) == (1, 1_700_000_000.0)


def test_a_rule_is_moved_on_and_back(commands: Commands) -> None:
    """Its file says so and nothing else, and the command says what to do next."""
    done = commands.run("promote", "needle", "--rules", str(commands.rules))
    assert f"{commands.rules}/a.yar:1: needle: shadow -> score\nIt adds 3 points." in done.stdout
    assert (commands.rules / "a.yar").read_text() == RULE.replace('"shadow"', '"score"')
    (moved,) = commands.rows("demote", "needle", "--rules", str(commands.rules))
    assert (moved["before"], moved["after"]) == ("score", "shadow")
    assert (commands.rules / "a.yar").read_text() == RULE
    commands.run("demote", "needle", "--rules", str(commands.rules))
    done = commands.run("demote", "needle", "--rules", str(commands.rules))
    assert (done.exit_code, done.stderr) == (1, "needle is at stage test already, the first\n")


def test_backtest_tells_by_label(commands: Commands) -> None:
    """What an index calls its messages is counted apart; a message that is not there is a problem, not a miss."""
    index = commands.mail(spam1="a needle", spam2="hay", ham1="hay")
    done = commands.run("backtest", str(commands.rules / "a.yar"), "--against", str(index))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[:4] == [
        f"{commands.folder}/mail/spam1.eml (s): needle",
        "h: 0 of 1 hit (0.00 %)",
        "s: 1 of 2 hit (50.00 %)",
        "  needle: 1 s",
    ]
    index.write_text(index.read_text() + "h\tsource\tgone.eml\n")
    *rows, total = commands.rows("backtest", str(commands.rules / "a.yar"), "--against", str(index))
    assert [row["rules"] for row in rows] == [{"needle": ["1"]}, {}, {}, {}]
    assert rows[3]["problem"].startswith("cannot be read")
    assert (total["messages"], total["hit"], total["problems"]) == (4, 1, 1)
    assert total["rules"] == {"needle": {"s": 1}}


def test_a_regex_rule_is_promoted_by_its_symbol(commands: Commands) -> None:
    """In its own file; what comes next is said as for any rule."""
    path = commands.rules / "own.toml"
    text = '[rules.REGEX_A]\ntarget = "body"\npattern = "x"\nweight = 1\ndescription = "y"\nstage = "shadow"\n'
    path.write_text(text)
    done = commands.run("promote", "REGEX_A", "--rules", str(path))
    assert path.read_text() == text.replace("shadow", "score")
    assert done.stdout.startswith(f"{path}:1: REGEX_A: shadow -> score\nIt adds 1 points.")
    done = commands.run("promote", "REGEX_B", "--rules", str(path))
    assert (done.exit_code, done.stderr) == (1, "no rule 'REGEX_B'\n")


def test_backtest_of_regex_rules(commands: Commands) -> None:
    """They alone are asked, and not those of the daemon; a file that cannot be used is said at once."""
    index = commands.mail(spam1="a needle", ham1="hay: get gift cards and send me the codes")
    path = commands.folder / "own.toml"
    path.write_text('[rules.REGEX_A]\ntarget = "body"\npattern = "needle"\nweight = 1\ndescription = "y"\n')
    *rows, total = commands.rows("backtest", str(path), "--against", str(index))
    assert [row["rules"] for row in rows] == [{"REGEX_A": ["body"]}, {}]
    assert total["rules"] == {"REGEX_A": {"s": 1}}
    path.write_text(path.read_text().replace('"needle"', '"("'))
    done = commands.run("backtest", str(path), "--against", str(index))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "own.toml:1: [rules] REGEX_A.pattern: missing )" in done.stderr


def test_backtest_goes_on_from_its_state(commands: Commands) -> None:
    """What was done is not done again, and a state of other rules is refused."""
    index = commands.mail(spam1="a needle", ham1="hay")
    state = commands.folder / "state"
    arguments = ("backtest", str(commands.rules / "a.yar"), "--against", str(index), "--state", str(state))
    commands.run(*arguments)
    head, first, second = state.read_text().splitlines(keepends=True)
    marked = first.replace('{"needle":', '{"marked":')
    state.write_text(head + marked + second[:20])  # as an interrupted run leaves it
    *rows, total = commands.rows(*arguments)
    assert total["rules"] == {"marked": {"s": 1}}
    assert [row["label"] for row in rows] == ["s", "h"]
    assert len(state.read_text().splitlines()) == 3
    commands.write(RULE + "\n")
    done = commands.run(*arguments)
    assert done.exit_code == 1
    assert "is of other rules or messages" in done.stderr


def test_backtest_against_held_mail(commands: Commands) -> None:
    """What became of held mail is its label: a row for each rule, and hits in what was released stand first."""
    config = commands.folder / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{commands.folder}/state"\n')
    (commands.folder / "state").mkdir()
    with closing(Quarantine(commands.folder / "state" / "quarantine")) as quarantine:
        for number, body in enumerate((b"a needle", b"a needle too", b"a needle again", b"hay")):
            with raw(body) as message:
                quarantine.hold(evidence(number, whole(body)), message)
        quarantine.delete(identifier(0), Actor("me"))
        quarantine.begin_release(identifier(1), Actor("me"), ("a@b.test",), Lease("x", 9e9))
    options = ("backtest", str(commands.rules / "a.yar"), "--against", "quarantine", "--config", str(config))
    *rows, total = commands.rows(*options)
    assert {(row["file"], row["label"]): bool(row["rules"]) for row in rows} == {
        (identifier(0), "deleted"): True,
        (identifier(1), "released"): True,
        (identifier(2), "held"): True,
        (identifier(3), "held"): False,
    }
    assert total["rules"] == {"needle": {"deleted": 1, "held": 1, "released": 1}}
    assert total["labels"]["held"] == {"messages": 2, "hit": 1}
    done = commands.run(*options)
    assert done.stdout.splitlines()[-4:-1] == [
        "needle\t1\t1\t1\t0",
        "any rule\t1\t1\t1\t0",
        "messages\t1\t1\t2\t0",
    ]
    assert "hits are false positives" in done.stderr
    with closing(Quarantine(commands.folder / "state" / "quarantine")) as quarantine:
        noted = quarantine.newest_audit(AuditFilter(action="backtest"), 9)
    assert [row.result for row in noted] == ["4 messages", "4 messages"]
    done = commands.run(*options[:-2], "--since", "2030-01-01", "--config", str(config))
    assert (done.exit_code, "holds no messages" in done.stderr) == (1, True)


def test_since_is_for_held_mail(commands: Commands) -> None:
    """A corpus of files knows no times."""
    done = commands.run("backtest", str(commands.rules), "--against", str(commands.folder), "--since", "1d")
    assert done.exit_code == 2


def test_profile_times_files_and_rules(commands: Commands) -> None:
    """Every file, and every rule of the slowest ones."""
    commands.write(OTHER, "b")
    folder = commands.mail(spam1="a needle").parent
    rows = commands.rows("profile", "--rules", str(commands.rules), "--messages", str(folder))
    assert {(row["kind"], row["name"].rpartition("/")[2]) for row in rows} == {
        ("file", "a"),
        ("file", "b"),
        ("rule", "needle"),
        ("rule", "other"),
    }
    assert all(row["ms"] >= 0 for row in rows)


def test_what_a_profile_measured_is_listed(commands: Commands) -> None:
    """Of the daemon's rules alone; without a state it says that nothing is kept."""
    (commands.folder / "site").mkdir()
    commands.rules.rename(commands.folder / "site" / "yara")
    config = commands.folder / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{commands.folder}/state"\n[rules]\npath = "{commands.folder}/site"\n')
    folder = commands.mail(spam1="a needle").parent
    profile = ("profile", "--config", str(config), "--messages", str(folder))
    assert "Not kept" in commands.run(*profile).stderr
    (commands.folder / "state").mkdir()
    assert commands.run(*profile).exit_code == 0
    (row,) = commands.rows("list", "--config", str(config))
    assert (row["cost"]["ms"] >= 0, row["cost"]["whole_file"]) == (True, False)
    assert re.search(r"\t\d+\.\d{3}\n", commands.run("list", "--config", str(config)).stdout) is not None


def test_fmt_says_what_would_change_and_changes_it(commands: Commands) -> None:
    """With --check nothing is written and exit 1 says that something would be; then all is in form."""
    path = commands.rules / "a.yar"
    done = commands.run("fmt", "--check", str(commands.rules))
    assert (done.exit_code, path.read_text()) == (1, RULE)
    assert {"-rule needle {", "+rule needle", "+{"} <= set(done.stdout.splitlines())
    assert "1 of 1 files would change, 0 have no common form" in done.stderr
    assert commands.run("fmt", str(commands.rules)).stdout == f"formatted {path}\n"
    assert commands.run("fmt", "--check", str(path)).exit_code == 0
    assert commands.run("test", str(path)).exit_code == 0


def test_fmt_leaves_what_it_cannot_read(commands: Commands) -> None:
    """The others are formatted; exit 1 and the line say that one is not."""
    broken = commands.write("rule a { condition: ", "broken")
    done = commands.run("fmt", str(commands.rules))
    assert (done.exit_code, broken.read_text()) == (1, "rule a { condition: ")
    assert f"{broken}:1: syntax error" in done.stderr
    assert (commands.rules / "a.yar").read_text() != RULE
    assert {row["changed"] for row in commands.rows("fmt", str(commands.rules))} == {False}


def test_fmt_without_yara_x_says_what_to_install(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra; check goes on without it and says so."""
    hidden = commands.folder / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\nold = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'yara_x' else old(name, package)\n"
    )
    monkeypatch.setattr("filterd.operations.rules._CODE", f"{hidden}:{_code()}")
    done = commands.run("fmt", str(commands.rules))
    assert done.exit_code == 1
    assert "yara-x is not installed: pip install 'filterd[yara-x]'" in done.stderr
    assert "Not linted by yara-x" in commands.run("check", str(commands.rules)).stderr


def _code() -> str:
    return str(Path(__file__).resolve().parents[2])


def test_composites_and_regex_rules_are_looked_at_too(commands: Commands) -> None:
    """Beside those of YARA in one folder, and alone where only such a file is named."""
    text = '[rules.REGEX_A]\ntarget = "subject"\npattern = "x"\nweight = 1\ndescription = "y"\nmatch = ["x", "z"]\n'
    regex = commands.rules / "own.toml"
    regex.write_text(text + 'no_match = ["y"]\n')
    composites = commands.rules / "composites.toml"
    composites.write_text('[composites.ONE]\nexpression = "REGEX_A & NOBODY"\nweight = 1\ndescription = "y"\n')
    done = commands.run("check", str(commands.rules))
    assert done.exit_code == 1
    assert (
        f"{composites}:2: error: [composites] ONE.expression: at 11: unknown symbol NOBODY [composite]" in done.stdout
    )
    last = commands.rows("check", str(commands.rules))[-1]
    assert (last["files"], last["rules"], last["errors"]) == (3, 3, 1)
    done = commands.run("test", str(regex))
    assert (done.exit_code, done.stdout) == (1, f"{regex}:1: [rules] REGEX_A.match: does not match 'z'\n")
    rows = commands.rows("list", str(commands.rules))
    assert [(row["kind"], row["rule"]) for row in rows] == [
        ("yara", "needle"),
        ("regex", "REGEX_A"),
        ("composite", "ONE"),
    ]
    assert len({frozenset(row) for row in rows}) == 1

"""filterd config: what is wrong with a configuration, said so that it can be mended."""

import fcntl
import json
import shutil
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.app.telling import LOCK_FILE
from filterd.cli import app
from filterd.config import Config
from tests.conftest import ROOT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the configuration stands."""
    return tmp_path / "filterd.toml"


def _run(command: str, file: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["config", command, "--config", str(file), *more])


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[actions]\nrejekt = 5\n", ":2: [actions] rejekt:", 'unknown key; did you mean "reject"?'),
        ("[aktions]\nreject = 5\n", ":1: [aktions]:", 'unknown section; did you mean "actions"?'),
        ('[actions]\nreject = "15"\n', ":2: [actions] reject:", "expected a valid number, got '15'"),
        ("[milter]\nworkers = 1.5\n", ":2: [milter] workers:", "expected a valid integer, got 1.5"),
        ('[milter]\nlisten = "/no/colon"\n', ":2: [milter] listen:", "expected an address such as"),
        ("[actions]\nreject = 5\nquarantine = 9\n", ":1: [actions]", "expected add_header <= quarantine <= reject"),
        ("[actions]\nreject = 5\nreject = 6\n", ":3:", "this key stands here twice"),
        ("[actions\n", "", "not valid TOML"),
        ('[log]\nlevel = "${LEVEL}"\n', ":2: [log] level:", "${...} is not replaced"),
        ("[milter]\nworkers = 99999999999999999999\n", ":2: [milter] workers:", "a number of at most 63 bits"),
        ("[milter]\nworkers = " + "[" * 30 + "]" * 30 + "\n", ":2: [milter] workers:", "expected less nesting"),
        ('[trust.skip]\nlocal = ["spv"]\n', ": [trust.skip] local:", "got 'spv'; did you mean 'spf'?"),
        (
            '[actions.on_unknown]\ninspector = "continue"\n',
            ":1: [actions] on_unknown",
            "expected one of defer, quarantine",
        ),
        ('[rules]\npath = "/nonexistent"\n', "/nonexistent/scores.toml:", "No such file or directory"),
    ],
)
@pytest.mark.threat("OPS-05")
def test_what_is_wrong_is_named_with_file_key_and_what_was_expected(
    file: Path, text: str, place: str, words: str
) -> None:
    """Exit 1, nothing on standard output, one line with all three."""
    file.write_text(text)
    done = _run("check", file)
    assert (done.exit_code, done.stdout) == (1, "")
    assert any(place in line and words in line for line in done.stderr.splitlines()), done.stderr
    if place.startswith(":"):
        assert f"{file}{place}" in done.stderr


def test_all_problems_are_said_at_once(file: Path) -> None:
    """Nobody wants to mend a file one error at a time."""
    file.write_text('[actions]\nrejekt = 5\n[milter]\nworkers = "two"\n[aktions]\n')
    done = _run("check", file)
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 3


def test_a_file_that_is_not_there_is_an_error(file: Path) -> None:
    """A configuration that was named and cannot be read never means the defaults."""
    done = _run("check", file)
    assert (done.exit_code, done.stderr) == (1, f"{file}: cannot be read: No such file or directory\n")


def test_a_good_file_is_ok(file: Path) -> None:
    """One word, exit 0."""
    file.write_text("[actions]\nreject = 20\n")
    done = _run("check", file)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "ok\n", "")


def test_the_printed_default_is_a_configuration_and_changes_nothing(file: Path) -> None:
    """Written to a file it checks, and means what no file means."""
    file.write_text(CliRunner().invoke(app, ["config", "default"]).stdout)
    assert _run("check", file).stdout == "ok\n"
    shown = json.loads(_run("show", file, "--json").stdout)
    assert shown == Config().model_dump(mode="json")


def test_show_prints_what_is_in_force(file: Path) -> None:
    """Defaults filled in, as TOML that can be read again."""
    file.write_text("[actions]\nreject = 20\n")
    done = _run("show", file)
    assert done.exit_code == 0
    found = tomllib.loads(done.stdout)
    assert found["actions"]["reject"] == 20
    assert found["actions"]["quarantine"] == 10


@pytest.mark.integration  # the daemon's socket is looked at
def test_a_daemon_that_is_starting_is_no_daemon_that_does_not_run(file: Path, tmp_path: Path) -> None:
    """It holds its lock and has said nothing yet: whoever waits for it should wait on."""
    file.write_text(f'[paths]\nstate = "{tmp_path}/state"\n')
    (tmp_path / "state").mkdir()
    with (tmp_path / "state" / LOCK_FILE).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = CliRunner().invoke(app, ["status", "--config", str(file)])
    assert (done.exit_code, done.stderr) == (1, "the daemon is starting: try again in a few seconds\n")


@pytest.mark.integration  # the daemon's socket is looked at
def test_what_needs_the_daemon_says_so_where_none_runs(file: Path, tmp_path: Path) -> None:
    """Status and reload: exit 1 and words, no trace of having looked."""
    file.write_text(f'[paths]\nstate = "{tmp_path}/state"\n')
    for command in ("status", "reload"):
        done = CliRunner().invoke(app, [command, "--config", str(file)])
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == "no daemon is running with this configuration\n"
    assert not (tmp_path / "state").exists()


def test_check_names_the_indicators_that_have_expired(file: Path, tmp_path: Path) -> None:
    """They do not count and are no error: the list says who may delete them."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    entry = 'kind = "host"\nvalues = ["host.example"]\nreason = "a kit"\nowner = "anna"\nexpires = 2020-02-29\n'
    (tmp_path / "rules" / "indicators.toml").write_text(f"[indicators.old]\n{entry}")
    file.write_text(f'[rules]\npath = "{tmp_path}/rules"\n')
    done = _run("check", file)
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        ["indicators.toml: old of anna expired on 2020-02-29: it does not count", "ok"],
    )


def test_a_regex_file_that_is_left_out_is_said(file: Path) -> None:
    """It makes no configuration invalid, and is not passed over in silence."""
    folder = file.parent / "own" / "regex"
    folder.mkdir(parents=True)
    (folder / "a.toml").write_text('[rules.REGEX_A]\ntarget = "title"\n')
    file.write_text(f'[rules]\nlocal = "{file.parent}/own"\n')
    done = _run("check", file)
    assert done.exit_code == 0
    assert f"{folder}/a.toml:2: [rules] REGEX_A.target: expected" in done.stdout
    assert "the file is left out" in done.stdout


def test_rules_of_ones_own_are_shown(file: Path) -> None:
    """As they hold."""
    file.write_text("[rules.scores.SPF_FAIL]\nweight = 4.5\n[rules.groups.words]\ncap = 3\n")
    shown = tomllib.loads(_run("show", file).stdout)["rules"]
    assert shown["scores"] == {"SPF_FAIL": {"weight": 4.5, "off": False}}
    assert shown["groups"] == {"words": {"cap": 3}}


POLICIES = """
[policies.sales]
recipients = ["example.org", "info@"]
quarantine = 12
on_unknown = { spf = { stranger = "defer" } }
scores = { SPF_FAIL = { weight = 1.5 } }
[policies.abuse]
recipients = ["abuse@"]
off = true
"""


def test_the_policy_of_an_address_is_said(file: Path) -> None:
    """Its name, the entry that gave it, and only what is not as in [actions]."""
    file.write_text(POLICIES)
    done = _run("policy", file, "User+x@Example.org", "abuse@example.org", "user@example.net")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "address       User+x@Example.org",
        "policy        sales, for example.org",
        "quarantine    12  ([actions] has 10)",
        "on_unknown    spf: stranger: defer  ([actions] has nothing)",
        "SPF_FAIL      weight 1.5",
        "",
        "address       abuse@example.org",
        "policy        abuse, for abuse@",
        "off           not filtered; only what cannot be read whole is treated as for everybody",
        "",
        "address       user@example.net",
        "policy        the site's own ([actions])",
    ]


def test_the_policy_of_an_address_as_json(file: Path) -> None:
    """All that holds for it, in the words of the file; what a terminal obeys stays escaped."""
    file.write_text(POLICIES)
    done = _run("policy", file, "info@other.test", "x\x1b@example.net", "--json")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["policy"], first["entry"], first["off"]) == ("sales", "info@", False)
    assert (first["quarantine"], first["reject"], first["scores"]) == (
        12,
        15,
        {"SPF_FAIL": {"weight": 1.5, "off": False}},
    )
    assert (second["policy"], second["entry"], second["quarantine"], second["scores"]) == ("", "", 10, {})
    assert "\x1b" not in done.stdout

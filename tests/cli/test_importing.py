"""filterd import: entries are added, settings printed, the rest named."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app

LOCAL = """whitelist_auth *@example.org
blacklist_from spam@bad.example
score RDNS_NONE 2
whitelist_from *
body OWN /\x1b]0;x\x07/
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration, and a local.cf."""
    (tmp_path / "filterd.toml").write_text(f'[paths]\nstate = "{tmp_path}/state"\n')
    (tmp_path / "local.cf").write_text(LOCAL)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    """A command."""
    return CliRunner().invoke(app, [*arguments, "--config", str(folder / "filterd.toml")])


def listed(folder: Path) -> list[str]:
    """What is on the lists."""
    rows = [json.loads(line) for line in run(folder, "list", "show", "--json").stdout.splitlines()]
    return [f"{row['list']} {row['entry']}" for row in rows]


def test_dry_run(folder: Path) -> None:
    """It says what would become of each line, changes nothing, and sends no control byte to a terminal."""
    done = run(folder, "import", "spamassassin", str(folder / "local.cf"), "--dry-run")
    assert done.exit_code == 0
    assert "2 entries would be added, 1 settings for filterd.toml, 1 unsafe, 1 without a counterpart" in done.stderr
    assert "[rules.scores.IPREV_NONE]\nweight = 2.4\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert listed(folder) == []


def test_entries_are_added(folder: Path) -> None:
    """With where they come from as their reason, and whoever is named as their owner."""
    done = run(folder, "import", "spamassassin", str(folder / "local.cf"), "--owner", "mail", "--expires", "never")
    assert done.exit_code == 0, done.output
    assert listed(folder) == ["allow domain:example.org", "block sender:spam@bad.example"]
    row = json.loads(run(folder, "list", "allow", "show", "--json").stdout)
    assert (row["reason"], row["owner"], row["expires"]) == (
        "imported: local.cf:1 whitelist_auth *@example.org", "mail", "never"
    )  # fmt: skip


def test_json_is_what_list_import_reads(folder: Path) -> None:
    """Of lines that are entries, list, entry and reason are enough to add them elsewhere."""
    done = run(folder, "import", "spamassassin", str(folder / "local.cf"), "--dry-run", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["fate"] for row in rows] == ["entry", "entry", "setting", "unsafe", "without"]
    picked = [{key: row[key] for key in ("list", "entry", "reason")} for row in rows if row["fate"] == "entry"]
    (folder / "lists.jsonl").write_text("\n".join([json.dumps(row) for row in picked]))
    assert run(folder, "list", "import", str(folder / "lists.jsonl")).stdout == "2 entries imported\n"


def test_nothing_there(folder: Path) -> None:
    """It says what was expected."""
    done = run(folder, "import", "rspamd", str(folder))
    assert done.exit_code == 1
    assert "expected rspamd's folder, with local.d in it, such as /etc/rspamd" in done.stderr

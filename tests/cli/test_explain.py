"""filterd explain: of what is held, and of a file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.quarantine import Quarantine
from tests.quarantine.samples import evidence, identifier, raw
from tests.support.dnsserver import DnsServer
from tests.support.world import message, zone


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with one held message."""
    path = tmp_path / "filterd.toml"
    path.write_text(f'[paths]\nstate = "{tmp_path}/state"\n')
    quarantine = Quarantine(tmp_path / "state" / "quarantine")
    with raw() as held:
        quarantine.hold(evidence(subject="\x1b[2J", sender="\x1b]0;x\x07@a.test"), held)
    quarantine.close()
    return path


def _explain(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", "--config", str(config), *arguments])


def test_a_held_message_is_explained_from_what_was_kept(config: Path) -> None:
    """Nothing is asked; hostile text is harmless on a terminal."""
    done = _explain(config, identifier())
    assert done.exit_code == 0, done.stderr
    assert "SPF_FAIL" in done.stdout
    assert "\x1b" not in done.stdout


def test_looking_is_noted(config: Path, tmp_path: Path) -> None:
    """Who has seen a held message stands in its audit, by whichever command."""
    assert _explain(config, identifier()).exit_code == 0
    quarantine = Quarantine(tmp_path / "state" / "quarantine")
    seen = [row.action for row in quarantine.audit(identifier())][1:]
    quarantine.close()
    assert seen.count("view") == 1


def test_the_same_beside_the_other_commands(config: Path) -> None:
    """`quarantine explain ID` says what `explain ID` says, and takes nothing but ids."""
    said = CliRunner().invoke(app, ["quarantine", "explain", "--config", str(config), identifier()])
    assert (said.exit_code, said.stdout) == (0, _explain(config, identifier()).stdout)
    wrong = CliRunner().invoke(app, ["quarantine", "explain", "--config", str(config), "../x"])
    assert (wrong.exit_code, "no such entry" in wrong.stderr) == (1, True)


def test_the_same_for_a_script(config: Path) -> None:
    """One object."""
    found = json.loads(_explain(config, "--json", identifier()).stdout)
    assert (found["id"], found["action"], found["symbols"][0]["name"]) == (identifier(), "quarantine", "SPF_FAIL")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (identifier(7), "is not held, and the journal does not know it; explain the file instead"),
        ("/nonexistent/x.eml", "expected the id of a held message or a message file"),
    ],
)
def test_what_is_neither_is_refused_in_words(config: Path, name: str, words: str) -> None:
    """Exit 1, and what to do."""
    done = _explain(config, name)
    assert (done.exit_code, done.stdout) == (1, "")
    assert words in done.stderr


@pytest.mark.integration
def test_a_file_is_judged_and_explained(config: Path, tmp_path: Path) -> None:
    """With the options as its SMTP session, against live DNS."""
    path = tmp_path / "spoof.eml"
    path.write_bytes(message("ceo@aligned.test", "Urgent"))
    with DnsServer(zone()) as dns:
        came = ("--client-ip", "198.51.100.77", "--mail-from", "x@aligned.test", "--rcpt", "user@local.test")
        done = _explain(config, "--nameserver", f"127.0.0.1:{dns.port}", *came, str(path))
    assert done.exit_code == 0, done.stderr
    assert "sender        x@aligned.test" in done.stdout
    assert "recipient     user@local.test" in done.stdout
    assert "  dmarc       " in done.stdout

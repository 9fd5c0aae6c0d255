"""filterd replay: held messages judged again, one or all, with one thing changed."""

import json
import os
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.cli import replay as command
from filterd.operations.replay_many import held, replay_many
from filterd.quarantine.segments import Kind, Segments
from tests.operations.held import NOW, Brought, Stand, stand
from tests.support.dnsserver import DnsServer
from tests.support.world import GOOD, SPAM, message, signed, zone

pytestmark = pytest.mark.integration

RULES = Path(__file__).resolve().parents[2] / "rules"
ACTIONS = "[actions]\nadd_header = 0.01\nquarantine = 0.02\nreject = 90.0\n"
HOSTILE = "\x1b]0;pwned\x07 \x9b2J \u202eexe"
CLEAN = signed(message("alice@aligned.test", "Minutes", "Win $$$, act now, 100% free\r\n"), now=int(NOW))


class Held:
    """A state folder with three held messages, and the commands on it."""

    def __init__(self, folder: Path, found: Stand) -> None:
        """Hold them."""
        self.folder = folder
        self.config = folder / "filterd.toml"
        hostile = message("a@pills.test", f"x {HOSTILE}", "https://pills.test/\r\n")
        mail = [
            Brought.of(SPAM, client="11.2.3.4", sender="x@cheap.test"),
            Brought.of(hostile, client="11.2.3.5", sender=f"{HOSTILE}@cheap.test"),
            Brought.of(CLEAN, client="11.2.3.6", helo=GOOD.helo, sender="alice@aligned.test"),
        ]
        assert found.hold(mail) == ["quarantine"] * len(mail)
        self.clean, self.hostile, self.spam = held(found.quarantine)

    def run(self, *arguments: str, config: Path | None = None) -> Result:
        """The command."""
        return CliRunner().invoke(app, ["replay", "--config", str(config or self.config), *arguments])

    def json(self, *arguments: str, config: Path | None = None) -> dict[str, Any]:
        """The one object that the command prints."""
        done = self.run("--json", *arguments, config=config)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def other(self, name: str, old: str, new: str) -> Path:
        """Another configuration."""
        path = self.folder / name
        path.write_text(self.config.read_text().replace(old, new))
        return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """Held mail; the name server that was asked is gone."""
    folder = tmp_path_factory.mktemp("site")
    with stand(folder, 1, more=ACTIONS) as found:
        return Held(folder, found)


def test_the_same_again(site: Held) -> None:
    """Verdict, score and symbols as recorded; exit 0; who replayed what is in the audit."""
    for identifier in (site.spam, site.hostile, site.clean):
        found = site.json(identifier)
        assert (found["id"], found["same"], found["before"]) == (identifier, True, found["after"])
        assert (found["added"], found["gone"], found["changed"], found["missing"]) == ([], [], [], [])
        assert (found["configuration"]["same"], found["rules"]["same"]) == (True, True)
    shown = CliRunner().invoke(app, ["quarantine", "show", site.spam, "--json", "--config", str(site.config)])
    assert "replay" in [row["action"] for row in json.loads(shown.stdout)["audit"]]


@pytest.mark.threat("QUA-08")
def test_in_words(site: Held) -> None:
    """Then and now, and that they are the same; nothing of a hostile message moves a terminal."""
    done = site.run(site.hostile)
    assert done.exit_code == 0
    assert "the same verdict, score and symbols" in done.stdout
    assert not [c for c in done.stdout if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs"}]


def test_other_rules_symbol_by_symbol(site: Held, tmp_path: Path) -> None:
    """--rules: a symbol that weighs more is named with both weights, and that the rules are others is said."""
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    scores = (rules / "scores.toml").read_text()
    name = next(one["name"] for one in _symbols(site) if one["name"].startswith("SUBJECT_") and one["score"] > 0)
    head, table, rest = scores.partition(f"{name} = ")
    assert table
    (rules / "scores.toml").write_text(f"{head}{table}" + rest.replace("weight = ", "weight = 1", 1))
    found = site.json(site.spam, "--rules", str(rules))
    assert name in [one["name"] for one in found["changed"]]
    assert (found["configuration"]["same"], found["rules"]["same"], found["same"]) == (True, False, False)
    text = site.run(site.spam, "--rules", str(rules)).stdout
    assert f"  ~ {name}  " in text
    assert "rules         " in text


def _symbols(site: Held) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["explain", site.spam, "--json", "--config", str(site.config)])
    found: list[dict[str, Any]] = json.loads(done.stdout)["symbols"]
    return found


def test_another_configuration(site: Held) -> None:
    """--config: the same score under other thresholds is another action; nothing is asked."""
    found = site.json(site.spam, config=site.other("mild.toml", "quarantine = 0.02", "quarantine = 80.0"))
    assert (found["before"]["action"], found["after"]["action"]) == ("quarantine", "add_header")
    assert found["before"]["score"] == found["after"]["score"]
    assert (found["configuration"]["same"], found["rules"]["same"]) == (False, True)
    assert (found["added"], found["gone"], found["changed"], found["missing"]) == ([], [], [], [])


def test_live_asks_anew(site: Held) -> None:
    """--live: what names say now counts; what came and went is listed, the clock is still that of then."""
    now = {name: records for name, records in zone().items() if name != "pills.test.dbl.spamhaus.org"}
    with DnsServer(now) as dns:
        lines = site.config.read_text().splitlines()
        old = next(line for line in lines if line.startswith("nameservers"))
        config = site.other("live.toml", old, f'nameservers = ["127.0.0.1:{dns.port}"]')
        found = site.json(site.hostile, "--live", config=config)
        assert dns.asked
    assert "URIBL_DBL_SPAM" in [one["name"] for one in found["gone"]]
    assert found["missing"] == []


def test_what_would_change_in_the_whole_store(site: Held) -> None:
    """--all: one line for each pair of actions, with the ids; how many there are stands on standard error."""
    done = site.run("--all", "--jobs", "2", config=site.other("all.toml", "quarantine = 0.02", "quarantine = 80.0"))
    assert done.exit_code == 0
    then, now, count, ids = done.stdout.rstrip("\n").split("\t")
    assert (then, now, count) == ("quarantine", "add_header", "3")
    assert ids.split() == [site.clean, site.hostile, site.spam]
    assert "3 of 3 held messages replayed: 3 would be treated otherwise" in done.stderr


def test_the_whole_store_as_json(site: Held) -> None:
    """One object on each line for each message; without a change all are the same."""
    done = site.run("--all", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["same"]) for row in rows] == [(one, True) for one in (site.clean, site.hostile, site.spam)]
    assert "0 would be treated otherwise, 3 as they were (0 of them for other reasons" in done.stderr


def test_interrupted_it_says_how_far_it_came(site: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it with 1, with what is known by then and without a traceback."""

    def ended(*arguments: Any, live: bool) -> Iterator[dict[str, Any]]:
        yield next(replay_many(*arguments, live=live))
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "replay_many", ended)
    done = site.run("--all")
    assert done.exit_code == 1
    assert done.stderr.endswith("interrupted after 1 of 3 messages\n")
    assert "Traceback" not in done.output


def test_a_file(site: Held, tmp_path: Path) -> None:
    """Nothing of it is recorded: it is judged without a session, and what nobody answers is unknown."""
    path = tmp_path / "mail.eml"
    path.write_bytes(SPAM)
    found = site.json(str(path))
    assert found["file"] == str(path)
    assert "before" not in found
    assert found["missing"]
    assert site.run(str(path)).stdout.startswith("file          ")


def test_evidence_of_another_message(site: Held, tmp_path: Path) -> None:
    """A message that was changed behind the ledger's back is not replayed as if it were the message: words, exit 1."""
    shutil.copytree(site.folder / "state", tmp_path / "state")
    config = tmp_path / "filterd.toml"
    config.write_text(site.config.read_text().replace(f'"{site.folder}/state"', f'"{tmp_path}/state"'))
    folder = tmp_path / "state" / "quarantine" / "segments"
    segments = Segments(folder, os.fsync)
    for slot, record in [found for name in segments.names() for found in segments.scan(name)]:
        if record.kind is Kind.MESSAGE:
            with (folder / slot.segment).open("r+b") as file:
                file.seek(slot.offset + slot.length - 1)
                file.write(b"\0")
    done = site.run(site.spam, config=config)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{site.spam}: what is stored is not what was held: its sha256 is ")
    every = site.run("--all", config=config)
    assert every.exit_code == 0
    assert f"{site.spam}: what is stored is not what was held" in every.stderr


@pytest.mark.parametrize("arguments", [[], ["--all", "x"]])
def test_one_message_or_all(site: Held, arguments: list[str]) -> None:
    """Neither or both is wrong usage."""
    assert site.run(*arguments).exit_code == 2


def test_an_id_that_is_not_held(site: Held) -> None:
    """Exit 1 with words."""
    done = site.run("01JD3W7Q4Z5S8V1N2M3K4P5R6T")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is not held" in done.stderr

"""filterd quarantine digest and rotate: who would be told of what, telling them now, templates, a new key."""

import json
import stat
import unicodedata
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.app.site import load_config
from filterd.cli import app
from filterd.operations.digest_templates import SHIPPED
from filterd.quarantine import Quarantine
from filterd.quarantine.keys import Keys
from filterd.quarantine.relay import Answer, Fate, Relay
from filterd.quarantine.tokens import FIELD
from tests.quarantine.samples import evidence, identifier, raw, whole

HOSTILE = "\x1b[2J\x1b]52;c;cHdu\x07 \x9b2J a\rb \u202egpj.exe"
TELLING = '[digest]\nreviewers = ["r@c.test"]\ndomains = ["b.test"]\nsender = "filterd@c.test"\n'


class Site:
    """A state folder, its configuration, and an MTA that keeps what it is given."""

    def __init__(self, folder: Path) -> None:
        """Telling a reviewer and all recipients in b.test."""
        self.folder = folder
        self.config = folder / "filterd.toml"
        self.write(TELLING)
        self.answer = Answer(Fate.DELIVERED, "250 ok")
        self.got: list[tuple[str, tuple[str, ...], bytes]] = []

    def write(self, more: str, quarantine: str = "") -> None:
        """Its filterd.toml."""
        self.config.write_text(f'[paths]\nstate = "{self.folder}/state"\n[quarantine]\n{quarantine}\n{more}')

    def hold(self, number: int, subject: str = "Your invoice", to: tuple[str, ...] = ("to@b.test",)) -> None:
        """Hold one more."""
        body = b"body %d" % number
        with closing(Quarantine(self.folder / "state" / "quarantine")) as quarantine, raw(body) as message:
            quarantine.hold(evidence(number, whole(body), subject=subject, recipients=to), message)

    def deliver(self, _relay: Relay, sender: str, recipients: Sequence[str], message: bytes) -> Answer:
        """In the place of SMTP."""
        self.got.append((sender, tuple(recipients), message))
        return self.answer

    def run(self, *arguments: str) -> Result:
        """A command about held mail."""
        return CliRunner().invoke(app, ["quarantine", *arguments, "--config", str(self.config)])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """With nothing held."""
    found = Site(tmp_path)

    def deliver(relay: Relay, sender: str, recipients: Sequence[str], message: bytes) -> Answer:
        return found.deliver(relay, sender, recipients, message)

    monkeypatch.setattr(Relay, "deliver", deliver)
    return found


# --- digest


def test_dry_run(site: Site) -> None:
    """Who would be told of how many; nothing is sent and the next round is as before."""
    site.hold(0)
    site.hold(1, to=("to@b.test", "else@where.test"))
    for _ in range(2):
        done = site.run("digest", "--dry-run")
        assert done.exit_code == 0
        assert sorted(line.split("\t") for line in done.stdout.splitlines()) == [
            ["r@c.test", "2", "2", f"Held mail on {host(site)}: 2"],
            ["to@b.test", "2", "2", "Held mail for you: 2"],
        ]
    assert site.got == []


def host(site: Site) -> str:
    """The name of this host, as the configuration has it."""
    return load_config(site.config).authserv_id


def test_dry_run_for_scripts(site: Site) -> None:
    """One object a mail, with the ids it lists; with --raw the mail as well."""
    site.hold(0)
    done = site.run("digest", "--dry-run", "--json", "--raw")
    found = {one["to"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert set(found) == {"r@c.test", "to@b.test"}
    assert (found["r@c.test"]["held"], found["r@c.test"]["ids"]) == (1, [identifier(0)])
    assert found["r@c.test"]["raw"].startswith("From: filterd@c.test\r\nTo: r@c.test\r\n")


@pytest.mark.threat("QUA-08")
@pytest.mark.parametrize("options", [[], ["--raw"], ["--json"], ["--json", "--raw"]], ids=" ".join)
def test_no_control_byte(site: Site, options: list[str]) -> None:
    """Whatever a subject or an address says, no byte of it is obeyed by a terminal."""
    site.hold(0, HOSTILE, (f"{HOSTILE}@b.test", "j\u00f6rg@b.test"))
    done = site.run("digest", "--dry-run", *options)
    assert done.exit_code == 0
    shown = done.stdout.replace("\n", "").replace("\t", "")
    assert [hex(ord(letter)) for letter in shown if unicodedata.category(letter)[0] == "C"] == []
    assert {line.partition("\t")[0] for line in site.run("digest", "-n").stdout.splitlines()} == {
        "r@c.test",
        "j\u00f6rg@b.test",
    }


def test_send(site: Site) -> None:
    """Each mail once, from the null sender; then there is nothing to be told."""
    site.hold(0)
    done = site.run("digest", "--send")
    assert (done.exit_code, sorted(done.stdout.splitlines())) == (
        0,
        ["r@c.test sent: 250 ok", "to@b.test sent: 250 ok"],
    )
    assert sorted((sender, to) for sender, to, _ in site.got) == [("", ("r@c.test",)), ("", ("to@b.test",))]
    assert site.run("digest", "--send").stdout == "there is nothing to be told\n"
    assert site.run("digest", "--send", "--json").stdout == ""


@pytest.mark.parametrize(
    ("fate", "text", "said"),
    [
        (Fate.LATER, "451 \x1b[2Jnot now", "to@b.test put off: 451 \\x1b[2Jnot now"),
        (Fate.REFUSED, "550 no", "to@b.test failed: 550 no"),
    ],
)
def test_send_that_is_not_taken(site: Site, fate: Fate, text: str, said: str) -> None:
    """Is exit 1, with the MTA's words."""
    site.hold(0)
    site.answer = Answer(fate, text)
    done = site.run("digest", "--send")
    assert done.exit_code == 1
    assert said in done.stdout.splitlines()


def test_send_for_scripts(site: Site) -> None:
    """One object a mail: to whom, how many, what became of it."""
    site.hold(0)
    found = [json.loads(line) for line in site.run("digest", "--send", "--json").stdout.splitlines()]
    assert {"to": "to@b.test", "held": 1, "state": "sent", "text": "250 ok"} in found


def test_by_another_way(site: Site) -> None:
    """With `relay` a digest carries a token, which lets it pass the filter."""
    site.write(TELLING + 'relay = "inet:25@127.0.0.1"\n')
    key(site)
    site.hold(0)
    assert site.run("digest", "--send").exit_code == 0
    assert [message.startswith(FIELD.encode()) for _, _, message in site.got] == [True, True]


def test_by_another_way_without_a_key(site: Site) -> None:
    """It is put off, and what is missing is said."""
    site.write(TELLING + 'relay = "inet:25@127.0.0.1"\n')
    site.hold(0)
    done = site.run("digest", "--send")
    assert done.exit_code == 1
    assert "release.key is not there: filterd run makes it at its start" in done.stdout
    assert site.got == []


def key(site: Site) -> Path:
    """The key that the daemon makes at its start."""
    made = Keys(site.folder / "state" / "release.key")
    made.make()
    return made.path


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "expected one of --dry-run, --send, --templates DIR"),
        (["--send", "--dry-run"], "expected one of --dry-run, --send, --templates DIR"),
        (["--send", "--templates", "x"], "expected one of --dry-run, --send, --templates DIR"),
    ],
)
def test_usage(site: Site, options: list[str], words: str) -> None:
    """One thing at a time."""
    done = site.run("digest", *options)
    assert (done.exit_code, done.stderr.strip()) == (1, words)


def test_nobody_is_told_as_shipped(site: Site) -> None:
    """The error names the keys."""
    site.write("")
    done = site.run("digest", "--send")
    assert (done.exit_code, done.stderr) == (1, "nobody is to be told: name `reviewers` or `domains` in [digest]\n")


def test_templates(site: Site) -> None:
    """Are written once; a site's own that cannot be filled is named, by `config check` too."""
    folder = site.folder / "digest"
    done = site.run("digest", "--templates", str(folder))
    assert done.stdout.splitlines() == [str(folder / name) for name in SHIPPED]
    assert site.run("digest", "--templates", str(folder)).stdout == "all of them are there already\n"
    (folder / "reviewer.txt").write_text("$nobody")
    site.write(TELLING + f'templates = "{folder}"\n')
    site.hold(0)
    words = "[digest] templates: reviewer.txt: $nobody is not known here: expected $count"
    done = site.run("digest", "--dry-run")
    assert (done.exit_code, words in done.stderr) == (1, True)
    checked = CliRunner().invoke(app, ["config", "check", "--config", str(site.config)])
    assert (checked.exit_code, words in checked.output) == (1, True)


def test_templates_where_nothing_can_be_written(site: Site) -> None:
    """The folder is named, and why."""
    (site.folder / "file").write_text("")
    done = site.run("digest", "--templates", str(site.folder / "file"))
    assert (done.exit_code, done.stderr) == (1, f"{site.folder / 'file'}: File exists\n")


@pytest.mark.threat("RES-05")
def test_a_ledger_that_cannot_be_read(site: Site) -> None:
    """Is said, and is no trace back."""
    site.hold(0)
    (site.folder / "state" / "quarantine" / "ledger.sqlite").write_bytes(b"nonsense" * 1_000)
    done = site.run("digest", "--dry-run")
    assert done.exit_code == 1
    assert "ledger: " in done.stderr
    assert "Traceback" not in done.output


# --- rotate


def test_rotate(site: Site) -> None:
    """A new key in front, the one before goes on verifying, the file stays private; its secrets are not shown."""
    path = key(site)
    before = path.read_text().splitlines()
    done = site.run("rotate")
    after = path.read_text().splitlines()
    assert done.exit_code == 0
    assert after[1:] == before
    assert done.stdout == f"{path}: tokens are signed with key {after[0].split()[0]} now\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_rotate_without_a_key(site: Site) -> None:
    """Says who makes it."""
    done = site.run("rotate")
    assert done.exit_code == 1
    assert done.stderr == f"{site.folder}/state/release.key is not there: filterd run makes it at its start\n"


def test_rotate_of_another_file(site: Site) -> None:
    """`token_file` names it."""
    path = key(site).rename(site.folder / "shared.key")
    site.write("", f'token_file = "{path}"')
    assert site.run("rotate").exit_code == 0
    assert len(path.read_text().splitlines()) == 2

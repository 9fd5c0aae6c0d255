"""Held messages read by inspectors: shown, grouped into campaigns, decided about together, and learnt."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from filterd.app import load_config
from filterd.app.upkeep import learn_owed
from filterd.cli import app
from filterd.model.inspection import Shown
from filterd.operations import campaigns as operations
from filterd.operations.release import Released
from filterd.operations.teaching import WISH, owed
from filterd.operations.upkeep import Done
from filterd.pipeline.parts import Inspect
from filterd.quarantine import Entry, EntryFilter, Quarantine, State
from tests.quarantine.samples import evidence, identifier, raw, whole
from tests.support.sink import Sink

pytestmark = pytest.mark.integration  # each command starts a process of its own

PHISH = (0, 1, 3, 4)  # numbers of the messages of one campaign
OTHER = (2, 5)


def message(number: int) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """One of a campaign, made for its recipient, or one that is like no other."""
    words = ["account", "mailbox", "storage", "password", "verify", "limit", "secure", "expire", "login", "update"]
    if number in PHISH:
        text = f"Dear user{number}, " + " ".join(random.Random(1).choices(words, k=60)) + f" ref {number * 7919}"
        link = f"<a href='http://evil.test/u{number}'>www.bank.test</a>"
    else:
        text, link = " ".join(random.Random(number).choices(words, k=60)), ""
    fields = (
        (b"From", b" <a%d@evil.test>" % number),
        (b"Subject", b" Your mailbox, user%d \x1b[2J" % number),
        (b"Content-Type", b" text/html"),
    )
    return fields, f"<p>{text} {link}</p>\r\n".encode()


class Site:
    """A state folder with held mail, an MTA that takes what is released, and the commands."""

    def __init__(self, folder: Path, port: int) -> None:
        """Six messages are held."""
        self.folder = folder
        self.config = folder / "filterd.toml"
        release = f'[quarantine]\nrelease = "inet:{port}@127.0.0.1"\n'
        self.config.write_text(f'[paths]\nstate = "{folder}/state"\n{release}')
        self.quarantine = Quarantine(folder / "state" / "quarantine", fsync=lambda _: None)
        for number in range(6):
            fields, body = message(number)
            with raw(body, fields) as held:
                data = whole(body, fields)
                sender = f"a{number}@evil.test"
                self.quarantine.hold(evidence(number, data, sender=sender, subject=f"Your mailbox, user{number}"), held)

    def run(self, *arguments: str) -> Result:
        """A quarantine command."""
        return CliRunner().invoke(app, ["quarantine", *arguments, "--config", str(self.config)])

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """What it prints with --json."""
        return [json.loads(line) for line in self.run(*arguments, "--json").stdout.splitlines()]

    def audit(self, number: int) -> list[tuple[str, str]]:
        """What was done with an entry, but its hold."""
        return [(row.action, row.result) for row in self.quarantine.audit(identifier(number))][1:]

    def state(self, number: int) -> State:
        """What has become of it."""
        entry = self.quarantine.entry(identifier(number))
        assert entry is not None
        return entry.state


@pytest.fixture
def mta() -> Iterator[Sink]:
    """Takes released mail."""
    with Sink() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, mta: Sink) -> Iterator[Site]:
    """With six messages."""
    found = Site(tmp_path, mta.port)
    with closing(found.quarantine):
        yield found


@pytest.mark.threat("QUA-08")
def test_show_has_text_links_and_rules(site: Site) -> None:
    """As a reader would see it, with what a link's words hide, and what rules matched; no control byte."""
    done = site.run("show", identifier(0))
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert '  http://evil.test/u0  shown as "www.bank.test", ANOTHER HOST' in lines
    assert any(line.startswith("  | Dear user0, ") for line in lines)
    assert "  Rule (malware) in 1.2, counts as YARA_MALWARE" in lines
    assert "    $a" in lines
    assert "\x1b" not in done.stdout
    assert site.audit(0) == [("view", "done")]


def test_show_as_json_has_text_where_it_is_asked_for(site: Site) -> None:
    """A script that wants the evidence alone does not wait for an inspector."""
    assert "shown" not in site.rows("show", identifier(0))[0]
    shown = site.rows("show", identifier(0), "--text")[0]["shown"]
    assert shown["links"] == [{"target": "http://evil.test/u0", "label": "www.bank.test", "host": "evil.test"}]
    assert [text["part"] for text in shown["texts"]] == ["1"]


def test_campaigns_are_messages_that_are_alike(site: Site) -> None:
    """Sizes, times, senders and subjects; what is like no other is none. The sketches are kept, and made but once."""
    (found,) = site.rows("campaigns")
    assert (found["id"], found["messages"]) == (identifier(4), 4)
    assert found["ids"] == [identifier(number) for number in reversed(PHISH)]
    assert {one["sender"] for one in found["senders"]} == {f"a{number}@evil.test" for number in PHISH}
    assert found["first"] < found["last"]
    kept = site.folder / "state" / "sketches"
    before = kept.stat()
    row = site.run("campaigns").stdout.rstrip("\n").split("\t")
    assert row[:2] == [identifier(4), "4"]
    assert row[4].endswith(" and 1 more")
    assert kept.stat() == before
    assert len(site.rows("campaigns", "--least", "1")) == 3
    kept.write_bytes(b"nothing of ours")
    assert site.rows("campaigns") == [found]


@pytest.mark.threat("QUA-11")
def test_to_find_campaigns_is_a_view(site: Site) -> None:
    """Mail that is read to be compared was looked at: the audit has how much and by whom, each message but once."""
    site.run("campaigns")
    site.run("list", "--campaign", identifier(1))
    rows = site.rows("audit", "list", "--action", "view")
    assert [(row["id"], row["result"]) for row in rows] == [("", "6 messages, to find campaigns")]


@pytest.mark.threat("QUA-11")
def test_a_damaged_message_is_shown_without_its_text(site: Site) -> None:
    """What is known of it, and that what is stored is not what was held."""
    (segment,) = (site.folder / "state" / "quarantine" / "segments").iterdir()
    segment.write_bytes(segment.read_bytes().replace(b"Dear user0", b"Dear user9"))
    done = site.run("show", identifier(0))
    assert (done.exit_code, "Your mailbox, user0" in done.stdout, "Dear user" in done.stdout) == (0, True, False)
    assert "its text cannot be shown: what is stored is not what was held" in done.stderr


def test_what_cannot_be_read_is_no_campaign_and_is_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away for a moment must not part a message from its campaign for ever."""
    whole_look = operations.look

    def broken(quarantine: Quarantine, inspect: Inspect, entry: Entry) -> Shown:
        if entry.id == identifier(0):
            raise OSError("told to fail")
        return whole_look(quarantine, inspect, entry)

    with monkeypatch.context() as patch:
        patch.setattr(operations, "look", broken)
        assert [one["messages"] for one in site.rows("campaigns")] == [3]
    assert [one["messages"] for one in site.rows("campaigns")] == [4]


def test_a_campaign_is_listed_and_narrowed(site: Site) -> None:
    """Any of its messages names it; other options narrow it."""
    assert [one["id"] for one in site.rows("list", "--campaign", identifier(1))] == [
        identifier(number) for number in reversed(PHISH)
    ]
    found = site.rows("list", "--campaign", identifier(1), "--from", "a3@")
    assert [one["id"] for one in found] == [identifier(3)]


@pytest.mark.threat("QUA-07")
@pytest.mark.parametrize("wrong", ["../x", "*", "\x1b[2J", identifier(99), "' OR 1=1 --"])
@pytest.mark.parametrize("command", ["list", "release", "delete", "export"])
def test_a_campaign_that_is_none(site: Site, command: str, wrong: str) -> None:
    """Words and exit 1; nothing happens."""
    more = ["--zip", "-o", str(site.folder / "x.zip")] if command == "export" else ["--yes"] * (command != "list")
    done = site.run(command, "--campaign", wrong, *more)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "\x1b" not in done.stderr
    assert len(site.quarantine.entries()) == 6
    assert not (site.folder / "x.zip").exists()


def test_a_campaign_is_deleted_and_learnt(site: Site) -> None:
    """Those of the campaign and no other, each learnt as spam, once; both are in the audit."""
    dry = site.run("delete", "--campaign", identifier(0), "--learn", "--dry-run")
    assert (dry.exit_code, len(dry.stdout.splitlines())) == (0, 4)
    assert len(site.quarantine.entries()) == 6
    done = site.run("delete", "--campaign", identifier(0), "--learn", "--yes")
    assert done.exit_code == 0
    assert f"{identifier(3)} deleted" in done.stdout
    assert f"{identifier(3)} learnt as spam" in done.stdout
    assert [entry.id for entry in site.quarantine.entries()] == [identifier(5), identifier(2)]
    assert site.audit(3) == [("delete", "done"), ("learn spam", "learnt")]
    assert site.run("learn", "spam", identifier(3)).stdout == f"{identifier(3)} was known as spam\n"


def test_a_release_is_learnt_once_it_is_delivered(site: Site, mta: Sink) -> None:
    """The wish is in the audit before, what came of it behind; a second time it is known."""
    rows = site.rows("release", "--learn", identifier(0))
    assert [row.get("state") or row["learnt"] for row in rows] == ["delivered", "learnt"]
    assert len(mta.messages) == 1
    actions = site.audit(0)
    assert actions[0] == ("learn ham", WISH)
    assert [action for action, _ in actions] == ["learn ham", "release", "release", "learn ham"]
    assert actions[-1] == ("learn ham", "learnt")
    again = site.run("release", "--learn", identifier(0))
    assert again.stdout.splitlines()[-1] == f"{identifier(0)} was known as ham"
    assert len(mta.messages) == 1


def test_what_the_mta_puts_off_is_learnt_when_it_is_delivered(site: Site, mta: Sink) -> None:
    """Not before; the upkeep does it then, and for nothing else."""
    mta.answers["MAIL"] = "451 4.3.0 later"
    done = site.run("release", "--learn", identifier(0))
    assert (done.exit_code, "learnt" in done.stdout) == (1, False)
    assert owed(site.quarantine, identifier(0))
    assert not owed(site.quarantine, identifier(1))
    config = load_config(site.config)
    settled = Done(
        released=(
            Released(identifier(0), State.RELEASING, "451"),
            Released(identifier(1), State.DELIVERED, "250"),
        )
    )
    learn_owed(config, site.quarantine, settled)
    assert owed(site.quarantine, identifier(0))
    learn_owed(config, site.quarantine, Done(released=(Released(identifier(0), State.DELIVERED, "250"),)))
    assert not owed(site.quarantine, identifier(0))
    assert site.audit(0)[-1] == ("learn ham", "learnt")
    assert site.quarantine.audit(identifier(0))[-1].actor == "filterd"


def test_what_is_not_delivered_is_not_learnt(site: Site, mta: Sink) -> None:
    """A refusal leaves the wish open: a later release keeps it."""
    mta.answers["MAIL"] = "550 5.7.1 no"
    assert site.run("release", "--learn", identifier(0)).exit_code == 1
    assert site.state(0) is State.FAILED
    assert owed(site.quarantine, identifier(0))


def test_what_cannot_be_learnt_is_said(site: Site) -> None:
    """The message is deleted all the same, and the exit says that there is something to look at."""
    (site.folder / "state" / "classifier").write_text("in the way")
    done = site.run("delete", "--learn", identifier(0))
    assert (done.exit_code, site.state(0)) == (1, State.DELETED)
    assert "1 not learnt: " in done.stderr
    assert "later: filterd quarantine learn spam ID" in done.stderr


def test_a_campaign_leaves_in_one_archive(site: Site) -> None:
    """With --zip several go into one file; without it that is refused."""
    target = site.folder / "out.zip"
    assert site.run("export", "--zip", "-o", str(target), "--campaign", identifier(0)).exit_code == 0
    assert target.stat().st_size > 0
    assert {site.audit(number)[-1] for number in PHISH} == {("export zip", "done")}
    done = site.run("export", "--raw", "-o", str(site.folder / "out"), "--campaign", identifier(0))
    assert (done.exit_code, "--zip" in done.stderr) == (1, True)
    assert len(site.quarantine.entries(EntryFilter())) == 6

"""A whole state folder as an earlier release has left it, opened by this one: what was kept is kept, and work goes on.

`states/` has one for each, named by the number of its ledger's schema: made by that release's own daemon and commands
behind a Postfix (`python -m tests.state`, when it was the newest). In it: an accepted message; three held ones of less
than a kilobyte, the second of them deleted; a large held one; a lesson of each kind; since there are lists, a blocked
address. `told.json` says what became of each message then.
"""

import hashlib
import json
import sqlite3
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.process import wait_until
from tests.support.stack import Stack
from tests.support.world import GOOD, message

pytestmark = [pytest.mark.threat("QUA-15"), pytest.mark.timeout(300)]

STATES = Path(__file__).parent / "states"
LONG = 3_650  # days; the states do not get younger


@dataclass(frozen=True)
class Kept:
    """A message of then."""

    id: str
    action: str
    recipient: str
    sha256: str  # "" where nobody wrote it down


class Upgraded(Stack):
    """This release's daemon, on that state."""

    def __init__(self, state: Path) -> None:
        """Nothing is started yet."""
        super().__init__({"milter": {"workers": 1}, "quarantine": {"keep": LONG, "undo": LONG}})
        self._state = state
        self.messages: list[Kept] = []

    def make_filterd(self, folder: Path, settings: Settings) -> Filterd:
        """The state is there before the daemon is."""
        with tarfile.open(self._state) as archive:
            archive.extractall(folder / "state", filter="tar")
        with closing(sqlite3.connect(folder / "state" / "journal.sqlite")) as journal, journal:
            # Rows are kept for some weeks, whatever is configured: these have come today.
            journal.execute(
                "UPDATE journal SET received = received + ? - (SELECT max(received) FROM journal)", [time.time()]
            )
        told = json.loads((folder / "state" / "told.json").read_text())
        self.messages = [Kept(one, v["action"], v["recipient"], v["sha256"]) for one, v in told.items()]
        return Filterd(folder, settings)

    def run(self, *arguments: str) -> str:
        """What a command says."""
        argv = [*COMMAND, *arguments, "--config", str(self.filterd.config)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self, *arguments: str) -> list[dict[str, Any]]:
        """What it says with --json."""
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]

    def doctor(self) -> list[dict[str, Any]]:
        """What it finds; that some of it is no good here, such as the resolver's answers, is none of our business."""
        argv = [*COMMAND, "doctor", "--json", "--config", str(self.filterd.config)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module", params=sorted(STATES.glob("*.tar.xz")), ids=lambda path: path.name.partition(".")[0])
def upgraded(request: pytest.FixtureRequest) -> Iterator[Upgraded]:
    """Each that there is."""
    with Upgraded(request.param) as stack:
        yield stack


def test_held_mail(upgraded: Upgraded) -> None:
    """All that was held is listed, shown, replayed to the same verdict, and given out byte for byte."""
    held = [one for one in upgraded.messages if one.action == "quarantine"]
    listed = {one["id"]: one for one in upgraded.command("quarantine", "list")}
    those = {one.id for one in held}
    assert those & set(listed) == those - {held[1].id}
    for one in held:
        (shown,) = upgraded.command("quarantine", "show", one.id)
        assert shown["recipients"] == [one.recipient]
        (again,) = upgraded.command("replay", one.id)
        assert again["after"]["action"] == one.action
    for one in [one for one in held if one.sha256]:
        target = upgraded.folder / f"{one.id}.eml"
        upgraded.run("quarantine", "export", one.id, "--raw", "--output", str(target))
        assert hashlib.sha256(target.read_bytes()).hexdigest() == one.sha256


def test_what_was_deleted(upgraded: Upgraded) -> None:
    """It can be restored, and deleted again."""
    gone = [one for one in upgraded.messages if one.action == "quarantine"][1]
    upgraded.run("quarantine", "restore", gone.id)
    assert gone.id in {one["id"] for one in upgraded.command("quarantine", "list")}
    upgraded.run("quarantine", "delete", "--yes", gone.id)


def test_the_journal(upgraded: Upgraded) -> None:
    """Every message of then is traced, the accepted one too."""
    traced = {one["id"]: one["action"] for one in upgraded.command("trace")}
    assert traced.items() >= {(one.id, one.action) for one in upgraded.messages}


def test_what_was_learnt(upgraded: Upgraded) -> None:
    """The lessons are there, and one more is counted with them."""
    lesson = upgraded.folder / "lesson.eml"
    lesson.write_bytes(message("eve@bulk.test", "You have won again"))
    upgraded.run("learn", "spam", str(lesson))

    def known() -> bool:
        return any("has learnt 2 spam and 1 ham" in one["text"] for one in upgraded.doctor())

    wait_until(known, "the daemon to know three lessons")


def test_what_was_blocked(upgraded: Upgraded) -> None:
    """An entry of a list still counts, where there were lists, from the first message on."""
    entries = upgraded.command("list", "show")
    wanted = {"192.0.2.99/32"} if (upgraded.folder / "state" / "lists.json").exists() else set()
    assert {one["entry"].removeprefix("ip:") for one in entries} == wanted


def test_new_mail(upgraded: Upgraded) -> None:
    """It is accepted and held beside what is there, which is whole afterwards; all of it goes into a backup."""
    good = upgraded.send(message("alice@aligned.test", "News"), GOOD)
    assert (good.code, good.action) == (250, "accept")
    bad = upgraded.send(
        message("ceo@strict.test", "Invoice 9"), GOOD, "x@elsewhere.test", recipients=["new@local.test"]
    )
    assert (bad.code, bad.action) == (250, "quarantine")
    assert len(upgraded.held(bad)) == 1
    upgraded.run("quarantine", "verify", "--contents")
    upgraded.run("backup", str(upgraded.folder / "copy.tar"))

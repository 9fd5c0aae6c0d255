"""A quarantine that cannot take a message: the client keeps it, clean mail goes on, and it recovers by itself."""

import itertools
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from filterd.quarantine import EntryFilter
from tests.support.daemon import Settings
from tests.support.process import open_folder, refuse
from tests.support.stack import Outcome, Stack
from tests.support.world import STRANGER, message

PLAIN = message("alice@aligned.test", "Minutes")
NUMBERS = itertools.count()
INODES = 600  # of the small disk: its folders and databases need some 300


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A file system of 8 MB."""
    with open_folder() as folder:
        options = f"size=8m,nr_inodes={INODES},mode=0755"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True, check=False
        )
        if mounted.returncode:
            refuse(f"no small file system to fill: {mounted.stderr.decode().strip()}")
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def stack(disk: Path) -> Iterator[Stack]:
    """A daemon whose held mail lives on that disk; one front, so that no other keeps room in deleted files."""
    policies = {"open": {"recipients": ["open@local.test"], "off": True}}
    settings: Settings = {
        "quarantine": {"url": f"sqlite:///{disk}/held"},
        "milter": {"workers": 1},
        "policies": policies,
    }
    with Stack(settings) as running:
        yield running


def spoof(size: int = 1_000) -> bytes:
    """A message that must be held, and that no test has sent before."""
    return message("ceo@strict.test", f"Urgent {next(NUMBERS)}", "transfer\r\n" * (size // 10))


def refused(stack: Stack, mail: bytes) -> Outcome:
    """Send it, and insist that the client was told to keep it and nothing is listed or delivered."""
    outcome = stack.send(mail, STRANGER, "x@elsewhere.test")
    assert (outcome.code, outcome.event["action"], outcome.event["code"]) == (451, "defer", "custody")
    assert outcome.sent.last.text.startswith("4.3.0 ")
    return outcome


def taken(stack: Stack, mail: bytes) -> None:
    """Send it, and find it held byte for byte."""
    outcome = stack.send(mail, STRANGER, "x@elsewhere.test")
    assert (outcome.code, outcome.action) == (250, "quarantine")
    (entry,) = stack.held(outcome)
    assert stack.raw(entry) == mail


def turned_away(stack: Stack, size: int, count: int = 3) -> list[tuple[bytes, Outcome]]:
    """Send until so many were refused; the others are held whole: a segment has blocks ahead, a full disk or not."""
    found: list[tuple[bytes, Outcome]] = []
    while len(found) < count:
        mail = spoof(size)
        outcome = stack.send(mail, STRANGER, "x@elsewhere.test")
        if outcome.code == 250:
            (entry,) = stack.held(outcome)
            assert stack.raw(entry) == mail
        else:
            assert (outcome.code, outcome.event["action"], outcome.event["code"]) == (451, "defer", "custody")
            found.append((mail, outcome))
    return found


@contextmanager
def no_room(disk: Path) -> Iterator[None]:
    """Every byte taken."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        yield
    filler.unlink()


@contextmanager
def no_inodes(disk: Path) -> Iterator[None]:
    """Every name taken."""
    made = []
    try:
        for number in range(2 * INODES):
            path = disk / f"filler{number}"
            path.touch()
            made.append(path)
    except OSError:
        pass
    yield
    for path in made:
        path.unlink()


@pytest.mark.threat("RES-04")
@pytest.mark.parametrize(
    ("fault", "size"),
    # A small message needs no name of its own where others have been held before it.
    [(no_room, 100_000), (no_room, 300_000), (no_inodes, 300_000)],
    ids=["full", "full, large", "no inodes"],
)
def test_full_disk(stack: Stack, disk: Path, fault: Callable[[Path], AbstractContextManager[None]], size: int) -> None:
    """A full disk: 451 for what must be held and never an acceptance; with room again the retry is held."""
    with fault(disk):
        away = turned_away(stack, size)
        assert stack.send(PLAIN).action == "accept"
    assert [stack.held(outcome) for _, outcome in away] == [[], [], []]
    for mail, _ in away:
        taken(stack, mail)
    stack.postfix.wait_empty()
    assert [stack.copies(outcome.recipients) for _, outcome in away] == [[], [], []]


@pytest.mark.threat("RES-05")
def test_locked_ledger(stack: Stack, disk: Path) -> None:
    """A ledger kept locked by another process: 451 in bounded time, clean mail flows; unlocked, the retry is held."""
    mail = spoof()
    taken(stack, spoof())
    with closing(sqlite3.connect(disk / "held" / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused(stack, mail)
        assert stack.send(PLAIN).action == "accept"
        other.execute("ROLLBACK")
    taken(stack, mail)


@pytest.mark.threat("RES-05")
def test_damaged_ledger(stack: Stack, disk: Path) -> None:
    """A ledger that is none: 451 for what must be held, clean mail flows; moved away, a new one is begun."""
    mail = spoof()
    taken(stack, spoof())
    ledger = disk / "held" / "ledger.sqlite"
    for path in ledger.parent.glob("ledger.sqlite*"):
        path.unlink()
    ledger.write_bytes(b"no database" * 1_000)
    ledger.chmod(0o600)
    refused(stack, mail)
    assert stack.send(PLAIN).action == "accept"
    ledger.rename(ledger.with_name("damaged"))
    taken(stack, mail)


@pytest.mark.threat("RES-04")
@pytest.mark.threat("MTA-18")
def test_full_disk_for_some(stack: Stack, disk: Path) -> None:
    """Where a part that must be held cannot be stored nobody gets anything; the retry delivers and holds once each."""
    mail, (held,) = spoof(100_000), stack.recipients()
    people = [held, f"open+{next(NUMBERS)}@local.test"]
    with no_room(disk):
        outcome = stack.send(mail, STRANGER, "x@elsewhere.test", recipients=people)
        assert (outcome.code, outcome.event["code"]) == (451, "custody")
        stack.postfix.wait_empty()
        assert stack.copies(people) == []
    assert stack.send(mail, STRANGER, "x@elsewhere.test", recipients=people).code == 250
    stack.postfix.wait_empty()
    assert [copy.recipients for copy in stack.copies(people)] == [(people[1],)]
    with closing(stack.quarantine()) as quarantine:
        (entry,) = quarantine.entries(EntryFilter(recipient=held))
    assert (entry.recipients, entry.copies) == ((held,), 1)

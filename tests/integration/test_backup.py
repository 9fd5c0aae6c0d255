"""A backup of a daemon at work behind a real Postfix: whole whenever it is made, and a daemon goes on with it."""

import itertools
import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.spool import SMALL
from tests.support.daemon import COMMAND, Filterd
from tests.support.load import Load, load, wait_for_load
from tests.support.stack import Stack
from tests.support.world import GOOD, message

SENDERS = 4
BACKUPS = 3  # under load
KILLS = 4
ME = Actor("me")
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One for all."""
    with Stack({"milter": {"workers": 2}}) as running:
        yield running


def command(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run filterd."""
    argv = [*COMMAND, *arguments, "--config", str(config)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def told(config: Path, *arguments: str) -> dict[str, Any]:
    """Run filterd, which succeeds, and what it says."""
    done = command(config, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def elsewhere(stack: Stack) -> Path:
    """A configuration with an empty state folder."""
    folder = stack.folder / f"other-{next(NUMBERS)}"
    folder.mkdir()
    path = folder / "filterd.toml"
    path.write_text(f'[paths]\nstate = "{folder}/state"\n')
    return path


def held(config: Path) -> list[str]:
    """Ids of all that is held, by the command."""
    lines = command(config, "quarantine", "list", "--json", "--limit", "100000", "--state", "held").stdout.splitlines()
    return [json.loads(line)["id"] for line in lines]


def large(stack: Stack) -> None:
    """Have a large message held: a file, not a record of a segment."""
    number = next(NUMBERS)
    text = ("y" * 76 + "\r\n") * (SMALL // 70)
    mail = message("ceo@strict.test", f"Large {number}", text, number=number)
    outcome = stack.send(mail, GOOD, "x@elsewhere.test")
    assert (outcome.code, outcome.action) == (250, "quarantine")


def purge_one(stack: Stack, choice: random.Random) -> None:
    """A reviewer purges one of the newest, another deletes one, whose files go at once."""
    quarantine = stack.quarantine()
    try:
        found = quarantine.entries(EntryFilter(state=State.HELD), limit=20)
        for entry, purged in zip(choice.sample(found, min(2, len(found))), (True, False), strict=False):
            if purged:
                quarantine.purge(entry.id, ME, "asked for")
            else:
                quarantine.delete(entry.id, ME)
        quarantine.sweep(time.time() + 1)
    finally:
        quarantine.close()


def restored(stack: Stack, backup: Path) -> Path:
    """The configuration of a place that it was restored into, where verify finds nothing wrong."""
    config = elsewhere(stack)
    assert told(config, "restore", str(backup))["problems"] == []
    verified = command(config, "quarantine", "verify", "--contents")
    assert (verified.stdout, verified.returncode) == ("all is there\n", 0)
    return config


@pytest.mark.timeout(300)
def test_under_load(stack: Stack) -> None:
    """While mail is held, purged and swept, every backup is whole: verify is clean, with every byte compared.

    And what was held before it began, and not taken away, is in it.
    """
    choice = random.Random(1)
    made = 0
    with load(stack, SENDERS, pause=0.0, per_session=5) as running:
        for number in range(BACKUPS):
            large(stack)
            wait_for_load(running, 30)
            before = _held_now(stack)
            target = stack.folder / f"backup-{number}{'.tar' if number % 2 else ''}"
            process = subprocess.Popen(
                [*COMMAND, "backup", str(target), "--json", "--config", str(stack.filterd.config)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            while process.poll() is None:
                purge_one(stack, choice)
            output, errors = process.communicate()
            assert process.returncode == 0, errors
            said = json.loads(output)
            assert said["damaged"] == []
            made += said["entries"]
            there = set(_all_in(restored(stack, target)))
            still = set(_held_now(stack))
            assert (set(before) & still) - there == set()
    assert made > 0
    assert not _troubles(running)


def _held_now(stack: Stack) -> list[str]:
    quarantine = stack.quarantine()
    try:
        return [entry.id for entry in quarantine.entries(EntryFilter(state=State.HELD), limit=1_000)]
    finally:
        quarantine.close()


def _all_in(config: Path) -> list[str]:
    quarantine = Quarantine(config.parent / "state" / "quarantine")
    try:
        found = quarantine.entries(EntryFilter(states=tuple(State)), limit=1_000)
        return [copy.id for entry in found for copy in quarantine.copies(entry)]
    finally:
        quarantine.close()


def _troubles(running: Load) -> list[str]:
    """What a sender should not have heard."""
    return running.troubles + [stage for stage in running.refused if not stage.startswith("greeting")]


@pytest.mark.timeout(300)
def test_killed(stack: Stack) -> None:
    """A backup that is killed at any moment leaves nothing that restore takes, and the next one is made all the same.

    Either its name is there, and it is whole, or its name is not there.
    """
    choice = random.Random(2)
    large(stack)
    argv = [*COMMAND, "backup"]
    took = time.monotonic()
    told(stack.filterd.config, "backup", str(stack.folder / "whole"))
    took = time.monotonic() - took
    shutil.rmtree(stack.folder / "whole")
    unfinished = 0
    for number in range(KILLS):
        target = stack.folder / f"killed{'.tar' if number % 2 else ''}"
        with subprocess.Popen([*argv, str(target), "--config", str(stack.filterd.config)]) as process:
            try:
                process.wait(choice.uniform(0.6, 1.0) * took)
            except subprocess.TimeoutExpired:
                process.kill()
        left = target.with_name(f"{target.name}.incomplete")
        if target.exists():
            restored(stack, target)
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        elif left.exists():
            unfinished += 1
            refused = command(elsewhere(stack), "restore", str(left))
            assert refused.returncode == 1, refused.stdout
    print(f"{unfinished} of {KILLS} were under way")  # noqa: T201  # pytest shows it where the test fails
    last = stack.folder / "killed"
    told(stack.filterd.config, "backup", str(last))
    restored(stack, last)
    assert not last.with_name("killed.incomplete").exists()


@pytest.mark.timeout(120)
def test_a_daemon_goes_on_with_it(stack: Stack) -> None:
    """A daemon starts with what was restored and knows what was held before; while it runs nothing is restored."""
    large(stack)
    target = stack.folder / "for-another"
    told(stack.filterd.config, "backup", str(target))
    before = held(stack.filterd.config)
    folder = stack.folder / "another"
    folder.mkdir()
    dns = {"nameservers": [f"127.0.0.1:{stack.dns.port}"]}
    filterd = Filterd(folder, {"dns": dns})
    assert told(filterd.config, "restore", str(target))["problems"] == []
    with filterd:
        assert set(before) == set(held(filterd.config))
        refused = command(filterd.config, "restore", str(target))
        assert (refused.returncode, "filterd runs with this configuration" in refused.stderr) == (1, True)
    assert command(filterd.config, "quarantine", "verify", "--contents").stdout == "all is there\n"

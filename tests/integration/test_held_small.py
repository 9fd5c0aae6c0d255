"""A daemon behind a real Postfix that keeps held mail as zstd frames, and little of one kind of it."""

import itertools
import subprocess
import time
from collections.abc import Iterator

import dkim
import pytest

from filterd.quarantine import EntryFilter, State
from tests.support.daemon import COMMAND
from tests.support.process import wait_until
from tests.support.signing import key_record
from tests.support.stack import Outcome, Stack
from tests.support.world import signed, with_attachment

NUMBERS = itertools.count()
SMALL, LARGE = b"PK\x03\x04" + bytes(range(100)), b"PK\x03\x04" + bytes(range(100)) * 4_000
ROUND = 60.0  # seconds; the upkeep looks every 15


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """It keeps one message that could not be read."""
    classes = {"unread": {"reasons": ["unscannable-*"], "most_messages": 1}}
    with Stack({"quarantine": {"compress": "zstd", "classes": classes}}) as running:
        yield running


def held(stack: Stack, archive: bytes) -> Outcome:
    """Send a signed message with an archive that nobody can open."""
    mail = with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "i.zip", archive)
    outcome = stack.send(signed(mail, now=int(time.time())))
    assert (outcome.code, outcome.action) == (250, "quarantine")
    return outcome


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `filterd` with the daemon's configuration, and the listener that does not filter."""
    path = stack.folder / "commands.toml"
    listener = f'release = "inet:{stack.postfix.release_port}@127.0.0.1"\n'
    path.write_text(stack.filterd.config.read_text().replace("[quarantine]\n", f"[quarantine]\n{listener}"))
    assert listener in path.read_text()
    return subprocess.run([*COMMAND, *arguments, "--config", str(path)], capture_output=True, check=False)


@pytest.mark.threat("QUA-03", "QUA-05")
@pytest.mark.parametrize("archive", [SMALL, LARGE], ids=["segment", "file"])
def test_one_message(stack: Stack, archive: bytes) -> None:
    """Replayed to the same verdict, exported byte for byte, released with a signature that holds; verify is clean."""
    outcome = held(stack, archive)
    (entry,) = stack.held(outcome)
    raw = stack.raw(entry)
    assert command(stack, "quarantine", "export", "--raw", "-o", "-", entry.id).stdout == raw
    assert b'"same":true' in command(stack, "replay", entry.id, "--json").stdout
    done = command(stack, "quarantine", "release", entry.id)
    assert done.returncode == 0, done.stderr
    copy = stack.delivered(outcome)
    assert copy.body == raw.partition(b"\r\n\r\n")[2]
    record = key_record().encode()
    assert dkim.verify(copy.data, dnsfunc=lambda *_, **__: record)
    assert command(stack, "quarantine", "verify", "--contents").stdout == b"all is there\n"


@pytest.mark.threat("QUA-12", "QUA-13")
def test_the_oldest_of_a_class_expires(stack: Stack) -> None:
    """The daemon itself lets it, and its audit says which bound it was."""
    older, newer = held(stack, SMALL), held(stack, SMALL)
    (first,), (second,) = stack.held(older), stack.held(newer)
    stack.filterd.stop()
    stack.filterd.start()  # its first look counts what is held; the next that does is ten minutes later
    wait_until(lambda: not stack.held(older), "the upkeep's first look", ROUND)
    assert [one.id for one in stack.held(newer)] == [second.id]
    quarantine = stack.quarantine()
    try:
        (row,) = [row for row in quarantine.audit(first.id) if row.action == "expire"]
        found = quarantine.entries(EntryFilter(state=State.EXPIRED, recipient=older.recipients[0]))
    finally:
        quarantine.close()
    assert (row.actor, row.result) == ("filterd", "unread: more than 1 messages")
    assert [one.id for one in found] == [first.id]

"""Allow and block lists with a running daemon behind a real Postfix: seen within seconds, by proof, and kept."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.ownlists.keeper import FRESH
from tests.support.daemon import COMMAND
from tests.support.process import wait_until
from tests.support.redis import RedisServer
from tests.support.smtp import Pose
from tests.support.stack import Stack
from tests.support.world import GOOD, LISTED, STRANGER, eicar_zip, message, signed, with_attachment

PLAIN = message("alice@aligned.test", "Minutes")
SPAM = message("eve@bulk.test", "Hello")
EICAR = with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip())
OTHER = Pose("198.51.100.99", "[UNAVAILABLE]", "pc99.dialup.test")
WITHIN = 10 * FRESH  # seconds; fronts look every FRESH, a loaded host is slower


@pytest.fixture(scope="module", params=["embedded", "redis"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Two fronts, on either store."""
    redis = {"redis": {"url": request.getfixturevalue("server").url}} if request.param == "redis" else {}
    with Stack({"milter": {"workers": 2}, **redis}) as running:
        yield running


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `filterd` as an operator does."""
    argv = [*COMMAND, *arguments, "--config", str(stack.filterd.config)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def changed(stack: Stack, *arguments: str) -> None:
    """Change the lists, and wait until both fronts know it."""
    before = len(stack.filterd.events("own_lists_changed"))
    done = command(stack, "list", *arguments)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: len(stack.filterd.events("own_lists_changed")) >= before + 2, "both fronts know", WITHIN)


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    """Each test begins and ends with empty lists."""
    yield
    for which in ("allow", "block"):
        rows = command(stack, "list", which, "show").stdout.splitlines()
        if rows:
            changed(stack, which, "remove", *[row.split("\t")[1] for row in rows])


def test_blocked(stack: Stack) -> None:
    """Without a restart: a client, a sender who only claims it, a recipient are refused, others are not."""
    (closed,) = stack.recipients()
    entries = [f"ip:{OTHER.address}", "sender:mallory@nowhere.test", f"recipient:{closed}"]
    changed(stack, "block", "add", *entries, "--reason", "told so")
    client = stack.send(PLAIN, OTHER, "x@elsewhere.test")
    sender = stack.send(message("mallory@nowhere.test", "Hello"), STRANGER, "x@elsewhere.test")
    recipient = stack.send(PLAIN, recipients=[closed])
    assert [(one.code, one.event["code"]) for one in (client, sender, recipient)] == [
        (550, "blocked-client"),
        (550, "blocked-sender"),
        (550, "blocked-recipient"),
    ]
    both = stack.send(PLAIN, recipients=[closed, *stack.recipients()])
    assert (both.code, stack.send(PLAIN).action) == (250, "accept")


def test_allowed_by_proof_alone(stack: Stack) -> None:
    """The domain that signs gets through although its client is listed; who only writes its name does not."""
    spoof = message("alice@aligned.test", "You have WON $$$ 1,000,000")
    changed(stack, "allow", "add", "domain:aligned.test", "--reason", "our bank")
    proved = stack.send(signed(spoof, now=int(time.time())), LISTED, "x@elsewhere.test")
    claimed = stack.send(spoof, LISTED, "alice@aligned.test")
    assert (proved.action, "ALLOWED_SENDER" in proved.symbols) == ("accept", True)
    assert (claimed.action != "accept", "ALLOWED_SENDER" in claimed.symbols) == (True, False)


def test_malware_is_never_allowed(stack: Stack) -> None:
    """No entry of any kind lets malware in."""
    entries = ["domain:aligned.test", "sender:alice@aligned.test", f"ip:{GOOD.address}", "recipient:local.test"]
    changed(stack, "allow", "add", *entries, "--reason", "our bank")
    outcome = stack.send(signed(EICAR, now=int(time.time())), GOOD)
    assert (outcome.code, outcome.event["code"]) == (550, "yara-eicar")
    assert outcome.symbols.keys() >= {"ALLOWED_SENDER", "ALLOWED_RECIPIENT"}


def test_taken_back(stack: Stack) -> None:
    """What was removed no longer counts, also without a restart."""
    changed(stack, "block", "add", "domain:bulk.test", "--reason", "x")
    assert stack.send(SPAM, GOOD, "eve@bulk.test").code == 550
    changed(stack, "block", "remove", "domain:bulk.test")
    assert stack.send(SPAM, GOOD, "eve@bulk.test").code == 250


def test_released_and_allowed(stack: Stack, tmp_path: Path) -> None:
    """What a held message has proved lets its sender in from then on; who only writes the same name stays out."""
    spam = message("alice@aligned.test", "You have WON $$$ 1,000,000", "Claim it: http://pills.test/claim?id=1\r\n")
    held = stack.send(signed(spam, now=int(time.time())), STRANGER, "x@elsewhere.test")
    assert held.action == "quarantine", held.event
    (entry,) = stack.held(held)
    before = len(stack.filterd.events("own_lists_changed"))
    config = tmp_path / "filterd.toml"
    listener = f'[quarantine]\nrelease = "inet:{stack.postfix.release_port}@127.0.0.1"\n'
    config.write_text(f"{stack.filterd.config.read_text()}\n{listener}")
    argv = [*COMMAND, "quarantine", "release", "--allow", entry.id, "--config", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, f"{entry.id} allowed: domain:aligned.test until" in done.stdout) == (0, True), done.stderr
    wait_until(lambda: len(stack.filterd.events("own_lists_changed")) >= before + 2, "both fronts know", WITHIN)
    assert stack.delivered(held).sender == "x@elsewhere.test"
    proved = stack.send(signed(spam, now=int(time.time())), STRANGER, "x@elsewhere.test")
    claimed = stack.send(spam, STRANGER, "alice@aligned.test")
    assert (proved.action, claimed.action == "accept") == ("accept", False)


@pytest.mark.threat("RES-03")
@pytest.mark.parametrize("stack", ["redis"], indirect=True)
def test_the_store_dies(stack: Stack, server: RedisServer) -> None:
    """With Redis gone the last good lists stay in force; when it is back, empty, it is told again."""
    changed(stack, "block", "add", f"ip:{OTHER.address}", "--reason", "x")
    server.kill()
    try:
        wait_until(lambda: stack.filterd.events("own_lists_unread"), "a look has failed", WITHIN)
        outcome = stack.send(PLAIN, OTHER, "x@elsewhere.test")
        assert (outcome.code, outcome.event["code"]) == (550, "blocked-client")
    finally:
        server.start()
    wait_until(lambda: stack.filterd.events("own_lists_restored"), "told again", WITHIN)
    assert f"ip:{OTHER.address}" in command(stack, "list", "show").stdout

"""Releasing held mail with a token, through the very Postfix that filters: it passes once, and the token goes."""

import hashlib
import itertools
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import dkim
import pytest

from filterd.operations.release import RELEASED, Releaser
from filterd.operations.stamped import Stamped
from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.keys import Keys
from filterd.quarantine.relay import Answer, Relay
from filterd.quarantine.tokens import FIELD, LIFETIME, Stamp
from tests.quarantine.samples import evidence, raw, whole
from tests.support.process import wait_until
from tests.support.signing import key_record, split
from tests.support.sink import Delivered
from tests.support.stack import Outcome, Stack
from tests.support.world import message, signed, with_attachment

pytestmark = [pytest.mark.integration, pytest.mark.threat("QUA-05", "QUA-06")]
ME = Actor("reviewer", "tty1")
NUMBERS = itertools.count()
BROKEN = b"PK\x03\x04" + bytes(range(100))


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A daemon that takes tokens, and Postfix as it comes: what local clients send lacking fields gets them."""
    settings = {"milter": {"authserv_id": "mx.local.test"}, "quarantine": {"release_by": "token"}}
    with Stack(settings, postfix={"local_header_rewrite_clients": "permit_inet_interfaces"}) as running:
        yield running


def mail() -> bytes:
    """A signed message that is held."""
    made = with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "i.zip", BROKEN)
    return signed(made, now=int(time.time()))


def held(stack: Stack, sent: bytes) -> tuple[Outcome, str]:
    """Send it; its entry's id."""
    outcome = stack.send(sent)
    assert (outcome.code, outcome.action) == (250, "quarantine")
    (entry,) = stack.held(outcome)
    return outcome, entry.id


def stamp(stack: Stack, ahead: float = 0.0) -> Stamp:
    """What makes tokens, with a clock that many seconds ahead."""
    return Stamp(Keys(stack.folder / "state" / "release.key"), lambda: time.time() + ahead, secrets.token_bytes)


@contextmanager
def releaser(stack: Stack, ahead: float = 0.0) -> Iterator[tuple[Quarantine, Releaser]]:
    """What releases through the port that filters, with tokens."""
    relay = Relay("127.0.0.1", stack.postfix.port, "mx.local.test", 10.0)
    with closing(stack.quarantine()) as quarantine:
        yield quarantine, Releaser(quarantine, Stamped(relay.deliver, stamp(stack, ahead)), "mx.local.test")


def verifies(copy: Delivered) -> bool:
    """Whether the signature of the original does."""
    record = key_record().encode()
    return bool(dkim.verify(copy.data, dnsfunc=lambda *_, **__: record))


@pytest.mark.threat("QUA-03")
def test_release(stack: Stack) -> None:
    """The message passes the milter, byte for byte but for the token; its signature verifies, and it is not held."""
    outcome, entry = held(stack, mail())
    with releaser(stack) as (_, release):
        original = release.outgoing(entry)
        done = release.release(entry, ME)
        assert (done.state, done.text[:3]) == (State.DELIVERED, "250")
        copy = stack.delivered(outcome)
        assert copy.sender == "alice@aligned.test"
        assert copy.data.endswith(original)
        assert copy.values(FIELD) == []
        assert copy.values(RELEASED) == [entry.encode()]
        assert verifies(copy)
        assert stack.held(outcome) == []
    last = stack.event(outcome.recipients)
    assert (last["action"], last["code"]) == ("accept", "released")


@pytest.mark.parametrize("without", [(b"Message-ID:",), (b"Date:",), (b"Message-ID:", b"Date:", b"From:", b"To:")])
def test_fields_of_the_mta(stack: Stack, without: tuple[bytes, ...]) -> None:
    """What Postfix adds where a field is lacking does not void the token."""
    fields, body = split(mail())
    kept = tuple([field for field in fields if not (field[0] + b":").startswith(without)])
    data, to = whole(body, kept), stack.recipients()
    with releaser(stack) as (quarantine, release), raw(body, kept) as source:
        quarantine.hold(evidence(next(NUMBERS), data, sender="alice@aligned.test", recipients=to), source)
        (entry,) = quarantine.entries(EntryFilter(recipient=to[0]))
        original = release.outgoing(entry.id)
        assert release.release(entry.id, ME).done
        wait_until(lambda: len(stack.copies(to)) == 1, "the message")
        (copy,) = stack.copies(to)
        head, _, rest = original.partition(b"\r\n\r\n")
        assert head + b"\r\n" in copy.data
        assert copy.body == rest
        assert len(copy.values(without[0].decode()[:-1])) == 1
        assert copy.values(FIELD) == []


def taken(stack: Stack, stamped: bytes, outcome: Outcome, sender: str = "alice@aligned.test") -> Answer:
    """What the filtering port says to a message as it is."""
    return Relay("127.0.0.1", stack.postfix.port, "x.test", 10.0).deliver(sender, outcome.recipients, stamped)


def test_again(stack: Stack) -> None:
    """A token is good once: sent again, the message is filtered, and refused where it would be held a second time."""
    outcome, entry = held(stack, mail())
    with releaser(stack) as (_, release):
        stamped = stamp(stack).on("alice@aligned.test", outcome.recipients, release.outgoing(entry))
    assert taken(stack, stamped, outcome).text.startswith("250")
    again = taken(stack, stamped, outcome)
    assert again.text == "550 5.7.1 The release of this message was used before"
    assert stack.event(outcome.recipients)["code"] == "release-refused"
    assert stack.delivered(outcome).values(FIELD) == []
    assert len(stack.held(outcome)) == 1  # as before: this test has delivered it behind the ledger's back


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda stamped: stamped.replace(b"As agreed", b"As ordered"), "was altered on its way"),
        (lambda stamped: stamped.replace(b"Subject: ", b"Subject: Re: "), "was altered on its way"),
        (lambda stamped: b"From: <ceo@bank.test>\r\n" + stamped, "was altered on its way"),
        (lambda stamped: stamped.replace(b"\r\n\r\n", b"\r\nX-Other: 1\r\n\r\n", 1), "was altered on its way"),
    ],
)
def test_altered(stack: Stack, change: object, why: str) -> None:
    """A token is for one message: with any other it gives no right."""
    outcome, entry = held(stack, mail())
    with releaser(stack) as (_, release):
        stamped = stamp(stack).on("alice@aligned.test", outcome.recipients, release.outgoing(entry))
    assert callable(change)
    answer = taken(stack, change(stamped), outcome)
    assert answer.text == f"550 5.7.1 The release of this message {why}"
    assert stack.copies(outcome.recipients) == []
    assert taken(stack, stamped, outcome).text.startswith("250")  # and it was not used by that


def test_others(stack: Stack) -> None:
    """A token is for its recipients and its sender."""
    outcome, entry = held(stack, mail())
    other = replace(outcome, recipients=stack.recipients())
    with releaser(stack) as (_, release):
        stamped = stamp(stack).on("alice@aligned.test", outcome.recipients, release.outgoing(entry))
    for answer in (taken(stack, stamped, other), taken(stack, stamped, outcome, "bob@aligned.test")):
        assert answer.text == "550 5.7.1 The release of this message was for other recipients"
    assert stack.copies(other.recipients) == []


def test_late(stack: Stack) -> None:
    """A token ends: the release says so, and the message is still held."""
    outcome, entry = held(stack, mail())
    with releaser(stack, -LIFETIME - 5.0) as (quarantine, release):
        done = release.release(entry, ME)
        assert (done.state, done.text) == (State.FAILED, "550 5.7.1 The release of this message came too late")
        assert quarantine.open_raw(entry).read(1)
    assert stack.copies(outcome.recipients) == []


def test_from_outside(stack: Stack) -> None:
    """A token does not let a stranger in."""
    outcome, entry = held(stack, mail())
    with releaser(stack) as (_, release):
        stamped = stamp(stack).on("alice@aligned.test", outcome.recipients, release.outgoing(entry))
    posed = stack.send(stamped, recipients=outcome.recipients)
    assert (posed.code, posed.event["code"]) == (550, "release-refused")
    assert stack.copies(outcome.recipients) == []


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "v=1; k=00000000; e=99999999999; n=" + "A" * 22 + "; d=" + "A" * 43 + "; r=" + "A" * 43 + "; b=" + "A" * 43,
        "v=1; " * 100,
    ],
)
def test_forged(stack: Stack, value: str) -> None:
    """Forged tokens are nothing: the message is held as any other; a good message passes without them."""
    forged = f"{FIELD}: {value}\r\n".encode()
    held(stack, forged + mail())
    good = forged * 2 + signed(message("alice@aligned.test", f"Minutes {next(NUMBERS)}"), now=int(time.time()))
    outcome = stack.send(good)
    assert (outcome.code, outcome.action) == (250, "accept")
    assert stack.delivered(outcome).values(FIELD) == []


def test_command(stack: Stack) -> None:
    """`release` uses what the configuration says; a key that was replaced still verifies, once."""
    outcome, entry = held(stack, mail())
    config = stack.folder / "token.toml"
    config.write_text(
        f'[paths]\nstate = "{stack.folder}/state"\n'
        f'[quarantine]\nrelease_by = "token"\nrelease = "inet:{stack.postfix.port}@127.0.0.1"\n'
    )
    key = stack.folder / "state" / "release.key"
    before, stamped = hashlib.sha256(key.read_bytes()).digest(), b""
    with releaser(stack) as (_, release):
        stamped = stamp(stack).on("alice@aligned.test", outcome.recipients, release.outgoing(entry))
    done = run("rotate", "--config", str(config))
    assert (done.returncode, key.stat().st_mode & 0o777) == (0, 0o600), done.stderr
    assert hashlib.sha256(key.read_bytes()).digest() != before
    assert taken(stack, stamped, outcome).text.startswith("250")
    other = stack.recipients()
    done = run("release", entry, "--to", other[0], "--config", str(config))
    assert (done.returncode, done.stdout.split(":")[0]) == (0, f"{entry} delivered"), done.stderr
    assert stack.delivered(replace(outcome, recipients=other)).values(FIELD) == []


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command about held mail."""
    argv = [sys.executable, "-m", "filterd", "quarantine", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)

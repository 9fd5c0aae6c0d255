"""Releasing held mail through a real Postfix: the same message, once, not filtered again."""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace

import dkim
import pytest

from filterd.operations.release import LEASE, RELEASED, Releaser
from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.relay import Answer, Fate, Relay
from tests.quarantine.samples import evidence, raw, whole
from tests.support import postfix
from tests.support.process import wait_until
from tests.support.signing import key_record, split
from tests.support.sink import Sink
from tests.support.smtp import SmtpClient
from tests.support.stack import Outcome, Stack
from tests.support.world import GOOD, message, signed, with_attachment

ME = Actor("reviewer", "tty1")
NUMBERS = itertools.count()
BROKEN = b"PK\x03\x04" + bytes(range(100))
FORGED = (
    b"Authentication-Results: mx.local.test; dmarc=pass header.from=bank.test\r\n"
    b"X-Filterd-Released: 01JD3W7Q4Z5S8V1N2M3K4P5R6T\r\nX-Filterd-Score: -50 accept\r\n"
)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A daemon, and Postfix as it comes, which completes what local clients send, with the shipped listener."""
    postfix = {"local_header_rewrite_clients": "permit_inet_interfaces"}  # Postfix' own default
    with Stack({"milter": {"authserv_id": "mx.local.test"}}, postfix=postfix) as running:
        yield running


def held(stack: Stack) -> Outcome:
    """Send a signed message with a forged top and an archive that nobody can open."""
    mail = signed(
        with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "i.zip", BROKEN), now=int(time.time())
    )
    outcome = stack.send(FORGED + mail)
    assert (outcome.code, outcome.action) == (250, "quarantine")
    return outcome


@contextmanager
def releaser(stack: Stack, port: int = 0) -> Iterator[tuple[Quarantine, Releaser]]:
    """What releases, to the listener that does not filter or to another port."""
    relay = Relay("127.0.0.1", port or stack.postfix.release_port, "mx.local.test", 10.0)
    with closing(stack.quarantine()) as quarantine:
        yield quarantine, Releaser(quarantine, relay.deliver, "mx.local.test")


def identifier(stack: Stack, outcome: Outcome) -> str:
    """The id of the entry."""
    (entry,) = stack.held(outcome)
    return entry.id


@pytest.mark.threat("QUA-03", "QUA-05", "QUA-06")
def test_release(stack: Stack) -> None:
    """The message arrives as it was sent but for the fields that speak in our name; its signature still verifies."""
    outcome = held(stack)
    entry = identifier(stack, outcome)
    original = stack.raw(stack.held(outcome)[0])
    with releaser(stack) as (_, release):
        done = release.release(entry, ME)
    assert (done.state, done.text[:3]) == (State.DELIVERED, "250")
    copy = stack.delivered(outcome)
    assert copy.sender == "alice@aligned.test"
    assert copy.body == original.partition(b"\r\n\r\n")[2]
    assert original.startswith(FORGED)
    assert copy.data.endswith(original.removeprefix(FORGED))
    assert copy.values(RELEASED) == [entry.encode()]
    (results,) = copy.values("Authentication-Results")
    assert b"bank.test" not in results
    assert len(copy.values("X-Filterd-Score")) == 1
    record = key_record().encode()
    assert dkim.verify(copy.data, dnsfunc=lambda *_, **__: record)


@pytest.mark.threat("QUA-03", "QUA-05")
def test_incomplete_fields(stack: Stack) -> None:
    """A From without a domain and a message without Date and Message-ID are given back byte for byte, not completed."""
    fields, body = split(with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "i.zip", BROKEN))
    lacking = (b"from", b"to", b"date", b"message-id")
    short = ((b"From", b" alice"), (b"To", b" bob, carol@sales"))
    kept = short + tuple([field for field in fields if field[0].lower() not in lacking])
    data, to = whole(body, kept), stack.recipients()
    with releaser(stack) as (quarantine, release), raw(body, kept) as source:
        quarantine.hold(evidence(next(NUMBERS), data, sender="alice@aligned.test", recipients=to), source)
        (entry,) = quarantine.entries(EntryFilter(recipient=to[0]))
        assert release.release(entry.id, ME).state is State.DELIVERED
    wait_until(lambda: len(stack.copies(to)) == 1, "the message")
    (copy,) = stack.copies(to)
    assert copy.data.endswith(b"\r\n" + data)
    assert [copy.values(name) for name in ("Date", "Message-ID", "From")] == [[], [], [b"alice"]]


@pytest.mark.threat("QUA-06")
def test_listener_refuses_by_peer(stack: Stack) -> None:
    """At the shipped listener nobody passes for another host: it judges who connects, whatever fields say."""
    pose = f"XCLIENT {GOOD.arguments()}"
    with SmtpClient(stack.postfix.release_port) as client:
        assert client.command(pose).code // 100 == 5
    with SmtpClient(stack.postfix.port) as client:  # the filtered one lets tests pose
        assert client.command(pose).code == 220


@pytest.mark.threat("QUA-06")
def test_listener_refuses_strangers(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped listener, were it open to the world, takes nothing from outside, whatever the message says of itself.

    For the test it lets a client pose as another host, and is as it is shipped otherwise.
    """
    shipped = postfix.release_stanza

    def posing(port: int) -> str:
        stanza = shipped(port)
        assert stanza.count("smtpd_authorized_xclient_hosts=") == 1
        return stanza.replace("smtpd_authorized_xclient_hosts=", "smtpd_authorized_xclient_hosts=127.0.0.1")

    monkeypatch.setattr(postfix, "release_stanza", posing)
    mail = FORGED + message("alice@aligned.test", f"Minutes {next(NUMBERS)}")
    with postfix.Postfix(stack.folder / "open", sink_port=stack.sink.port) as mta:
        for pose, code in ((GOOD, 554), (None, 250)):
            with SmtpClient(mta.release_port, pose) as client:
                assert client.mail(mail, "alice@aligned.test", stack.recipients()).last.code == code


@pytest.mark.threat("QUA-05")
def test_release_is_not_filtered(stack: Stack) -> None:
    """The filter does not see what it has given back: no second verdict, no second entry."""
    outcome = held(stack)
    with releaser(stack) as (quarantine, release):
        entry = identifier(stack, outcome)
        assert release.release(entry, ME).done
        stack.delivered(outcome)
        seen = [one for one in stack.filterd.events("message") if one["recipients"] == list(outcome.recipients)]
        assert len(seen) == 1
        assert stack.held(outcome) == []
        assert [row.result[:12] for row in quarantine.audit(entry)] == ["done", "to 1 recipie", "delivered: 2"]


@pytest.mark.threat("QUA-04")
def test_released_at_once(stack: Stack) -> None:
    """Eight reviewers release one message at the same time: it is delivered once."""
    outcome = held(stack)
    entry = identifier(stack, outcome)

    def one(number: int) -> str:
        with releaser(stack) as (_, release):
            return release.release(entry, replace(ME, name=f"r{number}")).text[:4]

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(one, range(8))) == ["250 "] + ["was "] * 7
    stack.delivered(outcome)  # which insists on one copy


@pytest.mark.threat("QUA-04")
def test_killed_behind_the_dot(stack: Stack) -> None:
    """Who dies between the MTA's 250 and the commit leaves it releasing; the next attempt delivers it a second time."""
    outcome = held(stack)
    entry = identifier(stack, outcome)
    with releaser(stack) as (quarantine, release):

        def dies(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
            assert release.deliver(sender, recipients, message).fate is Fate.DELIVERED
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            replace(release, deliver=dies).release(entry, ME)
        found = quarantine.entry(entry)
        assert found is not None
        assert found.state is State.RELEASING
        assert entry not in [done.id for done in release.retry(ME)]  # its lease runs
    with closing(Quarantine(stack.folder / "state" / "quarantine", clock=lambda: time.time() + LEASE + 1)) as later:
        done = {one.id: one.state for one in replace(release, quarantine=later).retry(ME)}
        assert done[entry] is State.DELIVERED
    wait_until(lambda: len(stack.copies(outcome.recipients)) == 2, "two copies")
    assert len({copy.values("Message-ID")[0] for copy in stack.copies(outcome.recipients)}) == 1


@pytest.mark.threat("QUA-04")
@pytest.mark.parametrize(
    ("answers", "state", "word"),
    [
        ({"MAIL": "451 4.3.2 not now"}, State.RELEASING, "451 4.3.2 not now"),
        ({"RCPT": "550 5.1.1 no such user"}, State.FAILED, "550 5.1.1 no such user"),
        ({"DATA": "452 4.3.1 full"}, State.RELEASING, "452 4.3.1 full"),
        ({".": "554 5.7.1 no"}, State.FAILED, "554 5.7.1 no"),
        ({".": "451 4.3.0 try again"}, State.RELEASING, "451 4.3.0 try again"),
        ({"EHLO": "421 4.3.2 closing", "HELO": "421 4.3.2 closing"}, State.RELEASING, "421"),
    ],
)
def test_refused(stack: Stack, answers: dict[str, str], state: State, word: str) -> None:
    """4xx leaves it to be tried again, 5xx is a failure with the MTA's words; neither loses the message."""
    outcome = held(stack)
    entry = identifier(stack, outcome)
    with Sink(answers) as sink, releaser(stack, sink.port) as (quarantine, release):
        done = release.release(entry, ME)
        assert done.state is state
        assert word in done.text
        found = quarantine.entry(entry)
        assert found is not None
        assert (found.state, found.due > time.time()) == (state, state is State.RELEASING)
        with quarantine.open_raw(entry) as source:
            assert source.read()


@pytest.mark.threat("QUA-04")
def test_an_address_that_is_no_text() -> None:
    """What no command can name has failed at once: in five days of attempts it would not change."""
    with Sink() as sink:
        answer = Relay("127.0.0.1", sink.port, "mx.local.test", 10.0).deliver("\udcff@a.test", ("b@b.test",), b"\r\n")
    assert (answer.fate, answer.text) == (Fate.REFUSED, "an address holds bytes that are no UTF-8")


def test_nobody_listens(stack: Stack) -> None:
    """No listener, no loss: it is tried again, and the next attempt delivers."""
    outcome = held(stack)
    entry = identifier(stack, outcome)
    with releaser(stack, 1) as (_, release):
        assert release.release(entry, ME).state is State.RELEASING
    folder = stack.folder / "state" / "quarantine"
    with closing(Quarantine(folder, clock=lambda: time.time() + 61)) as later, releaser(stack) as (_, release):
        done = {one.id: one.state for one in replace(release, quarantine=later).retry(ME)}
        assert done[entry] is State.DELIVERED
    stack.delivered(outcome)


@pytest.mark.threat("QUA-05")
def test_command(stack: Stack) -> None:
    """`release --to` delivers to whom it names alone, and says what the MTA said."""
    outcome = held(stack)
    entry = identifier(stack, outcome)
    other = stack.recipients()
    config = stack.folder / "release.toml"
    config.write_text(
        f'[paths]\nstate = "{stack.folder}/state"\n'
        f'[quarantine]\nrelease = "inet:{stack.postfix.release_port}@127.0.0.1"\n'
    )
    argv = [sys.executable, "-m", "filterd", "quarantine", "release", entry, "--to", other[0], "--config", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, f"{entry} delivered")
    wait_until(lambda: len(stack.copies(other)) == 1, "the message for another recipient")
    assert stack.copies(outcome.recipients) == []

"""Digests through a real Postfix: who is told what, once, whoever sends them."""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from filterd.app.digests import post_of
from filterd.app.site import load_config
from filterd.operations.digest import Post
from filterd.operations.release import LEASE
from filterd.quarantine import Actor, Quarantine
from filterd.quarantine.digests import Told
from filterd.quarantine.relay import Answer, Fate
from filterd.quarantine.tokens import FIELD
from tests.support.daemon import Settings
from tests.support.process import wait_until
from tests.support.sink import Delivered
from tests.support.stack import Outcome, Stack
from tests.support.world import LISTED, SPAM, message, with_attachment

pytestmark = pytest.mark.integration
ME = Actor("me", "tty1")
NUMBERS = itertools.count()
BROKEN = b"PK\x03\x04" + bytes(range(100))
HOSTILE = "=?utf-8?q?=E2=80=AEmoc=2Elive_=1B[2J=0D=0ABcc:_x=40y.test_<script>alert(1)</script>_http://evil.test/x?="
REVIEWER = "reviewers@local.test"


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A daemon, and Postfix with a listener that does not filter."""
    settings: Settings = {
        "milter": {"authserv_id": "mx.local.test"},
        "actions": {"reject": 100.0, "quarantine": 3.0, "add_header": 2.0},
    }
    with Stack(settings) as running:
        yield running


def held(stack: Stack, mail: bytes = SPAM, *, recipients: int = 1) -> Outcome:
    """Send what is held for its sender and its text."""
    outcome = stack.send(mail, LISTED, "winner@cheap.test", recipients=recipients)
    assert (outcome.code, outcome.action) == (250, "quarantine")
    return outcome


def config(stack: Stack, every: int = 0) -> str:
    """The configuration of who sends digests."""
    path = stack.folder / "digest.toml"
    path.write_text(
        f'[paths]\nstate = "{stack.folder}/state"\n[milter]\nauthserv_id = "mx.local.test"\n'
        f'[quarantine]\nrelease = "inet:{stack.postfix.release_port}@127.0.0.1"\n'
        f'[digest]\nreviewers = ["{REVIEWER}"]\ndomains = ["local.test"]\nevery = {every}\n'
        'sender = "filterd@local.test"\n'
    )
    return str(path)


def post(stack: Stack, quarantine: Quarantine) -> Post:
    """What sends them."""
    found = post_of(load_config(stack.folder / "digest.toml"), quarantine)
    assert found is not None
    return found


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`filterd quarantine digest`."""
    argv = [sys.executable, "-m", "filterd", "quarantine", "digest", *arguments, "--config", config(stack)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def told(stack: Stack, address: str, count: int = 1) -> list[Delivered]:
    """The digests that somebody has got, once there are so many."""
    found: list[Delivered] = []

    def look() -> bool:
        found[:] = [one for one in stack.copies([address]) if one.values("List-Id")]
        return len(found) >= count

    wait_until(look, f"{count} digests to {address}")
    return found


def parsed(copy: Delivered) -> EmailMessage:
    """As a mail programme reads it."""
    made = message_from_bytes(copy.data, policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def text_of(copy: Delivered) -> str:
    """Its text."""
    part = parsed(copy).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_send(stack: Stack) -> None:
    """Reviewers are told of all, each recipient of his own without malware, and nobody twice."""
    first, second = held(stack), held(stack, recipients=2)
    archive = held(stack, with_attachment("winner@cheap.test", "Bill", "i.zip", BROKEN))
    shown = command(stack, "--dry-run")
    assert (shown.returncode, len(shown.stdout.splitlines())) == (0, 4), shown.stderr
    done = command(stack, "--send")
    assert done.returncode == 0, done.stdout + done.stderr
    (review,) = told(stack, REVIEWER)
    assert review.sender == ""
    ids = [stack.held(outcome)[0].id for outcome in (first, second, archive)]
    assert all(one in text_of(review) for one in ids)
    for address, number in ((first.recipients[0], 0), (second.recipients[0], 1), (second.recipients[1], 1)):
        (copy,) = told(stack, address)
        assert "Listed: 1 of 1." in text_of(copy)
        assert ids[number][-10:] in text_of(copy)
    assert parsed(review)["Auto-Submitted"] == "auto-generated"
    assert review.values("X-Filterd-Score") == []  # nobody filtered it
    again = command(stack, "--send")
    assert (again.returncode, again.stdout) == (0, "there is nothing to be told\n")
    third = held(stack)
    assert command(stack, "--send").returncode == 0
    assert "Listed: 1 of 1." in text_of(told(stack, REVIEWER, 2)[1])
    told(stack, third.recipients[0])
    assert stack.copies(archive.recipients) == []


@pytest.mark.threat("MIME-21", "QUA-08")
def test_hostile(stack: Stack) -> None:
    """What a stranger has written is shown, and neither obeyed, nor run, nor made a link of."""
    held(stack, message("winner@cheap.test", HOSTILE, SPAM.decode().partition("\r\n\r\n")[2]))
    assert command(stack, "--send").returncode == 0
    (copy,) = told(stack, REVIEWER)
    mail = parsed(copy)
    page = mail.get_body(("html",))
    assert page is not None
    assert mail["Bcc"] is None
    assert "moc[.]live [2J Bcc: x@y[.]test <script>alert(1)</script> http[:]//evil[.]test/x" in text_of(copy)
    assert "&lt;script&gt;" in page.get_content()
    assert "<script>" not in page.get_content()
    assert not {"\u202e", "\x1b"} & set(text_of(copy) + page.get_content())


def test_several_nodes(stack: Stack) -> None:
    """Four senders at the same time: everybody has one digest."""
    outcomes = [held(stack) for _ in range(6)]
    config(stack, every=1)

    def node(_: int) -> int:
        with closing(stack.quarantine()) as quarantine:
            return sum(one.state is Told.SENT for one in post(stack, quarantine).due(ME))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(node, range(4))) == len(outcomes) + 1
    for address in (REVIEWER, *[outcome.recipients[0] for outcome in outcomes]):
        assert len(told(stack, address)) == 1
    with closing(stack.quarantine()) as quarantine:
        newest = quarantine.digests.newest()
        assert newest is not None
        assert newest.done
        assert quarantine.verify_audit().broken is None


@pytest.mark.threat("QUA-04")
def test_killed_behind_the_dot(stack: Stack) -> None:
    """Who dies between the MTA's 250 and the commit leaves one mail to be sent again, with the same Message-ID."""
    outcome = held(stack)
    config(stack, every=1)
    with closing(stack.quarantine()) as quarantine:
        told_by = post(stack, quarantine)

        def dies(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
            answer = told_by.deliver(sender, recipients, message)
            assert answer.fate is Fate.DELIVERED
            if recipients == (REVIEWER,):
                raise KeyboardInterrupt
            return answer

        with pytest.raises(KeyboardInterrupt):
            list(replace(told_by, deliver=dies).due(ME))
        rest = {one.mail.recipient for one in told_by.due(ME)}
        assert REVIEWER not in rest  # its lease runs
        now = time.time() + LEASE + 1
        later = replace(told_by, clock=lambda: now, schedule=replace(told_by.schedule, every=168))
        assert {one.mail.recipient: one.state for one in later.due(ME)}.get(REVIEWER) is Told.SENT
    copies = told(stack, REVIEWER, 2)
    assert len({copy.values("Message-ID")[0] for copy in copies}) == 1
    assert len(told(stack, outcome.recipients[0])) == 1


def test_through_the_filter(stack: Stack) -> None:
    """By a way of their own digests pass our filter with a token, which does not reach anybody."""
    stack.filterd.stop()
    stack.filterd.settings["digest"] = {
        "reviewers": [REVIEWER],
        "sender": "filterd@local.test",
        "relay": f"inet:{stack.postfix.port}@127.0.0.1",
        "at": time.strftime("%H:%M", time.gmtime(time.time() - 60)),
    }
    stack.filterd.write()
    stack.filterd.start()
    held(stack)
    (copy,) = told_by_upkeep(stack)
    assert copy.values(FIELD) == []
    assert "Listed: 1 of 1." in text_of(copy)
    seen = [one for one in stack.filterd.events("message") if one["recipients"] == [REVIEWER]]
    assert [one["code"] for one in seen] == ["released"]
    wait_until(lambda: stack.filterd.events("digest_sent"), "the event")


def told_by_upkeep(stack: Stack) -> list[Delivered]:
    """The reviewers' digests, which the daemon's upkeep sends within its round of 15 seconds."""
    wait_until(lambda: stack.copies([REVIEWER]), "a digest by the upkeep", 40.0)
    return told(stack, REVIEWER)

"""Beside a real Postfix' other means: a milter behind ours that says no, and fields that Postfix itself puts on top."""

import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from filterd.operations.release import Releaser
from filterd.quarantine import Actor, Entry, EntryFilter, State
from filterd.quarantine.relay import Relay
from tests.support.process import Process, open_folder, wait_until
from tests.support.smtp import Sent
from tests.support.stack import Stack
from tests.support.world import GOOD, STRANGER, message

ME = Actor("reviewer", "tty1")
NUMBERS = itertools.count(1)
PREPENDED = b"X-Checked: by an access table"

# Asked behind filterd: says at the end of a message what its field X-Other says, or is gone before it does.
OTHER = """
import os, sys, Milter
class Other(Milter.Base):
    def envfrom(self, *_):
        self.wanted = ""
        return Milter.CONTINUE
    def header(self, name, value):
        if name == "X-Other":
            self.wanted = value.strip()
        return Milter.CONTINUE
    def eom(self):
        if self.wanted == "gone":
            os._exit(0)
        return {"reject": Milter.REJECT, "later": Milter.TEMPFAIL}.get(self.wanted, Milter.CONTINUE)
os.umask(0)
Milter.factory = Other
Milter.runmilter("other", sys.argv[1], 30)
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Mail to held.test is held where DMARC fails, to tag.test delivered; another milter is asked after ours."""
    policies = {
        "held": {"recipients": ["held.test"], "dmarc_reject": "quarantine"},
        "tagging": {"recipients": ["tag.test"], "dmarc_reject": "add_header"},
    }
    with open_folder() as folder:
        path = folder / "other.sock"
        # Started anew when it is gone, as a service manager would.
        loop = f"while sleep 0.1; do rm -f {path}; {sys.executable} -c '{OTHER}' unix:{path}; done"
        other = Process(["/bin/sh", "-c", loop], folder / "log")
        wait_until(path.exists, "the other milter's socket")
        postfix = {
            "smtpd_milters": f"{{filterd}} unix:{path}",
            "relay_domains": "local.test held.test tag.test",
            "smtpd_sender_restrictions": "check_sender_access "
            f"inline:{{ {{alice@aligned.test=PREPEND {PREPENDED.decode()}}} }}",
        }
        with Stack({"policies": policies}, postfix=postfix) as running:
            yield running
        other.kill_session()


def recipients() -> tuple[str, str]:
    """One whose mail is held and one who gets it, that no other message has."""
    number = next(NUMBERS)
    return f"n{number}@held.test", f"n{number}@tag.test"


def sent(stack: Stack, mail: bytes, to: Sequence[str]) -> Sent:
    """Send it as a stranger in the name of a domain that has its mail refused; both milters are there to be asked."""
    found: list[Sent] = []

    def taken() -> bool:
        found.append(stack.send(mail, STRANGER, "x@elsewhere.test", recipients=to).sent)
        return found[-1].stage == "."

    wait_until(taken, "both milters")
    return found[-1]


def entries(stack: Stack, recipient: str) -> list[Entry]:
    """What is held for him."""
    with closing(stack.quarantine()) as quarantine:
        return quarantine.entries(EntryFilter(recipient=recipient))


def forged(say: str) -> bytes:
    """A message that fails DMARC, and what the other milter is to say of it."""
    return message("ceo@strict.test", f"Urgent {next(NUMBERS)}", extra=f"X-Other: {say}\r\n", number=next(NUMBERS))


@pytest.mark.threat("MTA-26")
@pytest.mark.parametrize(("say", "code"), [("reject", 550), ("later", 451), ("gone", 451)])
def test_refused_behind_us(stack: Stack, say: str, code: int) -> None:
    """Held for one, refused for all by the filter behind: the entry is there once, however often the client tries."""
    to, mail = recipients(), forged(say)
    assert [sent(stack, mail, to).last.code for _ in range(2)] == [code, code]
    stack.postfix.wait_empty()
    assert stack.copies(to) == []
    (entry,) = entries(stack, to[0])
    assert (entry.recipients, entry.state, entry.copies) == ((to[0],), State.HELD, 2)


@pytest.mark.threat("MTA-26")
def test_refused_behind_us_and_released(stack: Stack) -> None:
    """What the filter behind has refused can be released to the one whom it was held for, and to nobody else."""
    to, mail = recipients(), forged("reject")
    assert sent(stack, mail, to).last.code == 550
    (entry,) = entries(stack, to[0])
    with closing(stack.quarantine()) as quarantine:
        relay = Relay("127.0.0.1", stack.postfix.release_port, "mx.test", 10.0)
        assert Releaser(quarantine, relay.deliver, "mx.test").release(entry.id, ME).state is State.DELIVERED
    wait_until(lambda: stack.copies(to), "the released message")
    assert [copy.recipients for copy in stack.copies(to)] == [(to[0],)]


@pytest.mark.threat("MTA-26")
def test_held_for_all_the_filter_behind_is_not_asked(stack: Stack) -> None:
    """A message that is held for everybody was answered for: whoever stands behind us is not asked."""
    to = recipients()[:1]
    assert sent(stack, forged("reject"), to).last.code == 250
    assert [entry.recipients for entry in entries(stack, to[0])] == [to]


@pytest.mark.threat("MTA-23")
@pytest.mark.parametrize("count", [1, 5])
def test_prepended_by_postfix(stack: Stack, count: int) -> None:
    """Forged results go, all of them, and the field that an access table put on top stays as it is."""
    forgery = b"Authentication-Results: mx.filterd.test; dmarc=pass\r\nX-Keep: this\r\n" * count
    delivered = stack.delivered(stack.send(forgery + message("alice@aligned.test", "Minutes"), GOOD))
    assert delivered.data.count(PREPENDED) == 1
    assert delivered.data.count(b"X-Keep: this") == count
    names = [name.lower() for name, _ in delivered.fields]
    assert names[:5] == [b"authentication-results", b"x-filterd-id", b"x-filterd-score", b"x-checked", b"received"]
    assert names.count(b"authentication-results") == 1

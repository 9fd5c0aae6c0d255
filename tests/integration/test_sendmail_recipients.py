"""Recipients with different policies through a real Sendmail: held for some, delivered to the others."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from subprocess import run

import pytest

from filterd.quarantine import Entry, EntryFilter, State
from tests.support.daemon import COMMAND, Settings
from tests.support.sendmail import Sendmail
from tests.support.sendmail_stack import SendmailStack
from tests.support.smtp import wire
from tests.support.stack import Outcome
from tests.support.world import STRANGER, message

NUMBERS = itertools.count(1)
SPOOFED = "ceo@strict.test"  # fails DMARC under p=reject: held as shipped
# Sendmail is told nothing of the policies; addresses are of one domain, for strangers may send to no other.
SETTINGS: Settings = {
    "quarantine": {"release": f"inet:{Sendmail.release_port}@127.0.0.1"},
    "policies": {
        "open": {"recipients": ["open@local.test"], "off": True},
        "tagging": {"recipients": ["tag@local.test"], "dmarc_reject": "add_header"},
        "hard": {"recipients": ["refused@local.test"], "dmarc_reject": "reject"},
    },
}


@pytest.fixture(scope="module")
def stack() -> Iterator[SendmailStack]:
    """A site with policies."""
    with SendmailStack(SETTINGS) as running:
        yield running


def send(stack: SendmailStack, mail: bytes, recipients: Sequence[str]) -> Outcome:
    """From a stranger; `name+N@` is somebody of his own with the policy of `name@`."""
    return stack.send(mail, STRANGER, "x@elsewhere.test", recipients=recipients)


def people(*names: str) -> list[str]:
    """An address for each name that no other message has."""
    number = next(NUMBERS)
    return [f"{name}+{number}@local.test" for name in names]


def mail() -> bytes:
    """A message that is held where no policy says otherwise."""
    return message(SPOOFED, f"Urgent {next(NUMBERS)}", number=next(NUMBERS))


def received(stack: SendmailStack, *recipients: str) -> list[str]:
    """Who has got something, once the queue is empty."""
    stack.sendmail.wait_empty()
    return sorted(one for copy in stack.copies(recipients) for one in copy.recipients if one in recipients)


def entries(stack: SendmailStack, *recipients: str) -> list[Entry]:
    """What is held for any of them."""
    with closing(stack.quarantine()) as quarantine:
        found = quarantine.entries(EntryFilter(state=State.HELD), limit=1_000)
        return [entry for entry in found if set(entry.recipients) & set(recipients)]


@pytest.mark.threat("MTA-18")
def test_one_has_it_held_one_a_tag_one_neither(stack: SendmailStack) -> None:
    """DELRCPT takes out the one alone: the others get the message once, the store holds it for him, byte for byte."""
    sent, to = mail(), people("held", "tag", "open")
    outcome = send(stack, sent, to)
    assert (outcome.code, outcome.action) == (250, "add_header")
    assert received(stack, *to) == sorted(to[1:])
    (entry,) = entries(stack, *to)
    assert entry.recipients == (to[0],)
    assert stack.raw(entry) == sent


@pytest.mark.threat("MTA-18", "QUA-05")
def test_and_his_is_released_to_him_alone(stack: SendmailStack) -> None:
    """What was held for one of three goes to that one."""
    sent, to = mail(), people("held", "open", "open")
    to[2] = to[2].replace("open", "tag")
    send(stack, sent, to)
    (entry,) = entries(stack, *to)
    argv = stack.network.argv(*COMMAND, "quarantine", "release", entry.id, "--config", str(stack.filterd.config))
    done = run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert received(stack, *to) == sorted(to)
    (copy,) = stack.copies(to[:1])
    assert copy.recipients == (to[0],)
    assert copy.data.endswith(sent)


@pytest.mark.threat("MTA-20")
def test_all_have_it_held(stack: SendmailStack) -> None:
    """Nobody gets it, and the client hears 250: it is ours now."""
    to = people("held", "other")
    assert send(stack, mail(), to).code == 250
    assert received(stack, *to) == []
    (entry,) = entries(stack, *to)
    assert sorted(entry.recipients) == sorted(to)


def test_refused_only_where_all_refuse(stack: SendmailStack) -> None:
    """One reply for all: 550 where every policy refuses, else who would refuse has it held."""
    alone, mixed = people("refused"), people("refused", "open")
    assert send(stack, mail(), alone).code == 550
    assert send(stack, mail(), mixed).code == 250
    assert received(stack, *alone, *mixed) == mixed[1:]
    assert [entry.recipients for entry in entries(stack, *mixed)] == [(mixed[0],)]


@pytest.mark.threat("MTA-19")
@pytest.mark.parametrize("spelt", ["<Held+{}@LOCAL.test>", '<"held+{}"@local.test>', "held+{}@local.test"])
def test_however_he_is_spelt(stack: SendmailStack, spelt: str) -> None:
    """DELRCPT is given what the client gave: he gets nothing, the other one does."""
    number, sent = next(NUMBERS), mail()
    other = f"open+{number}@local.test"
    with stack.client(STRANGER) as client:
        client.command("MAIL FROM:<x@elsewhere.test>")
        for path in (spelt.format(number), f"<{other}>"):
            assert client.command(f"RCPT TO:{path}").code == 250
        client.command("DATA")
        client.send(wire(sent))
        assert client.reply().code == 250
    stack.sendmail.wait_empty()
    copies = [copy.recipients for copy in stack.sink.messages if copy.data.endswith(sent)]
    assert copies == [(other,)]

"""Released mail through Sendmail's port without filters: the same bytes, and what Sendmail adds where a field lacks."""

import itertools
import time
from collections.abc import Iterator
from contextlib import closing

import dkim
import pytest

from filterd.operations.release import Releaser
from filterd.quarantine import Actor, EntryFilter, State
from filterd.quarantine.relay import Relay
from tests.quarantine.samples import evidence, raw, whole
from tests.support.process import wait_until
from tests.support.sendmail import Sendmail
from tests.support.sendmail_stack import SendmailStack
from tests.support.signing import key_record, split
from tests.support.sink import Delivered
from tests.support.smtp import SmtpClient
from tests.support.world import signed, with_attachment

ME = Actor("reviewer", "tty1")
NUMBERS = itertools.count(1)
BROKEN = b"PK\x03\x04" + bytes(range(100))


@pytest.fixture(scope="module")
def stack() -> Iterator[SendmailStack]:
    """Sendmail with the shipped lines."""
    with SendmailStack({"milter": {"authserv_id": "mx.local.test"}}) as running:
        yield running


def released(stack: SendmailStack, fields: tuple[tuple[bytes, bytes], ...], body: bytes) -> tuple[bytes, Delivered]:
    """A message that is held as it is, and the copy that arrives when it is released."""
    data, to = whole(body, fields), stack.recipients()
    relay = Relay("127.0.0.1", Sendmail.release_port, "mx.local.test", 10.0)
    with closing(stack.quarantine()) as quarantine, raw(body, fields) as source, stack.network.inside():
        quarantine.hold(evidence(next(NUMBERS), data, sender="alice@aligned.test", recipients=to), source)
        (entry,) = quarantine.entries(EntryFilter(recipient=to[0]))
        release = Releaser(quarantine, relay.deliver, "mx.local.test")
        assert release.release(entry.id, ME).state is State.DELIVERED
    wait_until(lambda: len(stack.copies(to)) == 1, "the message")
    (copy,) = stack.copies(to)
    return data, copy


def held() -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """Fields and body of a signed message."""
    number = next(NUMBERS)
    fields, body = split(
        signed(with_attachment("alice@aligned.test", f"Minutes {number}", "i.zip", BROKEN), now=int(time.time()))
    )
    return tuple(fields), body


@pytest.mark.threat("QUA-03", "QUA-05")
def test_whole(stack: SendmailStack) -> None:
    """A complete message arrives byte for byte below Sendmail's Received field and ours; its signature verifies."""
    data, copy = released(stack, *held())
    assert copy.sender == "alice@aligned.test"
    assert copy.data.endswith(b"\r\n" + data)
    record = key_record().encode()
    assert dkim.verify(copy.data, dnsfunc=lambda *_, **__: record)


def on_top(copy: Delivered) -> list[bytes]:
    """The names of the fields above those of the held message, Sendmail's and ours."""
    names = [name.lower() for name, _ in copy.fields]
    return names[: names.index(b"x-filterd-score") + 1]


@pytest.mark.threat("QUA-03", "QUA-05")
@pytest.mark.parametrize(
    ("missing", "added"),
    [
        ((b"date",), [b"date"]),
        ((b"message-id",), [b"message-id"]),
        ((b"from",), [b"from"]),
        ((b"date", b"message-id", b"from", b"to"), [b"date", b"from", b"message-id"]),
    ],
)
def test_incomplete(stack: SendmailStack, missing: tuple[bytes, ...], added: list[bytes]) -> None:
    """What a message lacks Sendmail puts above it, as it does with all mail; what is there stays byte for byte."""
    fields, body = held()
    data, copy = released(stack, tuple([one for one in fields if one[0].lower() not in missing]), body)
    assert copy.data.endswith(b"\r\n" + data)
    ours = [b"x-filterd-released", b"authentication-results", b"x-filterd-id", b"x-filterd-score"]
    assert sorted(on_top(copy)) == sorted([b"received", *added, *ours])


def test_addresses_without_a_domain(stack: SendmailStack) -> None:
    """Sendmail completes them with its own name, in mail that was never held as in what is released."""
    fields, body = held()
    short = ((b"From", b" alice"), (b"To", b" bob, carol@sales"))
    kept = tuple([one for one in fields if one[0].lower() not in {b"from", b"to"}])
    data, copy = released(stack, short + kept, body)
    (recipient,) = stack.recipients()
    with stack.network.inside(), SmtpClient(Sendmail.release_port) as client:  # which is what any port would do
        assert client.mail(data, "alice@aligned.test", [recipient]).last.code == 250
    wait_until(lambda: stack.copies([recipient]), "the twin")
    (twin,) = stack.copies([recipient])
    below = copy.data[copy.data.index(b"From: ") :]
    assert below == twin.data[twin.data.index(b"From: ") :]
    assert below.startswith(b"From: alice@smx.test\r\nTo: bob@smx.test, carol@sales\r\n")

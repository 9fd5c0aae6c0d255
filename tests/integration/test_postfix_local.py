"""Mail that did not just come by SMTP: of this host's programs, bounces, and what is put back into the queue."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.process import require_program, wait_until
from tests.support.sink import Delivered
from tests.support.stack import Stack
from tests.support.world import message

LATER = "x@later.test"
MAIN = {
    "non_smtpd_milters": "{filterd}",
    "internal_mail_filter_classes": "bounce",
    "relay_domains": "local.test, later.test",
    "transport_maps": "inline:{ {later.test = smtp:[127.0.0.1]:1} }",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """All mail passes filterd, that of the host itself included; nothing can be delivered to later.test."""
    with Stack(postfix=MAIN) as running:
        yield running


def submit(stack: Stack, mail: bytes, sender: str, recipient: str) -> None:
    """Hand a message to sendmail(1), as cron and scripts do."""
    require_program("sendmail")
    command = ["sendmail", "-C", str(stack.postfix.config), "-i", "-f", sender, recipient]
    subprocess.run(command, input=mail.replace(b"\r\n", b"\n"), check=True, timeout=30)


def arrived(stack: Stack, recipient: str) -> Delivered:
    """The one message to a recipient, once it is at the sink."""
    wait_until(lambda: stack.copies([recipient]), f"a message to {recipient} at the sink")
    (copy,) = stack.copies([recipient])
    return copy


@pytest.mark.threat("MTA-24")
def test_a_program_of_this_host_is_one_of_us(stack: Stack) -> None:
    """There is no client: the trust class is local, nothing about a client is checked, the message is delivered."""
    (recipient,) = stack.recipients()
    submit(stack, message("alice@aligned.test", "From a script"), "alice@aligned.test", recipient)
    copy = arrived(stack, recipient)
    event = stack.event((recipient,))
    assert (event["action"], event["trust"], copy.sender) == ("accept", "local", "alice@aligned.test")
    assert b"spf=" not in copy.values("Authentication-Results")[0]


@pytest.mark.threat("MTA-24")
def test_a_bounce_is_never_refused(stack: Stack) -> None:
    """A bounce that Postfix makes itself passes filterd and reaches the sender: another bounce could not be sent."""
    (sender,) = stack.recipients()
    submit(stack, message(sender, "To nobody"), sender, "nobody@elsewhere.test")
    copy = arrived(stack, sender)
    assert copy.sender == ""
    assert stack.event((sender,))["action"] == "accept"


@pytest.mark.threat("MTA-24")
def test_what_is_put_back_into_the_queue_is_not_judged_again(stack: Stack) -> None:
    """`postsuper -r` gives accepted mail a new queue id; Postfix asks no milter about it, so its verdict stands."""
    assert stack.send(message("alice@aligned.test", "Later"), recipients=[LATER]).code == 250
    (before,) = wait_for_queue(stack, "")
    stack.postfix.tool("postsuper", "-r", before)
    stack.postfix.tool("postkick", "public", "pickup", "W")  # which looks once a minute by itself
    (after,) = wait_for_queue(stack, before)
    assert after != before
    assert [one["queue_id"] for one in stack.filterd.events("message") if one["recipients"] == [LATER]] == [before]


def wait_for_queue(stack: Stack, old: str) -> list[str]:
    """The ids of the messages in the queue that go nowhere, once there are some and none is the old one."""
    found: list[str] = []

    def look() -> bool:
        queued = [one for one in stack.postfix.queue() if LATER in str(one["recipients"])]
        found[:] = [str(one["queue_id"]) for one in queued]
        return bool(found) and old not in found

    wait_until(look, "the message in the queue")
    return found

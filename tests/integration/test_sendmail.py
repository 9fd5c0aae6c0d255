"""The eight messages of the demo through a real Sendmail, hold and release, and what Sendmail does where we fail.

Its configuration is made of the very lines that deploy/sendmail ships.
"""

import itertools
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest

from filterd.quarantine import State
from tests.demo import Case, cases
from tests.integration.test_postfix_verdicts import EXPECTED
from tests.support.daemon import COMMAND
from tests.support.process import Process, wait_until
from tests.support.sendmail import Network, Sendmail, run_folder
from tests.support.sendmail_stack import SendmailStack
from tests.support.sink import Sink
from tests.support.smtp import SmtpClient
from tests.support.stack import OURS, take_apart
from tests.support.world import GOOD, STRANGER, eicar_zip, message, signed, with_attachment

PLAIN = message("alice@aligned.test", "Minutes")
SPOOF = message("ceo@strict.test", "Urgent transfer")
EICAR = with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip())
BROKEN = b"PK\x03\x04" + bytes(range(100))
NUMBERS = itertools.count()
# A milter that takes its time at the end of a message: seconds are the second argument.
SLOW = """
import os, sys, time, Milter
class Slow(Milter.Base):
    def eom(self):
        time.sleep(float(sys.argv[2]))
        return Milter.CONTINUE
os.umask(0)
Milter.factory = Slow
Milter.runmilter("slow", sys.argv[1], 30)
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[SendmailStack]:
    """Sendmail before filterd."""
    with SendmailStack({"quarantine": {"release": f"inet:{Sendmail.release_port}@127.0.0.1"}}) as running:
        yield running


@pytest.fixture(scope="module")
def demo() -> dict[str, Case]:
    """The demo's messages by name."""
    return {case[0]: case for case in cases(int(time.time()))}


@pytest.mark.parametrize("name", EXPECTED)
def test_verdict(stack: SendmailStack, demo: dict[str, Case], name: str) -> None:
    """Verdict, log and results are those of the same message behind Postfix; what is delivered or held is exact."""
    _, pose, sender, mail = demo[name]
    expected = EXPECTED[name]
    outcome = stack.send(mail, pose, sender)
    assert (outcome.code, outcome.action, outcome.event["code"]) == (expected.code, expected.action, expected.reason)
    held = stack.held(outcome)
    assert [stack.raw(entry) for entry in held] == [mail] * (expected.action == "quarantine")
    if expected.action in {"accept", "add_header"}:
        arrived = stack.arrived(outcome)
        assert arrived.rest == mail
        assert all(word in arrived.value("Authentication-Results").decode() for word in expected.results)
        assert [name.encode() for name, _ in arrived.ours] == list(OURS[: 3 + (expected.action == "add_header")])
    else:
        stack.sendmail.wait_empty()
        assert stack.copies(outcome.recipients) == []


def test_rejected_with_an_id(stack: SendmailStack) -> None:
    """A refusal is 550 5.7.1 with the public id under which the log knows the message."""
    outcome = stack.send(EICAR)
    told = re.fullmatch(r"550 5\.7\.1 Message refused; ask postmaster about ([0-9A-Z]{10})", str(outcome.sent.last))
    assert told is not None
    assert outcome.event["id"].endswith(told[1])


@pytest.mark.threat("MTA-08")
def test_macros(stack: SendmailStack) -> None:
    """Sendmail's queue id is in the log, so that both logs can be joined, and the client is a stranger to us."""
    outcome = stack.send(PLAIN)
    assert outcome.event["queue_id"]
    assert outcome.sent.last.text.split()[1] == outcome.event["queue_id"]
    assert (outcome.event["client"], outcome.event["trust"]) == (GOOD.address, "stranger")


def test_several_messages_in_one_session(stack: SendmailStack) -> None:
    """Accepted, refused, held and accepted again over one connection: each is judged as if it were alone."""
    order = [PLAIN, EICAR, SPOOF, PLAIN, EICAR, PLAIN]
    with stack.client(GOOD) as client:
        outcomes = [stack.send(mail, client=client) for mail in order]
        assert client.quit().code == 221
    actions = {PLAIN: "accept", EICAR: "reject", SPOOF: "quarantine"}
    assert [outcome.action for outcome in outcomes] == [actions[mail] for mail in order]
    assert len({outcome.event["id"] for outcome in outcomes}) == len(order)
    assert all(stack.arrived(outcome).rest == PLAIN for outcome in outcomes if outcome.action == "accept")


@pytest.mark.threat("MTA-07")
def test_reset(stack: SendmailStack) -> None:
    """RSET after sender and recipients: nothing of that message is in the next one."""
    abandoned, *wanted = stack.recipients(2)
    with stack.client(GOOD) as client:
        for path in ("MAIL FROM:<eve@bulk.test>", f"RCPT TO:<{abandoned}>", "RSET"):
            assert client.command(path).code == 250
        outcome = stack.send(PLAIN, recipients=wanted, client=client)
    assert (outcome.event["sender"], outcome.event["recipients"]) == ("alice@aligned.test", wanted)
    assert stack.event([abandoned]) == {}


@pytest.mark.threat("MTA-20")
def test_held_for_all(stack: SendmailStack) -> None:
    """A message to three that is held is one entry with all three, and nobody gets it."""
    outcome = stack.send(SPOOF, STRANGER, "x@elsewhere.test", recipients=3)
    assert outcome.code == 250
    (entry,) = stack.held(outcome)
    assert (entry.recipients, entry.copies) == (outcome.recipients, 1)
    stack.sendmail.wait_empty()
    assert stack.copies(outcome.recipients) == []


# --- release


@pytest.mark.threat("QUA-03", "QUA-05")
def test_release(stack: SendmailStack) -> None:
    """`quarantine release` hands a held message to the listener without filters: the same bytes, not judged again."""
    mail = signed(
        with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "i.zip", BROKEN), now=int(time.time())
    )
    outcome = stack.send(mail)
    (entry,) = stack.held(outcome)
    argv = stack.network.argv(*COMMAND, "quarantine", "release", entry.id, "--config", str(stack.filterd.config))
    done = run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, f"{entry.id} delivered"), done.stderr
    copy = stack.delivered(outcome)
    assert copy.sender == "alice@aligned.test"
    assert copy.data.endswith(mail)
    seen = [one for one in stack.filterd.events("message") if one["recipients"] == list(outcome.recipients)]
    assert len(seen) == 1
    quarantine = stack.quarantine()
    try:
        found = quarantine.entry(entry.id)
    finally:
        quarantine.close()
    assert found is not None
    assert found.state is State.DELIVERED


def test_the_release_listener_does_not_filter(stack: SendmailStack) -> None:
    """What comes in there passes no milter: malware goes through, unmarked, and the log knows nothing of it."""
    (recipient,) = stack.recipients()
    with stack.network.inside(), SmtpClient(Sendmail.release_port) as client:
        assert client.mail(EICAR, "alice@aligned.test", [recipient]).last.code == 250
    wait_until(lambda: stack.copies([recipient]), "the unfiltered copy")
    (copy,) = stack.copies([recipient])
    assert take_apart(copy).ours == ()
    assert stack.event([recipient]) == {}


# --- where we fail


@pytest.fixture
def bare() -> Iterator[tuple[Path, Network, Sink]]:
    """A folder, a network and a mailbox, for a Sendmail of the test's own."""
    with run_folder() as folder, Network(folder) as network, network.sink() as sink:
        yield folder, network, sink


def answer(sendmail: Sendmail, network: Network) -> tuple[int, str]:
    """The code that ends a plain message, and the stage at which it came."""
    with network.client(sendmail.port, GOOD) as client:
        sent = client.mail(PLAIN, "alice@aligned.test", ["u@local.test"])
        return sent.last.code, sent.stage


def test_nobody_answers(bare: tuple[Path, Network, Sink]) -> None:
    """Without filterd the shipped lines defer mail (F=T); nothing passes unread."""
    folder, network, sink = bare
    with Sendmail(folder / "s", network, sink_port=sink.port, milter=folder / "none.sock") as sendmail:
        assert answer(sendmail, network) == (451, "MAIL")
    assert sink.messages == []


@pytest.mark.parametrize(("read", "code"), [("1s", 451), ("30s", 250)])
def test_the_read_timeout_bounds_the_end_of_a_message(bare: tuple[Path, Network, Sink], read: str, code: int) -> None:
    """R is what cuts a verdict short, however long E is: why the shipped R is above filterd's deadline."""
    folder, network, sink = bare
    path = folder / "slow.sock"
    slow = Process([sys.executable, "-c", SLOW, f"unix:{path}", "3"], folder / "slow.log")
    try:
        wait_until(path.exists, "the slow milter's socket")
        with Sendmail(
            folder / "s", network, sink_port=sink.port, milter=path, changes=[("R:90s", f"R:{read}")]
        ) as sendmail:
            assert answer(sendmail, network) == (code, ".")
    finally:
        slow.kill()

"""The eight messages of the demo through a real Postfix, over both kinds of socket."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.demo import Case, cases
from tests.support.daemon import COMMAND
from tests.support.process import free_port
from tests.support.smtp import Pose
from tests.support.stack import OURS, Stack
from tests.support.world import STRANGER, message


@dataclass(frozen=True, slots=True)
class Expected:
    """The reply code, the verdict, and words of our Authentication-Results field where there is one."""

    code: int
    action: str
    reason: str
    results: tuple[str, ...] = ()


EXPECTED = {
    "clean and aligned": Expected(250, "accept", "clean", ("iprev=pass", "spf=pass", "dkim=pass", "dmarc=pass")),
    "SPF fail": Expected(250, "accept", "clean", ("spf=fail", "dkim=none", "dmarc=none")),
    "broken DKIM": Expected(250, "accept", "clean", ("dkim=fail", "spf=pass", "dmarc=pass")),
    "DMARC p=reject, spoofed": Expected(250, "quarantine", "dmarc-reject"),
    "client on block lists": Expected(250, "add_header", "listed", ("spf=none",)),
    "EICAR in a zip": Expected(550, "reject", "malware"),
    "spammy text": Expected(250, "quarantine", "listed"),
    "10 MB attachment": Expected(250, "accept", "clean", ("dkim=pass", "dmarc=pass")),
}
STRICT = Pose("192.0.2.20", "[UNAVAILABLE]", "mail.strict.test")


@pytest.fixture(scope="module", params=["unix", "inet"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Postfix before filterd, over that kind of socket."""
    listen = {"listen": f"inet:{free_port()}@127.0.0.1"} if request.param == "inet" else {}
    with Stack({"milter": listen}) as running:
        yield running


@pytest.fixture(scope="module")
def demo() -> dict[str, Case]:
    """The demo's messages by name."""
    return {case[0]: case for case in cases(int(time.time()))}


def test_all_cases_are_expected(demo: dict[str, Case]) -> None:
    """Every message of the demo has its expectation here."""
    assert demo.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_verdict(stack: Stack, demo: dict[str, Case], name: str) -> None:
    """The client is told the right thing, the log names action and reason, and the message is where it belongs."""
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
        stack.postfix.wait_empty()
        assert stack.copies(outcome.recipients) == []


def test_rejected_with_an_id(stack: Stack, demo: dict[str, Case]) -> None:
    """A refusal is 550 5.7.1 with the public id under which the log knows the message."""
    _, pose, sender, mail = demo["EICAR in a zip"]
    outcome = stack.send(mail, pose, sender)
    told = re.fullmatch(r"550 5\.7\.1 Message refused; ask postmaster about ([0-9A-Z]{10})", str(outcome.sent.last))
    assert told is not None
    assert outcome.event["id"].endswith(told[1])


def test_queue_id(stack: Stack, demo: dict[str, Case]) -> None:
    """The log carries Postfix' queue id, so that both logs can be joined."""
    _, pose, sender, mail = demo["clean and aligned"]
    outcome = stack.send(mail, pose, sender)
    assert outcome.sent.last.text.endswith(f"queued as {outcome.event['queue_id']}")


def test_tagged_header(stack: Stack, demo: dict[str, Case]) -> None:
    """A tagged message says YES in X-Spam-Flag, and its score in X-Filterd-Score as the log does."""
    _, pose, sender, mail = demo["client on block lists"]
    outcome = stack.send(mail, pose, sender)
    arrived = stack.arrived(outcome)
    assert arrived.value("X-Spam-Flag") == b"YES"
    assert arrived.value("X-Filterd-Id").decode() == outcome.event["id"]
    score, action, *symbols = arrived.value("X-Filterd-Score").decode().split()
    assert (float(score), action) == (outcome.event["score"], "add_header")
    assert symbols == outcome.event["symbols"]


@pytest.mark.threat("QUA-03")
def test_stored_as_delivered(stack: Stack) -> None:
    """A held message is byte for byte the one that its twin was delivered as, below the documented edits."""
    mail = message("ceo@strict.test", "Figures", extra="X-Odd:  two blanks\r\n\tand a tab \r\nX-None:\r\n")
    delivered = stack.arrived(stack.send(mail, STRICT, "ceo@strict.test"))
    outcome = stack.send(mail, STRANGER, "x@elsewhere.test", recipients=2)
    (entry,) = stack.held(outcome)
    assert stack.raw(entry) == delivered.rest == mail
    quarantine = stack.quarantine()
    evidence = quarantine.evidence(entry.id)
    quarantine.close()
    assert (evidence.client.address, evidence.helo) == (STRANGER.address, STRANGER.helo)
    assert evidence.envelope.sender == "x@elsewhere.test"
    assert tuple(one.exact for one in evidence.envelope.recipients) == tuple(f"<{one}>" for one in outcome.recipients)
    assert evidence.macros["i"] == evidence.queue_id == outcome.event["queue_id"]


@pytest.mark.parametrize("stack", ["unix"], indirect=True)
@pytest.mark.threat("QUA-03")
def test_held_mail_on_the_command_line(stack: Stack, tmp_path: Path) -> None:
    """`filterd quarantine` lists a held message and exports it byte-exactly with --raw."""
    mail = message("ceo@strict.test", "Urgent transfer", extra="X-Bytes: \xe4 \r\n")
    outcome = stack.send(mail, STRANGER, "x@elsewhere.test")
    listed = [json.loads(line) for line in quarantine(stack, "list", "--json").stdout.splitlines()]
    (entry,) = [one for one in listed if one["recipients"] == list(outcome.recipients)]
    assert (entry["subject"], entry["code"], entry["id"]) == ("Urgent transfer", "dmarc-reject", outcome.event["id"])
    file = tmp_path / "held.eml"
    assert quarantine(stack, "export", "--raw", "--output", str(file), entry["id"]).returncode == 0
    assert file.read_bytes() == mail


def quarantine(stack: Stack, verb: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `filterd quarantine` as an operator does."""
    command = [*COMMAND, "quarantine", verb, "--config", str(stack.filterd.config), *arguments]
    return subprocess.run(command, capture_output=True, check=False)

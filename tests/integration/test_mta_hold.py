"""Held mail that stays with Postfix: it is in the hold queue until an operator lets it go, and we know why."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import dkim
import pytest

from filterd.quarantine.tokens import FIELD
from tests.support.daemon import Settings
from tests.support.process import wait_until
from tests.support.signing import key_record
from tests.support.stack import Outcome, Stack
from tests.support.world import LISTED, SPAM, signed, with_attachment

pytestmark = pytest.mark.integration
NUMBERS = itertools.count()
BROKEN = b"PK\x03\x04" + bytes(range(100))
FORGED = b"Authentication-Results: mx.local.test; dmarc=pass header.from=bank.test\r\n" + f"{FIELD}: x\r\n".encode()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A daemon that leaves held mail with the MTA; one recipient wants everything."""
    settings: Settings = {
        "milter": {"authserv_id": "mx.local.test"},
        "quarantine": {"mode": "mta-hold"},
        "policies": {"all": {"recipients": ["everything@local.test"], "off": True}},
    }
    with Stack(settings) as running:
        yield running


def held(stack: Stack) -> Outcome:
    """Send what is held."""
    mail = with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "i.zip", BROKEN)
    return stack.send(FORGED + signed(mail, now=int(time.time())))


def queued(stack: Stack, outcome: Outcome) -> list[dict[str, Any]]:
    """What Postfix has in its queues for these recipients."""
    wanted = set(outcome.recipients)
    return [one for one in stack.postfix.queue() if wanted & {to["address"] for to in one["recipients"]}]  # type: ignore[attr-defined]  # JSON


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of ours."""
    argv = [sys.executable, "-m", "filterd", *arguments, "--config", str(stack.filterd.config)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_hold(stack: Stack) -> None:
    """The client hears 250, the message is in the hold queue, postsuper -H delivers it, signed as it was."""
    outcome = held(stack)
    assert (outcome.code, outcome.action) == (250, "quarantine")
    (found,) = queued(stack, outcome)
    assert found["queue_name"] == "hold"
    assert stack.held(outcome) == []
    time.sleep(1.5)  # longer than its queue runs: it stays
    assert stack.copies(outcome.recipients) == []
    stack.postfix.tool("postsuper", "-H", str(found["queue_id"]))
    stack.postfix.tool("postqueue", "-f")
    copy = stack.delivered(outcome)
    (results,) = copy.values("Authentication-Results")
    assert b"bank.test" not in results
    assert copy.values("X-Spam-Flag") == []
    assert copy.values(FIELD) == []
    assert copy.values("X-Filterd-Id") == [outcome.event["id"].encode()]
    record = key_record().encode()
    assert dkim.verify(copy.data, dnsfunc=lambda *_, **__: record)
    seen = [one for one in stack.filterd.events("message") if one["recipients"] == list(outcome.recipients)]
    assert len(seen) == 1  # it did not come by a second time


def test_what_is_said(stack: Stack) -> None:
    """Commands say where it is: trace with its queue id, explain with its points, list with what to do."""
    outcome = held(stack)
    (found,) = queued(stack, outcome)
    row = stack.row(outcome)
    assert (row.place, row.queue_id) == ("mta", found["queue_id"])
    traced = command(stack, "trace", "--id", row.id)
    assert "became      held by the MTA" in traced.stdout
    assert f"postsuper -H {row.queue_id} lets it go" in traced.stdout
    (line,) = command(stack, "trace", "--to", outcome.recipients[0], "--json").stdout.splitlines()
    plain = json.loads(line)
    assert (plain["state"], plain["place"]) == ("mta", "mta")
    explained = command(stack, "explain", row.id)
    assert explained.returncode == 0, explained.stderr
    assert "the MTA holds it; only the journal's row is left here" in explained.stdout
    assert "UNSCANNABLE_ARCHIVE" in explained.stdout
    listed = command(stack, "quarantine", "list", "--to", outcome.recipients[0])
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "postsuper -H" in listed.stderr


def test_deleted(stack: Stack) -> None:
    """What postsuper -d deletes is gone."""
    outcome = held(stack)
    (found,) = queued(stack, outcome)
    stack.postfix.tool("postsuper", "-d", str(found["queue_id"]))
    assert queued(stack, outcome) == []
    assert stack.copies(outcome.recipients) == []


@pytest.mark.threat("MTA-18")
def test_for_some(stack: Stack) -> None:
    """What is held for some of several recipients is kept here, and the others get theirs."""
    (one,) = stack.recipients()
    outcome = stack.send(SPAM, LISTED, "winner@cheap.test", recipients=(one, "everything@local.test"))
    assert outcome.code == 250
    wait_until(lambda: stack.copies(["everything@local.test"]), "the copy of who wants everything")
    assert stack.copies([one]) == []
    assert not [found for found in queued(stack, outcome) if found["queue_name"] == "hold"]
    with_stack = command(stack, "quarantine", "list", "--to", one, "--json")
    (entry,) = [json.loads(line) for line in with_stack.stdout.splitlines()]
    assert entry["recipients"] == [one]

"""Tricks with the author field through a real Postfix: a stranger with a domain in order poses as another's author.

After the published attacks on e-mail authentication ("espoofer", server attacks A8 to A19). The attacker's own domain
passes SPF, DKIM and DMARC; the victim's asks to reject. Whatever the header says, the result is never `dmarc=pass`
where a mail program could show the victim.
"""

import re
import time
from collections.abc import Iterator

import pytest

from filterd.model.authentication import DmarcResult
from tests.support.dnsserver import ZoneData
from tests.support.signing import key_record
from tests.support.smtp import Pose
from tests.support.stack import Outcome, Stack
from tests.support.world import message, signed, zone

EVIL = Pose("198.51.100.66", "mail.evil.test", "mail.evil.test")
EVIL_RECORDS: ZoneData = {
    "evil.test": {"TXT": "v=spf1 ip4:198.51.100.66 -all", "MX": ["10 mail.evil.test"]},
    "mail.evil.test": {"A": "198.51.100.66"},
    "s1._domainkey.evil.test": {"TXT": key_record()},
    "_dmarc.evil.test": {"TXT": "v=DMARC1; p=none"},
}
OWN = b"From: Some Body <x@evil.test>\r\n"
VICTIM = b"From: The CEO <ceo@strict.test>\r\n"
TRICKS = {
    "victim above": VICTIM + OWN,
    "victim below": OWN + VICTIM,
    "blank before the colon, below": OWN + b"From : ceo@strict.test\r\n",
    "colon on the next line": b"X-A: b\r\nFrom\r\n : ceo@strict.test\r\n" + OWN,
    "other case": OWN + b"fRoM: ceo@strict.test\r\n",
    "NUL behind the victim": b"From: ceo@strict.test\0 <x@evil.test>\r\n",
    "two mailboxes": b"From: ceo@strict.test, x@evil.test\r\n",
    "two mailboxes, victim last": b"From: <x@evil.test>, <ceo@strict.test>\r\n",
    "address before the brackets": b"From: ceo@strict.test <x@evil.test>\r\n",
    "address behind the brackets": b"From: <x@evil.test> ceo@strict.test\r\n",
    "two pairs of brackets": b"From: <ceo@strict.test> <x@evil.test>\r\n",
    "group": b"From: staff: ceo@strict.test, x@evil.test;\r\n",
    "route": b"From: <@evil.test,@x.test:ceo@strict.test>\r\n",
    "comment as end": b"From: ceo@strict.test(<x@evil.test>\r\n",
    "encoded address": b"From: =?utf-8?q?ceo=40strict.test?= <x@evil.test>, ceo@strict.test\r\n",
    "quoted comma": b"From: ceo@strict.test\\, <x@evil.test>\r\n",
    "folded between": b"From: ceo@strict.test\r\n <x@evil.test>\r\n",
    "empty": b"From:\r\nSender: ceo@strict.test\r\n",
    "none": b"Sender: ceo@strict.test\r\nResent-From: ceo@strict.test\r\n",
}
# On top of the whole message, where Postfix' own reading decides what a mail program can see.
DEFUSED = {
    "mbox line": b"From ceo@strict.test\r\n",
    "blank before the colon": b"From : ceo@strict.test\r\n",
    "fold of the field above": b"X-A: b\r\n From: ceo@strict.test\r\n",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The world, with the attacker's domain in it."""
    with Stack(records={**zone(), **EVIL_RECORDS}) as running:
        yield running


def dmarc(stack: Stack, outcome: Outcome) -> set[str]:
    """The DMARC results given: from the delivered field, or from the evidence of a held message."""
    if outcome.action in {"accept", "add_header"}:
        value = stack.arrived(outcome).value("Authentication-Results").decode()
        return set(re.findall(r"(?<!\.)dmarc=(\w+)", value))
    quarantine = stack.quarantine()
    reports = quarantine.evidence(outcome.event["id"]).reports
    quarantine.close()
    return {one.status.value for report in reports for one in report.auth_results if isinstance(one, DmarcResult)}


def test_own_name(stack: Stack) -> None:
    """Under its own name the attacker's domain passes: the world is as the attacks need it."""
    mail = signed(message("x@evil.test", "Offer"), "evil.test", now=int(time.time()))
    outcome = stack.send(mail, EVIL, "x@evil.test")
    assert dmarc(stack, outcome) == {"pass"}


@pytest.mark.threat("AUTH-01")
@pytest.mark.parametrize("signing", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("name", TRICKS)
def test_never_a_pass(stack: Stack, name: str, *, signing: bool) -> None:
    """No trick gets dmarc=pass, and where two readers see different authors the message is held."""
    mail = message("x@evil.test", "Urgent transfer")
    if signing:
        mail = signed(mail, "evil.test", now=int(time.time()))
    mail = mail.replace(OWN, TRICKS[name])
    outcome = stack.send(mail, EVIL, "x@evil.test")
    assert outcome.code == 250
    assert outcome.action == "quarantine"
    assert len(dmarc(stack, outcome)) == 1
    assert "pass" not in dmarc(stack, outcome)


@pytest.mark.threat("AUTH-01")
def test_blank_on_top(stack: Stack) -> None:
    """A first line that begins with a blank ends the header for Postfix: a message without author, held."""
    outcome = stack.send(b" From: ceo@strict.test\r\n" + message("x@evil.test", "Urgent"), EVIL, "x@evil.test")
    assert (outcome.action, dmarc(stack, outcome)) == ("quarantine", {"permerror"})


@pytest.mark.threat("AUTH-01")
@pytest.mark.parametrize("name", DEFUSED)
def test_defused_by_postfix(stack: Stack, name: str) -> None:
    """What Postfix delivers as something else than an author field is none for us: the attacker alone is shown."""
    mail = DEFUSED[name] + message("x@evil.test", "Urgent transfer")
    outcome = stack.send(mail, EVIL, "x@evil.test")
    assert stack.delivered(outcome).values("From") == [b"Some Body <x@evil.test>"]
    assert b"header.from=evil.test" in stack.arrived(outcome).value("Authentication-Results")

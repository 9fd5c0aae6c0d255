"""Envelopes and sessions through a real Postfix: null senders, many recipients, several messages, RSET, reply texts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.config import ConfigError, load
from tests.support.smtp import SmtpClient
from tests.support.stack import Stack
from tests.support.world import GOOD, STRANGER, eicar_zip, message, with_attachment

PLAIN = message("alice@aligned.test", "Minutes")
SPOOF = message("ceo@strict.test", "Urgent transfer")
EICAR = with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip())
PERCENT = "100% sure: %s %d %n %% refused, ask {contact} about {id}"
REPORT = (
    b"From: MAILER-DAEMON@aligned.test\r\nTo: user@local.test\r\nSubject: Undelivered Mail Returned to Sender\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <dsn.1@aligned.test>\r\nAuto-Submitted: auto-replied\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b1"\r\n\r\n'
    b"--b1\r\nContent-Type: text/plain\r\n\r\nI could not deliver your message.\r\n"
    b"--b1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.aligned.test\r\n\r\n"
    b"Final-Recipient: rfc822; nobody@aligned.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"--b1\r\nContent-Type: message/rfc822\r\n\r\nFrom: user@local.test\r\nSubject: hello\r\n\r\nHello.\r\n--b1--\r\n"
)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Postfix before a filterd whose refusal is full of format characters."""
    with Stack({"replies": {"reject": PERCENT, "contact": "https://help.test/50%25"}}) as running:
        yield running


# --- the null sender


@pytest.mark.threat("MTA-17")
@pytest.mark.parametrize("count", [1, 100])
def test_null_sender(stack: Stack, count: int) -> None:
    """A bounce is not refused for having no sender; SPF then judges the HELO name (RFC 7208, section 2.4)."""
    outcome = stack.send(PLAIN, STRANGER, "", recipients=count)
    assert outcome.code == 250
    results = stack.arrived(outcome).value("Authentication-Results").decode()
    assert f"smtp.mailfrom=postmaster@{STRANGER.helo}" in results
    assert f"smtp.helo={STRANGER.helo}" in results


@pytest.mark.threat("MTA-17")
def test_real_report(stack: Stack) -> None:
    """A delivery report from a host whose HELO name is in order passes SPF, and nothing is sent in return."""
    outcome = stack.send(REPORT, GOOD, "")
    assert (outcome.code, outcome.action) == (250, "accept")
    arrived = stack.arrived(outcome)
    assert b"spf=pass smtp.mailfrom=postmaster@mail.aligned.test" in arrived.value("Authentication-Results")
    assert arrived.rest == REPORT
    stack.postfix.wait_empty()
    assert len(stack.copies(outcome.recipients)) == 1


@pytest.mark.threat("MTA-17")
def test_forged_report(stack: Stack) -> None:
    """A delivery report from a stranger in a victim's name is held for the author, not for the empty sender."""
    outcome = stack.send(REPORT.replace(b"MAILER-DAEMON@aligned", b"MAILER-DAEMON@strict"), STRANGER, "")
    assert (outcome.code, outcome.action, outcome.event["code"]) == (250, "quarantine", "dmarc-reject")


# --- recipients


@pytest.mark.threat("MTA-20")
def test_held_for_all(stack: Stack) -> None:
    """A message to three that is held is one entry with all three, and nobody gets it."""
    outcome = stack.send(SPOOF, STRANGER, "x@elsewhere.test", recipients=3)
    assert outcome.code == 250
    (entry,) = stack.held(outcome)
    assert (entry.recipients, entry.copies) == (outcome.recipients, 1)
    stack.postfix.wait_empty()
    assert stack.copies(outcome.recipients) == []


@pytest.mark.threat("MTA-15")
def test_internationalised_sender(stack: Stack) -> None:
    """A sender beyond ASCII (RFC 6531) is taken as UTF-8 by log and results, and the mail arrives unchanged."""
    mail = message("alice@aligned.test", "Grüße").replace(b"Some Body", "Ålice".encode())
    outcome = stack.send(mail, GOOD, "älice@aligned.test", parameters="SMTPUTF8")
    assert (outcome.action, outcome.event["sender"]) == ("accept", "älice@aligned.test")
    assert stack.arrived(outcome).rest == mail
    assert "SMTPUTF8" in stack.delivered(outcome).parameters


@pytest.mark.threat("MTA-15")
@pytest.mark.parametrize("sender", [b"\xe4\xff@aligned.test", b'"a\\"b c"@aligned.test', b"a" * 64 + b"@aligned.test"])
def test_odd_senders(stack: Stack, sender: bytes) -> None:
    """Undecodable, quoted and long senders get an answer, a line in the log that is JSON, and no crash."""
    (recipient,) = stack.recipients()
    with SmtpClient(stack.postfix.port, STRANGER) as client:
        codes = [client.command(b"MAIL FROM:<" + sender + b">").code]
        if codes[0] == 250:
            codes.append(client.command(f"RCPT TO:<{recipient}>").code)
            client.command("DATA")
            client.send(PLAIN + b".\r\n")
            codes.append(client.reply().code)
    assert set(codes) <= {250, 500, 501, 550}
    if codes[-1] == 250:
        assert stack.event([recipient])["action"] in {"accept", "add_header", "quarantine"}


# --- sessions


def test_several_messages_in_one_session(stack: Stack) -> None:
    """Accepted, refused, held and accepted again over one connection: each is judged as if it were alone."""
    order = [PLAIN, EICAR, SPOOF, PLAIN, EICAR, PLAIN]
    with SmtpClient(stack.postfix.port, GOOD) as client:
        outcomes = [stack.send(mail, client=client) for mail in order]
        assert client.quit().code == 221
    actions = {PLAIN: "accept", EICAR: "reject", SPOOF: "quarantine"}
    assert [outcome.action for outcome in outcomes] == [actions[mail] for mail in order]
    assert len({outcome.event["id"] for outcome in outcomes}) == len(order)
    assert all(stack.arrived(outcome).rest == PLAIN for outcome in outcomes if outcome.action == "accept")


@pytest.mark.threat("MTA-07")
def test_reset(stack: Stack) -> None:
    """RSET after sender and recipients: nothing of that message is in the next one."""
    abandoned, *wanted = stack.recipients(2)
    with SmtpClient(stack.postfix.port, GOOD) as client:
        for path in ("MAIL FROM:<eve@bulk.test>", f"RCPT TO:<{abandoned}>", "RSET"):
            assert client.command(path).code == 250
        outcome = stack.send(PLAIN, recipients=wanted, client=client)
    assert (outcome.event["sender"], outcome.event["recipients"]) == ("alice@aligned.test", wanted)
    assert stack.event([abandoned]) == {}


@pytest.mark.threat("MTA-07")
def test_client_that_hangs_up(stack: Stack) -> None:
    """A client that goes away in the middle of its message leaves no verdict and no entry; the next one is served."""
    (recipient,) = stack.recipients()
    with SmtpClient(stack.postfix.port, STRANGER) as client:
        for command in ("MAIL FROM:<x@elsewhere.test>", f"RCPT TO:<{recipient}>", "DATA"):
            client.command(command)
        client.send(SPOOF[:100])
    assert stack.send(PLAIN).action == "accept"
    assert stack.event([recipient]) == {}


# --- replies


@pytest.mark.threat("MTA-21")
def test_format_characters(stack: Stack) -> None:
    """Per cent signs of a configured text reach the client as they are, and the 550 stays a 550."""
    outcome = stack.send(EICAR)
    told = str(outcome.sent.last)
    expected = re.escape("550 5.7.1 100% sure: %s %d %n %% refused, ask https://help.test/50%25 about ")
    assert re.fullmatch(expected + "[0-9A-Z]{10}", told)


@pytest.mark.threat("MTA-21")
@pytest.mark.parametrize("text", ["two\nlines", "a" * 2_000, "sorry \U0001f600", "abc\u202edef"])
def test_unsendable_texts(tmp_path: Path, text: str) -> None:
    """A text that is no single line of printable ASCII of that length is refused with the configuration."""
    path = tmp_path / "filterd.toml"
    path.write_text(f"[replies]\nreject = {json.dumps(text, ensure_ascii=False)}\n")
    with pytest.raises(ConfigError, match="reject: expected one line of printable ASCII"):
        load(path)

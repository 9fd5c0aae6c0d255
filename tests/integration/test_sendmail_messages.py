"""What a real Sendmail makes of odd headers, bodies and parameters, and what filterd makes of that."""

import hashlib
import time
from collections.abc import Iterator

import pytest

from tests.integration.test_postfix_envelope import PERCENT
from tests.integration.test_postfix_headers import ODD_BLOCKS, RAW_VALUES
from tests.support.process import wait_until
from tests.support.sendmail import Sendmail
from tests.support.sendmail_stack import SendmailStack
from tests.support.smtp import SmtpClient
from tests.support.stack import OURS
from tests.support.world import GOOD, STRANGER, eicar_zip, message, signed, with_attachment

PLAIN = message("alice@aligned.test", "Minutes")
EICAR = with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip())
RECEIVED = b"Received:"


@pytest.fixture(scope="module")
def stack() -> Iterator[SendmailStack]:
    """Sendmail before a filterd whose refusal is full of format characters."""
    with SendmailStack({"replies": {"reject": PERCENT, "contact": "https://help.test/50%25"}}) as running:
        yield running


@pytest.fixture(scope="module")
def long() -> Iterator[SendmailStack]:
    """The same with a limit for the header block that lets any field through."""
    with SendmailStack(changes=[("`60000'", "`500000'")]) as running:
        yield running


def unfiltered(stack: SendmailStack, mail: bytes) -> bytes:
    """The message as Sendmail delivers it where no milter edits it, below its Received field."""
    (recipient,) = stack.recipients()
    with stack.network.inside(), SmtpClient(Sendmail.release_port) as client:
        assert client.mail(mail, "alice@aligned.test", [recipient]).last.code == 250
    wait_until(lambda: stack.copies([recipient]), "the unfiltered copy")
    data = stack.copies([recipient])[0].data
    received, _, _ = data.partition(b"; ")
    assert received.startswith(RECEIVED)
    return data[data.index(b"\r\n", len(received)) + 2 :]


def added(mail: bytes) -> bytes:
    """The message below the Date and Message-Id fields that Sendmail gives to mail without them, behind its filters."""
    while mail.startswith((b"Date: ", b"Message-Id: ")):
        mail = mail.partition(b"\r\n")[2]
    return mail


# --- header fields


@pytest.mark.parametrize("size", [70_000, 200_000])
def test_a_header_beyond_the_limit(stack: SendmailStack, size: int) -> None:
    """A header block above the shipped limit is refused by Sendmail itself: the sender is told at once."""
    outcome = stack.send(message("alice@aligned.test", "Minutes", extra=f"X-Long: {'a' * size}\r\n"))
    assert (str(outcome.sent.last), outcome.event) == ("552 5.6.0 Headers too large (60000 max)", {})


@pytest.mark.threat("MTA-12")
@pytest.mark.parametrize(("size", "code"), [(59_000, 250), (65_000, 250), (65_536, 451), (70_000, 451)])
def test_fields_around_a_packet(long: SendmailStack, size: int, code: int) -> None:
    """A field that no milter packet can carry is deferred by F=T, one below is judged, and filterd serves on."""
    mail = message("alice@aligned.test", "Minutes", extra=f"X-Long: {'a' * size}\r\n")
    outcome = long.send(mail)
    assert outcome.code == code
    if code == 250:
        assert long.row(outcome).sha256 == hashlib.sha256(mail).hexdigest()
    assert long.send(PLAIN).action == "accept"


def test_many_fields(long: SendmailStack) -> None:
    """A thousand fields arrive in their order below ours."""
    mail = message("alice@aligned.test", "Minutes", extra="".join(f"X-{number}: {number}\r\n" for number in range(900)))
    assert long.arrived(long.send(mail)).rest == mail


@pytest.mark.threat("QUA-03")
def test_exact(stack: SendmailStack) -> None:
    """Blanks, tabs, folds, empty values, order and spelling of fields, dots and From lines of a body come through."""
    extra = "X-Odd:  two blanks\r\n\tand a tab \r\nX-None:\r\nX-Tab:\tx\r\nx-nospace:y\r\nX-Odd: again\r\n"
    mail = message("alice@aligned.test", "Minutes", "a  \r\n.\r\n..b\r\nFrom here\r\n\t\r\n\r\n", extra=extra)
    assert stack.arrived(stack.send(mail)).rest == mail


BARE = {"bare LF", "bare CR"}
HELD = {name for name, (_, action) in ODD_BLOCKS.items() if action == "quarantine"}
# Sendmail takes every mbox line that is followed by no field for the end of the header.
HELD_HERE = HELD | {"quoted mbox line", "two mbox lines"}


@pytest.mark.threat("MTA-14")
@pytest.mark.parametrize("name", sorted(ODD_BLOCKS.keys() - BARE))
def test_odd_blocks(stack: SendmailStack, name: str) -> None:
    """Where an odd header ends is decided as Sendmail decides for delivery; what has no author then is held."""
    mail, _ = ODD_BLOCKS[name]
    outcome = stack.send(mail)
    assert outcome.action == ("quarantine" if name in HELD_HERE else "accept")
    if outcome.action == "accept":
        assert added(stack.arrived(outcome).rest) == added(unfiltered(stack, mail))
        assert stack.row(outcome).sha256 == hashlib.sha256(added(unfiltered(stack, mail))).hexdigest()


@pytest.mark.threat("MTA-15")
@pytest.mark.parametrize("name", RAW_VALUES)
def test_raw_bytes_in_fields(stack: SendmailStack, name: str) -> None:
    """Bytes beyond ASCII in a header arrive as sent, and a signature over them verifies."""
    mail = signed(PLAIN.replace(b"Minutes", RAW_VALUES[name]), now=int(time.time()))
    outcome = stack.send(mail)
    arrived = stack.arrived(outcome)
    assert arrived.rest == mail
    assert b"dkim=pass header.d=aligned.test" in arrived.value("Authentication-Results")


@pytest.mark.threat("MTA-13")
def test_nul_in_a_field(stack: SendmailStack) -> None:
    """Sendmail takes a NUL out of a field for us as for the reader: what stands behind it is seen by both."""
    mail = PLAIN.replace(b"<user@local.test>", b"<user@local.test>\0, <ceo@strict.test>")
    outcome = stack.send(mail)
    assert outcome.action == "accept"
    without = mail.replace(b"\0", b"")
    assert stack.arrived(outcome).rest == without
    assert stack.row(outcome).sha256 == hashlib.sha256(without).hexdigest()


@pytest.mark.threat("MTA-13")
def test_nul_in_a_text(stack: SendmailStack) -> None:
    """A NUL in a text part is ambiguous and held."""
    outcome = stack.send(PLAIN.replace(b"morning", b"mor\0ning"))
    assert (outcome.action, outcome.event["code"]) == ("quarantine", "ambiguous-encoding")


# --- what we put on top


@pytest.mark.threat("AR-01")
def test_forged_results(stack: SendmailStack) -> None:
    """Of ten fields, five in our name and five of others in turn, exactly the others are left below ours."""
    others = [b"Authentication-Results: other%d.test; spf=pass\r\n" % number for number in range(5)]
    forged = b"".join(b"Authentication-Results: MX.filterd.test; dmarc=pass\r\n" + other for other in others)
    arrived = stack.arrived(stack.send(forged + PLAIN))
    assert arrived.rest == b"".join(others) + PLAIN
    assert [name for name, _ in arrived.ours] == ["authentication-results", "x-filterd-id", "x-filterd-score"]


@pytest.mark.threat("AR-03")
def test_forged_namespace(stack: SendmailStack) -> None:
    """Fields of our namespace go, wherever they stand; those of others stay."""
    own = b"X-Filterd-Score: -99 accept\r\nx-filterd-released: yes\r\nX-Spam-Flag: NO\r\nX-FILTERD-Id: 1\r\n"
    others = b"X-Spam-Status: No\r\nReceived-SPF: pass\r\n"
    arrived = stack.arrived(stack.send(own + others + PLAIN.replace(b"Date:", own + b"Date:")))
    assert arrived.rest == others + PLAIN


@pytest.mark.threat("MTA-22")
@pytest.mark.parametrize("count", [0, 1, 50])
def test_ours_on_top(stack: SendmailStack, count: int) -> None:
    """Our fields stand above Sendmail's own Received field; one blank behind each colon, lines below 79."""
    mail = message("alice@aligned.test", "Minutes", extra="".join(f"X-{n}: {n}\r\n" for n in range(count)))
    delivered = stack.delivered(stack.send(mail))
    assert tuple(name.lower() for name, _ in delivered.fields[:4]) == (*OURS[:3], b"received")
    lines = b"".join(name + b":" + value + b"\r\n" for name, value in delivered.fields[:3]).split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert all(value[:1] == b" " != value[1:2] for _, value in delivered.fields[:3])


@pytest.mark.threat("MTA-21")
def test_format_characters(stack: SendmailStack) -> None:
    """Per cent signs of a configured text reach the client as they are, and the 550 stays a 550."""
    told = str(stack.send(EICAR).sent.last)
    assert told.startswith("550 5.7.1 100% sure: %s %d %n %% refused, ask https://help.test/50%25 about ")


# --- bodies and parameters


@pytest.mark.threat("MTA-25")
@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r"])
def test_false_ends(stack: SendmailStack, end: bytes) -> None:
    """A bare line end closes the session with 421: no second message can hide behind it."""
    (recipient,) = stack.recipients()
    with stack.client(STRANGER) as client:
        for command in ("MAIL FROM:<x@elsewhere.test>", f"RCPT TO:<{recipient}>", "DATA"):
            client.command(command)
        client.send(PLAIN + b"x" + end + b"MAIL FROM:<e@evil.test>\r\n.\r\n")
        assert client.reply().code == 421
    stack.sendmail.wait_empty()
    assert (stack.copies([recipient]), stack.event([recipient])) == ([], {})


@pytest.mark.threat("MTA-16")
def test_cut_character(stack: SendmailStack) -> None:
    """A body of several chunks arrives byte for byte, and its signature holds."""
    text = "é" * 33 + "\r\n"
    mail = signed(message("alice@aligned.test", "Minutes", text * 3_000 + "x" + text * 3_000), now=int(time.time()))
    arrived = stack.arrived(stack.send(mail, parameters="BODY=8BITMIME"))
    assert arrived.rest == mail
    assert b"dkim=pass" in arrived.value("Authentication-Results")


@pytest.mark.parametrize("parameters", ["", "BODY=8BITMIME"])
def test_eight_bits(stack: SendmailStack, parameters: str) -> None:
    """Eight-bit text arrives as sent, declared (RFC 6152) or not; the declaration goes on with it."""
    mail = PLAIN.replace(b"morning", "mörning".encode())
    outcome = stack.send(mail, parameters=parameters)
    assert stack.arrived(outcome).rest == mail
    assert stack.delivered(outcome).parameters == ((parameters,) if parameters else ())


def test_notifications(stack: SendmailStack) -> None:
    """What a sender asks of delivery reports (RFC 3461) is left to Sendmail and the next host."""
    outcome = stack.send(PLAIN, parameters="RET=HDRS ENVID=abc")
    assert set(stack.delivered(outcome).parameters) == {"ENVID=abc", "RET=HDRS"}
    assert stack.row(outcome).sha256 == hashlib.sha256(PLAIN).hexdigest()


@pytest.mark.threat("MTA-19")
def test_recipient_parameters(stack: SendmailStack) -> None:
    """Parameters of RCPT are not taken for a part of the address, in the log as in the quarantine."""
    (recipient,) = stack.recipients()
    mail = message("ceo@strict.test", "Urgent transfer")
    with stack.client(STRANGER) as client:
        client.command("MAIL FROM:<x@elsewhere.test>")
        client.command(f"RCPT TO:<{recipient}> NOTIFY=NEVER ORCPT=rfc822;{recipient}")
        client.command("DATA")
        client.send(mail + b".\r\n")
        assert client.reply().code == 250
    event = stack.event([recipient])
    assert event["action"] == "quarantine"


@pytest.mark.threat("MTA-15")
def test_internationalised_sender(stack: SendmailStack) -> None:
    """Sendmail without EAI refuses SMTPUTF8 (RFC 6531) itself, and the next message of the session is served."""
    with stack.client(GOOD) as client:
        refused = stack.send(PLAIN, sender="älice@aligned.test", parameters="SMTPUTF8", client=client)
        assert (refused.code, refused.sent.stage, refused.event) == (555, "MAIL", {})
        assert stack.send(PLAIN, client=client).action == "accept"


@pytest.mark.threat("MTA-17")
@pytest.mark.parametrize("count", [1, 50])
def test_null_sender(stack: SendmailStack, count: int) -> None:
    """A bounce is not refused for having no sender; SPF then judges the HELO name (RFC 7208, section 2.4)."""
    outcome = stack.send(PLAIN, STRANGER, "", recipients=count)
    assert outcome.code == 250
    results = stack.arrived(outcome).value("Authentication-Results").decode()
    assert f"smtp.mailfrom=postmaster@{STRANGER.helo}" in results

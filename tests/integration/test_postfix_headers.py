"""Headers as a real Postfix hands them over: long, odd and forged ones, and ours on top of them."""

import hashlib
import sys
import time
from collections.abc import Iterator

import pytest

from filterd.mime.header import split
from filterd.model.message import header_block
from tests.support.miltertalk import HDR_LEADSPC, Mail, Offer, Session
from tests.support.postfix import Postfix
from tests.support.process import Process, open_folder, wait_until
from tests.support.smtp import send
from tests.support.stack import Stack
from tests.support.world import message, signed

PLAIN = message("alice@aligned.test", "Minutes")
LIMIT = 60_000  # bytes of one header field that Postfix keeps while a milter is on

# Another milter, asked before ours: puts a field above Postfix' own Received field where the message asks for it.
OTHER = """
import os, sys, Milter
class Other(Milter.Base):
    wanted = False
    def header(self, name, value):
        self.wanted = self.wanted or name == "X-Insert"
        return Milter.CONTINUE
    def eom(self):
        if self.wanted:
            self.addheader("X-Other", "inserted above", 0)
        return Milter.CONTINUE
os.umask(0)
Milter.factory = Other
Milter.set_flags(Milter.ADDHDRS)
Milter.runmilter("other", sys.argv[1], 30)
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Postfix with another milter in front of filterd."""
    with open_folder() as folder:
        path = folder / "other.sock"
        other = Process([sys.executable, "-c", OTHER, f"unix:{path}"], folder / "log")
        wait_until(path.exists, "the other milter's socket")
        with Stack(postfix={"smtpd_milters": f"unix:{path} {{filterd}}"}) as running:
            yield running
        other.kill()


def unfiltered(stack: Stack, mail: bytes) -> bytes:
    """The message as Postfix delivers it where no milter edits it, below Postfix' Received field."""
    (recipient,) = stack.recipients()
    assert send(stack.postfix.release_port, mail, "alice@aligned.test", [recipient]).last.code == 250
    wait_until(lambda: stack.copies([recipient]), "the unfiltered copy")
    data = stack.copies([recipient])[0].data
    received, _, _ = data.partition(b"; ")
    assert received.startswith(b"Received:")
    return data[data.index(b"\r\n", len(received)) + 2 :]


# --- what we are handed


@pytest.mark.threat("MTA-11")
def test_a_field_below_the_limit(stack: Stack) -> None:
    """A field of 59 kB is accepted and arrives whole."""
    mail = message("alice@aligned.test", "Minutes", extra=f"X-Long: {'a' * 59_000}\r\n")
    outcome = stack.send(mail)
    assert outcome.action == "accept"
    assert stack.arrived(outcome).rest == mail


@pytest.mark.threat("MTA-11")
@pytest.mark.parametrize("size", [70_000, 200_000])
def test_a_field_beyond_the_limit(stack: Stack, size: int) -> None:
    """Postfix cuts a longer field silently: the message gets a verdict, is flagged as not read whole, and is held."""
    mail = message("alice@aligned.test", "Minutes", extra=f"X-Long: {'a' * size}\r\n")
    outcome = stack.send(mail)
    assert (outcome.code, outcome.action, outcome.event["code"]) == (250, "quarantine", "unscannable-header")
    (entry,) = stack.held(outcome)
    assert max(len(name) + len(value) for name, value in split(stack.raw(entry))[0]) <= LIMIT


@pytest.mark.threat("MTA-11")
@pytest.mark.parametrize(("domain", "action"), [("d.test", "accept"), ("a-long-domain.test", "quarantine")])
def test_many_addresses(stack: Stack, domain: str, action: str) -> None:
    """A To field of 2,200 addresses gets a verdict: accepted whole below the limit, held where Postfix cut it."""
    to = ",\r\n ".join(f"user{number}@{domain}" for number in range(2_200))
    mail = PLAIN.replace(b"To: <user@local.test>", f"To: {to}".encode())
    outcome = stack.send(mail)
    assert (outcome.code, outcome.action) == (250, action)
    assert "MANY_RECIPIENTS" in outcome.symbols
    assert (stack.kept(outcome) == mail) is (action == "accept")


ODD_BLOCKS = {
    "name beyond ASCII": (PLAIN.replace(b"Date:", b"X-\xe4: x\r\nDate:"), "accept"),
    "line without colon": (PLAIN.replace(b"Date:", b"no colon here\r\nDate:"), "accept"),
    "blank before the colon": (PLAIN.replace(b"Subject:", b"Subject :"), "accept"),
    "tab before the colon": (PLAIN.replace(b"Subject:", b"Subject\t:"), "accept"),
    "mbox line": (b"From alice Mon Nov 23 10:00:00 2026\r\n" + PLAIN, "accept"),
    "quoted mbox line": (b">From alice Mon Nov 23 10:00:00 2026\r\n" + PLAIN, "accept"),
    "two mbox lines": (b"From a 2026\r\n>>From b 2026\r\n" + PLAIN, "accept"),
    "folded mbox line": (b"From a 2026\r\n folded\r\n" + PLAIN, "quarantine"),
    "quoted From field": (b">From: ceo@strict.test\r\n" + PLAIN, "accept"),
    "From with a blank on top": (PLAIN.replace(b"From:", b"From :"), "quarantine"),
    "folded first line": (b" folded\r\n" + PLAIN, "quarantine"),
    "colon on the next line": (PLAIN.replace(b"From:", b"From\r\n :"), "quarantine"),
    "no header": (b"\r\nbody\r\n", "quarantine"),
    "whitespace line": (PLAIN.replace(b"Date:", b" \t \r\nDate:"), "accept"),
    "bare LF": (PLAIN.replace(b"Minutes\r\n", b"Minutes\n"), "accept"),
    "bare CR": (PLAIN.replace(b"Date:", b"X-A: b\rX-B: c\r\nDate:"), "accept"),
}


@pytest.mark.threat("MTA-14")
@pytest.mark.parametrize("name", ODD_BLOCKS)
def test_odd_blocks(stack: Stack, name: str) -> None:
    """Where an odd header ends is decided as Postfix decides for delivery, by the daemon and by `scan` alike."""
    mail, action = ODD_BLOCKS[name]
    expected = unfiltered(stack, mail)
    outcome = stack.send(mail)
    assert outcome.action == action
    assert stack.kept(outcome) == expected
    assert stack.row(outcome).sha256 == hashlib.sha256(expected).hexdigest()
    if b"\n" not in mail.replace(b"\r\n", b"") and b"\r" not in mail.replace(b"\r\n", b""):
        fields, end = split(mail)
        assert header_block(fields) + mail[end:] == expected


@pytest.mark.threat("MTA-13")
def test_nul_in_a_field(stack: Stack) -> None:
    """A NUL cuts a field, for us as in the delivered mail: what stands behind it reaches nobody."""
    mail = PLAIN.replace(b"<user@local.test>", b"<user@local.test>\0, <ceo@strict.test>")
    outcome = stack.send(mail)
    assert outcome.action == "accept"
    assert stack.arrived(outcome).rest == PLAIN
    assert stack.row(outcome).sha256 == hashlib.sha256(PLAIN).hexdigest()


@pytest.mark.threat("MTA-13")
def test_nul_in_a_text(stack: Stack) -> None:
    """A NUL in a text part, where a mail program may stop or go on, is ambiguous and held."""
    outcome = stack.send(PLAIN.replace(b"morning", b"mor\0ning"))
    assert (outcome.action, outcome.event["code"]) == ("quarantine", "ambiguous-encoding")


@pytest.mark.threat("MTA-13")
def test_nul_refused_by_postfix(stack: Stack) -> None:
    """With message_reject_characters, as deploy/postfix has it, a NUL is refused and nothing of it is kept."""
    settings = {"message_reject_characters": "\\0"}
    with Postfix(
        stack.folder / "strict", sink_port=stack.sink.port, milter=stack.filterd.milter, settings=settings
    ) as postfix:
        (recipient,) = stack.recipients()
        sent = send(postfix.port, PLAIN.replace(b"morning", b"mor\0ning"), "alice@aligned.test", [recipient])
        postfix.wait_empty()
    assert sent.last.code == 550
    assert stack.copies([recipient]) == []


RAW_VALUES = {
    "Latin-1": b"Gr\xfc\xdfe",
    "UTF-8": "Grüße €".encode(),
    "invalid UTF-8": b"\xc3\x28 \xf8\x88\x80\x80 \xff",
}


@pytest.mark.threat("MTA-15")
@pytest.mark.parametrize("name", RAW_VALUES)
def test_raw_bytes_in_fields(stack: Stack, name: str) -> None:
    """Bytes beyond ASCII in a header arrive as sent, and a signature over them verifies."""
    mail = signed(PLAIN.replace(b"Minutes", RAW_VALUES[name]), now=int(time.time()))
    outcome = stack.send(mail)
    arrived = stack.arrived(outcome)
    assert arrived.rest == mail
    assert b"dkim=pass header.d=aligned.test" in arrived.value("Authentication-Results")


# --- what we put on top


@pytest.mark.threat("AR-01")
def test_forged_results(stack: Stack) -> None:
    """Of ten fields, five in our name and five of others in turn, exactly the others are left below ours."""
    others = [b"Authentication-Results: other%d.test; spf=pass\r\n" % number for number in range(5)]
    forged = b"".join(b"Authentication-Results: MX.filterd.test; dmarc=pass\r\n" + other for other in others)
    arrived = stack.arrived(stack.send(forged + PLAIN))
    assert arrived.rest == b"".join(others) + PLAIN
    assert [name for name, _ in arrived.ours] == ["authentication-results", "x-filterd-id", "x-filterd-score"]


@pytest.mark.threat("AR-03")
def test_forged_namespace(stack: Stack) -> None:
    """Fields of our namespace go, wherever they stand; those of others, which we do not vouch for, stay."""
    own = b"X-Filterd-Score: -99 accept\r\nx-filterd-released: yes\r\nX-Spam-Flag: NO\r\nX-FILTERD-Id: 1\r\n"
    others = b"X-Spam-Status: No\r\nReceived-SPF: pass\r\nOld-Authentication-Results: mx.filterd.test; spf=pass\r\n"
    arrived = stack.arrived(stack.send(own + others + PLAIN.replace(b"Date:", own + b"Date:")))
    assert arrived.rest == others + PLAIN


@pytest.mark.threat("MTA-22")
@pytest.mark.parametrize("extra", ["", "X-Insert: yes\r\n", "".join(f"X-{n}: {n}\r\n" for n in range(50))])
def test_ours_on_top(stack: Stack, extra: str) -> None:
    """Our results stand above all else, also above a field another milter put on top; one blank, lines below 79."""
    mail = message("alice@aligned.test", "Minutes", extra=extra)
    delivered = stack.delivered(stack.send(mail))
    name, value = delivered.fields[0]
    assert (name, value.split(b";")[0]) == (b"Authentication-Results", b" mx.filterd.test")
    assert (delivered.fields[3] == (b"X-Other", b" inserted above")) is ("Insert" in extra)
    assert max(map(len, (name + b":" + value).split(b"\r\n"))) <= 78
    assert all(name_value[1][:1] == b" " != name_value[1][1:2] for name_value in delivered.fields[:3])


@pytest.mark.threat("MTA-22")
@pytest.mark.parametrize("leading", [True, False])
def test_the_blank_is_ours_to_give(stack: Stack, leading: bool) -> None:  # noqa: FBT001  # a parametrized value
    """The blank behind the colon comes from us exactly where the MTA agreed to add none."""
    steps = Offer().steps if leading else Offer().steps & ~HDR_LEADSPC
    with Session(stack.filterd.listen, Offer(steps=steps)) as session:
        session.connect(address="192.0.2.10")
        session.helo("mail.aligned.test")
        mail = Mail("<alice@aligned.test>", ["<u@local.test>"], [(b"From", b" alice@aligned.test")], b"x\r\n")
        (_, name, value), *_ = session.message(mail).added
    assert name == b"Authentication-Results"
    assert value.startswith(b" mx.filterd.test" if leading else b"mx.filterd.test")

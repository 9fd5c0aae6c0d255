"""Held messages for the tests: evidence with every field filled, and bodies behind descriptors."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from filterd.model.authentication import (
    ArcFacts,
    ArcResult,
    ArcStatus,
    ArcVoucher,
    DkimResult,
    DkimStatus,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    IprevResult,
    IprevStatus,
    ReportedResult,
    SignatureFacts,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.custody import Evidence, JournalRow
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.model.ids import new_id
from filterd.model.inspection import Author, Inspection, Mailbox, PartFacts, RuleHit
from filterd.model.message import HeaderField, RawMessage, header_block
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.session import Client, Envelope, Recipient
from filterd.model.verdict import Action, ScoredSymbol, SmtpReply, Verdict

FIELDS: tuple[HeaderField, ...] = (
    (b"Received", b" from a.test\r\n\tby b.test"),
    (b"Subject", b" Your invoice \xe4"),
    (b"From", b"no blank"),
)
BODY = b"line\r\n\xff\0 bare\rCR and bare\nLF without an end"
NOW = 1_700_000_000.0


@contextmanager
def raw(body: bytes = BODY, fields: tuple[HeaderField, ...] = FIELDS) -> Iterator[RawMessage]:
    """A message whose body lies in a memfd, as a front has it."""
    descriptor = os.memfd_create("body", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, body)
        yield RawMessage(fields, descriptor, len(body))
    finally:
        os.close(descriptor)


def whole(body: bytes = BODY, fields: tuple[HeaderField, ...] = FIELDS) -> bytes:
    """The raw bytes of that message."""
    return header_block(fields) + body


def identifier(number: int = 0) -> str:
    """Ids that sort like their numbers."""
    return new_id(NOW + number, bytes(10))


def evidence(  # keywords for what tests vary
    number: int = 0,
    data: bytes | None = None,
    *,
    sender: str = "sender@a.test",
    subject: str = "Your invoice",
    score: float = 12.5,
    recipients: tuple[str, ...] = ("to@b.test",),
) -> Evidence:
    """Evidence for the message of these raw bytes."""
    content = whole() if data is None else data
    return Evidence(
        id=identifier(number),
        received=NOW + number,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        client=Client("192.0.2.7", 4711, "mail.a.test"),
        helo="mail.a.test",
        envelope=Envelope(sender, tuple(Recipient(address, f"<{address}>") for address in recipients), ("SIZE=100",)),
        trust="stranger",
        macros={"i": "4BxQ", "{auth_type}": ""},
        answers=(Answer(Question("a.test", RRType.TXT), AnswerStatus.NOERROR, ("v=spf1 -all",), 300, received=NOW),),
        inspection=Inspection(
            author=Author((Mailbox("ceo", "a.test", "The \x1b[2J CEO"),), "two fields"),
            signatures=(
                SignatureFacts("a.test", "s1", "rsa-sha256", header_digest=bytes(range(32)), signature=b"\xff"),
            ),
            parts=(
                PartFacts("1.2/x.exe", "application/zip", "application/x-dosexec", "x.exe", 5, "ab", 2, rules=("R",)),
            ),
            hits=(
                RuleHit("Rule", "malware", "YARA_MALWARE", "1.2", ("$a",), {"score": 5, "author": "x", "live": True}),
            ),
            findings=(Finding("EICAR", ("1.2",)),),
            subject=subject,
            ms={"mime": 0.5},
            arc=ArcFacts(
                None, instance=1, seals=(SignatureFacts("l.test", "s", "rsa-sha256"),), results=(b" i=1\xff",)
            ),
        ),
        reports=(
            CheckReport(
                "spf",
                Outcome.OK,
                (Finding("SPF_FAIL", ("-all",)),),
                (SpfResult(SpfStatus.FAIL, "a.test", SpfScope.MAILFROM, "-all"),),
                ms=1.5,
            ),
            CheckReport("dkim", Outcome.OK, auth_results=(DkimResult(DkimStatus.PASS, "a.test", "s1", key_bits=2048),)),
            CheckReport(
                "dmarc",
                Outcome.UNKNOWN,
                auth_results=(DmarcResult(DmarcStatus.FAIL, "a.test", policy=DmarcPolicy.REJECT, spf_aligned=True),),
                cause="tempfail",
            ),
            CheckReport("iprev", Outcome.OK, auth_results=(IprevResult(IprevStatus.PASS, "192.0.2.7", "mail.a.test"),)),
            CheckReport(
                "arc",
                Outcome.OK,
                auth_results=(
                    ArcResult(
                        ArcStatus.PASS,
                        1,
                        ("l.test",),
                        oldest_pass=0,
                        trusted=True,
                        vouchers=(ArcVoucher(1, "l.test", (ReportedResult("dmarc", "pass", (("a.b", "\udcff"),)),)),),
                    ),
                ),
            ),
        ),
        verdict=Verdict(
            Action.QUARANTINE,
            "score",
            "the score reached 10",
            score,
            (ScoredSymbol(Finding("SPF_FAIL"), "spf", 5.0, 1.0),),
            SmtpReply(451, "4.7.1", "later"),
            Action.REJECT,
        ),
        config_id="c1",
        rule_set="r1",
        state={"poison": "0"},
        queue_id="4BxQ",
    )


def journal_row(number: int = 0, **changed: object) -> JournalRow:
    """A row, `changed` fields apart."""
    values: dict[str, object] = {
        "id": identifier(number),
        "received": NOW + number,
        "action": "accept",
        "code": "clean",
        "score": 0.5,
        "client": "192.0.2.7",
        "helo": "mail.a.test",
        "sender": "sender@a.test",
        "recipients": ("to@b.test", "cc@b.test"),
        "header_from": "sender@a.test",
        "subject": "Hello",
        "message_id": "<1@a.test>",
        "queue_id": "4BxQ",
        "size": 1234,
        "sha256": "ab" * 32,
        "symbols": ("SPF_PASS=-0.1",),
        "ms": 12.5,
    }
    return JournalRow(**(values | changed))  # type: ignore[arg-type]  # tests name real fields

"""What block lists are asked about. Invariant: any bytes give names that can be asked, few of them, or none.

Received fields, signatures, e-mail addresses and links are written by whoever sends the message; what is made of them
goes to strangers. So nothing private may be among it, and nothing that is not in the shape of its kind.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest

from filterd.checks.dkimbl import DkimblCheck
from filterd.checks.uribl import UriblCheck
from filterd.dns.fake import FakeResolver
from filterd.dns.names import askable
from filterd.dns.plans import complete
from filterd.dnsbl import Subject, Zone, interpret, load_zones
from filterd.dnsbl.zones import HASHES
from filterd.heuristics.mentioned import mentioned
from filterd.mime.address import read_author
from filterd.model.authentication import DkimResult, DkimStatus
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.model.inspection import Author, Inspection
from filterd.model.message import HeaderField
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Envelope
from tests.checks.views import FakeView
from tests.fuzz.engine import Target, fuzz

SHIPPED: Final = load_zones(Path(__file__).parents[2] / "rules" / "dnsbl.toml", disabled=True)
MOST: Final = 600  # questions about one message to all shipped lists, enabled or not, each about all it could be
SEEDS: Final = (
    b" from mx.a.example (mx.a.example [198.51.100.7])\r\n\tby mx.b.example with ESMTPS id 4X; Mon, 2 Nov 2026",
    b" from [192.168.1.5] (unknown [IPv6:2001:db8::1]) by b (helo=[10.0.0.1])",
    b' "Anna" <anna+shop@gmail.com>, bob@xn--mller-kva.example (comment), <@route:eve@box.example>',
    b" v=1; a=rsa-sha256; d=mail.relay.example; s=sel; h=from:to; bh=x; b=y",
    b"mailto:anna%40box.example?cc=bob@box.example write to drop@box.example or 203.0.113.9, www.link.example",
)
TOKENS: Final = (
    b"@",
    b"[",
    b"]",
    b"(",
    b")",
    b"<",
    b">",
    b"\0",
    b"\xff\xfe",
    b"\xc3\xa4",
    b"..",
    b"::ffff:10.0.0.1",
    b"127.0.0.1",
    b"x" * 64,
    b"xn--",
    b" by ",
    b"mailto:",
    b"%40",
    b"d=",
    b"\r\n\t",
    b"+",
)


@dataclass(frozen=True)
class View(FakeView):
    """A message whose every field says the same bytes."""

    fields: list[HeaderField] = field(default_factory=list)


def everything(zone: Zone) -> Zone:
    """The list, asked about all that its kind of list can be asked about."""
    hashed = bool(zone.subjects & HASHES)
    return replace(
        zone, subjects=frozenset(HASHES if hashed else frozenset(Subject) - HASHES), zone=f"{zone.name}.test"
    )


ZONES: Final = tuple([everything(zone) for zone in SHIPPED])
URIBL: Final = UriblCheck(ZONES)
DKIMBL: Final = DkimblCheck(ZONES)


def check(data: bytes) -> None:
    """Ask about a message made of these bytes, and look at what was asked."""
    text = data.decode("utf-8", "replace")
    words = tuple(text.split())
    author = read_author((data,))
    facts = Inspection(
        Author(author.mailboxes, author.ambiguous), hosts=words, addresses=mentioned(data, words, [text])
    )
    results = tuple([DkimResult(DkimStatus.PASS, word, "s") for word in words[:8]])
    view = View(
        fields=[(b"Received", data), (b"DKIM-Signature", data)] * 20,
        helo=text,
        envelope=Envelope(text),
        inspection=facts,
        reports={"dkim": CheckReport("dkim", Outcome.OK, auth_results=results)},
    )
    resolver = FakeResolver()
    for one in (URIBL, DKIMBL):
        for stage in (Stage.MAIL, Stage.HEADERS):
            plan = one.foresee(view, stage)
            if plan is not None:
                complete(plan, resolver.lookup)
        report = complete(one.run(view), resolver.lookup)
        assert all(len(line) <= 200 for found in report.findings for line in found.evidence)
    asked = {question.name for question in resolver.asked}
    assert len(asked) <= MOST
    for name in asked:
        assert askable(name), name
        assert name == name.lower()
        assert not name.startswith(("1.0.0.127.", "1.0.0.10.", "5.1.168.192.")), name


def believed(data: bytes) -> None:
    """Whatever a list answers, only what it declares is a hit."""
    records = tuple([line.decode("latin-1") for line in data.splitlines()]) or ("",)
    for zone in ZONES:
        for subject in (None, *Subject):
            answer = Answer(Question("x.test", RRType.A), AnswerStatus.NOERROR, records)
            found = interpret(zone, answer, subject)
            assert bool(found.symbols) == (found.status == "hit")
            if found.symbols:
                assert not any(record.startswith("127.255.255.") or not record.startswith("127.") for record in records)


@pytest.mark.threat("DNS-04")
@pytest.mark.threat("DNS-07")
def test_any_message() -> None:
    """The invariant over what is asked."""
    fuzz(Target("lists", check, SEEDS, TOKENS, runs=250, largest=4_000))


@pytest.mark.threat("DNS-02")
def test_any_answer() -> None:
    """The invariant over what is believed."""
    seeds = (b"127.0.0.2", b"127.0.0.72\n127.0.1.2", b"127.255.255.254", b"127.0.0.1", b"127.0.3.10\n10.0.0.1")
    tokens = (b"127.", b"0.", b"255.255.", b"\n", b"2", b"10", b"1", b"::1")
    fuzz(Target("list-answers", believed, seeds, tokens, runs=400, largest=200))

"""Facts that fit a frame."""

import pytest

from filterd.inspection.fitting import encode_fitting
from filterd.ipc.frames import MAX_FRAME
from filterd.ipc.messages import decode_facts
from filterd.mime.symbols import finding
from filterd.model.inspection import Author, Inspection, Mailbox, PartFacts, RuleHit

LONG = "\U0001f4a9" * 300
PART = PartFacts(LONG, LONG, "text", LONG, 1, "0" * 64, 1, rules=(LONG,) * 50)
HIT = RuleHit("rule", "file", "YARA_A", LONG, (LONG,) * 3, {"description": LONG})


def test_facts_of_usual_size_are_sent_as_they_are() -> None:
    """Nothing is taken away that has room."""
    facts = Inspection(parts=(PART,) * 10, hits=(HIT,) * 10, urls=("http://x.test/",))
    assert decode_facts(encode_fitting(facts)) == facts


@pytest.mark.parametrize(
    "facts",
    [
        Inspection(parts=(PART,) * 2_100),
        Inspection(hits=(HIT,) * 2_000),
        Inspection(hosts=("x" * 250,) * 20_000),
        Inspection(urls=("x" * 2_000,) * 10_240),
        Inspection(findings=tuple(finding(f"S{n}", LONG, LONG, LONG, LONG) for n in range(5_000))),
        Inspection(author=Author((Mailbox("a", "b", LONG * 100),) * 100)),
        Inspection(problems=(LONG,) * 5_000),
    ],
    ids=["parts", "hits", "hosts", "urls", "findings", "mailboxes", "problems"],
)
def test_facts_that_are_too_long_are_cut_and_say_so(facts: Inspection) -> None:
    """A message made to produce them is unscannable at once, instead of ending an inspector twice."""
    payload = encode_fitting(facts)
    assert len(payload) <= MAX_FRAME
    assert decode_facts(payload).findings[0].symbol == "UNSCANNABLE_SIZE"


def test_one_of_each_kind_survives_the_cut() -> None:
    """What a verdict hangs on is the symbols: none is lost to a thousand copies of another."""
    hits = (*[HIT] * 2_000, RuleHit("last", "file", "YARA_LAST", "1"))
    findings = (*[finding("A", LONG, str(n)) for n in range(2_000)], finding("LAST"))
    facts = decode_facts(encode_fitting(Inspection(hits=hits, findings=findings)))
    assert [hit.symbol for hit in facts.hits] == ["YARA_A", "YARA_LAST"]
    assert [found.symbol for found in facts.findings] == ["UNSCANNABLE_SIZE", "A", "LAST"]

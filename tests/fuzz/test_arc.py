"""ARC chains. Invariant: any header and body are settled facts with a plain reason, or facts that are complete.

A chain that passes is one that was sealed: its fields, the From field and the body differ from a sealed message's in
nothing but white space, case of field names, and order.
"""

import random
import re
from collections import Counter
from dataclasses import replace
from typing import Final

import pytest

from filterd.arc import MAX_SETS, Verified, evaluate, prepare, vouched
from filterd.dkim.canonical import BodyForm, body_hashes
from filterd.dkim.tags import without_value
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.mime.header import split
from filterd.model.authentication import ArcFacts, ArcStatus
from tests.arc.chains import ARC, LIST, MESSAGE, RECORDS, craft, seal
from tests.fuzz.engine import MUTATIONS, Target, fuzz
from tests.support.signing import SIGNED_AT

WORD: Final = re.compile(r"[ -~]{0,400}")
RELAXED: Final = BodyForm(relaxed=True, limit=None)
SEALERS: Final = (LIST, "forward.example", "relay.example")
# With every chain all shorter ones: a mutant may have lost its newest sets.
SEEDS: Final = (
    MESSAGE,
    seal(MESSAGE, LIST),
    seal(MESSAGE, LIST, "forward.example"),
    *[seal(MESSAGE, *SEALERS[:number], results="spf=pass (x) smtp.mailfrom=a@b.test") for number in (1, 2, 3)],
    craft(MESSAGE, message_tags={"c": "simple/simple"}),
    craft(craft(MESSAGE, message_tags={"c": "simple/simple"}), message_tags={"l": "3"}),
    craft(MESSAGE, seal_tags={"cv": "fail"}),
)
TOKENS: Final = (
    b"ARC-Seal:",
    b"ARC-Message-Signature:",
    b"ARC-Authentication-Results:",
    b"arc-seal :",
    b"From: x@evil.test\r\n",
    b"\r\n",
    b"\r\n ",
    b" ",
    b"\t",
    b";",
    b"=",
    b":",
    b"i=1;",
    b"i=2;",
    b"i=50;",
    b"i=51;",
    b"i=0;",
    b"cv=none",
    b"cv=pass",
    b"cv=fail",
    b"a=rsa-sha256",
    b"a=rsa-sha1",
    b"d=list.example",
    b"d=(.x",
    b"h=",
    b"h=from:arc-seal",
    b"l=0",
    b"l=9",
    b"x=1",
    b"b=",
    b"bh=",
    b"c=simple",
    b"\0",
    b"\xff",
)


def check(message: bytes) -> None:
    """Prepare the message, and judge what has come of it."""
    fields, start = split(message)
    body = message[start:]
    facts = prepare(fields, body, now=SIGNED_AT)
    assert WORD.fullmatch(facts.reason)
    assert 0 <= facts.instance <= MAX_SETS
    if facts.status is None:
        assert facts.message is not None
        assert 1 <= facts.instance == len(facts.seals) == len(facts.results)
    else:
        assert facts.status is not ArcStatus.PASS
        assert (facts.status is ArcStatus.FAIL) is bool(facts.reason)
    found = complete(evaluate(facts), FakeResolver(txt=RECORDS).lookup)
    assert isinstance(found, Verified)
    result = vouched(found, facts, [LIST, "forward.example"])
    if result.status is ArcStatus.PASS:
        assert essence(fields) in KNOWN
        if facts.whole:
            assert authors(fields) == AUTHORS
            assert body_hashes(body, [RELAXED])[RELAXED] == BODY
    assert not result.trusted or facts.whole
    assert settled(facts) or result.status is not ArcStatus.NONE


def settled(facts: ArcFacts) -> bool:
    """Whether no key was needed."""
    return facts.status is not None


def essence(fields: tuple[tuple[bytes, bytes], ...]) -> frozenset[tuple[bytes, int]]:
    """The chain's fields without white space and signatures, whatever their order."""
    kept = [
        name.lower() + b":" + re.sub(rb"\s", b"", without_value(value, b"b"))
        for name, value in fields
        if name.lower() in ARC
    ]
    return frozenset(Counter(kept).items())


def authors(fields: tuple[tuple[bytes, bytes], ...]) -> list[bytes]:
    """The From fields without white space."""
    return [re.sub(rb"\s", b"", value) for name, value in fields if name.lower() == b"from"]


KNOWN: Final = {essence(split(seed)[0]) for seed in SEEDS}
AUTHORS: Final = authors(split(MESSAGE)[0])
BODY: Final = body_hashes(MESSAGE[split(MESSAGE)[1] :], [RELAXED])[RELAXED]
TARGET: Final = Target("arc", check, SEEDS, TOKENS, runs=1_500, largest=20_000)


def changed(rng: random.Random) -> bytes:
    """A sealed message with a single mutation: many of these chains can still be read to the end."""
    return rng.choice(MUTATIONS)(rng.choice(SEEDS), TARGET, rng)[: TARGET.largest]


@pytest.mark.threat("AUTH-15")
def test_any_bytes() -> None:
    """The invariant over mutants of sealed messages."""
    fuzz(TARGET)


@pytest.mark.threat("AUTH-15")
def test_single_changes() -> None:
    """The same over messages that are hardly changed."""
    fuzz(replace(TARGET, name="arc-changed", make=changed, runs=1_000))

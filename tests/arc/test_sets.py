"""Which sets make up a chain, and what its newest signature covers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.arc import MAX_SETS, Verified, prepare
from filterd.arc.prepare import MAX_RESULTS
from filterd.dkim import HashedBody
from filterd.dkim.signature import MAX_FIELD
from filterd.model.authentication import ArcFacts, ArcStatus
from tests.arc.chains import LIST, MESSAGE, craft, facts_of, judge, seal
from tests.support.signing import SIGNED_AT, split

TWO = seal(MESSAGE, LIST, "forward.example")
SET = "ARC-Seal: i={0}; a=rsa-sha256; cv={1}; d=x.example; s=s; b=AAAA\r\nARC-Message-Signature: i={0}; b=A\r\n"
SET += "ARC-Authentication-Results: i={0}; x.example; none\r\n"


def sets(*instances: object) -> bytes:
    """A message with sets of these instances that nobody signed, the first one on top."""
    text = "".join(SET.format(instance, "none" if instance == 1 else "pass") for instance in instances)
    return text.encode() + MESSAGE


def reason(message: bytes) -> str:
    """Why the chain fails before any key is asked for."""
    facts = facts_of(message)
    assert facts.status is ArcStatus.FAIL
    assert (facts.message, facts.seals, facts.results) == (None, (), ())
    return facts.reason


def test_no_chain() -> None:
    """A message without sets, also where a field's name only begins like theirs."""
    assert facts_of(MESSAGE) == ArcFacts(ArcStatus.NONE)
    assert facts_of(b"ARC-Test: i=1\r\nArchived-At: x\r\n" + MESSAGE) == ArcFacts()


@pytest.mark.threat("AUTH-15")
def test_a_gap_breaks_the_chain() -> None:
    """RFC 8617, section 5.2, step 3: 1 to N, each once and whole."""
    assert reason(sets(3, 1)) == "set 2 is not complete"
    assert reason(sets(2)) == "set 1 is not complete"
    assert reason(sets(1, 1)) == "ARC-Authentication-Results: two of instance 1"
    assert reason(sets(2, 1, 2)) == "ARC-Authentication-Results: two of instance 2"
    assert facts_of(sets(3, 1)).instance == 3


@pytest.mark.threat("AUTH-15")
def test_fifty_sets_are_read_and_no_more() -> None:
    """RFC 8617, section 5.2, step 1; instances beyond 50 are none, whatever their number."""
    assert reason(sets(*range(MAX_SETS + 1, 0, -1))) == "more than 50 sets"
    assert reason(sets(*range(MAX_SETS, 0, -1))) == "ARC-Message-Signature i=50: no a= tag"
    assert facts_of(sets(*range(MAX_SETS, 0, -1))).instance == MAX_SETS
    for instance in (0, 51, 99, 100, "", "+1", "\u0661", "1.0", "0x1", "9" * 5000):
        assert reason(sets(instance)) == "ARC-Authentication-Results: no instance of 1 to 50"


@pytest.mark.parametrize("kind", ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"])
def test_a_kind_is_missing(kind: str) -> None:
    """A set has three fields."""
    for instance in (1, 2):
        broken = re.sub(rf"{kind}: i={instance};".encode(), b"X-Was: ", TWO)
        assert reason(broken) == f"set {instance} is not complete"


@pytest.mark.threat("AUTH-15")
def test_a_chain_that_was_closed() -> None:
    """RFC 8617, section 5.2, step 2: the newest seal's cv=fail says it all, even without the older sets."""
    closed = craft(MESSAGE, seal_tags={"cv": "fail"})
    assert reason(closed) == "the last sealer found the chain broken"
    assert reason(closed.replace(b"i=1;", b"i=7;")) == "the last sealer found the chain broken"
    assert reason(seal(closed, LIST)) == "cv= of set 1 is not what it has to be"


@pytest.mark.parametrize("cv", ["none", "", "Pass", "pass fail"])
def test_cv_of_a_later_set(cv: str) -> None:
    """RFC 8617, section 5.2, step 3: it must be pass."""
    assert reason(craft(craft(MESSAGE), seal_tags={"cv": cv})) == "cv= of set 2 is not what it has to be"


def test_the_order_of_the_fields_is_free() -> None:
    """Servers add fields in any order; the instance alone counts."""
    header, body = TWO.split(b"\r\n\r\n", 1)
    fields = re.findall(rb"[^ \t].*?\r\n(?![ \t])", header + b"\r\n", re.DOTALL)
    turned = b"".join(reversed(fields)) + b"\r\n" + body
    assert facts_of(turned) == facts_of(TWO)


def test_names_in_any_case() -> None:
    """Field names are compared as RFC 5322 does."""
    assert facts_of(TWO.replace(b"ARC-Seal:", b"aRC-sEAL :")) == facts_of(TWO)


def test_what_the_facts_say() -> None:
    """The newest set first."""
    facts = facts_of(TWO)
    assert (facts.status, facts.reason, facts.instance, facts.whole) == (None, "", 2, True)
    assert facts.message is not None
    assert (facts.message.domain, facts.message.selector, facts.message.timestamp) == (
        "forward.example",
        "s",
        SIGNED_AT,
    )
    assert [(one.domain, one.algorithm, len(one.header_digest)) for one in facts.seals] == [
        ("forward.example", "rsa-sha256", 32),
        (LIST, "rsa-sha256", 32),
    ]
    assert [value.split(b";")[1] for value in facts.results] == [b" mx.forward.example", b" mx.list.example"]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"h": "to:subject"}, False),
        ({"h": " "}, False),
        ({"h": "from"}, True),
        ({"h": "from::to:"}, True),
        ({"l": "0"}, False),
        ({"l": "6"}, False),
        ({"l": "7"}, True),
    ],
)
def test_what_the_newest_signature_leaves_open(tags: dict[str, str], *, expected: bool) -> None:
    """Such a chain passes, but does not stand for the whole message."""
    message = craft(MESSAGE, message_tags=tags)
    assert facts_of(message).whole is expected
    found = judge(message)
    assert isinstance(found, Verified)
    assert found.result.status is ArcStatus.PASS


@pytest.mark.threat("AUTH-01")
def test_a_second_from_is_not_covered() -> None:
    """Neither is a message without one."""
    assert not facts_of(b"From: ceo@bank.example\r\n" + TWO).whole
    bare = MESSAGE.replace(b"From: Anna <anna@sender.example>\r\n", b"")
    assert not facts_of(craft(bare)).whole


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"h": "from:ARC-Seal"}, "h= names ARC-Seal"),
        ({"h": ":".join(["x"] * 600)}, "too many names in h="),
        ({"l": "8"}, "l= is larger than the body"),
        ({"bh": "AAAA"}, "body hash did not verify"),
        ({"c": "odd/odd", "b": "AAAA"}, "unsupported canonicalization"),
        ({"a": "rsa-sha1"}, "rsa-sha1 is not accepted"),
        ({"a": "x"}, "unsupported algorithm"),
        ({"d": "nodots"}, "d= is not a domain name"),
        ({"s": "x y"}, "s= is not a selector"),
        ({"x": "1"}, "x= is not after t="),
        ({"b": "="}, "b= is not base64"),
    ],
)
def test_message_signatures_that_no_key_verifies(tags: dict[str, str], expected: str) -> None:
    """As a DKIM signature, with the tags that ARC has."""
    given = {"c": "relaxed/relaxed", **tags}
    message = craft(MESSAGE, message_tags=given | {"c": "relaxed/relaxed"})
    if given["c"] != "relaxed/relaxed":
        message = message.replace(b"c=relaxed/relaxed", f"c={given['c']}".encode())
    assert reason(message) == f"ARC-Message-Signature i=1: {expected}"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"h": "from"}, "a seal with h="),
        ({"t": "-1"}, "t= is not a number"),
        ({"a": "rsa-sha1"}, "rsa-sha1 is not accepted"),
        ({"d": ""}, "no d= tag"),
        ({"s": ""}, "no s= tag"),
    ],
)
def test_seals_that_no_key_verifies(tags: dict[str, str], expected: str) -> None:
    """The seal is named by its instance, whichever it is."""
    assert reason(craft(craft(MESSAGE, seal_tags=tags))) == f"ARC-Seal i=1: {expected}"
    assert reason(craft(craft(MESSAGE), seal_tags=tags)) == f"ARC-Seal i=2: {expected}"


@pytest.mark.threat("AUTH-15")
def test_long_fields() -> None:
    """Results beyond a limit are not passed on; beyond another the field is not read at all."""
    for size, kept in ((MAX_RESULTS, True), (MAX_RESULTS + 1, False)):
        text = "x" * (size - len(" i=1; mx.list.example; "))
        (value,) = facts_of(craft(MESSAGE, results=text)).results
        assert len(value) == (size if kept else 0)
    assert reason(craft(MESSAGE, results="x" * MAX_FIELD)) == "ARC-Authentication-Results: no instance of 1 to 50"
    assert reason(craft(MESSAGE, seal_tags={"z": "x" * MAX_FIELD})) == "ARC-Seal: signature field too long"


def test_the_body_is_hashed_once() -> None:
    """Whoever has hashed it already passes on what it knows."""
    fields, body = split(TWO)
    assert prepare(fields, HashedBody(body), now=SIGNED_AT) == facts_of(TWO)


PIECES = [
    b"i=1",
    b"i=2",
    b";",
    b"=",
    b" ",
    b"\r\n ",
    b"cv=none",
    b"a=rsa-sha256",
    b"d=x.example",
    b"s=s",
    b"h=",
    b"b=AAAA",
]
NAMES = [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results", b"arc-seal ", b"From", b""]
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join) | st.binary(max_size=20)
    ),
    max_size=9,
)


@given(FIELDS, st.binary(max_size=20))
def test_any_message(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Facts are settled or complete, whatever stands there."""
    facts = prepare(fields, body, now=SIGNED_AT)
    if facts.status is None:
        assert facts.message is not None
        assert 1 <= facts.instance == len(facts.seals) == len(facts.results)
    else:
        assert (facts.status is ArcStatus.FAIL) is bool(facts.reason)

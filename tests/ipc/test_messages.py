"""Messages. Invariant: any payload gives the value its kind says, or a MessageError, never another error."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.ipc import messages
from filterd.ipc.frames import MAX_FRAME
from filterd.ipc.messages import (
    MAX_HEADER,
    Buried,
    Bury,
    Failure,
    MessageError,
    NurserySettings,
    Ready,
    SandboxLevel,
    Spawned,
    decode_facts,
    decode_job,
    encode,
    encode_facts,
    encode_job,
    settings_from,
    settings_text,
)
from filterd.mime.tree import parse
from filterd.model.authentication import SignatureFacts
from filterd.model.inspection import Author, Inspection, InspectionJob, Mailbox, PartFacts, RuleHit
from filterd.model.report import Finding

DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    name: getattr(messages, name) for name in dir(messages) if name.startswith("decode_")
}
JOB = InspectionJob("id", ((b"From", b" a@b.test"),), 3, 30.0, 1.5, "192.0.2.1", "a@b.test", "mail.test")
FACTS = Inspection(
    Author((Mailbox("a", "b.test", "A"),)),
    hits=(RuleHit("r", "f", "YARA_R", "1", ("$a",), {"score": 3, "exact": True}),),
    findings=(Finding("HTML_ONLY", ("x",)),),
    ms={"mime": 0.5},
)
ANY_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(["\udcff", "a\ud800b", "\0"])
FIELD = st.tuples(st.binary(max_size=20), st.binary(max_size=60))


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
@given(payload=st.binary(max_size=200))
def test_any_payload(decode: Callable[[bytes], object], payload: bytes) -> None:
    """Bytes of an inspector that hostile mail has taken over."""
    try:
        decode(payload)
    except MessageError:
        return


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_any_value_of_another_type(decode: Callable[[bytes], object], value: object) -> None:
    """Well-formed msgpack that is none of ours."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        value = 0
    try:
        decode(msgspec.msgpack.encode(_small(value)))
    except MessageError:
        return


def _one(value: object) -> tuple[object]:
    return (value,)


def _small(value: object) -> object:
    """The value with integers that msgpack has a form for."""
    if isinstance(value, list):
        return [_small(item) for item in value]
    return value % (1 << 60) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_depth_and_claims(decode: Callable[[bytes], object]) -> None:
    """Nesting without end, lengths that are not there, extensions and half a surrogate are errors."""
    deep = b"\x91" * 200_000
    maps = b"\x81\xa1a" * 200_000
    claims = (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff")
    extensions = (b"\xd4\xff\x00", b"\xc7\x0c\xff" + bytes(12))
    hosts = b"\x81\xa5hosts\x91\xa3\xed\xa0\x80"
    for payload in (deep, maps, *claims, *extensions, b"", hosts if decode is decode_facts else b"\xa3\xed\xa0\x80"):
        with pytest.raises(MessageError):
            decode(payload)


@given(st.binary(max_size=8), st.integers(0, 10_000))
def test_any_damage_to_real_facts(piece: bytes, place: int) -> None:
    """A payload with a few bytes exchanged is facts or an error."""
    payload = bytearray(encode_facts(FACTS))
    place %= len(payload)
    payload[place : place + len(piece)] = piece
    try:
        assert isinstance(decode_facts(bytes(payload)), Inspection)
    except MessageError:
        return


INTEGERS = st.integers(-(1 << 63), (1 << 64) - 1)  # what msgpack has a form for, and more than our fields can hold
ALL_FACTS = st.builds(
    Inspection,
    author=st.from_type(Author),
    signatures=st.builds(SignatureFacts, uncovered=INTEGERS, timestamp=st.none() | INTEGERS, expires=INTEGERS).map(
        _one
    ),
    parts=st.builds(PartFacts, size=INTEGERS, depth=INTEGERS).map(_one),
    hits=st.builds(RuleHit, meta=st.dictionaries(st.text(), st.text() | INTEGERS | st.booleans())).map(_one),
    findings=st.from_type(tuple[Finding, ...]),
    urls=st.from_type(tuple[str, ...]),
    subject=st.text(),
    ms=st.dictionaries(st.text(), st.floats()),
)


@settings(max_examples=50)
@given(ALL_FACTS)
def test_facts_come_back_as_they_were_sent(facts: Inspection) -> None:
    """Whatever the fields hold."""
    assert repr(decode_facts(encode_facts(facts))) == repr(facts)  # repr: NaN is not equal to itself


@given(ANY_TEXT, ANY_TEXT)
def test_facts_with_half_surrogates_can_be_sent(subject: str, key: str) -> None:
    """Such text has no other form: it arrives as a question mark."""
    facts = replace(FACTS, subject=subject, findings=(Finding("A", (key,)),), ms={key: 1.0})
    sent = decode_facts(encode_facts(facts))
    assert sent.subject == subject.encode("utf-8", "replace").decode()
    assert sent.hits == FACTS.hits


@given(st.lists(FIELD, max_size=5), ANY_TEXT, ANY_TEXT)
def test_a_job_can_always_be_sent(fields: list[tuple[bytes, bytes]], sender: str, helo: str) -> None:
    """An envelope that the MTA did not decode does not stop a message; the header arrives byte for byte."""
    sent = decode_job(encode_job(replace(JOB, fields=tuple(fields), sender=sender, helo=helo)))
    assert sent.fields == tuple(fields)
    assert (sent.sender, sent.helo) == (_shown(sender), _shown(helo))


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@pytest.mark.threat("MTA-11")
@pytest.mark.parametrize(
    "fields",
    [
        ((b"Subject", b"x" * 60_000),) * 300,
        ((b"Subject", b"x" * 20_000_000),),
        ((b"x" * 20_000_000, b""),),
        ((b"", b""),) * 1_000_000,
    ],
    ids=["many", "long", "name", "tiny"],
)
def test_a_header_of_any_size_fits_and_stays_unscannable(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """What is cut off lies behind the size from which the message is held: the cut hides nothing."""
    payload = encode_job(replace(JOB, fields=fields))
    assert len(payload) <= MAX_FRAME
    sent = decode_job(payload).fields
    assert sum(len(name) + len(value) for name, value in sent) <= MAX_HEADER
    assert "UNSCANNABLE_HEADER" in {found.symbol for found in parse(sent, memoryview(b"")).findings}


def test_an_envelope_of_any_size_fits() -> None:
    """A command line has no limit of its own."""
    assert len(encode_job(replace(JOB, sender="x" * 5_000_000, helo="\udcff" * 5_000_000))) < 100_000


@pytest.mark.parametrize(
    ("decode", "value"),
    [
        ("decode_ready", Ready(SandboxLevel(namespaces=True, landlock=7), "id", ("a file",))),
        ("decode_failure", Failure("why")),
        ("decode_spawned", Spawned(1, 2)),
        ("decode_bury", Bury(3)),
        ("decode_buried", Buried(-9)),
        ("decode_job", JOB),
        ("decode_facts", FACTS),
    ],
)
def test_every_message_comes_back(decode: str, value: object) -> None:
    """Encoded and decoded it is the same."""
    assert DECODERS[decode](encode(value)) == value


def test_settings_come_back_from_a_command_line() -> None:
    """As JSON; what is none is a MessageError."""
    given_settings = NurserySettings(rules="/r", demand=SandboxLevel(seccomp=True), messages=3)
    assert settings_from(settings_text(given_settings)) == given_settings
    for text in ("", "{", "[]", '{"messages": "many"}'):
        with pytest.raises(MessageError):
            settings_from(text)


@pytest.mark.parametrize(
    ("level", "missing"),
    [
        (SandboxLevel(), ("namespaces", "chroot", "landlock ABI 4", "seccomp")),
        (SandboxLevel(namespaces=True, chroot=True, landlock=3, seccomp=True), ("landlock ABI 4",)),
        (SandboxLevel(namespaces=True, chroot=True, landlock=7, seccomp=True), ()),
    ],
)
@pytest.mark.threat("OPS-03")
def test_walls_that_a_demand_misses_are_named(level: SandboxLevel, missing: tuple[str, ...]) -> None:
    """One by one; more than demanded is no fault."""
    demand = SandboxLevel(namespaces=True, chroot=True, landlock=4, seccomp=True)
    assert level.missing(demand) == missing
    assert level.missing(SandboxLevel()) == ()

"""Answers as values in the shared store: what is written comes back, and nothing else is believed."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dns.cache import MAX_NEGATIVE_TTL, MAX_TTL, lifetime
from filterd.dns.sharing import MAX_SHARED, MAX_SKEW, MAX_VALUE, decoded, encoded, key
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

NOW = 1_795_000_000.0
TEXT = Question("a.test", RRType.TXT)
RECORDS = {
    RRType.A: "192.0.2.1",
    RRType.AAAA: "2001:db8::1",
    RRType.CNAME: "b.test",
    RRType.MX: "mail.a.test",
    RRType.NS: r"odd\.label\032.test",
    RRType.PTR: ".",
    RRType.TXT: "v=spf1 \xff\x00 -all",
}


def answer(question: Question = TEXT, ttl: int = 300, records: tuple[str, ...] = ("x",)) -> Answer:
    """An answer with records, just received."""
    return Answer(question, AnswerStatus.NOERROR, records, ttl, 0, authenticated=True, received=NOW)


def negative(status: AnswerStatus = AnswerStatus.NXDOMAIN, ttl: int = 60) -> Answer:
    """An answer without records."""
    return Answer(TEXT, status, (), ttl, 3 if status is AnswerStatus.NXDOMAIN else 0, received=NOW)


def value(
    status: object = "noerror",
    received: object = NOW,
    ttl: object = 300,
    authenticated: object = False,  # noqa: FBT002  # a field of a value
    records: object = ("x",),
) -> bytes:
    """A value as another program might write it."""
    return msgspec.msgpack.encode((status, received, ttl, authenticated, records))


def written(one: Answer) -> bytes:
    """What is written for an answer that is shared."""
    found = encoded(one)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("rtype", RECORDS)
def test_every_type_comes_back_as_it_was(rtype: RRType) -> None:
    """Records, TTL, status, AD and the time of receipt: the same answer, with the rest of its life."""
    one = answer(Question("a.test", rtype), records=(RECORDS[rtype],))
    found = decoded(one.question, written(one), NOW + 100)
    assert found is not None
    assert (found.answer, found.left) == (one, 200.0)


@pytest.mark.parametrize("status", [AnswerStatus.NXDOMAIN, AnswerStatus.NODATA])
def test_negative_answers_live_as_their_zone_says(status: AnswerStatus) -> None:
    """RFC 2308: by the SOA that came with them, five minutes at most."""
    found = decoded(TEXT, written(negative(status)), NOW + 10)
    assert found is not None
    assert (found.answer, found.left) == (negative(status), 50.0)
    found = decoded(TEXT, written(negative(status, ttl=86_400)), NOW)
    assert found is not None
    assert found.left == MAX_NEGATIVE_TTL


@pytest.mark.parametrize("cause", ["servfail", "timeout", "no nameserver", "overload", "closed", "refused"])
def test_failures_are_not_shared(cause: str) -> None:
    """One host's trouble does not become everybody's."""
    assert encoded(Answer(TEXT, AnswerStatus.TEMPFAIL, rcode=2, received=NOW, cause=cause)) is None


@pytest.mark.parametrize("cause", ["stale", "invalid name"])
def test_what_no_server_just_said_is_not_shared(cause: str) -> None:
    """Stale answers, and those about names that nobody was asked about."""
    assert encoded(Answer(TEXT, AnswerStatus.NXDOMAIN, (), 60, 3, received=NOW, cause=cause)) is None


def test_large_answers_are_not_shared() -> None:
    """What one zone puts in is bounded, and what is larger is not read either."""
    assert encoded(answer(records=("x" * MAX_VALUE,))) is None
    assert decoded(TEXT, value(records=("x" * MAX_VALUE,)), NOW) is None
    assert encoded(answer(records=("x" * (MAX_VALUE - 100),))) is not None


@pytest.mark.parametrize(("ttl", "kept"), [(60, 120), (0, 60), (86_400, 2 * MAX_SHARED), (10**9, 2 * MAX_SHARED)])
def test_values_go_from_the_store_by_themselves(ttl: int, kept: int) -> None:
    """After an hour at most: names that nobody asks for again do not pile up."""
    found = encoded(answer(ttl=ttl))
    assert found is not None
    assert found[1] == kept


def test_an_old_answer_is_stale_and_then_nothing() -> None:
    """RFC 8767: of use for a bounded time when nothing newer is to be had."""
    found = decoded(TEXT, written(answer()), NOW + 599)
    assert found is not None
    assert found.left == -299
    assert decoded(TEXT, written(answer()), NOW + 600) is None


@pytest.mark.parametrize("ttl", [0, 29, 10**6, 2**31 - 1])
def test_times_are_clamped_again(ttl: int) -> None:
    """Whoever wrote the value, and whatever its clock: never fresh for longer than an answer off the wire."""
    for received in (NOW, NOW + MAX_SKEW):
        found = decoded(TEXT, value(ttl=ttl, received=received), NOW)
        assert found is not None
        assert 30 <= found.left <= min(MAX_TTL, lifetime(found.answer))
    assert decoded(TEXT, value(received=NOW + MAX_SKEW + 1), NOW) is None


HOSTILE = [
    b"",
    b"\xc1",
    b"not msgpack",
    b"\x95" * 4_000,
    msgspec.msgpack.encode(None),
    msgspec.msgpack.encode({"status": "noerror"}),
    msgspec.msgpack.encode(("noerror", NOW, 300, False)),
    msgspec.msgpack.encode(("noerror", NOW, 300, False, ("x",), "more")),
    value() + b"\0",
    value(status="tempfail", records=()),
    value(status="other"),
    value(status=1),
    value(received=float("nan")),
    value(received=float("inf")),
    value(received=-float("inf")),
    value(received=0.0),
    value(received="now"),
    value(ttl=-1),
    value(ttl=2**31),
    value(ttl=1.5),
    value(authenticated=1),
    value(records=()),
    value(records=[]),
    value(records="x"),
    value(records=(1,)),
    value(records=(b"x",)),
    value(records=("\u20ac",)),
    value(records=("x",) * 513),
    value(status="nxdomain"),
    value(status="nodata"),
    value(records=("x",)).replace(b"\xa1x", b"\xa1\xff"),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_hostile_values_are_no_answers(data: bytes) -> None:
    """Neither an exception nor anything that the codec would not give."""
    assert decoded(TEXT, data, NOW) is None


@pytest.mark.parametrize(
    ("rtype", "record"),
    [
        (RRType.A, "x"),
        (RRType.A, "127.1"),
        (RRType.A, "192.0.2.1\0"),
        (RRType.A, "::1"),
        (RRType.A, "192.0.2.\u0661"),
        (RRType.AAAA, "192.0.2.1"),
        (RRType.AAAA, "2001:DB8::1"),
        (RRType.AAAA, "fe80::1%lo"),
        (RRType.MX, ""),
        (RRType.MX, "mail.a.test."),
        (RRType.MX, "Mail.a.test"),
        (RRType.NS, "a..test"),
        (RRType.PTR, "a b.test"),
        (RRType.PTR, "a.test\n"),
        (RRType.PTR, r"a\.test\x"),
        (RRType.CNAME, "\xe4.test"),
        (RRType.CNAME, "a." * 600 + "a"),
    ],
)
def test_records_that_no_packet_holds_are_no_answers(rtype: RRType, record: str) -> None:
    """What evaluators read is always what the codec would have written."""
    assert decoded(Question("a.test", rtype), value(records=(record,)), NOW) is None


@pytest.mark.parametrize("rtype", RECORDS)
def test_damaged_values_never_raise(rtype: RRType) -> None:
    """Bytes flipped, cut and put in, 3,000 times each: an answer within the clamps or none."""
    rng = random.Random(7)
    question = Question("a.test", rtype)
    good = written(answer(question, records=(RECORDS[rtype],)))
    for _ in range(3_000):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 5)):
            place = rng.randrange(len(data))
            data[place : place + rng.randrange(2)] = rng.randbytes(rng.randrange(3))
        found = decoded(question, bytes(data), NOW)
        assert found is None or found.left <= lifetime(found.answer) <= MAX_TTL


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(data: bytes) -> None:
    """Whatever another program left under our keys."""
    found = decoded(TEXT, data, NOW)
    assert found is None or found.left <= MAX_TTL


def test_one_name_has_one_key() -> None:
    """Whatever its case, and one for each type; none for what is not shared."""
    assert key(Question("A.Test", RRType.TXT)) == key(TEXT) == "dns1:TXT:a.test"
    assert key(Question("a.test", RRType.A)) == "dns1:A:a.test"
    assert key(Question("a.test", RRType.SOA)) == key(Question("a" * 254, RRType.A)) == ""

"""DNS packets. Invariant: any packet is a Reply or a ValueError, and dnspython reads the same where both accept it."""

import random
import sys
from dataclasses import replace
from typing import Final

import dns.exception
import dns.name
import pytest

from filterd.dns.codec import MAX_RECORDS, Reply, decode, encode_question
from filterd.dns.names import MAX_NAME, askable, decode_name, encode_name, skip_name
from filterd.model.dns import AnswerStatus, Question
from tests.dns.test_codec import CASES, name_of, oracle, ours
from tests.fuzz.dns_packets import packet
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

# An input is a packet whose question is one of these: the caller has compared that before.
QUESTIONS: Final = tuple(dict.fromkeys([question for question, _ in CASES]))
SECTIONS: Final = tuple([(question, encode_question(question)) for question in QUESTIONS])
SEEDS: Final = tuple([wire for _, wire in CASES])
BYTES: Final = (0, 1, 5, 6, 12, 16, 28, 41, 63, 64, 0xC0, 0xFF)
COMPARED: Final = 1 / 3  # of all packets at least that both read: an oracle that refuses everything proves nothing
TOKENS: Final = (
    b"\xc0\x0c",
    b"\xc0\x00",
    b"\xc0\xff",
    b"\x00",
    b"\x00\x01",
    b"\x00\x05",
    b"\x00\x0f",
    b"\x00\x10",
    b"\x00\x1c",
    b"\x00\x29",
    b"\x00\x06",
    b"\xff\xff",
    b"\x00\x00\x01\x2c",
    b"\x3f" + b"a" * 63,
    b"\x01a",
    b"\x04test\x00",
    b"\x40",
    b"\x03a.b",
    b"\x03a\\b",
    b"\x03\x00\xff ",
)


def check(wire: bytes) -> None:
    """The packet as the answer to whichever question it holds; then names in it."""
    compared(wire)


def compared(wire: bytes) -> bool:
    """The same; True where dnspython reads the packet too."""
    for offset in range(12, min(len(wire), 300), 7):
        name(wire, offset)
    question = next((one for one, section in SECTIONS if wire.startswith(section, 12)), None)
    return question is not None and answer(wire, question)


def answer(wire: bytes, question: Question) -> bool:
    """One reading; True where dnspython accepts the packet too, and then it reads the same."""
    try:
        reply = decode(wire, question)
    except ValueError:
        return False
    assert isinstance(reply, Reply)
    assert len(reply.records) <= MAX_RECORDS
    assert 0 <= reply.ttl < 1 << 31
    assert (reply.status is AnswerStatus.NOERROR) == bool(reply.records)
    assert (reply.status is AnswerStatus.TEMPFAIL) == bool(reply.cause) or reply.truncated
    "".join(reply.records).encode("latin-1")
    if reply.status is AnswerStatus.TEMPFAIL:
        return False
    expected = oracle(wire, question)
    if expected is None:
        return False
    assert ours(reply, question.rtype) == expected
    return True


def name(wire: bytes, offset: int) -> None:
    """A name from anywhere in the packet, as dnspython reads it; one that can be asked for survives the way back."""
    try:
        text = decode_name(wire, offset)
    except (ValueError, IndexError):
        return
    assert offset < skip_name(wire, offset) <= len(wire)
    assert text == text.lower()
    text.encode("ascii")
    try:
        theirs, used = dns.name.from_wire(wire, offset)
    except dns.exception.DNSException:
        return
    assert (name_of(theirs), offset + used) == (text, skip_name(wire, offset))
    if askable(text):
        assert len(text) <= MAX_NAME
        assert decode_name(encode_name(text), 0) == text


TARGET: Final = Target("dns", check, SEEDS, TOKENS, runs=3_000, largest=2_048)


def made(rng: random.Random) -> bytes:
    """An answer written by the rules, with a lie here and there, and now and then a few bytes changed after that."""
    wire = bytearray(packet(rng.choice(QUESTIONS), rng))
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        wire[rng.randrange(len(wire))] = rng.choice(BYTES)
    return bytes(wire)


@pytest.mark.threat("DNS-05", "DNS-07")
def test_any_packet() -> None:
    """The invariant over mutants of answers of every type."""
    fuzz(TARGET)


@pytest.mark.threat("DNS-05", "DNS-07")
def test_written_packets() -> None:
    """The invariant over answers with lies in their counts, lengths, pointers and chains; most are read by both.

    FILTERD_FUZZ=250 makes a million of them.
    """
    tally = {True: 0, False: 0}

    def counted(wire: bytes) -> None:
        tally[compared(wire)] += 1

    fuzz(replace(TARGET, name="dns-written", check=counted, runs=4_000, make=made))
    sys.stdout.write(f"{sum(tally.values())} packets, {tally[True]} of them read by filterd and dnspython alike\n")
    assert tally[True] >= COMPARED * sum(tally.values())


@pytest.mark.threat("DNS-05")
def test_mutants_behind_the_question() -> None:
    """The same with header and question left as they are, so that more is read."""

    def behind(tail: bytes) -> None:
        for question, wire in CASES[:8]:
            start = 12 + len(encode_question(question))
            answer(wire[:start] + tail, question)

    tails = tuple([wire[12 + len(encode_question(question)) :] for question, wire in CASES])
    fuzz(replace(TARGET, name="dns-tail", check=behind, seeds=tails, runs=1_000))


@pytest.mark.threat("DNS-05")
@pytest.mark.parametrize(
    "record",
    [
        b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01",
        b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x05\x00\x00\x00\x00\x00",
        b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x04\x00\x01\xc0\x0c",
        b"\x01a\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c",
        b"\x3f" + b"a" * 63 + b"\xc0\x0c\x00\x02\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c",
        b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00",
    ],
    ids=["a", "txt", "mx", "cname", "long names", "opt"],
)
def test_the_worst_is_linear(record: bytes) -> None:
    """Records, aliases and names cost time by their number."""
    question, wire = CASES[0]
    head = wire[:6] + b"\xff\xff\x00\x00\xff\xff" + encode_question(question)

    def work(packet: bytes) -> None:
        for section in (6, 8, 10):
            count = bytearray(packet)
            count[6:12] = bytes(6)
            count[section : section + 2] = (len(packet) // len(record)).to_bytes(2, "big")
            answer_only(bytes(count), question)

    assert_linear(work, fill(record, head), 3_500)


def answer_only(packet: bytes, question: Question) -> None:
    """Decode, nothing else."""
    try:
        decode(packet, question)
    except ValueError:
        return

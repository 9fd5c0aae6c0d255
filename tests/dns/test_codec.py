"""The codec against dnspython: same answers, and no exception but ValueError whatever the packet."""

import random
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from filterd.dns.codec import Reply, decode, encode_query, encode_question
from filterd.dns.names import askable, decode_name, encode_name
from filterd.model.dns import AnswerStatus, Question, RRType

MUTATIONS = 20_000  # packets; some seconds
SOA = "ns.a.test. root.a.test. 1 2 3 4 60"


def packet(question: Question, answers: list[tuple[str, str, str]], *, rcode: int = 0, soa: bool = False) -> bytes:
    """A recursive server's reply, made by dnspython."""
    query = dns.message.make_query(question.name, question.rtype, use_edns=0)
    reply = dns.message.make_response(query, recursion_available=True)
    reply.set_rcode(dns.rcode.Rcode(rcode))
    for owner, rtype, text in answers:
        reply.answer.append(dns.rrset.from_text(owner + ".", 300, "IN", rtype, text))
    if soa:
        reply.authority.append(dns.rrset.from_text("a.test.", 120, "IN", "SOA", SOA))
    return reply.to_wire()


CASES: list[tuple[Question, bytes]] = [
    (q, packet(q, answers, rcode=rcode, soa=soa))
    for q, answers, rcode, soa in [
        (Question("a.test", RRType.A), [("a.test", "A", "192.0.2.1"), ("a.test", "A", "192.0.2.2")], 0, False),
        (Question("a.test", RRType.AAAA), [("a.test", "AAAA", "2001:db8::1")], 0, False),
        (
            Question("a.test", RRType.TXT),
            [("a.test", "TXT", '"v=spf1 " "-all" "\\200"'), ("a.test", "TXT", '""')],
            0,
            False,
        ),
        (Question("a.test", RRType.MX), [("a.test", "MX", "20 b.a.test."), ("a.test", "MX", "10 c.a.test.")], 0, False),
        (Question("a.test", RRType.NS), [("a.test", "NS", "ns1.a.test."), ("a.test", "NS", "ns2.b.test.")], 0, False),
        (Question("1.2.0.192.in-addr.arpa", RRType.PTR), [("1.2.0.192.in-addr.arpa", "PTR", "Mail.A.test.")], 0, False),
        (
            Question("w.test", RRType.A),
            [("w.test", "CNAME", "x.w.test."), ("x.w.test", "CNAME", "y.test."), ("y.test", "A", "192.0.2.9")],
            0,
            False,
        ),
        (Question("w.test", RRType.CNAME), [("w.test", "CNAME", "x.w.test.")], 0, False),
        (Question("a.test", RRType.SOA), [("a.test", "SOA", SOA)], 0, False),
        (Question("no.a.test", RRType.A), [], 3, True),
        (Question("a.test", RRType.AAAA), [], 0, True),
        (Question("w.test", RRType.A), [("w.test", "CNAME", "no.a.test.")], 3, True),
    ]
]


Read = tuple[str, list[str], int]  # status, sorted records, the least TTL where there are records


def oracle(wire: bytes, question: Question) -> Read | None:
    """The packet as dnspython reads it; None where it refuses the packet or is of no use."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
        if not isinstance(message, dns.message.QueryMessage) or message.flags & dns.flags.TC:
            return None
        if message.rcode() not in {0, 3}:
            return None
        chain = message.resolve_chaining()
    except (dns.exception.DNSException, ValueError):
        return None
    if chain.answer is None:
        return ("nxdomain" if message.rcode() == 3 else "nodata"), [], 0
    return "noerror", sorted({text_of(rdata, question.rtype) for rdata in chain.answer}), chain.minimum_ttl


def text_of(rdata: Any, rtype: RRType) -> str:
    """A record in our notation."""
    if rtype is RRType.TXT:
        return b"".join(rdata.strings).decode("latin-1")
    if rtype in {RRType.A, RRType.AAAA}:
        return str(ip_address(rdata.address))
    if rtype is RRType.MX:
        return name_of(rdata.exchange)
    if rtype is RRType.SOA:
        numbers = [rdata.serial, rdata.refresh, rdata.retry, rdata.expire, rdata.minimum]
        return " ".join([name_of(rdata.mname), name_of(rdata.rname), *map(str, numbers)])
    return name_of(rdata.target)


def name_of(name: Any) -> str:
    """A dnspython name read by our own decoder, from uncompressed wire."""
    return decode_name(name.to_wire(), 0)


def ours(reply: Reply, rtype: RRType) -> Read:
    """The same of a Reply; addresses in one spelling, and each record once as dnspython's sets have it."""
    records = set(reply.records)
    if rtype in {RRType.A, RRType.AAAA}:
        records = {str(ip_address(record)) for record in records}
    return reply.status.value, sorted(records), reply.ttl if records else 0


@pytest.mark.parametrize(("question", "wire"), CASES, ids=range(len(CASES)))  # the packets have random ids
def test_a_good_packet_reads_as_dnspython_reads_it(question: Question, wire: bytes) -> None:
    """Status, records and TTL agree for every type, alias and negative answer."""
    assert ours(decode(wire, question), question.rtype) == oracle(wire, question)


def test_mutated_packets_raise_only_valueerror_and_agree_where_both_accept() -> None:
    """Any bytes: a Reply or ValueError; where dnspython accepts the packet too, both read the same."""
    rng = random.Random(20260711)
    both = 0
    for _ in range(MUTATIONS):
        question, wire = rng.choice(CASES)
        mutated = bytearray(wire)
        for _ in range(rng.choice((1, 1, 2, 4))):
            where = rng.randrange(len(mutated))
            mutated[where] = rng.choice(
                (0, 0xC0, 0x0C, 0xFF, rng.randrange(256), mutated[where] ^ 1 << rng.randrange(8))
            )
        if rng.random() < 0.2:
            del mutated[rng.randrange(len(mutated)) :]
        section = encode_question(question)
        if not mutated.startswith(section, 12):
            continue  # the stub has dropped it before
        try:
            reply = decode(bytes(mutated), question)
        except ValueError:
            continue
        expected = oracle(bytes(mutated), question)
        if expected is None or reply.status is AnswerStatus.TEMPFAIL:
            continue
        both += 1
        assert ours(reply, question.rtype) == expected, bytes(mutated).hex()
    assert both > MUTATIONS // 10


def test_random_bytes_raise_only_valueerror() -> None:
    """Noise behind a valid header and question never gets further than ValueError."""
    rng = random.Random(7)
    question = Question("a.test", RRType.MX)
    section = encode_question(question)
    for _ in range(3_000):
        header = b"\0\1\x81\x80\0\1" + bytes([0, rng.randrange(4), 0, rng.randrange(4), 0, rng.randrange(4)])
        try:
            reply = decode(header + section + rng.randbytes(rng.randrange(120)), question)
        except ValueError:
            continue
        assert isinstance(reply, Reply)


def test_a_query_is_what_dnspython_understands() -> None:
    """Id, name, type, RD, AD and EDNS with 1232 bytes arrive."""
    query = dns.message.from_wire(encode_query(0xBEEF, encode_question(Question("_dmarc.a.test", RRType.TXT))))
    assert (query.id, query.edns, query.payload) == (0xBEEF, 0, 1232)
    assert query.flags == dns.flags.RD | dns.flags.AD
    assert query.question[0].to_text() == "_dmarc.a.test. IN TXT"


def test_the_ttl_is_the_least_along_the_alias_chain() -> None:
    """An answer must not outlive the alias that led to it."""
    question = Question("w.test", RRType.A)
    message = dns.message.make_response(dns.message.make_query("w.test", "A"), recursion_available=True)
    message.answer.append(dns.rrset.from_text("w.test.", 20, "IN", "CNAME", "x.test."))
    message.answer.append(dns.rrset.from_text("x.test.", 900, "IN", "A", "192.0.2.1"))
    assert decode(message.to_wire(), question).ttl == 20


def test_a_negative_answer_lives_as_long_as_the_soa_says() -> None:
    """RFC 2308, section 5: the smaller of the SOA's TTL (120) and its minimum (60)."""
    question = Question("no.a.test", RRType.A)
    assert decode(packet(question, [], rcode=3, soa=True), question).ttl == 60


def test_a_negative_answer_without_soa_is_not_kept() -> None:
    """RFC 2308, section 5: TTL 0."""
    question = Question("no.a.test", RRType.A)
    assert decode(packet(question, [], rcode=3), question).ttl == 0


def test_a_ttl_with_its_top_bit_set_is_zero() -> None:
    """RFC 2181, section 8."""
    question = Question("a.test", RRType.A)
    wire = packet(question, [("a.test", "A", "192.0.2.1")]).replace((300).to_bytes(4, "big"), b"\xff\0\0\0")
    assert decode(wire, question).ttl == 0


@pytest.mark.parametrize(
    ("rtype", "texts"),
    [(RRType.CNAME, ["x.test.", "y.test."]), (RRType.SOA, [SOA, SOA.replace("60", "61")])],
    ids=["alias", "soa"],
)
def test_two_records_where_there_can_be_one(rtype: RRType, texts: list[str]) -> None:
    """RFC 2181, sections 6.1 and 10.1: one alias, one SOA; which of two counts would be a guess."""
    question = Question("a.test", rtype)
    wire = packet(question, [("a.test", rtype.value, text) for text in texts])
    with pytest.raises(ValueError, match=r"^two "):
        decode(wire, question)


def test_an_alias_loop_is_nodata() -> None:
    """The name leads nowhere, and the reader stops after a bounded number of steps."""
    question = Question("l.test", RRType.A)
    wire = packet(question, [("l.test", "CNAME", "m.test."), ("m.test", "CNAME", "l.test.")])
    assert decode(wire, question).status is AnswerStatus.NODATA


@pytest.mark.parametrize(
    "name",
    [
        "l" * 64 + ".test",
        ".".join(["a" * 49] * 6),
        "a..test",
        ".a.test",
        "a.test.",
        "",
        ".",
        "a\0b.test",
        "a b.test",
        "ä.test",
        "a\\.test",
        "a\n.test",
        "a.test\n",
    ],
)
@pytest.mark.threat("DNS-07")
def test_an_impossible_name_cannot_be_encoded(name: str) -> None:
    """ValueError, and `askable` agrees."""
    assert not askable(name)
    with pytest.raises(ValueError, match="invalid name"):
        encode_name(name)


@pytest.mark.parametrize(
    "name", ["a", "*.a.test", "_dmarc.a.test", "l" * 63 + ".test", "a.b-c.test", "!x#.test", ".".join(["a"] * 127)]
)
@pytest.mark.threat("DNS-07")
def test_an_odd_but_possible_name_survives_the_round_trip(name: str) -> None:
    """Wildcards, underscores and names of full length are names."""
    assert askable(name)
    assert decode_name(encode_name(name), 0) == name


def test_a_dot_inside_a_label_is_escaped() -> None:
    """A label `a.b` must not read as two labels, and the escaped name cannot be asked for."""
    text = decode_name(b"\x03a.b\x04te\x00t\x00", 0)
    assert text == "a\\.b.te\\000t"
    assert not askable(text)


@pytest.mark.parametrize("wire", [b"\xc0\x00", b"\x01a\xc0\x00", b"\x01a\xc0\x02", b"\x40", b"\x05ab"])
def test_a_looping_or_broken_name_ends(wire: bytes) -> None:
    """Pointers lead backwards or nowhere."""
    with pytest.raises((ValueError, IndexError)):
        decode_name(wire, 0)


def test_a_referral_is_no_answer() -> None:
    """Not "no data": a server that does not recurse must not make every name look empty."""
    question = Question("a.test", RRType.A)
    message = dns.message.make_response(dns.message.make_query("a.test", "A"))
    message.authority.append(dns.rrset.from_text("test.", 300, "IN", "NS", "ns.test."))
    reply = decode(message.to_wire(), question)
    assert (reply.status, reply.cause) == (AnswerStatus.TEMPFAIL, "no recursion")


def test_badvers_is_no_empty_answer() -> None:
    """RFC 6891, section 6.1.3: the rcode's upper bits stand in the OPT record."""
    question = Question("a.test", RRType.A)
    message = dns.message.make_response(dns.message.make_query("a.test", "A", use_edns=0), recursion_available=True)
    message.set_rcode(dns.rcode.BADVERS)
    assert decode(message.to_wire(), question).rcode == 16


@pytest.mark.parametrize(("rcode", "status"), [(0, AnswerStatus.NODATA), (3, AnswerStatus.NXDOMAIN)])
def test_an_answer_without_records_is_negative_whatever_its_flags(rcode: int, status: AnswerStatus) -> None:
    """RFC 2308, section 2.2: without name servers in it, it is no referral, also where neither AA nor RA is set."""
    message = dns.message.make_response(dns.message.make_query("a.test", "A"))
    message.set_rcode(dns.rcode.Rcode(rcode))
    assert decode(message.to_wire(), Question("a.test", RRType.A)).status is status


def test_name_servers_beside_an_soa_are_no_referral() -> None:
    """RFC 2308, section 2.2.1, NODATA type 1: both may stand in the authority section."""
    message = dns.message.make_response(dns.message.make_query("a.test", "A"))
    message.authority.append(dns.rrset.from_text("test.", 300, "IN", "NS", "ns.test."))
    message.authority.append(dns.rrset.from_text("test.", 300, "IN", "SOA", "ns.test. h.test. 1 2 3 4 60"))
    assert decode(message.to_wire(), Question("a.test", RRType.A)).status is AnswerStatus.NODATA

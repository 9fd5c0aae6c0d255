"""The wire format of one question and its answer (RFC 1035, 2308, 6891), for the types that filterd asks for.

Hostile packets are the normal input: `decode` raises ValueError and nothing else, in time linear in the packet.
"""

import struct
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import Final, NamedTuple

from filterd.dns.names import decode_name, encode_name, skip_name
from filterd.model.dns import AnswerStatus, Question, RRType

UDP_PAYLOAD: Final = 1232  # bytes; the size that passes everywhere unfragmented
MAX_RECORDS: Final = 512  # records read of one packet; the largest sets in use have some dozens
MAX_CHAIN: Final = 16  # CNAMEs followed within one answer; resolvers stop at about as many

TYPE_CODES: Final = {
    RRType.A: 1,
    RRType.NS: 2,
    RRType.CNAME: 5,
    RRType.SOA: 6,
    RRType.PTR: 12,
    RRType.MX: 15,
    RRType.TXT: 16,
    RRType.AAAA: 28,
}
_CNAME: Final = TYPE_CODES[RRType.CNAME]
_NS: Final = TYPE_CODES[RRType.NS]
_SOA: Final = TYPE_CODES[RRType.SOA]
_OPT: Final = 41
_CLASS_IN: Final = 1
_SOA_FIXED: Final = 22  # bytes: five 32-bit numbers behind two names of at least one octet
_MAX_TTL: Final = 0x7FFF_FFFF

_NOERROR: Final = 0
FORMERR: Final = 1
NXDOMAIN: Final = 3
NOTIMP: Final = 4
_RCODE_CAUSES: Final = {1: "formerr", 2: "servfail", 4: "notimp", 5: "refused"}

# RFC 6840, section 5.7: a set AD bit in the query says that we understand it in the answer.
_HEADER_EDNS: Final = b"\x01\x20\0\1\0\0\0\0\0\1"  # RD, AD; one question, one additional record
_HEADER_PLAIN: Final = b"\x01\x20\0\1\0\0\0\0\0\0"
_OPT_RECORD: Final = struct.pack(">BHHIH", 0, _OPT, UDP_PAYLOAD, 0, 0)  # RFC 6891, section 6.1.2; no options
_TAILS: Final = {rtype: struct.pack(">HH", code, _CLASS_IN) for rtype, code in TYPE_CODES.items()}

_header: Final = struct.Struct(">6H").unpack_from
_record: Final = struct.Struct(">HHIH").unpack_from
_soa_numbers: Final = struct.Struct(">5I").unpack_from


class Reply(NamedTuple):
    """A decoded packet. `cause` is set where the server could not answer: "servfail", "no recursion".

    A tuple, because one is made for each question: a frozen dataclass takes three times as long.
    """

    status: AnswerStatus
    records: tuple[str, ...] = ()
    ttl: int = 0
    rcode: int = 0
    authenticated: bool = False
    truncated: bool = False
    cause: str = ""


def encode_question(question: Question) -> bytes:
    """The question section. ValueError where the name cannot be asked."""
    return encode_name(question.name) + _TAILS[question.rtype]


def encode_query(identifier: int, section: bytes, *, edns: bool = True) -> bytes:
    """A whole query around a question section: recursion desired, AD understood, EDNS with 1232 bytes."""
    if edns:
        return identifier.to_bytes(2, "big") + _HEADER_EDNS + section + _OPT_RECORD
    return identifier.to_bytes(2, "big") + _HEADER_PLAIN + section


def decode(packet: bytes, question: Question) -> Reply:
    """What the packet answers to `question`, whose section the caller has compared already. ValueError: malformed."""
    try:
        return _decode(packet, question)
    except (IndexError, struct.error) as error:
        raise ValueError("packet ends early") from error


def _decode(packet: bytes, question: Question) -> Reply:
    """As `decode`, with the errors of reading beyond the end."""
    _, flags, questions, answers, authorities, additionals = _header(packet)
    if flags & 0xF800 != 0x8000:  # noqa: PLR2004  # QR set, opcode QUERY
        raise ValueError("not an answer")
    rcode = flags & 0x000F
    if flags & 0x0200:
        # RFC 2181, section 9: what a truncated answer holds is not to be used.
        return Reply(AnswerStatus.TEMPFAIL, rcode=rcode, truncated=True, cause="truncated")
    if rcode not in {_NOERROR, NXDOMAIN}:
        return Reply(AnswerStatus.TEMPFAIL, rcode=rcode, cause=_RCODE_CAUSES.get(rcode, f"rcode {rcode}"))
    if questions != 1 or answers + authorities + additionals > MAX_RECORDS:
        raise ValueError("too many records")
    offset = skip_name(packet, 12) + 4
    authenticated = bool(flags & 0x0020)
    ttl = _MAX_TTL
    complete = True
    if answers:
        found, ttl, offset, complete = _read_answers(packet, offset, answers, question)
        if found:
            if rcode == NXDOMAIN:
                raise ValueError("records for a name that does not exist")
            return Reply(AnswerStatus.NOERROR, found, ttl, rcode, authenticated)
    return _negative(packet, offset, (authorities, additionals), flags, min(ttl, _MAX_TTL), complete)


def _read_answers(packet: bytes, offset: int, count: int, question: Question) -> tuple[tuple[str, ...], int, int, bool]:
    """Records at the end of the CNAME chain, the least TTL up to there, the offset behind, whether it is whole."""
    wanted = TYPE_CODES[question.rtype]
    sets: dict[str, list[tuple[int, int, int]]] = {}  # owner -> (ttl, rdata start, rdata end)
    aliases: dict[str, tuple[str, int]] = {}  # owner -> (target, ttl)
    first = question.name
    for _ in range(count):
        if packet[offset] == 0xC0 and packet[offset + 1] == 12:  # noqa: PLR2004  # a pointer to the question's name
            owner = first
            offset += 2
        else:
            owner = decode_name(packet, offset)
            offset = skip_name(packet, offset)
        rtype, rclass, ttl, length = _record(packet, offset)
        offset += 10
        end = offset + length
        if end > len(packet):
            raise ValueError("record beyond the packet")
        if ttl > _MAX_TTL:
            ttl = 0  # RFC 2181, section 8: a TTL with its top bit set is zero
        if rclass == _CLASS_IN:
            if rtype == wanted:
                sets.setdefault(owner, []).append((ttl, offset, end))
            elif rtype == _CNAME:
                if owner in aliases:
                    # RFC 2181, section 10.1: one alias per name; which of two to follow would be a guess.
                    raise ValueError("two aliases for one name")
                aliases[owner] = _name(packet, offset, end), ttl
        offset = end
    owner, least, whole = _follow(first, sets, aliases)
    chosen = sets.get(owner)
    if chosen is None:
        return (), least, offset, whole
    records = _READERS[question.rtype](packet, [(start, end) for _, start, end in chosen])
    return records, min([least, *[ttl for ttl, _, _ in chosen]]), offset, True


def _follow(
    owner: str, sets: dict[str, list[tuple[int, int, int]]], aliases: dict[str, tuple[str, int]]
) -> tuple[str, int, bool]:
    """The end of the alias chain that starts at `owner`, its least TTL, and whether it could still go on elsewhere."""
    least = _MAX_TTL
    start = owner
    for _ in range(MAX_CHAIN):
        if owner in sets or owner not in aliases:
            return owner, least, owner == start
        owner, ttl = aliases[owner]
        least = min(least, ttl)
    # A loop, or longer than any resolver follows: the name leads nowhere, and asking again will not change that.
    return "", least, True


def _negative(
    packet: bytes,
    offset: int,
    counts: tuple[int, int],
    flags: int,
    ttl: int,
    complete: bool,  # noqa: FBT001  # private
) -> Reply:
    """NXDOMAIN or NODATA with the time it may be kept (RFC 2308, section 5), or why this is not an answer."""
    rcode = flags & 0x000F
    keep, delegated = -1, False
    for index in range(sum(counts)):
        offset = skip_name(packet, offset)
        rtype, _, record_ttl, length = _record(packet, offset)
        offset += 10 + length
        if offset > len(packet):
            raise ValueError("record beyond the packet")
        if rtype == _SOA and index < counts[0] and keep < 0:
            if length < _SOA_FIXED:
                raise ValueError("SOA record too short")
            keep = min(record_ttl if record_ttl <= _MAX_TTL else 0, int.from_bytes(packet[offset - 4 : offset], "big"))
        elif rtype == _NS and index < counts[0]:
            delegated = True
        elif rtype == _OPT and record_ttl >> 24:
            # RFC 6891, section 6.1.3: the upper bits of the rcode; BADVERS looks like NOERROR without them.
            rcode |= record_ttl >> 24 << 4
            return Reply(AnswerStatus.TEMPFAIL, rcode=rcode, cause=f"rcode {rcode}")
    authoritative, recursive = flags & 0x0400, flags & 0x0080
    # RFC 2308, section 2.2: what has name servers and no SOA is a referral, where neither stands it is "no data".
    referral = delegated and keep < 0 and not authoritative and rcode != NXDOMAIN
    if not recursive and (referral or not complete):
        # That, or an alias into a zone this server does not know: no answer, and above all not "no data".
        return Reply(AnswerStatus.TEMPFAIL, rcode=rcode, cause="no recursion")
    status = AnswerStatus.NXDOMAIN if rcode == NXDOMAIN else AnswerStatus.NODATA
    # RFC 2308, section 5: without an SOA the answer should not be kept; 0 leaves that to the cache's least time.
    return Reply(status, (), min(max(keep, 0), ttl), rcode, bool(flags & 0x0020))


def _addresses(packet: bytes, places: list[tuple[int, int]]) -> tuple[str, ...]:
    """A records."""
    if any([end - start != 4 for start, end in places]):  # noqa: C419, PLR2004  # a list is quicker here; RFC 1035, 3.4.1
        raise ValueError("A record is not 4 bytes")
    return tuple([inet_ntoa(packet[start:end]) for start, end in places])


def _addresses6(packet: bytes, places: list[tuple[int, int]]) -> tuple[str, ...]:
    """AAAA records."""
    if any([end - start != 16 for start, end in places]):  # noqa: C419, PLR2004  # the same; RFC 3596, section 2.2
        raise ValueError("AAAA record is not 16 bytes")
    return tuple([inet_ntop(AF_INET6, packet[start:end]) for start, end in places])


def _texts(packet: bytes, places: list[tuple[int, int]]) -> tuple[str, ...]:
    """TXT records: the character-strings of each joined."""
    records = []
    for start, end in places:
        first = packet[start]
        if start + 1 + first == end:
            records.append(packet[start + 1 : end].decode("latin-1"))
            continue
        strings = []
        offset = start
        while offset < end:
            following = offset + 1 + packet[offset]
            strings.append(packet[offset + 1 : following])
            offset = following
        if offset != end or start == end:
            raise ValueError("character-string beyond its record")
        records.append(b"".join(strings).decode("latin-1"))
    return tuple(records)


def _names(packet: bytes, places: list[tuple[int, int]]) -> tuple[str, ...]:
    """PTR and NS records."""
    return tuple([_name(packet, start, end) for start, end in places])


def _alias(packet: bytes, places: list[tuple[int, int]]) -> tuple[str, ...]:
    """A CNAME record."""
    if len(places) > 1:
        raise ValueError("two aliases for one name")  # RFC 2181, section 10.1, as above
    return _names(packet, places)


def _name(packet: bytes, start: int, end: int) -> str:
    """A name that fills its record."""
    if skip_name(packet, start) != end:
        raise ValueError("name does not fill its record")
    return decode_name(packet, start)


def _exchanges(packet: bytes, places: list[tuple[int, int]]) -> tuple[str, ...]:
    """MX records' hosts by ascending preference."""
    if any([end - start < 3 for start, end in places]):  # noqa: C419, PLR2004  # the same; 2 bytes preference, a name
        raise ValueError("MX record too short")
    pairs = [(packet[start] << 8 | packet[start + 1], _name(packet, start + 2, end)) for start, end in places]
    pairs.sort(key=_preference)
    return tuple([name for _, name in pairs])


def _preference(pair: tuple[int, str]) -> int:
    """Sort key: equal preferences keep the server's order, which rotates the load."""
    return pair[0]


def _authorities(packet: bytes, places: list[tuple[int, int]]) -> tuple[str, ...]:
    """An SOA record as in zone files: two names and five numbers."""
    if len(places) > 1:
        raise ValueError("two SOA records for one name")  # RFC 2181, section 6.1: a zone has one
    records = []
    for start, end in places:
        middle = skip_name(packet, start)
        numbers = skip_name(packet, middle)
        if numbers + 20 != end:
            raise ValueError("SOA record of the wrong length")
        names = f"{decode_name(packet, start)} {decode_name(packet, middle)}"
        records.append(" ".join([names, *map(str, _soa_numbers(packet, numbers))]))
    return tuple(records)


_READERS: Final = {
    RRType.A: _addresses,
    RRType.AAAA: _addresses6,
    RRType.CNAME: _alias,
    RRType.MX: _exchanges,
    RRType.NS: _names,
    RRType.PTR: _names,
    RRType.SOA: _authorities,
    RRType.TXT: _texts,
}

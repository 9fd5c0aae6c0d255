"""The policy protocol's bytes: every kind of request that is one, and every limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.policy.codec import MAX_LINE, MAX_LINES, MAX_REQUEST, Decoder, PolicyProtocolError, Request
from tests.policy.asking import MAIL, wire

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="=\n\r"), max_size=20)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=40)


def read(data: bytes) -> list[Request]:
    """What a fresh decoder makes of it."""
    return Decoder().receive(data)


def test_a_request_of_postfix_is_read() -> None:
    """All attributes come with their values."""
    assert [Request(dict(MAIL))] == read(wire())


@pytest.mark.threat("POL-01")
def test_order_does_not_matter() -> None:
    """The same attributes in the opposite order are the same request."""
    data = b"".join([f"{name}={value}\n".encode() for name, value in reversed(MAIL.items())]) + b"\n"
    assert read(wire()) == read(data)


@pytest.mark.threat("POL-01")
def test_line_ends_of_both_kinds_are_read() -> None:
    """Who ends lines by CRLF says the same."""
    assert read(wire()) == read(wire().replace(b"\n", b"\r\n"))


@pytest.mark.threat("POL-01")
def test_what_is_missing_is_empty() -> None:
    """An attribute that was not sent is as one without a value."""
    (request,) = read(b"request=smtpd_access_policy\nsender=\n\n")
    assert (request.get("sender"), request.get("recipient"), request.get("request")) == ("", "", "smtpd_access_policy")


@pytest.mark.threat("POL-01")
def test_what_is_unknown_is_kept_and_hurts_nobody() -> None:
    """Later versions of Postfix send attributes that are not known yet."""
    (request,) = read(wire(tls_of_tomorrow="yes"))
    assert not request.doubled
    assert request.get("sender") == MAIL["sender"]


@pytest.mark.threat("POL-01")
@pytest.mark.parametrize(("second", "doubled"), [(b"a@a.test", False), (b"b@b.test", True)])
def test_an_attribute_given_twice_is_noted_where_it_says_two_things(second: bytes, *, doubled: bool) -> None:
    """The first value stays, and the request is marked as one that contradicts itself."""
    (request,) = read(b"sender=a@a.test\nsender=" + second + b"\n\n")
    assert ("a@a.test", doubled) == (request.get("sender"), request.doubled)


def test_the_next_request_knows_nothing_of_the_one_before() -> None:
    """Attributes and the mark of doubt are of one request."""
    first, second = read(b"a=1\na=2\nb=3\n\na=4\n\n")
    assert (first.doubled, second.attributes, second.doubled) == (True, {"a": "4"}, False)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n\r\n"])
@pytest.mark.parametrize("lines", [MAX_LINES - 1, MAX_LINES, MAX_LINES + 1])
def test_in_one_piece_or_byte_by_byte(end: bytes, lines: int) -> None:
    """A whole request in one piece has a way of its own through the decoder, with the same result and limits."""
    data = b"\n".join([b"a%d=%d=\xff" % (number, number) for number in range(lines)]) + end
    decoder = Decoder()

    def bytewise() -> list[Request]:
        return [one for byte in data for one in decoder.receive(bytes([byte]))]

    if lines > MAX_LINES:
        with pytest.raises(PolicyProtocolError):
            read(data)
        with pytest.raises(PolicyProtocolError):
            bytewise()
    else:
        assert read(data) == bytewise()


@pytest.mark.threat("POL-02")
def test_a_value_may_hold_equals_signs() -> None:
    """The first one ends the name."""
    (request,) = read(b"sender=b=c=d@e.test\n\n")
    assert request.get("sender") == "b=c=d@e.test"


def test_bytes_that_are_no_utf8_come_back_as_they_were() -> None:
    """As addresses come from the milter."""
    (request,) = read(b"sender=\xff\xfe@a.test\n\n")
    assert request.get("sender").encode("utf-8", "surrogateescape") == b"\xff\xfe@a.test"


@pytest.mark.threat("POL-02")
@pytest.mark.parametrize(
    "data",
    [
        b"sender=" + b"a" * 65_536,
        b"sender=" + b"a" * MAX_LINE + b"\n\n",
        b"".join([b"a%d=\n" % number for number in range(10_000)]),
        b"".join([b"a%d=\n" % number for number in range(MAX_LINES + 1)]),
        b"".join([b"a%d=%s\n" % (number, b"x" * 4_000) for number in range(MAX_REQUEST // 4_000 + 1)]),
        b"no equals sign\n\n",
        b"\n",
        b"\r\n",
    ],
    ids=["endless-line", "long-line", "10000-attributes", "one-too-many", "size", "no-equals", "empty", "crlf"],
)
def test_what_breaks_a_limit_is_a_protocol_error(data: bytes) -> None:
    """Nothing that is too long, or no request at all, is read."""
    with pytest.raises(PolicyProtocolError):
        read(data)


@pytest.mark.threat("POL-02")
def test_what_just_keeps_the_limits_is_read() -> None:
    """A line and a number of lines at their limits."""
    line = b"a0=" + b"x" * (MAX_LINE - 3)
    rest = b"".join([b"a%d=\n" % number for number in range(1, MAX_LINES)])
    (request,) = read(line + b"\n" + rest + b"\n")
    assert len(request.attributes) == MAX_LINES


def test_a_request_is_within_until_its_empty_line() -> None:
    """A server can tell who has begun one and does not end it."""
    decoder = Decoder()
    seen = [decoder.within]
    for piece in (b"send", b"er=\n", b"\n"):
        decoder.receive(piece)
        seen.append(decoder.within)
    assert seen == [False, True, True, False]


@pytest.mark.threat("POL-07")
def test_a_thousand_requests_come_out_as_they_went_in() -> None:
    """One connection, each with a sender of its own, in pieces that end anywhere."""
    data = b"".join([wire(sender=f"s{number}@sender.test") for number in range(1_000)])
    decoder, found = Decoder(), list[Request]()
    for start in range(0, len(data), 997):
        found += decoder.receive(data[start : start + 997])
    assert [f"s{number}@sender.test" for number in range(1_000)] == [one.get("sender") for one in found]


@given(
    st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=8), min_size=1, max_size=4),
    st.lists(st.integers(1, 50), max_size=20),
    st.booleans(),
)
def test_any_attributes_in_any_pieces(
    messages: list[dict[str, str]],
    cuts: list[int],
    crlf: bool,  # noqa: FBT001  # hypothesis gives them in order
) -> None:
    """What is written as the protocol says comes back, however it is cut."""
    end = "\r\n" if crlf else "\n"
    data = "".join(
        ["".join([f"{name}={value}{end}" for name, value in one.items()]) + end for one in messages]
    ).encode()
    decoder, found, at = Decoder(), list[Request](), 0
    for cut in cuts:
        found += decoder.receive(data[at : at + cut])
        at += cut
    found += decoder.receive(data[at:])
    assert messages == [one.attributes for one in found]

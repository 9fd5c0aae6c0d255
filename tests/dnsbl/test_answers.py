import pytest

from filterd.dnsbl import ListStatus, Subject, Zone, interpret
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

QUESTION = Question("2.0.0.127.list.example", RRType.A)
CODES = Zone(
    "codes",
    "list.example",
    "list.example",
    frozenset({Subject.CLIENT}),
    codes={"127.0.0.2": "SBL", "127.0.0.3": "CSS"},
    refused=frozenset({"127.0.1.255"}),
)
BITS = Zone(
    "bits",
    "multi.example",
    "multi.example",
    frozenset({Subject.URL_HOST}),
    bits=((8, "PHISH"), (64, "ABUSE")),
    refused_bits=1,
)


def answer(*records: str) -> Answer:
    """An answer with these addresses."""
    return Answer(QUESTION, AnswerStatus.NOERROR, records)


def test_a_declared_address_is_a_hit() -> None:
    """It carries its symbol and the address it was read from."""
    found = interpret(CODES, answer("127.0.0.2", "127.0.0.3"))
    assert (found.status, found.symbols, found.codes) == (ListStatus.HIT, ("SBL", "CSS"), ("127.0.0.2", "127.0.0.3"))


@pytest.mark.parametrize("status", [AnswerStatus.NXDOMAIN, AnswerStatus.NODATA])
def test_no_address_is_a_miss(status: AnswerStatus) -> None:
    """The name is not there, or has no address."""
    assert interpret(CODES, Answer(QUESTION, status)).status is ListStatus.MISS


def test_no_answer_is_neither_hit_nor_miss() -> None:
    """A timeout says nothing about the client."""
    found = interpret(CODES, Answer(QUESTION, AnswerStatus.TEMPFAIL, cause="timeout"))
    assert (found.status, found.cause, found.usable) == (ListStatus.FAILED, "timeout", False)


@pytest.mark.parametrize(
    "record", ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.255.255.1", "127.0.1.255"]
)
@pytest.mark.threat("DNS-01")
def test_a_refusal_is_never_a_hit(record: str) -> None:
    """Wrong zone, open resolver, too many queries, and what the list itself declares as an error."""
    found = interpret(CODES, answer(record))
    assert (found.status, found.symbols) == (ListStatus.REFUSED, ())


@pytest.mark.parametrize(
    "record", ["127.0.0.1", "10.0.0.1", "203.0.113.5", "0.0.0.0", "255.255.255.255", "", "::1", "x"]
)
@pytest.mark.threat("DNS-02")
def test_an_address_no_list_gives_is_never_a_hit(record: str) -> None:
    """Rewriting resolvers and parked domains answer with anything."""
    for zone in (CODES, BITS):
        found = interpret(zone, answer(record))
        assert not found.usable
        assert found.symbols == ()


@pytest.mark.parametrize("record", ["127.0.0.0", "127.0.0.4", "127.1.0.2", "127.0.0.20", "127.0.0.02"])
@pytest.mark.threat("DNS-02")
def test_a_code_nobody_declared_is_an_error(record: str) -> None:
    """A list that begins to use a new code is not believed until somebody has read what it means."""
    assert interpret(CODES, answer(record)).status is ListStatus.ERROR


@pytest.mark.threat("DNS-02")
def test_one_refusal_voids_the_whole_answer() -> None:
    """Ten answers with a foreign address among them do not come from the list."""
    records = ["127.0.0.2", *[f"127.0.0.{n}" for n in range(100, 108)], "203.0.113.5"]
    assert interpret(CODES, answer(*records)).status is ListStatus.REFUSED


@pytest.mark.threat("DNS-02")
def test_declared_addresses_among_undeclared_ones_count() -> None:
    """Only what is declared, and nothing of the rest."""
    found = interpret(CODES, answer("127.0.0.99", "127.0.0.2"))
    assert (found.status, found.symbols) == (ListStatus.HIT, ("SBL",))


def test_bits_are_read_from_the_last_octet() -> None:
    """One address can mean several things."""
    assert interpret(BITS, answer("127.0.0.72")).symbols == ("PHISH", "ABUSE")


@pytest.mark.parametrize("record", ["127.0.0.1", "127.0.0.9", "127.0.0.255", "127.0.1.8"])
@pytest.mark.threat("DNS-01")
def test_bit_one_is_a_refusal_whatever_else_is_set(record: str) -> None:
    """SURBL and URIBL say blocked with it; and their bits stand in 127.0.0.x only."""
    assert interpret(BITS, answer(record)).status is ListStatus.REFUSED


def test_bits_nobody_declared_are_an_error() -> None:
    """Not a hit, not a miss."""
    assert interpret(BITS, answer("127.0.0.2")).status is ListStatus.ERROR

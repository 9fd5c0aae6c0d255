from dataclasses import replace

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


ABOUT = Zone(
    "about",
    "list.example",
    "list.example",
    frozenset({Subject.CLIENT, Subject.RECEIVED}),
    codes={"127.0.0.2": "SBL", "127.0.0.10": "PBL"},
    codes_about={Subject.RECEIVED: {"127.0.0.2": "RECEIVED_SBL"}},
)


def test_an_answer_may_mean_another_thing_for_another_subject() -> None:
    """What a list says about a client weighs more than what it says about some earlier host."""
    assert interpret(ABOUT, answer("127.0.0.2"), Subject.CLIENT).symbols == ("SBL",)
    assert interpret(ABOUT, answer("127.0.0.2"), Subject.RECEIVED).symbols == ("RECEIVED_SBL",)
    assert interpret(ABOUT, answer("127.0.0.2")).symbols == ("SBL",)


def test_what_means_nothing_for_a_subject_is_a_miss() -> None:
    """It is declared, so it is no error; and no hit."""
    assert interpret(ABOUT, answer("127.0.0.10"), Subject.RECEIVED).status is ListStatus.MISS
    found = interpret(ABOUT, answer("127.0.0.10", "127.0.0.2"), Subject.RECEIVED)
    assert (found.symbols, found.codes) == (("RECEIVED_SBL",), ("127.0.0.2",))


def test_bits_may_mean_another_thing_for_another_subject() -> None:
    """The same for lists of bits."""
    zone = replace(BITS, bits_about={Subject.URL_ADDRESS: ((64, "ADDRESS_ABUSE"),)})
    assert interpret(zone, answer("127.0.0.72"), Subject.URL_ADDRESS).symbols == ("ADDRESS_ABUSE",)
    assert interpret(zone, answer("127.0.0.8"), Subject.URL_ADDRESS).status is ListStatus.MISS


@pytest.mark.parametrize("subject", [*Subject, None])
@pytest.mark.parametrize(
    "zone", [ABOUT, replace(BITS, bits_about={Subject.RECEIVED: ((8, "X1"),)})], ids=["codes", "bits"]
)
@pytest.mark.parametrize(
    "record",
    ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.1", "10.0.0.1", "203.0.113.5", "127.0.0.99"],
)
@pytest.mark.threat("DNS-01")
@pytest.mark.threat("DNS-02")
def test_an_error_is_one_whatever_was_asked_about(zone: Zone, subject: Subject | None, record: str) -> None:
    """No subject turns a refusal, a foreign address or an undeclared code into a hit or a miss."""
    found = interpret(zone, answer(record), subject)
    assert (found.usable, found.symbols) == (False, ())

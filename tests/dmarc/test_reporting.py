"""Whom a record names for reports, and whether they want them (RFC 9990, sections 3.5 and 4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dmarc.record import MAX_RECORD
from filterd.dmarc.reporting import MAX_ADDRESS, MAX_DESTINATIONS, Consent, Destination, consent, destinations
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete

HEAD = "v=DMARC1; p=none; rua="
TAKES = "v=DMARC1"


@pytest.mark.parametrize(
    ("rua", "expected"),
    [
        ("mailto:r@a.test", [("r@a.test", 0)]),
        ("MAILTO:R.s+x@A.Test", [("R.s+x@a.test", 0)]),
        ("mailto:r@a.test!10m", [("r@a.test", 10 << 20)]),
        ("mailto:r@a.test!512", [("r@a.test", 512)]),
        ("mailto:r@a.test!1K , mailto:s@b.test", [("r@a.test", 1024), ("s@b.test", 0)]),
        ("mailto:r@a.test?subject=x&cc=v@victim.test", [("r@a.test", 0)]),
        ("mailto:r%2Bx@a.test", [("r+x@a.test", 0)]),
        ("mailto:r@a.test,mailto:r@a.test!5", [("r@a.test", 0)]),
        ("mailto:r!2@a.test", [("r!2@a.test", 0)]),
        ("https://a.test/r,mailto:r@a.test", [("r@a.test", 0)]),
        ("mailto:r@b\u00fccher.test", [("r@xn--bcher-kva.test", 0)]),
        ("r@a.test", []),
        ("mailto:", []),
        ("mailto:@a.test", []),
        ("mailto:r@", []),
        ("mailto:r@[192.0.2.1]", []),
        ("mailto:%22a b%22@a.test", []),
        ("mailto:r%0D%0ARCPT TO:<v@victim.test>@a.test", []),
        ("mailto:r%00@a.test", []),
        (f"mailto:{'r' * 65}@a.test", []),
        (f"mailto:r@{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 10}.test", []),
        ("mailto:r@a..test", []),
        ("", []),
    ],
)
def test_destinations(rua: str, expected: list[tuple[str, int]]) -> None:
    """Addresses alone, in their order, each once, with the size that is said of the first."""
    assert [(one.address, one.most) for one in destinations(HEAD + rua)] == expected


def test_only_so_many() -> None:
    """Who names a hundred floods somebody."""
    many = ",".join([f"mailto:r{number}@a.test" for number in range(100)])
    assert [one.address for one in destinations(HEAD + many)] == [f"r{n}@a.test" for n in range(MAX_DESTINATIONS)]


def test_a_record_too_long() -> None:
    """It is none, here as where it is evaluated."""
    assert destinations(f"{HEAD}mailto:r@a.test;" + "x" * MAX_RECORD) == ()


@given(st.text(max_size=300))
def test_whatever_stands_there(text: str) -> None:
    """Nothing is raised, and nothing but a plain address comes out, which is a line of SMTP and no more."""
    for one in destinations(HEAD + text):
        assert one.address.isascii()
        assert one.address.isprintable()
        assert not set(' <>\r\n\t,;:"\\()') & set(one.address)
        assert len(one.address) <= MAX_ADDRESS


def asked(domain: str, address: str, txt: dict[str, list[str]], *, fail: tuple[str, ...] = ()) -> tuple[Consent, str]:
    """Whether a report may go there, and where then."""
    resolver = FakeResolver(txt=txt, fail=fail)
    found, to = complete(consent(domain, Destination(address)), resolver.lookup)
    assert len(resolver.asked) <= 17  # two walks and one question
    return found, to.address


def test_the_same_organization_is_not_asked() -> None:
    """Section 4: below or above it, by the tree walk and not by the names' look."""
    zone = {"_dmarc.a.test": ["v=DMARC1; p=none"], "_dmarc.b.a.test": ["v=DMARC1; p=reject"]}
    assert asked("a.test", "r@a.test", zone) == (Consent.OWN, "r@a.test")
    assert asked("a.test", "r@deep.mail.a.test", zone) == (Consent.OWN, "r@deep.mail.a.test")
    assert asked("b.a.test", "r@a.test", zone) == (Consent.OWN, "r@a.test")
    alone = {**zone, "_dmarc.b.a.test": ["v=DMARC1; p=reject; psd=n"]}
    assert asked("b.a.test", "r@a.test", alone) == (Consent.REFUSED, "r@a.test")


@pytest.mark.parametrize("text", [TAKES, "v=DMARC1;", "v=DMARC1; p=none", "V = DMARC1 ; rua=nonsense"])
def test_who_says_so_takes_them(text: str) -> None:
    """A record at the name of both, the version first; unrelated texts beside it are no matter (steps 6 to 8)."""
    zone = {"a.test._report._dmarc.b.test": ["unrelated", text]}
    assert asked("a.test", "r@b.test", zone) == (Consent.GIVEN, "r@b.test")


@pytest.mark.parametrize("text", ["", "v=DMARC2", "p=none; v=DMARC1", "v=spf1 -all"])
def test_nobody_gets_what_he_has_not_asked_for(text: str) -> None:
    """Steps 6 and 7: nothing there, or nothing that is one."""
    assert asked("a.test", "r@b.test", {"a.test._report._dmarc.b.test": [text]}) == (Consent.REFUSED, "r@b.test")
    assert asked("a.test", "r@b.test", {}) == (Consent.REFUSED, "r@b.test")


def test_the_taker_may_name_another_address_of_his() -> None:
    """Step 9: of the same host; of another neither gets anything."""
    name = "a.test._report._dmarc.b.test"
    assert asked("a.test", "r@b.test", {name: ["v=DMARC1; rua=mailto:s@b.test!9k"]}) == (Consent.GIVEN, "s@b.test")
    refused = (Consent.REFUSED, "r@b.test")
    assert asked("a.test", "r@b.test", {name: ["v=DMARC1; rua=mailto:v@victim.test"]}) == refused
    assert asked("a.test", "r@b.test", {name: ["v=DMARC1; rua=mailto:s@sub.b.test"]}) == refused


@pytest.mark.parametrize("failing", ["txt a.test._report._dmarc.b.test", "txt _dmarc.b.test", "txt _dmarc.test"])
def test_a_lookup_that_fails_is_no_refusal(failing: str) -> None:
    """Step 5: it is asked again later; what cannot be told apart from the own organization is asked like another's."""
    found, _ = asked("a.test", "r@b.test", {}, fail=(failing,))
    assert found in ({Consent.UNKNOWN} if "_report" in failing else {Consent.REFUSED, Consent.UNKNOWN})


def test_a_name_too_long_to_ask() -> None:
    """Step 4: nothing can be found out, so nothing is sent."""
    long = ".".join(["x" * 60] * 3)
    assert asked(f"{long}.a.test", f"r@{'y' * 60}.b.test", {})[0] is Consent.REFUSED

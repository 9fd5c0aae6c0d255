"""What filterd dnsbl says of lists, asked through a fake resolver."""

import pytest

from filterd.dns.fake import FakeResolver
from filterd.dnsbl import Subject, Zone
from filterd.model.dns import Answer, Question
from filterd.operations.dnsbl import Health, Lookup, health, lookup, subject_of
from filterd.store import Suspension

ZEN = Zone(
    "zen",
    "secret.zen.example",
    "zen.example",
    frozenset({Subject.CLIENT, Subject.RECEIVED}),
    codes={"127.0.0.2": "SBL", "127.0.0.4": "XBL"},
    listed="127.0.0.2",
    unlisted="127.0.0.1",
)
DBL = Zone(
    "dbl",
    "dbl.example",
    "dbl.example",
    frozenset({Subject.SENDER_DOMAIN, Subject.URL_HOST}),
    codes={"127.0.1.2": "DBL"},
)
ZONES = (ZEN, DBL)


class Asker:
    """A fake resolver as the commands use one."""

    def __init__(self, resolver: FakeResolver) -> None:
        """Ask it."""
        self.resolver = resolver

    def __call__(self, questions: tuple[Question, ...]) -> tuple[Answer, ...]:
        """All at once."""
        return tuple(map(self.resolver.lookup, questions))


@pytest.mark.parametrize(
    ("records", "status", "symbols", "cause"),
    [
        (["127.0.0.2", "127.0.0.4"], "hit", ("SBL", "XBL"), ""),
        (["127.0.0.99"], "error", (), "answered 127.0.0.99, which it does not declare"),
        (["127.255.255.254"], "refused", (), "answered 127.255.255.254"),
    ],
)
@pytest.mark.threat("DNS-01")
@pytest.mark.threat("DNS-02")
def test_an_address_is_looked_up_in_the_lists_of_addresses(
    records: list[str], status: str, symbols: tuple[str, ...], cause: str
) -> None:
    """Once each; the answer is shown whatever it means, the key in the zone never."""
    resolver = FakeResolver(a={"7.100.51.198.secret.zen.example": records})
    (found,) = lookup(ZONES, "198.51.100.7", Asker(resolver))
    assert found == Lookup("198.51.100.7", "zen.example", status, symbols, tuple(records), 300, cause)
    assert len(resolver.asked) == 1
    assert "secret" not in str(found)


def test_a_name_is_looked_up_by_the_part_that_is_listed() -> None:
    """And what is not listed is a miss, what nobody answers a failure."""
    resolver = FakeResolver(a={"spam.test.dbl.example": ["127.0.1.2"]}, fail=["a dead.test.dbl.example"])
    found = [
        one for name in ("www.spam.test", "good.test", "dead.test") for one in lookup(ZONES, name, Asker(resolver))
    ]
    assert [(one.list, one.status, one.symbols) for one in found] == [
        ("dbl.example", "hit", ("DBL",)),
        ("dbl.example", "miss", ()),
        ("dbl.example", "failed", ()),
    ]
    assert found[2].cause == "fake failure"


@pytest.mark.threat("DNS-04")
@pytest.mark.parametrize("address", ["192.168.1.1", "fe80::1", "::1", "127.0.0.2"])
def test_a_private_address_is_shown_to_nobody(address: str) -> None:
    """It says so instead."""
    resolver = FakeResolver()
    (found,) = lookup(ZONES, address, Asker(resolver))
    assert (found.list, found.status, resolver.asked) == ("", "not asked", [])
    assert "not a public address" in found.cause


def test_what_no_list_takes_is_said() -> None:
    """An e-mail address where no list of such is enabled."""
    (found,) = lookup(ZONES, "a@b.test", Asker(FakeResolver()))
    assert (found.status, found.cause) == ("not asked", "no enabled list takes it")


@pytest.mark.threat("DNS-07")
@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("BÜCHER.example.", "xn--bcher-kva.example"),
        ("Anna@Example.ORG", "Anna@example.org"),
        ("AB" * 32, "ab" * 32),
        ("localhost", ""),
        ("@example.org", ""),
        ("a..b", ""),
        ("x" * 64 + ".example", ""),
        ("\x1b[2J.example", ""),
        ("", ""),
    ],
)
def test_subjects_are_normalised_or_refused(text: str, subject: str) -> None:
    """What lists cannot be asked about is no subject."""
    assert subject_of(text) == subject


@pytest.mark.threat("DNS-03")
def test_health_tells_four_states_and_suspensions_apart() -> None:
    """Healthy, unhealthy, unknown, no test points; each by its displayed name."""
    good = {"2.0.0.127.secret.zen.example": ["127.0.0.2"]}
    suspended = {"zen": Suspension("test point 127.0.0.2 is not listed", 5.0)}
    assert list(health(ZONES, Asker(FakeResolver(a=good)), {})) == [
        Health("zen.example", "healthy"),
        Health("dbl.example", "no test points"),
    ]
    assert next(health(ZONES, Asker(FakeResolver()), suspended)) == Health(
        "zen.example",
        "unhealthy",
        "test point 127.0.0.2 is not listed",
        suspended=True,
        since=5.0,
        reason="test point 127.0.0.2 is not listed",
    )
    dead = Asker(FakeResolver(fail=["a 2.0.0.127.secret.zen.example"]))
    assert next(health(ZONES, dead, None)) == Health("zen.example", "unknown", "fake failure", suspended=None)

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.dnsbl import ListHealth, Listing, ListStatus, SelfTest, Subject, Zone, self_test
from filterd.dnsbl.health import FAILED_SECONDS, FAILURES, NO_POINTS, REFUSALS, REFUSED_SECONDS, probes

ZONE = Zone(
    "one",
    "secret.list.example",
    "list.example",
    frozenset({Subject.CLIENT}),
    codes={"127.0.0.2": "A1"},
    listed="127.0.0.2",
    unlisted="127.0.0.1",
)
LISTED = {"2.0.0.127.secret.list.example": ["127.0.0.2"]}
HIT = Listing(ListStatus.HIT, ("A1",))
REFUSED = Listing(ListStatus.REFUSED, cause="answered 127.255.255.254")
FAILED = Listing(ListStatus.FAILED, cause="timeout")


def test_a_healthy_list_lists_one_point_and_not_the_other() -> None:
    """RFC 5782, section 5; both are asked at once."""
    plan = self_test(ZONE)
    assert len(next(plan)) == 2
    assert complete(self_test(ZONE), FakeResolver(a=LISTED).lookup) == SelfTest("one", healthy=True)


@pytest.mark.threat("DNS-03")
def test_a_list_that_lists_everything_is_not_healthy() -> None:
    """An expired domain with a wildcard says yes to the point that must not be listed."""
    resolver = FakeResolver(a={**LISTED, "1.0.0.127.secret.list.example": ["127.0.0.2"]})
    assert complete(self_test(ZONE), resolver.lookup) == SelfTest("one", False, "test point 127.0.0.1 is listed")


@pytest.mark.threat("DNS-03")
def test_a_list_that_lists_nothing_is_not_healthy() -> None:
    """An empty list protects nobody."""
    assert complete(self_test(ZONE), FakeResolver().lookup).healthy is False


@pytest.mark.threat("DNS-01")
def test_a_refusal_of_the_test_is_not_healthy() -> None:
    """The list says that it will not answer us."""
    resolver = FakeResolver(a={"2.0.0.127.secret.list.example": ["127.255.255.254"]})
    result = complete(self_test(ZONE), resolver.lookup)
    assert (result.healthy, result.cause) == (False, "test point 127.0.0.2 is answered 127.255.255.254")


def test_a_test_without_an_answer_proves_nothing() -> None:
    """A dead resolver does not make lists bad."""
    resolver = FakeResolver(fail=["a 2.0.0.127.secret.list.example"])
    assert complete(self_test(ZONE), resolver.lookup).healthy is None


@pytest.mark.threat("DNS-03")
@pytest.mark.parametrize(("subject", "probe"), [(Subject.CLIENT, "192.0.2.7"), (Subject.URL_HOST, "probe-07.invalid")])
def test_what_nobody_can_have_listed_must_not_be_listed(subject: Subject, probe: str) -> None:
    """Random names, and for lists of clients an address of nobody, show a wildcard where test points do not."""
    zone = replace(ZONE, subjects=frozenset({subject}))
    asked = probes(zone, lambda count: b"\x07" * count)
    assert any(probe.partition("-07")[0] in text for text in asked)
    name = ".".join(reversed(asked[-1].split("."))) if subject is Subject.CLIENT else asked[-1]
    resolver = FakeResolver(a={**LISTED, f"{name}.secret.list.example": ["127.0.0.9"]})
    result = complete(self_test(zone, asked), resolver.lookup)
    assert (result.healthy, result.cause) == (False, f"{asked[-1]} is listed, which nobody can have listed")
    assert complete(self_test(zone, asked), FakeResolver(a=LISTED).lookup).healthy is True


@pytest.mark.parametrize("answer", ["127.255.255.252", "203.0.113.5", "127.0.0.1"])
def test_a_refusal_to_answer_about_nonsense_is_no_fault(answer: str) -> None:
    """Some lists refuse, or lead to their web page, where the name cannot be a question."""
    resolver = FakeResolver(a={**LISTED, "x.secret.list.example": [answer]})
    assert complete(self_test(ZONE, ("x",)), resolver.lookup).healthy is True


def test_a_probe_without_an_answer_leaves_the_word_to_the_test_points() -> None:
    """And where there are none, nothing is known."""
    resolver = FakeResolver(a=LISTED, fail=["a x.secret.list.example"])
    assert complete(self_test(ZONE, ("x",)), resolver.lookup).healthy is True
    bare = replace(ZONE, listed="", unlisted="")
    assert complete(self_test(bare, ("x",)), resolver.lookup) == SelfTest("one", None, "fake failure")
    assert complete(self_test(bare, ("y",)), resolver.lookup) == SelfTest("one", None, NO_POINTS)
    assert complete(self_test(bare), resolver.lookup) == SelfTest("one", None, NO_POINTS)


class Suspensions:
    """Records what was suspended."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.calls: list[tuple[str, str, float, int]] = []

    def suspend(self, name: str, reason: str, now: float, seconds: int) -> None:
        """Note the call."""
        self.calls.append((name, reason, now, seconds))


@pytest.mark.threat("DNS-01")
def test_refusals_in_a_row_suspend_a_list_and_say_so_without_its_key() -> None:
    """The event names the list as it is displayed: a zone may hold a paid key."""
    suspensions = Suspensions()
    health = ListHealth(suspensions.suspend, lambda: 5.0)
    with capture_logs() as events:
        for _ in range(REFUSALS):
            health.record(ZONE, REFUSED)
    assert suspensions.calls == [("one", "answered 127.255.255.254", 5.0, REFUSED_SECONDS)]
    assert [event["event"] for event in events] == ["dnsbl_suspended"]
    assert "secret" not in str(events)


def test_an_answer_in_between_forgives() -> None:
    """Only an unbroken row counts."""
    suspensions = Suspensions()
    health = ListHealth(suspensions.suspend, lambda: 0.0)
    for listing in [REFUSED] * (REFUSALS - 1) + [HIT] + [REFUSED] * (REFUSALS - 1):
        health.record(ZONE, listing)
    assert suspensions.calls == []


def test_silence_suspends_later_and_shorter() -> None:
    """Timeouts are rather the resolver's fault."""
    suspensions = Suspensions()
    health = ListHealth(suspensions.suspend, lambda: 0.0)
    for _ in range(FAILURES):
        health.record(ZONE, FAILED)
    assert [seconds for *_, seconds in suspensions.calls] == [FAILED_SECONDS]

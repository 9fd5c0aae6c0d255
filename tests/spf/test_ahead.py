"""Lookups asked ahead save round trips and change nothing else."""

from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings

from filterd.dns.fake import FakeResolver
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.dns import Question, RRType
from filterd.spf import MAX_QUESTIONS, check_host, evaluate
from filterd.spf.evaluate import MAX_AHEAD
from filterd.spf.values import is_askable
from tests.spf.zones import CLIENT, CLIENT6, NOW, Zone, check, wild_zones


def rounds(resolver: FakeResolver) -> tuple[SpfResult, list[tuple[Question, ...]]]:
    """The result of judging d0.test, and what was asked in each round trip."""
    plan = check_host(CLIENT, "d0.test", "alice@d0.test", "helo.test", scope=SpfScope.MAILFROM, now=NOW)
    asked = []
    try:
        questions = next(plan)
        while True:
            asked.append(questions)
            questions = plan.send(tuple([resolver.lookup(question) for question in questions]))
    except StopIteration as stop:
        return stop.value, asked


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # zones take a while
@given(wild_zones())
def test_same_result_as_one_by_one(zone: Zone) -> None:
    """Whatever the records say: status, cause and explanation are those of asking one after another."""
    with patch.object(evaluate, "MAX_AHEAD", 0):
        expected = check(zone.resolver())
    assert check(zone.resolver()) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wild_zones())
def test_asks_no_more_than_the_limits(zone: Zone) -> None:
    """No question twice, none left out that the order needs, and no more than the limits add up to."""
    with patch.object(evaluate, "MAX_AHEAD", 0):
        needed = zone.resolver()
        check(needed)
    resolver = zone.resolver()
    check(resolver)
    assert len(resolver.asked) == len(set(resolver.asked))
    assert all(is_askable(question.name) for question in resolver.asked)
    assert set(resolver.asked) >= set(needed.asked)
    assert len(resolver.asked) <= len(needed.asked) + MAX_AHEAD
    assert len(needed.asked) <= MAX_QUESTIONS + 10  # the last step may be ten ptr names


def test_terms_of_one_record_in_one_round_trip() -> None:
    """A record, then all that its terms name, then the hosts of mx: three round trips, not seven."""
    resolver = FakeResolver(
        txt={
            "d0.test": ["v=spf1 a mx include:d1.test exists:%{i}.x.test -all"],
            "d1.test": ["v=spf1 -all"],
        },
        a={"d0.test": ["203.0.113.1"], "m1.test": ["203.0.113.2"], "m2.test": ["203.0.113.3"]},
        mx={"d0.test": ["m1.test", "m2.test"]},
    )
    result, asked = rounds(resolver)
    assert result.status is SpfStatus.FAIL
    assert [set(questions) for questions in asked] == [
        {Question("d0.test", RRType.TXT)},
        {
            Question("d0.test", RRType.A),
            Question("d0.test", RRType.MX),
            Question("d1.test", RRType.TXT),
            Question("192.0.2.1.x.test", RRType.A),
        },
        {Question("m1.test", RRType.A), Question("m2.test", RRType.A)},
    ]


def test_redirect_in_the_same_round_trip() -> None:
    """What a record redirects to is asked with its terms."""
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 a:h.test redirect=d1.test"], "d1.test": ["v=spf1 -all"]}, a={"h.test": ["203.0.113.1"]}
    )
    result, asked = rounds(resolver)
    assert (result.status, [len(questions) for questions in asked]) == (SpfStatus.FAIL, [1, 2])


def test_names_known_by_ptr_alone_are_not_guessed() -> None:
    """Where a name holds %{p}, nothing is asked before the order has come to it."""
    record = "v=spf1 a:h.test a:x%{p}.a.test include:x%{p}.b.test redirect=x%{p}.c.test"
    resolver = FakeResolver(txt={"d0.test": [record]}, a={"h.test": [CLIENT]})
    assert check(resolver).status is SpfStatus.PASS
    assert resolver.asked == [Question("d0.test", RRType.TXT), Question("h.test", RRType.A)]


def test_guesses_are_of_the_right_type() -> None:
    """For an IPv6 client a and mx ask for AAAA, exists for A all the same (RFC 7208, section 5.7)."""
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 a:h.test exists:e.test mx -all"]}, mx={"d0.test": ["m.test"]}, a={"x.test": [CLIENT]}
    )
    check(resolver, client=CLIENT6)
    assert set(resolver.asked) == {
        Question("d0.test", RRType.TXT),
        Question("h.test", RRType.AAAA),
        Question("e.test", RRType.A),
        Question("d0.test", RRType.MX),
        Question("m.test", RRType.AAAA),
    }


@pytest.mark.threat("AUTH-10")
def test_most_guesses() -> None:
    """An evaluation that ends at once has cost no more than the guesses allowed."""
    names = {f"m{number}.test": [f"h{number}-{host}.test" for host in range(10)] for number in range(4)}
    resolver = FakeResolver(
        txt={"d0.test": [f"v=spf1 {' '.join(f'mx:{name}' for name in names)} -all"]},
        mx=names,
        a={"h0-0.test": [CLIENT]},
    )
    assert check(resolver).status is SpfStatus.PASS
    assert MAX_AHEAD < len(resolver.asked) <= MAX_AHEAD + len(["the record", "mx", "its first host"])


@pytest.mark.parametrize(("hosts", "guessed"), [(10, True), (11, False)])
def test_hosts_of_an_impossible_mx_are_not_guessed(hosts: int, *, guessed: bool) -> None:
    """The addresses of an mx with more hosts than allowed are not asked for."""
    names = [f"h{number}.test" for number in range(hosts)]
    resolver = FakeResolver(
        txt={
            "d0.test": ["v=spf1 a:s.test mx exists:%{d}.e.test include:d1.test -all"],
            "d1.test": ["v=spf1 a:t.test -all"],
        },
        mx={"d0.test": names},
        a={"s.test": ["203.0.113.1"], "t.test": [CLIENT]},
    )
    check(resolver)
    assert any(question.name in names for question in resolver.asked) is guessed


def test_nested_includes_side_by_side() -> None:
    """Records of includes are read as they come, so a level of nesting costs one round trip whatever its width."""
    txt = {"d0.test": ["v=spf1 include:l1.test include:r1.test -all"]}
    for side in "lr":
        txt |= {f"{side}1.test": [f"v=spf1 include:{side}2.test -all"], f"{side}2.test": ["v=spf1 -all"]}
    result, asked = rounds(FakeResolver(txt=txt))
    assert (result.status, [len(questions) for questions in asked]) == (SpfStatus.FAIL, [1, 2, 2])


@pytest.mark.parametrize(("includes", "asked"), [(0, 10), (1, 9), (4, 6)])
def test_guesses_keep_to_the_limit_of_terms(includes: int, asked: int) -> None:
    """No term beyond the tenth is guessed, the includes on the way to it counted."""
    hosts = [f"h{number}.test" for number in range(15)]
    txt = {f"d{number}.test": [f"v=spf1 include:d{number + 1}.test -all"] for number in range(includes)}
    txt[f"d{includes}.test"] = [f"v=spf1 {' '.join(f'a:{host}' for host in hosts)} -all"]
    resolver = FakeResolver(txt=txt, a={host: ["203.0.113.1"] for host in hosts})
    assert check(resolver).status is SpfStatus.PERMERROR
    assert {question.name for question in resolver.asked if question.rtype is RRType.A} == set(hosts[:asked])


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 ip4:192.0.2.0/24 a:far.test mx -all",
        "v=spf1 -all a:far.test",
        "v=spf1 ip4:10.0.0.0/8 ?all redirect=d1.test",
    ],
)
def test_nothing_behind_a_known_match_is_asked(record: str) -> None:
    """Where ip4 or all decides, nothing behind it is asked."""
    resolver = FakeResolver(txt={"d0.test": [record]})
    check(resolver)
    assert resolver.asked == [Question("d0.test", RRType.TXT)]


def test_nothing_behind_an_include_known_to_match() -> None:
    """An included record that matches ends the outer one: no later term is guessed."""
    resolver = FakeResolver(
        txt={
            "d0.test": ["v=spf1 include:d1.test include:d2.test a:late.test -all"],
            "d1.test": ["v=spf1 a:far.test ip4:192.0.2.0/24 -all"],
            "d2.test": ["v=spf1 a:later.test -all"],
        },
        a={"far.test": ["203.0.113.1"]},
    )
    assert check(resolver).status is SpfStatus.PASS
    # d2.test and late.test were asked with d1.test, when its record was not known; what stands in d2.test was not.
    assert Question("later.test", RRType.A) not in resolver.asked


def test_failures_ahead_of_the_order_count_for_nothing() -> None:
    """A name that fails but that the order never reaches is no temperror."""
    resolver = FakeResolver(
        txt={"d0.test": ["v=spf1 a:client.test a:slow.test -all"]},
        a={"client.test": [CLIENT]},
        fail=["a slow.test"],
    )
    assert check(resolver).status is SpfStatus.PASS
    assert Question("slow.test", RRType.A) in resolver.asked

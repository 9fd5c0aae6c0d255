"""pyspf judges the same records the same way.

The generated records leave out what the two read differently on purpose. pyspf looks up every host of an mx before it
compares one, counts a redirect's lookup whether or not it is reached, fails on a ptr whose names fail, and refuses an
include of the domain itself before any other term is judged.
"""

from typing import Any
from unittest.mock import patch

import pytest
import spf
from hypothesis import HealthCheck, given, settings

from filterd.dns.fake import FakeResolver
from filterd.model.authentication import SpfStatus
from filterd.model.dns import Question, RRType
from tests.spf.zones import CLIENT, CLIENT6, NOW, Zone, check, tame_zones


def ask_pyspf(resolver: FakeResolver, client: str = CLIENT) -> tuple[str, str]:
    """Result and explanation of pyspf for the domain d0.test."""

    def lookup(name: str, rtype: str, *_: object) -> list[tuple[tuple[str, str], Any]]:
        answer = resolver.lookup(Question(name.lower(), RRType(rtype)))
        if answer.failed:
            raise spf.TempError("lookup failed")
        values: list[Any] = list(answer.records)
        if rtype == "TXT":
            values = [(record.encode("latin-1"),) for record in values]
        elif rtype == "MX":
            values = list(enumerate(values))
        return [((name, rtype), value) for value in values]

    with patch.object(spf, "DNSLookup", lookup), patch.object(spf.time, "time", lambda: NOW):
        query = spf.query(i=client, s="alice@d0.test", h="helo.test", receiver="receiver.test")
        query.set_default_explanation("")
        status, _, explanation = query.check()
    return status, explanation if status == "fail" else ""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # zones take a while
@given(tame_zones())
@pytest.mark.parametrize("client", [CLIENT, CLIENT6])
def test_same_as_pyspf(client: str, zone: Zone) -> None:
    """Result and explanation are pyspf's."""
    ours = check(zone.resolver(), client=client)
    assert (str(ours.status), ours.explanation) == ask_pyspf(zone.resolver(), client)


def test_explanation_is_fetched_on_fail_only() -> None:
    """Where pyspf fetches exp= for every message, the explanation costs a lookup on fail alone, and only if wanted."""
    why = Question("why.test", RRType.TXT)
    for record, explain, expected in [
        ("v=spf1 ip4:192.0.2.0/24 exp=why.test -all", True, False),
        ("v=spf1 ~all exp=why.test", True, False),
        ("v=spf1 -all exp=why.test", False, False),
        ("v=spf1 -all exp=why.test", True, True),
    ]:
        resolver = FakeResolver(txt={"d0.test": [record], "why.test": ["Not from %{i}"]})
        result = check(resolver, explain=explain)
        assert (why in resolver.asked) is expected
        assert result.explanation == (f"Not from {CLIENT}" if expected else "")


def test_pyspf_is_listening() -> None:
    """The comparison compares: pyspf sees the fake's records, its failures and its explanation."""
    fails = FakeResolver(txt={"d0.test": ["v=spf1 a:slow.test -all"]}, fail=["a slow.test"])
    assert ask_pyspf(fails) == (SpfStatus.TEMPERROR, "")
    refuses = FakeResolver(txt={"d0.test": ["v=spf1 -all exp=why.test"], "why.test": ["no %{s}"]})
    assert ask_pyspf(refuses) == (SpfStatus.FAIL, "no alice@d0.test")

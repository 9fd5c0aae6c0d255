"""The 203 cases of the RFC 7208 suite, explanations included, through the real evaluator."""

from typing import Any

import pytest

from filterd.dns.plans import complete
from filterd.domains import normalise_address
from filterd.model.authentication import SpfScope, SpfStatus
from filterd.spf import check_host
from tests.spf.suite import Zone, cases
from tests.spf.zones import NOW


@pytest.mark.threat("AUTH-09")
@pytest.mark.parametrize(("case", "zone"), list(cases()))
def test_case(case: dict[str, Any], zone: dict[str, Any]) -> None:
    """The result is one of those the suite allows, and so is the explanation."""
    mail_from, helo = case["mailfrom"], case["helo"]
    sender = mail_from or f"postmaster@{helo}"
    plan = check_host(
        case["host"],
        sender.rpartition("@")[2],
        sender,
        helo,
        scope=SpfScope.MAILFROM,
        receiver="receiver.test",
        now=NOW,
        explain=True,
    )
    result = complete(plan, Zone(zone).lookup)
    allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert result.status in allowed, result
    assert result.cause
    if "explanation" in case and result.status is SpfStatus.FAIL:
        expected = case["explanation"]
        assert (result.explanation or "DEFAULT") == expected


def test_addresses_of_the_suite_are_addresses() -> None:
    """A mapped address is judged as IPv4."""
    assert normalise_address("::FFFF:1.2.3.4") == "1.2.3.4"

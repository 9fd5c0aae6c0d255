"""The public ARC validation suite: 171 chains with their keys."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from filterd.arc import Unverified, evaluate, prepare
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.model.authentication import ArcStatus
from tests.support.signing import split

PROJECT = Path(__file__).parents[2]
PATH = Path("data/arc/arc-draft-validation-tests.yml")
SUITE = Path(os.environ.get("FILTERD_SHARED", PROJECT / "../shared")) / PATH
NOW = 1_700_000_000.0  # long after all of t=
CASES = 171
# What the suite leaves empty is a chain that says itself that it is broken: RFC 8617, section 5.2, steps 2 and 3.
EXPECTED = {"Pass": ArcStatus.PASS, "Fail": ArcStatus.FAIL, "None": ArcStatus.NONE, "": ArcStatus.FAIL}


def cases() -> Iterator[Any]:
    """One parameter a case; a single skipped one where the suite is not there."""
    if not SUITE.exists():
        yield pytest.param({}, {}, marks=pytest.mark.skip(f"{SUITE} is not there"), id="absent")
        return
    for scenario in yaml.safe_load_all(SUITE.read_text("utf-8")):
        for name, case in scenario["tests"].items():
            yield pytest.param(case, scenario["txt-records"], id=name)


PARAMETERS = list(cases())


def test_all_cases_are_there(shared: Path) -> None:
    """Each with an id of its own."""
    assert SUITE.samefile(shared / PATH)
    assert len({parameter.id for parameter in PARAMETERS}) == CASES


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize(("case", "records"), PARAMETERS)
def test_case(case: dict[str, Any], records: dict[str, str]) -> None:
    """The chain validates as the suite says."""
    facts = prepare(*split(case["message"].encode().replace(b"\n", b"\r\n")), now=NOW)
    resolver = FakeResolver(txt={name: [text] for name, text in records.items()})
    found = complete(evaluate(facts), resolver.lookup)
    assert not isinstance(found, Unverified)
    assert found.result.status is EXPECTED[str(case["cv"])], found.result.cause

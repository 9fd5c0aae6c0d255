"""The 154 cases of the RFC 9989 vectors through the real evaluator."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from filterd.dmarc import MAX_QUERIES, evaluate
from filterd.dmarc.walk import walk_names
from filterd.dns.plans import complete
from filterd.mime.address import read_author
from filterd.model.authentication import (
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.model.inspection import Author

PROJECT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("FILTERD_SHARED", PROJECT / "../shared")) / "data/dmarc/rfc9989-vectors.yml"
FIELDS = {
    "org_domain_from": "organizational_domain",
    "policy_domain": "policy_domain",
    "policy": "policy",
}


def load() -> list[dict[str, Any]]:
    """The cases, an empty list where the vectors are not there."""
    cases: list[dict[str, Any]] = yaml.safe_load(VECTORS.read_text("utf-8")) if VECTORS.exists() else []
    return cases


CASES = load()
WALKS = [case for case in CASES if "walk" in case["expect"]]


class Zone:
    """A case's zone: what is not listed is NODATA above a listed name, else NXDOMAIN."""

    def __init__(self, data: dict[str, dict[str, Any]]) -> None:
        """Take the mapping owner -> answers."""
        self.data = data
        self.asked: list[str] = []

    def lookup(self, question: Question) -> Answer:
        """The answer; names asked for records are remembered in order."""
        name = question.name
        if name.startswith("_dmarc."):
            self.asked.append(name)
        entry = self.data.get(name)
        if entry is None:
            below = [owner for owner in self.data if owner.endswith("." + name)]
            exists = any(not {"NXDOMAIN", "SERVFAIL"} & self.data[owner].keys() for owner in below)
            return Answer(question, AnswerStatus.NODATA if exists else AnswerStatus.NXDOMAIN)
        if "SERVFAIL" in entry:
            return Answer(question, AnswerStatus.TEMPFAIL, cause="servfail")
        if "NXDOMAIN" in entry:
            return Answer(question, AnswerStatus.NXDOMAIN)
        if question.rtype is RRType.TXT and "TXT" in entry:
            return Answer(question, AnswerStatus.NOERROR, tuple(map(as_text, entry["TXT"])))
        return Answer(question, AnswerStatus.NODATA)


def as_text(record: str | list[str]) -> str:
    """A TXT record as answers hold it: strings joined, one latin-1 character per byte."""
    joined = record if isinstance(record, str) else "".join(record)
    return joined.encode().decode("latin-1")


def author_of(domains: str | list[str] | None) -> Author:
    """The author as the message reader gives it."""
    if domains is None or domains == []:
        return read_author((b"undisclosed",))
    names = [domains] if isinstance(domains, str) else domains
    return read_author((", ".join(f"a@{name}" for name in names).encode(),))


def spf_of(given: dict[str, Any] | None) -> list[SpfResult]:
    """The SPF results of a case, HELO included where it is given."""
    if given is None:
        return []
    results = [SpfResult(SpfStatus(given["result"]), given["domain"], SpfScope.MAILFROM)]
    if helo := given.get("helo"):
        results.append(SpfResult(SpfStatus(helo["result"]), helo["domain"], SpfScope.HELO))
    return results


def evaluated(case: dict[str, Any]) -> tuple[DmarcResult, list[str]]:
    """The result of a case and the names it looked up."""
    zone = Zone(case["zone"])
    dkim = [DkimResult(DkimStatus(one["result"]), one["domain"]) for one in case["dkim"]]
    return complete(evaluate(author_of(case["from_domain"]), spf_of(case["spf"]), dkim), zone.lookup), zone.asked


def agrees(result: DmarcResult, expected: dict[str, Any]) -> bool:
    """Whether a result is the expected one in all that is asserted."""
    if result.status != expected["result"]:
        return False
    for name, attribute in FIELDS.items():
        value = expected.get(name)
        if name == "org_domain_from" and value is None:
            continue
        if getattr(result, attribute) != (value or ""):
            return False
    aligned = {"spf": result.spf_aligned, "dkim": result.dkim_aligned}
    return result.status is DmarcStatus.TEMPERROR or bool(aligned == expected["aligned"])


@pytest.mark.threat("AUTH-11")
@pytest.mark.threat("AUTH-13")
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    """The result is the expected one or one of those that the text leaves room for, with no more lookups than that."""
    result, asked = evaluated(case)
    allowed = [case["expect"], *({**case["expect"], **other} for other in case.get("alternatives", []))]
    assert any(agrees(result, one) for one in allowed), (result, case["expect"])
    assert len(asked) == len(set(asked))
    assert len(asked) <= case["expect"].get("queries", MAX_QUERIES * (2 + len(case["dkim"])))


def test_all_cases_are_there(shared: Path) -> None:
    """Where there is test data, no case is missing."""
    assert VECTORS.samefile(shared / "data/dmarc/rfc9989-vectors.yml")
    assert len(CASES) == 154


@pytest.mark.threat("AUTH-11")
@pytest.mark.parametrize("case", WALKS, ids=[case["id"] for case in WALKS])
def test_walk(case: dict[str, Any]) -> None:
    """The author's names are looked up in the order of the walk, and none after it has ended."""
    names = case["expect"]["walk"]
    _, asked = evaluated({**case, "dkim": [], "spf": None})
    assert asked == names
    assert [f"_dmarc.{name}" for name in walk_names(case["from_domain"])][: len(names)] == names

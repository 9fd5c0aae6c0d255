"""The public RFC 7208 suite: 203 cases, each with the zone that it is judged in."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from filterd.model.dns import Answer, AnswerStatus, Question, RRType

PROJECT = Path(__file__).parents[2]
SUITE = Path(os.environ.get("FILTERD_SHARED", PROJECT / "../shared")) / "data/spf/rfc7208-tests.yml"


def cases() -> Iterator[Any]:
    """One parameter a case; a single skipped one where the suite is not there."""
    if not SUITE.exists():
        yield pytest.param({}, {}, marks=pytest.mark.skip(f"{SUITE} is not there"), id="absent")
        return
    for scenario in yaml.safe_load_all(SUITE.read_text("utf-8")):
        for name, case in scenario["tests"].items():
            yield pytest.param(case, scenario["zonedata"], id=name)


class Zone:
    """The suite's zone data: SPF entries double as TXT, TIMEOUT is a failure of every lookup of that name."""

    def __init__(self, data: dict[str, Any]) -> None:
        """Read the mapping name -> entries."""
        self.records: dict[Question, list[str]] = {}
        self.failing: set[str] = set()
        self.types_failing: set[Question] = set()
        self.names: set[str] = set()
        self.aliases: dict[str, str] = {}
        for owner, entries in data.items():
            self.add(owner.lower().removesuffix("."), entries)

    def add(self, name: str, entries: list[Any]) -> None:
        """Read one name's entries, in order: a record after TIMEOUT does not exist."""
        self.names.add(name)
        has_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
        for entry in entries:
            if entry == "TIMEOUT":
                self.failing.add(name)
                continue
            ((rtype, value),) = entry.items()
            if rtype == "SPF":
                if has_txt:
                    continue
                rtype = "TXT"
            self.add_record(name, rtype, value)

    def add_record(self, name: str, rtype: str, value: Any) -> None:
        """Read one record; TXT is a string or a list of character-strings."""
        if rtype == "CNAME":
            self.aliases[name] = value.lower().removesuffix(".")
            return
        question = Question(name, RRType(rtype))
        if value == "TIMEOUT":
            self.types_failing.add(question)
            return
        if rtype == "TXT":
            if value == "NONE":
                return
            text = "".join(value) if isinstance(value, list) else value
            text = text.encode("utf-8", "surrogateescape").decode("latin-1")
        elif rtype == "MX":
            text = f"{value[0]:05d} {value[1].lower().removesuffix('.')}"
        else:
            text = str(value).lower().removesuffix(".")
        self.records.setdefault(question, []).append(text)

    def lookup(self, question: Question) -> Answer:
        """The answer, CNAMEs followed."""
        name = question.name
        seen = set()
        while name in self.aliases:
            if name in seen:
                return Answer(question, AnswerStatus.TEMPFAIL, cause="CNAME loop")
            seen.add(name)
            name = self.aliases[name]
        asked = Question(name, question.rtype)
        records = self.records.get(asked)
        if records:
            if question.rtype is RRType.MX:
                records = [record.partition(" ")[2] for record in sorted(records)]
            return Answer(question, AnswerStatus.NOERROR, tuple(records), 300)
        if name in self.failing or asked in self.types_failing:
            return Answer(question, AnswerStatus.TEMPFAIL, cause="timeout")
        return Answer(question, AnswerStatus.NODATA if name in self.names else AnswerStatus.NXDOMAIN)

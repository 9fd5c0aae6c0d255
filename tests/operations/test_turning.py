"""What a verdict hangs on."""

from typing import Any

import pytest

from filterd.operations.turning import turning, words

SCALE = {"add_header": 6.0, "quarantine": 10.0, "reject": 15.0}


def symbol(name: str, score: float, **more: Any) -> dict[str, Any]:
    """A symbol as an explanation has it."""
    return {"name": name, "score": score, "capped": 0.0, "replaced": "", "group": "", "floor": None} | more


def explained(action: str, *symbols: dict[str, Any], code: str = "score", **more: Any) -> dict[str, Any]:
    """As much of an explanation as is looked at."""
    score = sum([one["score"] for one in symbols])
    found = {"action": action, "observed": None, "score": score, "reason": {"code": code, "text": ""}}
    return found | {"thresholds": SCALE, "symbols": list(symbols)} | more


CASES = [
    pytest.param(
        explained("quarantine", symbol("BIG", 8.0), symbol("SMALL", 3.0), symbol("TINY", 1.0)),
        ["more than 2 points less: add_header; so without any of BIG, SMALL", "3 points more: reject"],
        id="each of them",
    ),
    pytest.param(
        explained("quarantine", *[symbol(f"S{number}", 2.0) for number in range(7)]),
        ["more than 4 points less: add_header; so without all of S6, S5, S4", "1 points more: reject"],
        id="some together",
    ),
    pytest.param(
        explained("quarantine", symbol("A", 4.0, group="g"), symbol("B", 6.0), symbol("C", 0.0, group="g", capped=3.0)),
        ["any points less: add_header; so without any of B, A", "5 points more: reject"],
        id="a cap makes room",
    ),
    pytest.param(
        explained("quarantine", symbol("A", 4.0, group="g"), symbol("B", 6.5), symbol("C", 0.0, group="g", capped=9.0)),
        ["more than 0.5 points less: add_header; so without B", "4.5 points more: reject"],
        id="what the cap has cut takes its place",
    ),
    pytest.param(
        explained("quarantine", symbol("LOCKED", 1.0, floor="quarantine"), code="locked"),
        ["without LOCKED: accept", "14 points more: reject"],
        id="a least action",
    ),
    pytest.param(
        explained("quarantine", symbol("LOCKED", 12.0, floor="quarantine")),
        [
            "without LOCKED: quarantine (the points ask for as much)",
            "more than 2 points less: add_header; so without LOCKED",
            "3 points more: reject",
        ],
        id="both",
    ),
    pytest.param(
        explained("defer", symbol("A", 7.0), code="dmarc-unknown"),
        ["an answer for dmarc: add_header, by the points that were there", "3 points more: quarantine"],
        id="no answer",
    ),
    pytest.param(
        explained("reject", symbol("A", 7.0), code="spf-fail"),
        ["other than spf-fail, which [actions] asks about: add_header"],
        id="a result",
    ),
    pytest.param(
        explained("quarantine", code="poison"),
        ["without poison: accept, by the points that are known", "15 points more: reject"],
        id="unread",
    ),
    pytest.param(explained("accept", symbol("A", 1.0), code="clean"), ["5 points more: add_header"], id="clean"),
    pytest.param(
        explained("reject", symbol("A", 20.0)),
        ["more than 5 points less: quarantine; so without A"],
        id="the last",
    ),
    pytest.param(
        explained("accept", symbol("A", 16.0), observed="reject"),
        ["more than 1 points less: quarantine; so without A"],
        id="observed",
    ),
    pytest.param(
        explained("quarantine", symbol("A", 0.0, floor="quarantine", replaced="B"), symbol("B", 12.0)),
        ["more than 2 points less: add_header; so without B", "3 points more: reject"],
        id="what a composite stands for",
    ),
]


@pytest.mark.parametrize(("found", "wanted"), CASES)
def test_what_would_have_changed_it(found: dict[str, Any], wanted: list[str]) -> None:
    """In the words that a person reads."""
    assert list(words(turning(found))) == wanted


def test_many_are_cut() -> None:
    """A verdict of thirty symbols does not name them all; --json does."""
    rows = turning(explained("quarantine", *[symbol(f"S{number:02}", 0.4) for number in range(30)]))
    assert next(iter(words(rows))).startswith("more than 2 points less: add_header; so without all of S29, S28")
    assert "and 1 more" in next(iter(words(rows)))
    assert len(rows[0]["names"]) == 6

"""Stages of rules: what is declared, what has expired, what is suspended."""

from datetime import UTC, datetime

import pytest

from filterd.model.inspection import Inspection, RuleHit
from filterd.score.stages import WHY, RuleStage, expired, settle, stage_of

DAY = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


def settled(suspended: dict[str, str], **meta: str | int | bool) -> dict[str, str | int | bool]:
    """The metadata of one hit as it counts at DAY."""
    hit = RuleHit("rule", "file", "YARA_A", "1", meta=meta)
    return settle(Inspection(hits=(hit,)), DAY, suspended).hits[0].meta


@pytest.mark.parametrize(
    ("meta", "stage"),
    [
        ({"stage": "test", "action": "reject"}, RuleStage.TEST),
        ({"stage": "shadow"}, RuleStage.SHADOW),
        ({"stage": "score", "action": "reject"}, RuleStage.SCORE),
        ({"stage": "enforce"}, RuleStage.ENFORCE),
        ({}, RuleStage.SCORE),
        ({"action": "quarantine"}, RuleStage.ENFORCE),
        ({"stage": "Test"}, RuleStage.SCORE),
        ({"stage": 3, "action": "quarantine"}, RuleStage.ENFORCE),
    ],
)
def test_the_stage(meta: dict[str, str | int | bool], stage: RuleStage) -> None:
    """What is declared; a word that is none is as if nothing were, so that a typing error disarms no rule."""
    assert stage_of(meta) is stage


@pytest.mark.parametrize(("day", "over"), [("2026-05-31", True), ("2026-06-01", False), ("soon", False), (1, False)])
def test_expiry(day: str | int, over: bool) -> None:  # noqa: FBT001  # a row of the table
    """The last day counts still; what is no date never comes."""
    assert expired({"expires": day}, DAY) is over


def test_what_has_expired_is_in_shadow() -> None:
    """With the reason beside it; a rule in test stays there."""
    assert settled({}, expires="2026-01-01", action="reject") == {
        "expires": "2026-01-01",
        "action": "reject",
        "stage": "shadow",
        WHY: "expired 2026-01-01",
    }
    assert settled({}, expires="2026-01-01", stage="test")["stage"] == "test"


def test_what_is_suspended_is_in_shadow() -> None:
    """By its name, with the reason of whoever suspended it; others stay as they are."""
    assert settled({"rule": "too slow"}, stage="enforce") == {"stage": "shadow", WHY: "suspended: too slow"}
    assert settled({"other": "too slow"}, stage="enforce") == {"stage": "enforce"}


def test_no_rule_writes_the_reason_itself() -> None:
    """Our own key in a rule's metadata is taken away."""
    assert settled({}, **{WHY: "fine"}) == {}

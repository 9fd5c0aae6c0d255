"""Rules at work: what is counted, when a rule is suspended, and who learns of it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import structlog

from filterd.model.inspection import Inspection, RuleHit
from filterd.model.report import Finding
from filterd.model.store import StoreError
from filterd.model.verdict import Action, ScoredSymbol
from filterd.pipeline.rule_watch import (
    AT_ONCE,
    FRESH,
    LEAST,
    NETWORKS,
    NEVER,
    SLOW_LEAST,
    SUSPENDED,
    WINDOW,
    RuleWatch,
    Use,
    floods,
    unsupported,
    uses,
)
from filterd.score import Score
from filterd.store import MemoryStore

NOW = 1_700_000_000.0
TAG = 6.0
HIT = RuleHit("greedy", "file", "YARA_GREEDY", "1", meta={"stage": "score", "score": 3})
FACTS = Inspection(hits=(HIT,), rule_set="set")
FOUND = Score(3.0, (ScoredSymbol(Finding("YARA_GREEDY"), "yara", 3.0),))


class Silent(MemoryStore):
    """A store that does not answer while it is told so."""

    silent = False

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """As the store, or its failure."""
        if self.silent:
            raise StoreError("silent")
        return super().get_many(keys)


def flood(watch: RuleWatch, hits: int, others: int = 0, *, networks: int = NETWORKS, found: Score = FOUND) -> None:
    """So many messages that the rule hits and so many that nothing hits, written."""
    for _ in range(others):
        watch.saw(Inspection(), Score(0.0), TAG, "198.51.100.1", NOW)
    for number in range(hits):
        watch.saw(FACTS, found, TAG, f"8.8.{number % networks}.1", NOW)
    watch.flush()


@pytest.mark.parametrize(
    ("hits", "messages", "networks", "verdict"),
    [
        (LEAST, LEAST, NETWORKS, True),
        (LEAST, 5 * LEAST, NETWORKS, True),
        (LEAST, 5 * LEAST + 1, NETWORKS, False),
        (LEAST - 1, LEAST - 1, NETWORKS, False),
        (LEAST, LEAST, NETWORKS - 1, False),
    ],
)
def test_what_is_a_flood(hits: int, messages: int, networks: int, verdict: bool) -> None:  # noqa: FBT001  # a row of the table
    """Enough hits, a fifth of the mail, from enough networks; one of them alone is none."""
    assert floods(hits, messages, networks, 0.2) is verdict


def test_a_rule_that_hits_everything_is_suspended_for_all() -> None:
    """With one alert; a front that has not seen any of it learns it from the store, and it ends by itself."""
    store = MemoryStore()
    with structlog.testing.capture_logs() as log:
        flood(RuleWatch(store, 0.2), LEAST)
        flood(RuleWatch(store, 0.2), LEAST)
    assert [(event["event"], event["log_level"], event["rule"]) for event in log] == [
        ("rule_suspended", "warning", "greedy")
    ]
    assert log[0]["seconds"] == SUSPENDED
    other = RuleWatch(store, 0.2)
    assert other.suspended(FACTS)["greedy"].startswith(f"hits {LEAST} of {LEAST} messages in {WINDOW // 60} minutes")
    assert other.suspended(Inspection()) == {}


@pytest.mark.parametrize(
    ("others", "networks", "found", "share"),
    [
        (5 * LEAST, NETWORKS, FOUND, 0.2),
        (0, NETWORKS - 1, FOUND, 0.2),
        (0, NETWORKS, replace(FOUND, total=3.0 + TAG), 0.2),
        (0, NETWORKS, replace(FOUND, floor=Action.QUARANTINE, floor_symbol="UNSCANNABLE_ARCHIVE"), 0.2),
        (0, NETWORKS, FOUND, NEVER),
    ],
)
def test_a_rule_that_is_right_is_left_alone(others: int, networks: int, found: Score, share: float) -> None:
    """A small share, few networks, messages that others speak against too, or where it is switched off."""
    watch = RuleWatch(MemoryStore(), share)
    flood(watch, LEAST, others, networks=networks, found=found)
    assert watch.suspended(FACTS) == {}


def test_a_rule_that_does_not_count_cannot_be_suspended() -> None:
    """In test and shadow it does no harm; one whose floor is its own is watched all the same."""
    shadow = replace(HIT, meta={"stage": "shadow"})
    assert unsupported(Score(0.0), (shadow,), TAG) == ()
    own = replace(FOUND, total=20.0, symbols=(replace(FOUND.symbols[0], weight=20.0),), floor_symbol="YARA_GREEDY")
    assert unsupported(replace(own, floor=Action.REJECT), (HIT, HIT), TAG) == ("greedy",)


def test_a_composite_over_a_rule_does_not_speak_for_it() -> None:
    """Its points come from the rule too; one over others does speak for it."""
    over = ScoredSymbol(Finding("OVER", ("SPF_NONE", "YARA_GREEDY")), "composite", 8.0)
    assert unsupported(replace(FOUND, total=11.0, symbols=(*FOUND.symbols, over)), (HIT,), TAG) == ("greedy",)
    held = replace(FOUND, total=11.0, symbols=(*FOUND.symbols, over), floor=Action.REJECT, floor_symbol="OVER")
    assert unsupported(held, (HIT,), TAG) == ("greedy",)
    other = replace(over, finding=Finding("OVER", ("SPF_NONE",)))
    assert unsupported(replace(FOUND, total=11.0, symbols=(*FOUND.symbols, other)), (HIT,), TAG) == ()


def test_while_the_store_is_silent_what_was_known_goes_on() -> None:
    """Nothing raises, and a suspension is not forgotten."""
    now = [0.0]
    store = Silent()
    flood(RuleWatch(store, 0.2), LEAST)
    watch = RuleWatch(store, 0.2, clock=lambda: now[0])
    assert watch.suspended(FACTS)
    store.silent = True
    now[0] = 2 * FRESH
    assert watch.suspended(FACTS)
    assert RuleWatch(store, 0.2).suspended(FACTS) == {}


def test_a_file_that_is_slow_again_and_again_is_excused() -> None:
    """With one alert, for all fronts; a front looks every few seconds."""
    now = [0.0]
    store = MemoryStore()
    early = RuleWatch(store, 0.2, clock=lambda: now[0])
    assert early.excused() == ()
    watch = RuleWatch(store, 0.2)
    with structlog.testing.capture_logs() as log:
        for _ in range(2 * SLOW_LEAST):
            watch.saw(Inspection(slow=("dull",)), Score(0.0), TAG, "", NOW)
            watch.flush()
    assert [(event["event"], event["file"], event["messages"]) for event in log] == [
        ("rule_file_excused", "dull", SLOW_LEAST)
    ]
    assert watch.excused() == ("dull",)
    assert early.excused() == ()
    now[0] = FRESH
    assert early.excused() == ("dull",)


def test_hits_are_known_by_rule() -> None:
    """How many and when the last; of a rule that never hit, that too."""
    store = MemoryStore()
    flood(RuleWatch(store, NEVER), 3)
    assert uses(store, ["greedy", "quiet"]) == {"greedy": Use(3, NOW), "quiet": Use(0, None)}
    many = [f"rule{number}" for number in range(2 * AT_ONCE + 1)]
    assert list(uses(store, [*many, "greedy"]).values())[-1] == Use(3, NOW)


def test_what_is_done_to_rules_is_counted_once() -> None:
    """By the process that did it, however many know of it."""
    store, done = MemoryStore(), list[str]()
    for _ in range(2):
        watch = RuleWatch(store, 0.2, count=done.append)
        flood(watch, LEAST)
        for _ in range(SLOW_LEAST):
            watch.saw(Inspection(slow=("dull",)), Score(0.0), TAG, "", NOW)
        watch.flush()
    assert sorted(done) == ["excused", "suspended"]

"""Held messages of many kinds come to the same verdict again, offline."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from filterd.model.custody import Evidence
from filterd.model.verdict import Verdict
from filterd.operations.replay import replay
from filterd.operations.replay_many import held, replay_many
from filterd.operations.replay_report import compared
from tests.conftest import SHARED
from tests.operations.held import Stand, stand, varied

pytestmark = pytest.mark.integration

COUNT = 240  # messages; a fifth of them odd by hand, half of them of public corpora where these are there


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stand, list[str]]]:
    """A quarantine with mail of all kinds, and the ids."""
    data = SHARED / "data"
    with stand(tmp_path_factory.mktemp("held")) as found:
        found.hold(varied(COUNT, data if data.is_dir() else None))
        yield found, held(found.quarantine)


def _seen(verdict: Verdict) -> Counter[tuple[str, str, float, float, str, tuple[str, ...]]]:
    return Counter(
        [
            (one.finding.symbol, one.check, one.weight, one.capped, one.replaced, one.finding.evidence)
            for one in verdict.symbols
        ]
    )


def test_the_same_verdict_score_and_symbols(kept: tuple[Stand, list[str]]) -> None:
    """Nobody is asked, nothing is missing; action, reason, score, every symbol with weight and evidence are equal."""
    found, ids = kept
    assert len(ids) >= 200
    symbols: set[str] = set()
    for identifier in ids:
        evidence = found.quarantine.evidence(identifier)
        with found.quarantine.open_raw(identifier) as file:
            again = replay(found.bench, evidence, file.read())
        then, now = evidence.verdict, again.verdict
        assert (now.action, now.code, now.text, now.score) == (then.action, then.code, then.text, then.score)
        assert _seen(now) == _seen(then), identifier
        assert (again.missing, again.unrecorded, again.rules_id) == ((), (), evidence.rule_set)
        assert [(one.check, one.outcome, one.cause) for one in sorted(again.reports, key=lambda one: one.check)] == [
            (one.check, one.outcome, one.cause) for one in sorted(evidence.reports, key=lambda one: one.check)
        ]
        symbols |= {one.finding.symbol for one in then.symbols}
    expected = {"DKIM_PASS", "DKIM_REPLAYED", "SPF_FAIL", "SPF_TEMPERROR", "DMARC_REJECT", "URIBL_DBL_SPAM"}
    expected |= {"REPUTATION_NETWORK_BAD", "ATTACH_EXECUTABLE", "UNSCANNABLE_HEADER", "DNSBL_SPAMHAUS_XBL"}
    assert expected - symbols == set()


def test_what_was_recorded_is_needed(kept: tuple[Stand, list[str]]) -> None:
    """Without what shared state told, replays lack it and say so: the record is not there for show."""
    found, ids = kept
    lacking = 0
    for identifier in ids[:50]:
        evidence = found.quarantine.evidence(identifier)
        evidence.state.clear()
        with found.quarantine.open_raw(identifier) as file:
            lacking += bool(replay(found.bench, evidence, file.read()).unrecorded)
    assert lacking > 25


def test_many_at_the_same_time(kept: tuple[Stand, list[str]]) -> None:
    """Several threads come to the same, in the order of the ids; what is gone is a problem of its own."""
    found, ids = kept
    wanted = [*ids[:40], "0" * 26]
    rows = list(replay_many(found.bench, found.quarantine, wanted, 2, found.site.config_id, live=False))
    assert [row["id"] for row in rows] == wanted
    assert [row for row in rows if not row.get("same")] == [{"id": "0" * 26, "problem": "its files are gone"}]


def test_one_that_is_ended_early_ends(kept: tuple[Stand, list[str]]) -> None:
    """Whoever stops asking stops the work: what is not begun never is."""
    found, ids = kept
    rows = replay_many(found.bench, found.quarantine, ids, 2, found.site.config_id, live=False)
    assert next(rows)["id"] == ids[0]
    rows.close()
    assert list(rows) == []


def _alone(found: Stand, ids: list[str]) -> tuple[Evidence, str]:
    """A held message and a symbol of it that stands in no group and in no composite."""
    rules = found.bench.parts.scores
    for identifier in ids:
        evidence = found.quarantine.evidence(identifier)
        for one in evidence.verdict.symbols:
            name = one.finding.symbol
            if name in rules.symbols and not rules.symbols[name].group and name not in rules.composites.members:
                return evidence, name
    pytest.fail("every symbol stands in a group or a composite")


def test_another_weight_is_the_only_difference(kept: tuple[Stand, list[str]]) -> None:
    """The score moves by what the symbol weighs now, and no other symbol is named."""
    found, ids = kept
    evidence, name = _alone(found, ids)
    with found.quarantine.open_raw(evidence.id) as file:
        raw = file.read()
    scores = found.bench.parts.scores
    weight = scores.symbols[name].weight
    scores = replace(scores, symbols={**scores.symbols, name: replace(scores.symbols[name], weight=weight + 0.5)})
    bench = replace(found.bench, parts=replace(found.bench.parts, scores=scores))
    changed = compared(evidence, replay(bench, evidence, raw), "c")
    assert [one["name"] for one in changed["changed"]] == [name]
    assert (changed["added"], changed["gone"], changed["same"]) == ([], [], False)
    assert changed["after"]["score"] > changed["before"]["score"]

"""Label sets are fixed before the first message: nothing that arrives adds a series."""

import re
from collections.abc import Callable
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from filterd.telemetry import Metrics
from filterd.telemetry.exposition import render, render_fronts
from filterd.telemetry.metrics import FrontMetrics
from filterd.telemetry.series import families

HOSTILE: Final = ("", "x" * 10_000, 'a"b', "a\nfilterd_evil 1", "a\\", "\ud800", "\0", "{}", "spf", "other", "ACCEPT")
CALLS: Final[dict[str, Callable[[FrontMetrics, str], None]]] = {
    "action": lambda row, text: row.message(text, 0.1),
    "check": lambda row, text: row.check(text, text),
    "outcome": lambda row, text: row.check("spf", text),
    "inspector": lambda row, text: row.inspector_failed(text),
    "dns": lambda row, text: row.shared_answers(text, 1),
    "lists": lambda row, text: row.lists_suspended({text: True}),
    "greylist": lambda row, text: row.greylisted(text),
    "rate": lambda row, text: row.limited(text, "passed"),
    "rate result": lambda row, text: row.limited("out", text),
    "gate": lambda row, text: row.gate_silent(text),
    "rule": lambda row, text: row.rule_demoted(text),
    "recipient": lambda row, text: row.recipient(text, text),
    "gate fault": lambda row, text: row.gate_failed(text),
    "policy": lambda row, text: row.policy_request(text),
    "policy fault": lambda row, text: row.policy_failed(text),
    "any name": lambda row, text: row.inc(text, text),
}


def series(page: bytes) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """All series of a page, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def made() -> Metrics:
    """With a check, a list and a rate."""
    return Metrics.create(2, ("spf",), ("zen.test",), ("out",))


@pytest.mark.threat("OPS-05", "OPS-09")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_hostile_values_add_no_series(call: Callable[[FrontMetrics, str], None]) -> None:
    """Whatever a label is told to be: it is one of those that were there, or counted nowhere."""
    metrics = made()
    before = series(render(metrics))
    for text in HOSTILE:
        call(metrics.front(0), text)
    assert series(render(metrics)) == before
    known = {(name, labels) for name, labels in before}
    for name, labels in series(render_fronts(metrics)):
        rest = tuple([label for label in labels if label != ("front", "0")])
        assert (name.replace("filterd_front_", "filterd_", 1), rest) in known


def test_fronts_add_up_to_the_whole() -> None:
    """By front under names of their own; each counter's sum over fronts is what all have counted."""
    metrics = made()
    for row in (0, 1):
        metrics.front(row).message("accept", 0.02 * (row + 1))
        metrics.front(row).session(row + 1)
    whole = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(render(metrics).decode())
        for sample in family.samples
    }
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(render_fronts(metrics).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("front") in {"0", "1"}
            key = (sample.name.replace("filterd_front_", "filterd_", 1), tuple(sorted(labels.items())))
            sums[key] = sums.get(key, 0.0) + sample.value
    assert sums[("filterd_messages_total", (("action", "accept"),))] == 2.0
    assert sums[("filterd_sessions", ())] == 3.0
    assert sums[("filterd_eom_seconds_sum", ())] == pytest.approx(0.06)
    assert {key: whole[key] for key in sums} == pytest.approx(sums)


def test_a_front_that_has_counted_nothing_is_not_shown() -> None:
    """Rows are made for fronts that may never be."""
    assert series(render_fronts(made())) == set()


def test_names_are_as_prometheus_wants_them() -> None:
    """No metric's name collides with another's by front."""
    names = {family.name for family in families(("spf",))}
    assert all(re.fullmatch(r"filterd_[a-z_]+", name) for name in names)
    assert not names & {name.replace("filterd_", "filterd_front_", 1) for name in names}

# noqa: INP001  # a script of this checkout, in no package
"""Metrics and log events, from their closed vocabularies."""

from typing import Final

from deploy.site.words import code, plain, table
from filterd.checks.registry import ALL
from filterd.telemetry import Event
from filterd.telemetry.series import BUCKETS, Family, families

_METRICS: Final = """\
What `[metrics] listen` serves under `/metrics`: the sum of all processes of a node. `/metrics/fronts` has the same by
front, under names that begin with `filterd_front_` and with a label `front`. Counters end in `_total`; a histogram has
`_bucket`, `_sum` and `_count`, its bounds are {buckets} seconds.

No label's value comes from mail: what a value may be is fixed when the daemon starts, and what is in none of them is
counted as `other`. Alerts and the dashboard over them: [runbook](../runbook.md).
"""
_EVENTS: Final = """\
Each line of the log has an `event`, one of these; with `[log] format = "json"` it is a field of that name. Each message
leaves one line `message`, whatever became of it; what it says is also in the journal, where `filterd trace` finds it.
"""
_LISTS: Final = "(a list)"
_RATES: Final = "(a rate)"


def metrics() -> str:
    """The page of metrics behind its title."""
    known = families(tuple(ALL), (_LISTS,), (_RATES,))
    rows = [(code(_name(one)), one.kind, _labels(one), plain(one.help)) for one in known]
    head = _METRICS.format(buckets=", ".join([f"{bound:g}" for bound in BUCKETS]))
    return f"{head}\n{table(('metric', 'kind', 'labels', 'what it counts'), rows)}"


def events() -> str:
    """The page of log events behind its title."""
    rows = [(code(str(event)), plain(event.meaning)) for event in sorted(Event)]
    return f"{_EVENTS}\n{table(('event', 'what it means'), rows)}"


def _name(family: Family) -> str:
    return f"{family.name}_total" if family.kind == "counter" else family.name


def _labels(family: Family) -> str:
    named = {
        _LISTS: "one for each block list, as it is displayed",
        _RATES: "one for each table `[rates.NAME]`",
    }
    shown = []
    for label, values in family.labels:
        words = [named.get(value) or code(value) for value in values]
        shown.append(f"{code(label)}: {', '.join(words)}")
    return "; ".join(shown)

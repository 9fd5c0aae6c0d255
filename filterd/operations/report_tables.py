"""A report as tables: the same ones on a terminal, in lines for scripts, and in HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from filterd.model.verdict import Action
from filterd.operations.report import Report, Symbol, moment, named
from filterd.operations.report_counting import Top
from filterd.operations.report_held import HeldFor

MEGA: Final = 1e6
_DONE: Final = {
    Action.ACCEPT: "handed on",
    Action.ADD_HEADER: "handed on with a tag",
    Action.GREYLIST: "told to come again: greylisted",
    Action.DEFER: "told to come again",
    Action.QUARANTINE: "held",
    Action.REJECT: "refused",
    Action.DISCARD: "thrown away",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts; `name` is one word for scripts, `title` for people."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(report: Report) -> Iterator[Table]:
    """All of them; what there is nothing of is left out."""
    for table in _all(report):
        if table.rows:
            yield table


def _all(report: Report) -> Iterator[Table]:
    yield Table("total", "In all", ("what", "how much"), _total(report))
    rows = [(name, str(count), _share(count, report.verdicts), _done(name)) for name, count in report.actions.items()]
    yield Table("action", "Verdicts", ("action", "messages", "share", "meaning"), rows)
    done = [one for one in report.reasons if not one.observed]
    rows = [(one.action, one.code, str(one.messages), _share(one.messages, report.verdicts)) for one in done]
    yield Table("reason", "Reasons", ("action", "reason", "messages", "share"), rows)
    seen = [(one.action, one.code, str(one.messages)) for one in report.reasons if one.observed]
    yield Table("observed", "Only observed: what would have been done", ("action", "reason", "messages"), seen)
    rows = [(name, str(count), _share(count, report.verdicts), "") for name, count in report.policies.items()]
    yield Table("policy", "Policies", ("policy", "messages", "share", ""), rows)
    yield from _symbols(report)
    latency = report.latency
    figures = (latency.mean, latency.median, latency.p95, latency.p99, latency.longest)
    row = [str(latency.count), *[f"{ms:.1f}" for ms in figures]]
    columns = ("messages", "mean", "half within", "95 % within", "99 % within", "longest")
    yield Table("latency", "Wait at end of message, ms", columns, [row] if latency.count else [])
    yield _top("sender", "Domains of envelope senders", report.senders)
    yield _top("author", "Domains of authors", report.authors)
    yield _top("network", "Networks of clients", report.networks)
    yield _top("recipient", "Domains of recipients", report.receivers)
    yield from _held(report)


def _total(report: Report) -> list[tuple[str, str]]:
    rows = [
        ("from", f"{moment(report.since)} UTC"),
        ("until", f"{moment(report.until)} UTC"),
        ("messages", str(report.messages)),
        ("verdicts", str(report.verdicts)),
        ("recipients refused before their message", str(report.recipients)),
        ("MB", f"{report.bytes / MEGA:.1f}"),
    ]
    if report.in_mta:
        rows.append(("held by the MTA", str(report.in_mta)))
    if report.counts_missing:
        rows.append(("counts of domains and networks too low by, at most", str(report.counts_missing)))
    return rows


def _symbols(report: Report) -> Iterator[Table]:
    columns = ("symbol", "messages", "share", "stopped", "points", "released")
    for name, title, found in (
        ("symbol", "Symbols", named(report)),
        ("rule", "Rules", named(report, rules=True)),
    ):
        yield Table(name, title, columns, [_symbol(one, report) for one in found])
    rows = [(*_symbol(one, report), " ".join(one.lists)) for one in named(report, lists=True)]
    yield Table("list", "Block lists", (*columns, "lists"), rows)


def _symbol(one: Symbol, report: Report) -> tuple[str, ...]:
    share = _share(one.messages, report.verdicts)
    return (one.name, str(one.messages), share, _share(one.stopped, one.messages), f"{one.points:g}", str(one.released))


def _top(name: str, title: str, found: Sequence[Top]) -> Table:
    rows = [(one.name, str(one.messages), _share(one.stopped, one.messages)) for one in found]
    return Table(name, title, (name, "messages", "stopped"), rows)


def _held(report: Report) -> Iterator[Table]:
    if report.held is None:
        return
    columns = ("reason", "held", "waiting", "released", "deleted", "expired", "released of held", "MB")
    reasons = report.held.reasons
    rows = [_held_row(one) for one in [*reasons, *([report.held.total] if len(reasons) > 1 else [])]]
    partly = ", symbols of the newest released alone" if report.held.partly else ""
    yield Table("held", f"Held mail; what was released had been held by mistake{partly}", columns, rows)


def _held_row(one: HeldFor) -> tuple[str, ...]:
    counts = (one.held, one.waiting, one.released, one.deleted, one.expired)
    return (one.code, *map(str, counts), _share(one.released, one.held), f"{one.bytes / MEGA:.1f}")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _done(action: str) -> str:
    return _DONE[Action(action)] if action in list(Action) else ""

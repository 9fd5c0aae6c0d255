"""A report as one HTML file: style and plots are in it, nothing is loaded, and nothing in it runs.

Names of domains are whatever strangers wrote into an envelope: all text is escaped, and the file's own policy forbids
scripts and any request.
"""

import time
from typing import Final

from filterd.operations.report import DAY, Report, moment
from filterd.operations.report_plot import COLOURS, Bar, clean, legend, lying, upright
from filterd.operations.report_tables import Table, tables

BARS: Final = 15  # in a plot of names
SECOND: Final = 1_000  # ms
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d232a; --paper: #fff; --line: #d5dae0; --dim: #5b6672 }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7ec; --paper: #171b20; --line: #3a424c; --dim: #9aa5b1 } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.dim { color: var(--dim) }
svg { width: 100%; height: auto; display: block; margin: .5rem 0 }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink) }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.key { margin-right: 1rem; white-space: nowrap }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px }
@media print { body { max-width: none; margin: 0 } section { break-inside: avoid } }
"""


def page(report: Report, host: str) -> str:
    """The whole file; `host` is where the journal was kept."""
    plots = _plots(report)
    sections = []
    for table in tables(report):
        plot = plots.pop(table.name, "")
        sections.append(f"<section><h2>{clean(table.title)}</h2>{plot}{_table(table)}</section>")
    span = f"{moment(report.since)} to {moment(report.until)} UTC"
    title = f"Mail at {host}, {span}"
    head = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta name="referrer" content="no-referrer">'
        f'<meta name="viewport" content="width=device-width"><title>{clean(title)}</title>'
        f"<style>{_STYLE}</style></head>"
    )
    top = f'<h1>Mail at {clean(host)}</h1><p class="dim">{clean(span)}, as filterd has judged it</p>'
    return f"{head}<body>{top}{_over_time(report)}{''.join(sections)}</body></html>\n"


def _over_time(report: Report) -> str:
    """The plot at the top."""
    if not report.times:
        return "<p>No mail in that time.</p>"
    names = [action for action in COLOURS if action in report.actions]
    day = report.seconds_each == DAY
    form = "%d %b" if day else "%d %b %H:00"
    bars = [
        Bar(time.strftime(form, time.gmtime(at)), [(name, counts[name]) for name in names if counts.get(name)])
        for at, counts in report.times
    ]
    plot = upright(f"Verdicts by {'day' if day else 'hour'} (UTC)", bars)
    return f"<section><h2>Verdicts by {'day' if day else 'hour'}</h2>{legend(names)}{plot}</section>"


def _plots(report: Report) -> dict[str, str]:
    """Those beside tables, by the name of the table."""
    reasons = [one for one in report.reasons if not one.observed and one.action != "accept"][:BARS]
    return {
        "reason": lying(
            "Reasons of what was not simply handed on",
            [Bar(f"{one.action}: {one.code}", [(one.action, one.messages)]) for one in reasons],
        )
        if reasons
        else "",
        "latency": upright(
            "Messages by their wait at end of message",
            [Bar(_duration(ms), [("", count)]) for ms, count in report.latency.classes],
            height=160,
        ),
        **{
            name: lying(title, [Bar(one.name, _parts(one.messages, one.stopped)) for one in found[:BARS]])
            for name, title, found in (
                ("sender", "Domains of senders: handed on and stopped", report.senders),
                ("network", "Networks: handed on and stopped", report.networks),
            )
        },
    }


def _duration(ms: float) -> str:
    return f"{ms:.3g} ms" if ms < SECOND else f"{ms / SECOND:.3g} s"


def _parts(messages: int, stopped: int) -> list[tuple[str, float]]:
    return [("accept", messages - stopped), ("reject", stopped)]


def _table(table: Table) -> str:
    numbers = [all(_is_number(row[at]) for row in table.rows) for at in range(len(table.columns))]
    marks = [' class="n"' if number else "" for number in numbers]
    head = "".join([f"<th{mark}>{clean(name)}</th>" for name, mark in zip(table.columns, marks, strict=True)])
    rows = [
        "".join([f"<td{mark}>{clean(cell)}</td>" for cell, mark in zip(row, marks, strict=True)]) for row in table.rows
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join([f'<tr>{row}</tr>' for row in rows])}</tbody></table>"


def _is_number(cell: str) -> bool:
    return cell.removesuffix(" %").replace(".", "", 1).replace("-", "", 1).isdecimal() if cell else True

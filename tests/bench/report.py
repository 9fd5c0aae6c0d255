"""Tables of a run, as plain text."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from tests.bench.passes import Figures, merged
from tests.bench.scenarios import BURST, FIRST, LINKS, REMEMBERED, UNSIGNED, Results

CASES: Final = ("cold, all", "warm, all", "warm, small", "new names, all")
PACED: Final = (UNSIGNED, FIRST, REMEMBERED, LINKS, BURST)
OURS: Final = "filterd"
PEER: Final = "rspamd"
HEAD: Final = (
    *("case", "system", "c", "msg/s", "EOM p50", "p99", "whole p50", "p99"),
    *("CPU ms", "front", "insp.", "DNS ms", "asked", "wire", "hits", "loop"),
)
ROLES: Final = ("front", "inspector")
NAMES: Final = 18  # questions of a message, all on the wire
WIRE_BAR: Final = 0.9  # milliseconds of a front's CPU that they may add
# What DESIGN.md asks for: case -> CPU share at most, throughput factor at least.
BARS: Final = {"warm, all": (0.6, 2.0), "new names, all": (0.8, 1.5)}


def tables(results: Results) -> str:
    """Everything, for the terminal."""
    parts = [_load(results.figures), _wire(results.figures), _paced(results.figures), _memory(results)]
    if any(one.system == PEER for one in results.figures):
        parts.insert(1, _ratios(results.figures))
    return "\n\n".join(part for part in parts if part) + "\n"


def grouped(figures: Iterable[Figures]) -> dict[tuple[str, str, int], list[Figures]]:
    """Rounds of the same pass together, by case, system and concurrency."""
    found: dict[tuple[str, str, int], list[Figures]] = {}
    for one in figures:
        found.setdefault((one.case, one.system, one.concurrency), []).append(one)
    return found


def _load(figures: Sequence[Figures]) -> str:
    rows: list[tuple[str, ...]] = [HEAD]
    groups = grouped(figures)
    for case in CASES:
        rows += [_row(merged(group)) for key, group in groups.items() if key[0] == case]
    return _table(
        "Messages per second, waits (ms), CPU (ms per message), DNS (the server's CPU; questions per message) and the"
        " time of a fixed loop (ms)",
        rows,
    )


def _row(one: Figures) -> tuple[str, ...]:
    hits = f"{100 * (1 - one.wire / one.asked):.0f} %" if one.asked else "-"
    roles = [f"{one.cpu[role]:.2f}" if role in one.cpu else "-" for role in ROLES]
    return (
        one.case,
        one.system,
        str(one.concurrency),
        f"{one.rate:.0f}",
        f"{one.eom_p50:.1f}",
        f"{one.eom_p99:.0f}",
        f"{one.whole_p50:.1f}",
        f"{one.whole_p99:.0f}",
        f"{one.total:.2f}",
        *roles,
        f"{one.dns_cpu:.2f}",
        f"{one.asked:.1f}",
        f"{one.wire:.1f}",
        hits,
        f"{one.loop:.0f}",
    )


def wire_cost(figures: Sequence[Figures]) -> list[tuple[int, float, float]]:
    """Concurrency, and what new names add to a message: CPU of the fronts (ms), questions on the wire.

    Each is the median over the rounds of the difference within the round. It holds all that is new about such names:
    to parse their records and to remember them too.
    """
    groups = grouped(figures)
    found = []
    for (case, system, level), mine in groups.items():
        warm = {one.round: one for one in groups.get(("warm, all", system, level), [])}
        pairs = [(one, warm[one.round]) for one in mine if one.round in warm]
        if (case, system) == ("new names, all", OURS) and pairs:
            cpu = median([one.cpu.get("front", 0.0) - known.cpu.get("front", 0.0) for one, known in pairs])
            found.append((level, cpu, median([one.wire - known.wire for one, known in pairs])))
    return found


def _wire(figures: Sequence[Figures]) -> str:
    costs = wire_cost(figures)
    rows = [("c", "front CPU ms", "on the wire", "us each", f"for {NAMES}", "bar")]
    for level, cpu, wire in costs:
        each = cpu / wire if wire else 0.0
        rows.append(
            (str(level), f"{cpu:.2f}", f"{wire:.1f}", f"{each * 1000:.0f}", f"{each * NAMES:.2f}", f"<= {WIRE_BAR}")
        )
    return (
        _table("What new names add to a message: new names less warm, the median of the rounds", rows) if costs else ""
    )


def ratios(figures: Sequence[Figures]) -> list[tuple[str, int, str, float, float, float]]:
    """Case, concurrency, system, share of rspamd's CPU, factor of its throughput, share of its EOM wait.

    Each is the median over the rounds of the quotient within the round.
    """
    groups = grouped(figures)
    found = []
    for (case, system, level), mine in groups.items():
        theirs = {one.round: one for one in groups.get((case, PEER, level), [])}
        pairs = [(one, theirs[one.round]) for one in mine if one.round in theirs]
        if system == PEER or case not in CASES or not pairs:
            continue
        cpu = median([one.total / peer.total for one, peer in pairs])
        rate = median([one.rate / peer.rate for one, peer in pairs])
        wait = median([one.eom_p50 / peer.eom_p50 for one, peer in pairs])
        found.append((case, level, system, cpu, rate, wait))
    return found


def _ratios(figures: Sequence[Figures]) -> str:
    rows = [("case", "c", "system", "CPU share", "bar", "throughput x", "bar", "EOM p50 share")]
    for case, level, system, cpu, rate, wait in ratios(figures):
        bar = BARS.get(case)
        share, factor = (f"<= {bar[0]}", f">= {bar[1]}") if bar else ("", "")
        rows.append((case, str(level), system, f"{cpu:.2f}", share, f"{rate:.2f}", factor, f"{wait:.2f}"))
    return _table("Against rspamd (its CPU with its Redis), the median of the rounds' quotients", rows)


def _paced(figures: Sequence[Figures]) -> str:
    systems = list(dict.fromkeys(one.system for one in figures if one.case in PACED))
    rows = [("case", *[f"{system} p50 / max" for system in systems])]
    known = {(one.case, one.system): one for one in figures}
    for case in PACED:
        found = [known.get((case, system)) for system in systems]
        rows.append((case, *[f"{one.eom_p50:.1f} / {one.eom_p99:.0f}" if one else "-" for one in found]))
    title = "End-of-message wait (ms) with 50 ms DNS, every name new, SMTP commands 300 ms apart (the last row: 0)"
    return _table(title, rows) if systems else ""


def _memory(results: Results) -> str:
    rows = [("moment", "role", "processes", "largest", "together")]
    for moment, roles in results.memory.items():
        for role, sizes in roles.items():
            rows.append((moment, role, str(len(sizes)), f"{max(sizes):.0f}", f"{sum(sizes):.0f}"))
        rows.append((moment, "all", "", "", f"{sum(sum(sizes) for sizes in roles.values()):.0f}"))
    return _table("Memory (MB of proportional set size)", rows)


def _table(title: str, rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [title]
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if _wordy(row, place) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if not number:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _wordy(row: Sequence[str], place: int) -> bool:
    """Text goes left, figures right."""
    return place == 0 or not row[place][:1].isdigit()

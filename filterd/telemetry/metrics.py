"""Counters that processes share without talking: a row of doubles each, in memory mapped before the fork."""

import mmap
import threading
from bisect import bisect_left
from collections.abc import Mapping, MutableSequence, Sequence
from typing import Final, cast

from filterd.telemetry.series import BUCKETS, OTHER, Layout, combinations

DOUBLE: Final = 8  # bytes
SPARE: Final = 3  # generations of fronts that may drain beside the serving one before rows are shared


class Metrics:
    """All rows. Made by the supervisor before it forks; each process writes its own row, anybody may read."""

    def __init__(self, rows: int, layout: Layout) -> None:
        """Map `rows` rows of zeros."""
        self.layout = layout
        self._rows = rows
        self._memory = mmap.mmap(-1, max(rows * layout.width * DOUBLE, 1))  # anonymous and shared: survives a fork
        self._cells = cast(
            "MutableSequence[float]", memoryview(self._memory).cast("d")
        )  # typeshed lets only int be stored
        self._claimed: set[int] = set()

    @classmethod
    def create(
        cls, fronts: int, checks: Sequence[str] = (), lists: Sequence[str] = (), rates: Sequence[str] = ()
    ) -> "Metrics":
        """Rows for that many fronts, for those still draining after reloads, and one for the supervisor.

        `lists` are the block lists by their displayed names, `rates` the rate limits by name; others, of a later
        configuration, count as `other`.
        """
        return cls(fronts * (1 + SPARE) + 1, Layout.of(tuple(checks), tuple(lists), tuple(rates)))

    def claim(self) -> int:
        """A row nobody writes to, for a process about to be forked; shared with another one where none is left."""
        row = next((row for row in range(self._rows) if row not in self._claimed), self._rows - 1)
        self._claimed.add(row)
        return row

    def release(self, row: int) -> None:
        """The row's process has ended: its counts stay, its gauges are 0 again."""
        self._claimed.discard(row)
        start = (row % self._rows) * self.layout.width
        for family in self.layout.families:
            if family.kind == "gauge":
                for values in combinations(family):
                    self._cells[start + self.layout.cells[(family.name, *values)]] = 0.0

    def front(self, row: int) -> "FrontMetrics":
        """The writer of one row. Threads of one process may share it; two processes must not."""
        start = (row % self._rows) * self.layout.width
        return FrontMetrics(self._cells[start : start + self.layout.width], self.layout)

    def supervisor(self) -> "FrontMetrics":
        """The writer of the last row, which no front claims."""
        return self.front(self._rows - 1)

    def rows(self) -> dict[int, list[float]]:
        """The rows of fronts that have counted anything, by number."""
        width, cells = self.layout.width, list(self._cells)
        found = {row: cells[row * width : (row + 1) * width] for row in range(self._rows - 1)}
        return {row: values for row, values in found.items() if any(values)}

    def value(self, row: int, name: str) -> float:
        """One process's gauge or counter without labels."""
        return self._cells[(row % self._rows) * self.layout.width + self.layout.cells[(name,)]]

    def total(self, name: str) -> float:
        """The sum of all processes' of a gauge or counter without labels."""
        return sum([self.value(row, name) for row in range(self._rows)])

    def totals(self) -> list[float]:
        """The sum of all rows, cell by cell; the largest value where all speak of the same thing."""
        width, common = self.layout.width, self.layout.common
        cells = list(self._cells)
        return [max(cells[cell::width]) if cell in common else sum(cells[cell::width]) for cell in range(width)]


class FrontMetrics:
    """One process's row. Every call is an addition under an uncontended lock: some 0.3 us, never an exception."""

    def __init__(self, cells: MutableSequence[float], layout: Layout) -> None:
        """Take the row."""
        self._cells = cells
        self._index = layout.cells
        self._lock = threading.Lock()  # += on a shared double is a read and a write: threads must not come between

    def inc(self, name: str, *labels: str, amount: float = 1.0) -> None:
        """Add to a counter or gauge; a label outside the vocabulary counts as `other`, an unknown name not at all."""
        cell = self._index.get((name, *labels))
        if cell is None:
            cell = self._index.get((name, OTHER, *labels[1:]))
            if cell is None:
                return
        with self._lock:
            self._cells[cell] += amount

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge; a label outside the vocabulary sets nothing."""
        cell = self._index.get((name, *labels))
        if cell is not None:
            self._cells[cell] = value

    def observe(self, name: str, seconds: float) -> None:
        """Count one value of a histogram."""
        cell = self._index.get((name,))
        if cell is not None:
            with self._lock:
                self._cells[cell + bisect_left(BUCKETS, seconds)] += 1.0
                self._cells[cell + len(BUCKETS) + 1] += seconds

    def message(self, action: str, seconds: float) -> None:
        """A verdict, and its wait at the end of the message."""
        self.inc("filterd_messages", action)
        self.observe("filterd_eom_seconds", seconds)

    def check(self, name: str, outcome: str) -> None:
        """A check's outcome."""
        self.inc("filterd_checks", name, outcome)

    def inspector_failed(self, kind: str) -> None:
        """A message nobody could read: busy, died, overran, crashed."""
        self.inc("filterd_inspector_failures", kind)

    def custody_failed(self) -> None:
        """A message that could not be stored."""
        self.inc("filterd_custody_failures")

    def held_in_part(self) -> None:
        """A message that is held for some of its recipients and delivered to the others."""
        self.inc("filterd_partial_holds")

    def callback_crashed(self) -> None:
        """An exception that reached a milter callback."""
        self.inc("filterd_callback_crashes")

    def lookups(self, asked: int, wire: int) -> None:
        """A message's DNS questions, and those that went out."""
        self.inc("filterd_dns_questions", amount=asked)
        self.inc("filterd_dns_wire_queries", amount=wire)

    def shared_answers(self, outcome: str, questions: int) -> None:
        """DNS questions looked up in what all fronts share: hit, miss, late, error."""
        self.inc("filterd_dns_shared", outcome, amount=questions)

    def store_failed(self) -> None:
        """A store operation that failed."""
        self.inc("filterd_store_errors")

    def list_failed(self) -> None:
        """A block list that gave no usable answer."""
        self.inc("filterd_dnsbl_errors")

    def lists_suspended(self, lists: Mapping[str, bool]) -> None:
        """Which block lists are suspended, by displayed name."""
        unnamed = 0.0
        for display, suspended in lists.items():
            if ("filterd_dnsbl_suspended", display) in self._index:
                self.set("filterd_dnsbl_suspended", float(suspended), display)
            else:
                unnamed = max(unnamed, float(suspended))
        self.set("filterd_dnsbl_suspended", unnamed, OTHER)

    def greylisted(self, result: str) -> None:
        """How a recipient or message stood with the greylist: new, early, returned, known, excused, spared."""
        self.inc("filterd_greylist", result)

    def limited(self, rate: str, result: str) -> None:
        """What a rate limit said of a recipient: passed, refused, would_refuse."""
        self.inc("filterd_rate_limits", rate, result)

    def gate_silent(self, gate: str) -> None:
        """A recipient or message that passed because shared state did not answer."""
        self.inc("filterd_gates_silent", gate)

    def rule_demoted(self, deed: str) -> None:
        """A rule that was suspended, or a rule file that was excused."""
        self.inc("filterd_rule_demotions", deed)

    def inspectors(self, serving: int) -> None:
        """How many inspectors there are now."""
        self.set("filterd_inspectors", float(serving))

    def store_left_alone(self, *, alone: bool) -> None:
        """Whether the shared store has stopped answering."""
        self.set("filterd_store_left_alone", float(alone))

    def session(self, change: int) -> None:
        """A session opened (+1) or closed (-1)."""
        self.inc("filterd_sessions", amount=change)

    def recipient(self, by: str, action: str) -> None:
        """A recipient that was judged before its content."""
        self.inc("filterd_recipients", by, action)

    def gate_failed(self, kind: str) -> None:
        """A recipient that passed because greylisting, limits or lists gave no answer."""
        self.inc("filterd_gate_failures", kind)

    def policy_request(self, state: str) -> None:
        """A policy request by its protocol_state."""
        known = ("filterd_policy_requests", state) in self._index
        self.inc("filterd_policy_requests", state if known else "OTHER")

    def policy_failed(self, kind: str) -> None:
        """A policy connection closed without an answer."""
        self.inc("filterd_policy_failures", kind)

    def policy_connection(self, change: int) -> None:
        """A policy connection opened (+1) or closed (-1)."""
        self.inc("filterd_policy_connections", amount=change)

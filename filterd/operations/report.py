"""`filterd report`: what became of the mail of some time, from the journal and, for held mail, from the ledger.

The journal is read once, from the oldest row to the newest, in memory that does not grow with it; names of which there
may be any number (domains, networks) are counted as report_counting.py says.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from filterd.domains import network
from filterd.model.inspection import RULE_PREFIXES
from filterd.model.verdict import Action
from filterd.operations.report_counting import Durations, Stopwatch, Top, Tops
from filterd.operations.report_held import Held
from filterd.pipeline.hold import PLACE
from filterd.quarantine import Sighting

IPV4_PREFIX: Final = 24  # bits of a network: what one customer has at least
IPV6_PREFIX: Final = 48
DOTS: Final = 3  # in an IPv4 address
MAX_NAME: Final = 100  # characters of a domain: the envelope may have any
MAX_PAIRS: Final = 50_000  # different weights of symbols, until they are added up
HOUR: Final = 3_600
DAY: Final = 24 * HOUR
HOURS: Final = 60  # of a report, up to which it tells hours apart, beyond it days
NO_SENDER: Final = "<>"
NOTHING: Final = "-"  # where there is no client, or no domain
# Did not go through as it came, or at once.
STOPPED: Final = frozenset({Action.GREYLIST, Action.DEFER, Action.QUARANTINE, Action.REJECT, Action.DISCARD})

_texts: Final = msgspec.json.Decoder(list[str])


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, with what was done for it. `observed`: it was only observed, this is what would have been done."""

    action: str
    code: str
    messages: int
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol: on how many messages, with how many points each; `lists` are the block lists that can give it.

    `released` is on how many of those held that were given back since: what it was wrong about.
    """

    name: str
    messages: int
    stopped: int
    points: float
    rule: bool
    lists: tuple[str, ...] = ()
    released: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Values for JSON; times are epoch seconds, `times` how many of each action in each hour or day (UTC).

    `recipients` are those refused before any message; `counts_missing` says by how much the counts of domains and
    networks may be too low. `held` is None where the ledger does not answer.
    """

    since: float
    until: float
    messages: int
    verdicts: int
    recipients: int
    bytes: int
    actions: Mapping[str, int]
    policies: Mapping[str, int]
    in_mta: int
    reasons: tuple[Reason, ...]
    symbols: tuple[Symbol, ...]
    latency: Durations
    seconds_each: int
    times: tuple[tuple[int, Mapping[str, int]], ...]
    senders: tuple[Top, ...]
    authors: tuple[Top, ...]
    networks: tuple[Top, ...]
    receivers: tuple[Top, ...]
    counts_missing: int
    held: Held | None


class Counting:
    """Takes rows in the order of time, once."""

    def __init__(self, since: float, until: float, zone_of: Mapping[str, tuple[str, ...]]) -> None:
        """`zone_of` has the lists that can give a symbol."""
        self._since = since
        self._until = until
        self._lists = zone_of
        self._messages = self._verdicts = self._recipients = self._bytes = self._in_mta = 0
        self._actions: Counter[str] = Counter()
        self._policies: Counter[str] = Counter()
        self._reasons: Counter[tuple[str, str, bool]] = Counter()
        self._pairs: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        self._symbols: dict[str, list[float]] = {}
        self._latency = Stopwatch()
        self._times: dict[int, Counter[str]] = {}
        self._tops = {name: Tops() for name in ("senders", "authors", "networks", "receivers")}
        self._moment = 0.0
        self._together: set[str] = set()

    def take(self, rows: Iterable[Sighting]) -> None:
        """Count these rows."""
        for row in rows:
            self._take(row)
        for stopped in (False, True):
            if len(self._pairs[stopped]) > MAX_PAIRS:
                self._add_up(stopped=stopped)

    def _take(self, row: Sighting) -> None:
        action = row.action
        stopped = action in STOPPED
        self._verdicts += 1
        self._actions[action] += 1
        self._reasons[action, row.code, False] += 1
        if row.observed:
            self._reasons[row.observed, row.code, True] += 1
        self._policies[row.policy] += 1
        self._in_mta += row.place == PLACE
        hour = int(row.received // HOUR)
        self._times.setdefault(hour, Counter())[action] += 1
        if row.symbols != "[]":
            self._pairs[stopped].update(_decoded(row.symbols))
        self._tops["networks"].add(_network(row.client), stopped=stopped)
        self._tops["senders"].add(_domain(row.sender) or NO_SENDER, stopped=stopped)
        for domain in {_domain(address) for address in _decoded(row.recipients)}:
            self._tops["receivers"].add(domain or NOTHING, stopped=stopped)
        if not row.size:  # there was no message: one of its recipients was refused before
            self._recipients += 1
            return
        self._tops["authors"].add(_domain(row.header_from) or NOTHING, stopped=stopped)
        self._latency.add(row.ms)
        # A message that policies share out has a row for each, all of one time and with one public id.
        if row.received != self._moment:
            self._moment = row.received
            self._together.clear()
        if row.public_id not in self._together:
            self._together.add(row.public_id)
            self._messages += 1
            self._bytes += row.size

    def _add_up(self, *, stopped: bool) -> None:
        """From pairs of name and weight, as they are stored, to sums."""
        for pair, count in self._pairs[stopped].items():
            name, _, weight = pair.partition("=")
            sums = self._symbols.setdefault(name, [0, 0, 0.0])
            sums[0] += count
            sums[1] += count if stopped else 0
            sums[2] += count * _number(weight)
        self._pairs[stopped].clear()

    def report(self, held: Held | None, most: int) -> Report:
        """All of it; `most` of what there may be any number of."""
        for stopped in (False, True):
            self._add_up(stopped=stopped)
        seconds, times = self._in_time()
        return Report(
            since=self._since,
            until=self._until,
            messages=self._messages,
            verdicts=self._verdicts,
            recipients=self._recipients,
            bytes=self._bytes,
            actions=dict(self._actions.most_common()),
            policies={name: count for name, count in self._policies.most_common(most) if name},
            in_mta=self._in_mta,
            reasons=tuple([Reason(action, code, n, seen) for (action, code, seen), n in _ordered(self._reasons)]),
            symbols=self._counted(held, most),
            latency=self._latency.read(),
            seconds_each=seconds,
            times=times,
            counts_missing=max([tops.missing for tops in self._tops.values()]),
            held=held,
            **{name: tops.top(most) for name, tops in self._tops.items()},
        )

    def _counted(self, held: Held | None, most: int) -> tuple[Symbol, ...]:
        """Most frequent first: so many rules, so many symbols of lists, so many others."""
        released = {} if held is None else held.symbols
        found: list[Symbol] = []
        left = Counter(dict.fromkeys(("rule", "list", "other"), most))
        for name, (count, stopped, points) in sorted(self._symbols.items(), key=lambda item: (-item[1][0], item[0])):
            rule, lists = name.startswith(RULE_PREFIXES), self._lists.get(name, ())
            kind = "rule" if rule else "list" if lists else "other"
            if left[kind] > 0:
                left[kind] -= 1
                mean = round(points / count, 2)
                found.append(Symbol(name, int(count), int(stopped), mean, rule, lists, released.get(name, 0)))
        return tuple(found)

    def _in_time(self) -> tuple[int, tuple[tuple[int, Mapping[str, int]], ...]]:
        """Hours or days from the first row's to the last one's, those without a row too."""
        if not self._times:
            return HOUR, ()
        first, last = min(self._times), max(self._times)
        width = 1 if last - first < HOURS else DAY // HOUR
        sums: dict[int, Counter[str]] = {at: Counter() for at in range(first // width, last // width + 1)}
        for hour, counts in self._times.items():
            sums[hour // width].update(counts)
        return width * HOUR, tuple([(at * width * HOUR, dict(counts)) for at, counts in sums.items()])


def lists_by_symbol(zones: Iterable[tuple[str, Iterable[str]]]) -> Mapping[str, tuple[str, ...]]:
    """The lists that can give a symbol, from displayed names with their symbols."""
    found: dict[str, list[str]] = {}
    for display, symbols in zones:
        for symbol in symbols:
            found.setdefault(symbol, []).append(display)
    return {symbol: tuple(sorted(set(displays))) for symbol, displays in found.items()}


def named(report: Report, *, lists: bool = False, rules: bool = False) -> Sequence[Symbol]:
    """The symbols of block lists, of rules, or those of neither."""
    return [one for one in report.symbols if bool(one.lists) is lists and one.rule is rules]


def moment(seconds: float) -> str:
    """A time, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def _ordered(counts: Counter[tuple[str, str, bool]]) -> list[tuple[tuple[str, str, bool], int]]:
    return sorted(counts.items(), key=lambda item: (item[0][2], -item[1], item[0]))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()[:MAX_NAME]


def _network(client: str) -> str:
    """The network around an address as the journal has it, in its shortest form: of IPv4 all but the last number."""
    if client.count(".") == DOTS and ":" not in client:
        return f"{client.rpartition('.')[0]}.0/{IPV4_PREFIX}"
    return network(client, IPV4_PREFIX, IPV6_PREFIX) or NOTHING


def _decoded(column: str) -> list[str]:
    """A column's texts; nothing where somebody has written something else into it."""
    try:
        return _texts.decode(column)
    except msgspec.DecodeError:
        return []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0

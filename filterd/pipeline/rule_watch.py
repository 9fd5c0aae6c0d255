"""Rules watched at work: how often each one hits, and those that suddenly hit a share of mail as no rule should.

Only hits count against a rule that nothing else in the message speaks for: in a flood of spam other checks say so too.
And they must come from many networks: who sends a thousand messages from one of them suspends nobody's rule. A
suspended rule is as in shadow, at every front that shares the store, until its time is over.

A file whose rules take too long for several messages is excused: messages are not held any more for what it leaves
unsaid, and its hits in all others still count.

Counted once every few seconds for all messages of a process; what a killed process had not written is lost.
"""

import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from filterd.model.inspection import RULE_PREFIXES, Inspection, RuleHit
from filterd.model.store import Store, StoreError
from filterd.model.verdict import ScoredSymbol
from filterd.reputation.keys import digest, network_of
from filterd.score import COMPOSITE, Score
from filterd.score.stages import SILENT, stage_of
from filterd.store.batching import Batcher
from filterd.store.writes import BatchStore
from filterd.telemetry.events import Event

INTERVAL: Final = 2.0  # seconds between two writes: how late a flood is seen
WINDOW: Final = 600  # seconds in which hits and messages are counted together
LEAST: Final = 50  # hits in a window; below it is chance, or a small site
SLOW_LEAST: Final = 5  # messages of a window for which a file took too long; fewer are made by one sender's odd file
MAX_SLOW: Final = 100  # files that are excused
NETWORKS: Final = 20  # that these must come from
SUSPENDED: Final = 3_600  # seconds a suspension lasts; after it the rule may hit again, and be suspended again
KEPT: Final = 90 * 86_400  # seconds that hits and the last one are known after it
NEVER: Final = 2.0  # a share that nothing reaches
FRESH: Final = 5.0  # seconds in which this process does not ask again whether a rule is suspended
MAX_RULES: Final = 50  # rules of one message that are counted
AT_ONCE: Final = 100  # rules that the store is asked about in one call
MAX_KNOWN: Final = 10_000  # rules whose state is held in memory
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """One message: the rules that hit it, those of them that nothing else speaks for, and where it came from."""

    now: float
    hit: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    network: str = ""
    slow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """How often a rule has hit, and when last (epoch); None where that is not known."""

    hits: int
    last: float | None
    suspended: str = ""  # why, empty where it is not


def floods(hits: int, messages: int, networks: int, share: float) -> bool:
    """Whether a rule with so many hits in so many messages of a window is not to be believed. Pure."""
    return hits >= LEAST and networks >= NETWORKS and hits >= share * messages


def unsupported(found: Score, hits: Sequence[RuleHit], tag: float) -> tuple[str, ...]:
    """The rules that counted in a message which, without all rules, would have passed below the threshold for a tag."""
    of_rules = {symbol.finding.symbol: symbol.weight for symbol in found.symbols if _of_rules(symbol)}
    others_floor = found.floor is not None and found.floor_symbol not in of_rules
    if others_floor or found.total - sum(of_rules.values()) >= tag:
        return ()
    return tuple(dict.fromkeys([hit.rule for hit in hits if stage_of(hit.meta) not in SILENT]))[:MAX_RULES]


def _of_rules(symbol: ScoredSymbol) -> bool:
    """Whether it is a rule's own, or a composite's that a rule takes part in."""
    names = symbol.finding.evidence if symbol.check == COMPOSITE else (symbol.finding.symbol,)
    return any(name.startswith(RULE_PREFIXES) for name in names)


class RuleWatch:
    """What all fronts know of rules at work. Thread-safe, never raises.

    While the store is silent the last known state goes on.
    """

    def __init__(
        self,
        store: BatchStore,
        share: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`share` of messages from which a rule is suspended, above 1 for never.

        `count` is told what this process has done: "suspended" a rule, "excused" a file.
        """
        self._store = store
        self._share = share
        self._clock = clock
        self._count = count
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, str]] = {}  # rule -> looked at until, why it is suspended
        self._excused: tuple[str, ...] = ()
        self._look_at_slow = float("-inf")
        self._batcher: Batcher[Seen] = Batcher("filterd-rules", self._write, interval=INTERVAL)

    def suspended(self, facts: Inspection) -> Mapping[str, str]:
        """The rules among a message's hits that are suspended, with the reason."""
        names = list(dict.fromkeys([hit.rule for hit in facts.hits]))[:MAX_RULES]
        if not names:
            return {}
        now = self._clock()
        with self._lock:
            due = [name for name in names if self._known.get(name, (0.0, ""))[0] <= now]
            if len(self._known) > MAX_KNOWN:
                self._known.clear()
        if due:
            self._look(due, now)
        with self._lock:
            return {name: why for name in names if (why := self._known.get(name, (0.0, ""))[1])}

    def excused(self) -> tuple[str, ...]:
        """The rule files that are known to be too slow: what they leave unsaid is no reason to hold a message."""
        now = self._clock()
        with self._lock:
            due = now >= self._look_at_slow
            if due:  # one thread reads, the others go on with what is known
                self._look_at_slow = now + FRESH
        if due:
            with contextlib.suppress(StoreError):
                self._excused = self._store.members(_SLOW)
        return self._excused

    def saw(self, facts: Inspection, found: Score, tag: float, client: str, now: float) -> None:
        """A message is finished; `tag` is the threshold for a tag."""
        if not facts.hits:
            self._batcher.offer(Seen(now, slow=facts.slow))
            return
        hit = tuple(dict.fromkeys([hit.rule for hit in facts.hits]))[:MAX_RULES]
        self._batcher.offer(Seen(now, hit, unsupported(found, facts.hits, tag), network_of(client), facts.slow))

    def flush(self) -> None:
        """Write what is queued, in this thread."""
        self._batcher.flush()

    def close(self) -> None:
        """Write what is queued and end the thread."""
        self._batcher.close()

    def _look(self, names: Sequence[str], now: float) -> None:
        try:
            values = self._store.get_many([_suspension(name) for name in names])
        except StoreError:
            with self._lock:  # what was known goes on
                self._known |= {name: (now + FRESH, self._known.get(name, (0.0, ""))[1]) for name in names}
            return
        found = {
            name: (now + FRESH, "" if value is None else value.decode("utf-8", "replace"))
            for name, value in zip(names, values, strict=True)
        }
        with self._lock:
            self._known |= found

    def _write(self, batch: Sequence[Seen]) -> int:
        """Count; whoever's addition makes it a flood suspends the rule."""
        hits: Counter[str] = Counter()
        last: dict[str, float] = {}
        windows: dict[int, list[Seen]] = defaultdict(list)
        for seen in batch:
            hits.update(seen.hit)
            last |= dict.fromkeys(seen.hit, seen.now)
            windows[int(seen.now // WINDOW)].append(seen)
        for name, count in hits.items():
            self._store.add(f"rule:hits:{_id(name)}", count, KEPT)
            self._store.put(f"rule:last:{_id(name)}", b"%.0f" % last[name], KEPT)
        for window, seens in windows.items():
            messages = self._store.add(f"rule:window:{window}:messages", len(seens), 2 * WINDOW)
            for name, count in Counter([name for seen in seens for name in seen.slow]).items():
                self._time(name, window, count)
            alone = Counter([name for seen in seens for name in seen.alone])
            for name, count in alone.items():
                self._judge(name, window, count, messages, {seen.network for seen in seens if name in seen.alone})
        return 0

    def _time(self, name: str, window: int, count: int) -> None:
        slow = self._store.add(f"rule:window:{window}:slow:{_id(name)}", count, 2 * WINDOW)
        if slow >= SLOW_LEAST and name not in self._store.members(_SLOW):
            self._store.remember(_SLOW, name, SUSPENDED, MAX_SLOW)
            self._count("excused")
            _log.warning(Event.RULE_FILE_EXCUSED, file=name, messages=slow, seconds=SUSPENDED)

    def _judge(self, name: str, window: int, count: int, messages: int, networks: set[str]) -> None:
        key = f"rule:window:{window}:{_id(name)}"
        hits = self._store.add(key, count, 2 * WINDOW)
        for network in networks - {""}:
            self._store.remember(f"{key}:networks", digest("rule", network), 2 * WINDOW, NETWORKS)
        if hits < LEAST:
            return
        if not floods(hits, messages, len(self._store.members(f"{key}:networks")), self._share):
            return
        if self._store.get_many([_suspension(name)])[0] is not None:
            return
        why = f"hits {hits} of {messages} messages in {WINDOW // 60} minutes that nothing else speaks against"
        self._store.put(_suspension(name), why.encode(), SUSPENDED)
        with self._lock:
            self._known[name] = (self._clock() + FRESH, why)
        self._count("suspended")
        _log.warning(Event.RULE_SUSPENDED, rule=name, cause=why, seconds=SUSPENDED)


_SLOW: Final = "rule:slow"


def uses(store: Store, rules: Sequence[str]) -> dict[str, Use]:
    """How often rules have hit, by name. StoreError."""
    found = {}
    for start in range(0, len(rules), AT_ONCE):
        some = rules[start : start + AT_ONCE]
        keys = [(f"rule:hits:{_id(name)}", f"rule:last:{_id(name)}", _suspension(name)) for name in some]
        values = store.get_many([key for three in keys for key in three])
        for place, name in enumerate(some):
            hits, last, why = values[3 * place : 3 * place + 3]
            found[name] = Use(int(_number(hits) or 0), _number(last), (why or b"").decode("utf-8", "replace"))
    return found


def _number(value: bytes | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _id(name: str) -> str:
    return digest("rule", name)


def _suspension(name: str) -> str:
    return f"suspended:rule:{_id(name)}"

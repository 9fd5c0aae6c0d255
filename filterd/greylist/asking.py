"""Asks the store about an attempt, and remembers it there."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from filterd.greylist.entries import Entry, State, Times, best
from filterd.greylist.keys import Attempt, Keys, keys_of
from filterd.model.store import StoreError
from filterd.store import BatchStore, WriteBehind
from filterd.store.patience import BEGIN
from filterd.store.writes import Put

MAX_RECIPIENTS: Final = 50  # of one message that are looked at; those beyond come with the others' answer
RENEW: Final = 16  # parts of a lifetime: who is known is written down again after one of them


@dataclass(frozen=True, slots=True)
class Answer:
    """How the attempt stands for the recipient that is least known; None: the store did not say.

    `since` is how many seconds ago the first attempt was, `wait` how many are to go before one passes.
    """

    state: State | None
    since: int = 0
    wait: int = 0

    @property
    def waits(self) -> bool:
        """Whether the client is to come again."""
        return self.wait > 0

    @property
    def text(self) -> str:
        """The same for a person."""
        match self.state:
            case None:
                return "greylist could not be looked at"
            case State.NEW:
                return f"first attempt, to come again in {self.wait} s"
            case State.EARLY:
                return f"came again after {self.since} s, {self.wait} s too early"
            case State.RETURNED:
                return f"greylisted, came back after {self.since} s"
            case State.KNOWN:
                return f"known since it came back after {self.since} s"


SILENT: Final = Answer(None)


class Greylist:
    """What was tried before, for all fronts. Thread-safe; never raises, and waits for 200 ms at most."""

    def __init__(
        self, store: BatchStore, writes: WriteBehind, times: Times, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`writes` go to the same store; `clock` counts seconds."""
        self._store = store
        self._writes = writes
        self._times = times
        self._clock = clock

    def ask(self, attempt: Attempt, now: float, *, begin: bool = True) -> Answer:
        """How the attempt at `now` (epoch seconds) stands; a first one is remembered.

        Without `begin` no first attempt is made to wait: its answer has no `wait`.
        """
        at, started = int(now), self._clock()
        groups = keys_of(attempt)[:MAX_RECIPIENTS]
        if not groups:
            return SILENT
        try:
            values = iter(self._store.get_many([key for keys in groups for key in keys.all]))
            entries = [{key: Entry.read(next(values)) for key in keys.all} for keys in groups]
            found = [best(list(some.values()), at, self._times) for some in entries]
            if any(how is State.NEW for how, _ in found):
                if not begin:
                    return Answer(State.NEW)
                # Who is made to wait must be remembered for sure, or he would wait for ever.
                if self._clock() - started > BEGIN or not self._begun(groups, found, at):
                    return SILENT
        except StoreError:
            return SILENT
        for keys, some, (how, entry) in zip(groups, entries, found, strict=True):
            if entry is not None and how >= State.RETURNED:
                self._passed(keys, some, entry.passed(at))
        return _answer(found, at, self._times)

    def _begun(self, groups: Sequence[Keys], found: Sequence[tuple[State, Entry | None]], now: int) -> bool:
        """Remember first attempts; whether all of them are."""
        value = bytes(Entry(now))
        new = [keys for keys, (how, _) in zip(groups, found, strict=True) if how is State.NEW]
        return self._store.apply([Put(key, value, self._times.window) for keys in new for key in keys.all]) == 0

    def _passed(self, keys: Keys, known: Mapping[str, Entry | None], entry: Entry) -> None:
        """Remember who may pass. Nobody waits for that: without it he comes back in time once more."""
        for key in keys.origins:
            old = known[key]
            if old is None or not old.returned or entry.last - old.last > self._times.lifetime // RENEW:
                self._writes.put(key, bytes(entry), self._times.lifetime)


def _answer(found: Sequence[tuple[State, Entry | None]], now: int, times: Times) -> Answer:
    """The recipient that is least known, and the latest of those, decides for all."""
    how = min(one for one, _ in found)
    those = [entry for one, entry in found if one is how and entry is not None]
    if how is State.NEW or not those:
        return Answer(State.NEW, 0, times.delay)
    entry = max(those, key=lambda one: one.first)
    since = max((entry.returned if how is State.KNOWN else now) - entry.first, 0)
    return Answer(how, since, times.delay - since if how is State.EARLY else 0)

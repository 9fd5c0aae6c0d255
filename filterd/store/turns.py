"""Whose turn it is to do what one process shall do for all fronts and nodes, and when it was done last."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from filterd.model.store import Store, StoreError

LEASE: Final = 60  # seconds; many times what a turn takes: so long one is held up whose process died in it
REMEMBERED: Final = 7_200  # seconds that the last turn is known; longer than any pause between two


@dataclass(frozen=True, slots=True)
class Turn:
    """When it was done last (epoch seconds), and how many seconds later it is due again."""

    at: float
    pause: float


class Turns:
    """Turns at named jobs, one process at a time. Thread-safe, never raises.

    While the store is silent every process takes all turns itself and remembers its own.
    """

    def __init__(self, store: Store, kind: str) -> None:
        """`kind` keeps the names of different sorts of jobs apart."""
        self.failures = 0  # times that the store was not reached
        self._store = store
        self._kind = kind
        self._own: dict[str, Turn] = {}

    def last(self, names: Sequence[str]) -> dict[str, Turn]:
        """The last turn at each job, by name; what was never done, or long ago, is not there."""
        found = {name: self._own[name] for name in names if name in self._own}
        try:
            values = self._store.get_many([self._key("done", name) for name in names])
        except StoreError:
            self.failures += 1
            return found
        for name, value in zip(names, values, strict=True):
            turn = _read(value)
            if turn is not None and (name not in found or turn.at > found[name].at):
                found[name] = turn
        return found

    def take(self, name: str) -> bool:
        """Whether this process may do it now. Then it must look at `last` once more, and call `done` or `leave`."""
        key = self._key("lease", name)
        try:
            # Looked at before it is counted up: every count renews the lease, and nobody must keep a dead one alive.
            return self._store.get_many([key])[0] is None and self._store.add(key, 1, LEASE) == 1
        except StoreError:
            self.failures += 1
            return True

    def done(self, name: str, turn: Turn) -> None:
        """It was done; others may do it again when it is due."""
        self._own[name] = turn
        try:
            self._store.put(self._key("done", name), msgspec.json.encode(turn), REMEMBERED)
        except StoreError:
            self.failures += 1
        self.leave(name)

    def leave(self, name: str) -> None:
        """Give the turn back."""
        try:
            self._store.delete(self._key("lease", name))
        except StoreError:
            self.failures += 1

    def _key(self, what: str, name: str) -> str:
        return f"turn:{self._kind}:{what}:{name}"


def _read(value: bytes | None) -> Turn | None:
    """The turn, None where there is none or somebody else wrote something there."""
    try:
        return None if value is None else msgspec.json.decode(value, type=Turn)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

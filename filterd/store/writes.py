"""Writes as values, so that many messages' writes travel together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from filterd.model.store import Store


@dataclass(frozen=True, slots=True)
class Put:
    """`Store.put` to be done."""

    key: str
    value: bytes
    ttl: int


@dataclass(frozen=True, slots=True)
class Add:
    """`Store.add` to be done; nobody waits for the sum."""

    key: str
    amount: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Remember:
    """`Store.remember` to be done."""

    key: str
    member: str
    ttl: int
    most: int


Write: TypeAlias = Put | Add | Remember


class BatchStore(Store, Protocol):
    """A store that takes many writes in one round trip, and whose resources can be given back."""

    def apply(self, writes: Sequence[Write]) -> int:
        """Do the writes in order and give back how many were refused. StoreError: unknown how many were done."""

    def close(self) -> None:
        """Give connections back. The store opens new ones when it is used again."""


def apply_one_by_one(store: Store, write: Write) -> None:
    """Do one write through the plain interface."""
    match write:
        case Put(key, value, ttl):
            store.put(key, value, ttl)
        case Add(key, amount, ttl):
            store.add(key, amount, ttl)
        case Remember(key, member, ttl, most):
            store.remember(key, member, ttl, most)

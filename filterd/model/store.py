"""What all fronts (and nodes) know in common, behind one small API."""

from collections.abc import Sequence
from typing import Protocol


class StoreError(Exception):
    """The store did not answer in time or refused: what it holds is unknown, not absent."""


class Store(Protocol):
    """Keys to small values with a lifetime. Thread-safe; each call is bounded in time; raises StoreError only.

    The same tests run against memory, SQLite and Redis.
    """

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of the keys, None where there is none or it has expired."""

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """Set a value for `ttl` seconds."""

    def delete(self, key: str) -> None:
        """Remove a value; no error where there is none."""

    def add(self, key: str, amount: int, ttl: int) -> int:
        """Add to a counter atomically (from 0), renew its lifetime and give back the sum."""

    def remember(self, key: str, member: str, ttl: int, most: int) -> None:
        """Put `member` into a set of at most `most` members, the least recently remembered falling out."""

    def members(self, key: str) -> tuple[str, ...]:
        """The set's members, most recently remembered first."""

    def fetch(self, keys: Sequence[str], sets: Sequence[str]) -> tuple[list[bytes | None], list[tuple[str, ...]]]:
        """`get_many` of the keys and `members` of the sets, in one call."""

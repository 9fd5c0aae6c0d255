"""From a URL to a store."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from filterd.store.address import SCHEMES
from filterd.store.breaker import Breaker
from filterd.store.guarded import GuardedStore
from filterd.store.memory import MemoryStore
from filterd.store.redis import RedisStore
from filterd.store.sqlite import SqliteStore
from filterd.store.writes import BatchStore

STATE_FILE: Final = "state.sqlite"


def open_store(url: str | None, state_dir: Path, *, breaker: Breaker | None = None) -> BatchStore:
    """The store that `url` names: None is a SQLite file in `state_dir`, memory:// this process, else Redis.

    Nothing is opened or connected before the first call, so it may be made before a fork; a server that is down is no
    error here. ValueError: no such URL.
    """
    if url is None:
        return GuardedStore(SqliteStore(state_dir / STATE_FILE), breaker or Breaker())
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryStore()
    if scheme in SCHEMES:
        return GuardedStore(RedisStore(url), breaker or Breaker())
    raise ValueError(f"a store's URL begins with memory://, {', '.join(f'{name}://' for name in SCHEMES)}")

"""A real Redis in every kind of trouble: callers get an answer or StoreError soon, and Redis back when it is back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.model.store import StoreError
from filterd.store import Breaker, GuardedStore, RedisStore, StoreRefusedError, open_store
from tests.store.test_breaker import Clock
from tests.support.process import open_folder
from tests.support.redis import RedisServer, redis_server

pytestmark = [pytest.mark.integration, pytest.mark.threat("RES-03")]

BOUND = 3.0  # seconds; the store's own limit is 0.15, redis-py's defaults would take 45: between is noise of the host


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of this test's own."""
    with redis_server(maxmemory="3mb") as running:
        yield running


def fails_soon(call: Callable[[], object], kind: type[StoreError] = StoreError) -> None:
    """The call raises StoreError within the bound."""
    start = time.monotonic()
    with pytest.raises(kind):
        call()
    assert time.monotonic() - start < BOUND


def guarded(server: RedisServer) -> tuple[GuardedStore, Clock]:
    """The store as the daemon has it, on a clock of the test's own."""
    clock = Clock()
    store = open_store(server.url, Path("/nonexistent"), breaker=Breaker(clock=clock))
    assert isinstance(store, GuardedStore)
    return store, clock


def test_down_at_start() -> None:
    """A server that comes up later is used from the next probe on."""
    with open_folder() as folder:
        server = RedisServer(folder)
        store, clock = guarded(server)
        for _ in range(6):
            fails_soon(lambda: store.get_many(["a"]))
        server.start()
        try:
            fails_soon(lambda: store.get_many(["a"]))
            clock.now += 1.0
            assert store.get_many(["a"]) == [None]
        finally:
            store.close()
            server.kill()


def test_killed(server: RedisServer) -> None:
    """A killed server fails soon; started again it is used again."""
    store, clock = guarded(server)
    store.put("a", b"1", 60)
    server.kill()
    for _ in range(6):
        fails_soon(lambda: store.put("a", b"1", 60))
    server.start()
    clock.now += 1.0
    store.put("a", b"2", 60)
    assert store.get_many(["a"]) == [b"2"]
    store.close()


@pytest.mark.parametrize("warm", [True, False])
def test_frozen(server: RedisServer, *, warm: bool) -> None:
    """A server that accepts and never answers costs one timeout, five times; answers that come late reach nobody."""
    store, clock = guarded(server)
    if warm:
        store.put("a", b"1", 60)
    server.freeze()
    for _ in range(5):
        fails_soon(lambda: store.get_many(["late"]))
    assert store.breaker.open
    server.thaw()
    clock.now += 1.0
    store.put("a", b"2", 60)
    assert store.get_many(["a", "late"]) == [b"2", None]
    store.close()


def test_full(server: RedisServer) -> None:
    """A full server refuses writes and goes on answering reads: the breaker stays closed."""
    store, _ = guarded(server)
    store.put("a", b"1", 60)
    with server.client() as client:
        client.config_set("maxmemory", "1")
    for _ in range(6):
        fails_soon(lambda: store.put("b", b"1", 60), StoreRefusedError)
        fails_soon(lambda: store.add("n", 1, 60), StoreRefusedError)
        fails_soon(lambda: store.remember("s", "m", 60, 8), StoreRefusedError)
    assert (store.get_many(["a"]), store.breaker.open) == ([b"1"], False)
    store.close()


def test_read_only(server: RedisServer) -> None:
    """A replica refuses writes and answers reads."""
    store, _ = guarded(server)
    store.put("a", b"1", 60)
    with server.client() as client:
        client.config_set("replica-serve-stale-data", "yes")
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
    fails_soon(lambda: store.put("b", b"1", 60), StoreRefusedError)
    assert store.get_many(["a"]) == [b"1"]
    store.close()


def test_password_set(server: RedisServer) -> None:
    """A server that suddenly wants a password is StoreError; with the password in the URL it works."""
    store, _ = guarded(server)
    store.put("a", b"1", 60)
    with server.client() as client:
        client.config_set("requirepass", "secret")
        for connection in client.client_list():
            client.execute_command("CLIENT", "KILL", "ID", connection["id"], "SKIPME", "yes")
    fails_soon(lambda: store.put("b", b"1", 60))
    with_password = RedisStore(f"{server.url}?password=secret")
    assert with_password.get_many(["a"]) == [b"1"]
    store.close()
    with_password.close()


def test_wrong_type(server: RedisServer) -> None:
    """Keys that another program filled with another type are refused or absent."""
    store, _ = guarded(server)
    with server.client() as client:
        client.hset("filterd:h", "field", "value")
        client.rpush("filterd:l", b"\xff")
    fails_soon(lambda: store.members("h"), StoreRefusedError)
    fails_soon(lambda: store.add("h", 1, 60), StoreRefusedError)
    fails_soon(lambda: store.remember("h", "m", 60, 8), StoreRefusedError)
    fails_soon(lambda: store.members("l"))
    assert store.get_many(["h", "none"]) == [None, None]
    store.close()


def test_round_trips(server: RedisServer) -> None:
    """Every call is one command, under the project's prefix and with a lifetime."""
    store = RedisStore(server.url)
    with server.client() as client:
        client.config_resetstat()
        store.get_many(["warm"])
        store.add("n", 1, 60)
        store.remember("s", "m", 60, 8)
        store.put("v", b"1", 60)
        keys = client.keys("*")
        assert sorted(keys) == [b"filterd:n", b"filterd:s", b"filterd:v"]
        assert all(0 < client.ttl(key) <= 60 for key in keys)
        stats = client.info("commandstats")
    assert (stats["cmdstat_mget"]["calls"], stats["cmdstat_eval"]["calls"]) == (1, 2)
    assert not {"cmdstat_hello", "cmdstat_client|setinfo"} & set(stats)
    store.close()

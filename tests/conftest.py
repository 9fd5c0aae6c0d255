"""Rules that hold for every test: no network in unit tests, nothing swallowed, shared data found or missed aloud.

A test that starts servers lies in tests/integration/ or carries `@pytest.mark.integration`; every other test fails when
it touches a socket's connect, bind or sendto, or the system's resolver (socketpair is free).
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog

from filterd.config import secrets
from filterd.store import MemoryStore, RedisStore, SqliteStore
from filterd.store.writes import BatchStore
from tests.support.redis import RedisServer, redis_server

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("FILTERD_SHARED") or ROOT.parent / "shared")
NETWORK_EVENTS = frozenset(
    {
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.sendto",
    }
)

_blocked = [False]


def _no_network(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: refuse while a unit test runs. Audit events also see sockets made below the socket module."""
    if _blocked[0] and event in NETWORK_EVENTS:
        raise RuntimeError(f"{event} {arguments[1:]!r} in a unit test: move it to tests/integration or use a fake")


sys.addaudithook(_no_network)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that belong to the test suite's own machinery."""
    config.addinivalue_line("markers", "docs: a document agrees with the code; part of make check")
    config.addinivalue_line("markers", "soak: long runs with random kills; make soak")
    config.addinivalue_line("markers", "crashes_expected: crash events in the log are this test's subject")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Everything under tests/integration/ is an integration test."""
    for item in items:
        if "integration" in item.path.relative_to(ROOT).parts:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the network to unit tests."""
    _blocked[0] = request.node.get_closest_marker("integration") is None
    yield
    _blocked[0] = False


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test reads as a secret is no secret to the next."""
    for name in ("texts", "lines", "labels"):
        monkeypatch.setattr(secrets._Known, name, ())


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """A test that sets the log up does so for itself alone."""
    yield
    structlog.reset_defaults()
    for handler in logging.getLogger().handlers[:]:
        if type(handler).__module__.startswith("filterd."):
            logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public test data (FILTERD_SHARED, default ../shared), or a skip; a failure where it is required."""
    data = SHARED / "data"
    if not data.is_dir():
        reason = f"no shared test data at {data}; FILTERD_SHARED names its folder"
        if os.environ.get("FILTERD_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One Redis for all tests of a file; keys are the tests' own."""
    with redis_server() as running:
        yield running


@pytest.fixture(params=["memory", "sqlite", pytest.param("redis", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BatchStore]:
    """Each backend in turn, empty."""
    made: BatchStore
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "sqlite":
        made = SqliteStore(tmp_path / "state.sqlite")
    else:
        running: RedisServer = request.getfixturevalue("server")
        with running.client() as client:
            client.flushall()
        made = RedisStore(running.url)
    yield made
    made.close()

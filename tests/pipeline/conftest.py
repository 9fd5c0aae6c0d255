"""The loop thread that all pipeline tests share, and a front made of fakes."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from filterd.dns.loop import LoopThread
from tests.pipeline.fakes import Front, Gate


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    """One running loop."""
    thread = LoopThread("test-lookups")
    thread.start()
    yield thread
    thread.stop()


@pytest.fixture
def front(loop: LoopThread) -> Front:
    """A front without checks, whose inspector finds nothing."""
    return Front(loop)


@pytest.fixture(autouse=True)
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    """The events that were logged, in order."""
    with capture_logs() as events:
        yield events


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A resolver that waits; opened at the end, so that nothing stays behind in the loop."""
    found = Gate()
    yield found
    found.open()

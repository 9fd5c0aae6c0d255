"""What a fork leaves shared."""

import gc
import os
from collections.abc import Iterator

import pytest

from filterd.supervisor.forking import fork

_MANY = 10_000  # objects; this process has several times as many


@pytest.fixture
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
def test_a_child_does_not_collect_what_it_has_from_its_parent() -> None:
    """A collection in the child looks at the child's own objects only: the parent's pages stay shared."""
    gc.collect()
    assert len(gc.get_objects()) > _MANY
    read_end, write_end = os.pipe()
    if not fork():
        os.write(write_end, str(len(gc.get_objects())).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as said:
        looked_at = int(said.read())
    os.wait()
    assert looked_at < _MANY / 10

"""What is done aside is done as if it were done here, in another thread."""

import threading

import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine.aside import aside


def test_returned() -> None:
    """What was returned is returned, and a thread was there that Python had started."""
    assert type(aside(threading.current_thread)) is threading.Thread
    assert aside(threading.current_thread) is not threading.current_thread()


def test_raised() -> None:
    """What was raised is raised."""

    def fails() -> None:
        raise KeyError("here")

    with pytest.raises(KeyError, match="here"):
        aside(fails)


def test_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without room for a thread is no reason to crash."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(CustodyError, match="new thread"):
        aside(threading.get_ident)

"""Releases that are tried again while the place where messages lie does not answer."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from filterd.operations.release import Releaser
from filterd.quarantine import Actor, Lease, Quarantine, State
from filterd.quarantine.relay import Answer, Fate
from tests.quarantine.samples import evidence, identifier, raw

ME = Actor("me")


@pytest.mark.threat("RES-04")
@pytest.mark.parametrize(("error", "state"), [(OSError, State.RELEASING), (KeyError, State.FAILED)])
def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], state: State) -> None:
    """A store that is down puts a release off; only what is gone fails, and neither is taken for delivered."""

    def deliver(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        del sender, recipients, message
        return Answer(Fate.DELIVERED, "250 ok")

    def broken(_: str) -> None:
        raise error("told to fail")

    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        with raw() as message:
            quarantine.hold(evidence(), message)
        assert quarantine.begin_release(identifier(), ME, ("to@b.test",), Lease("gone", 0)) is None
        with monkeypatch.context() as patch:
            patch.setattr(quarantine, "open_raw", broken)
            done = list(Releaser(quarantine, deliver, "mx.test").retry(ME))
        assert [(one.state, "told to fail" in one.text) for one in done] == [(state, True)]
        entry = quarantine.entry(identifier())
        assert entry is not None
        assert (entry.state, entry.due > time.time()) == (state, state is State.RELEASING)

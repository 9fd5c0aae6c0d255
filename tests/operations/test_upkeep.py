"""The upkeep of held mail: what goes first, what stays, and what becomes of new mail where nothing may go."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.app.bounds import FRESH, Bounded, FullSign
from filterd.model.custody import CustodyError
from filterd.operations.retention import ALL, DAY
from filterd.operations.upkeep import Limits, sweep
from filterd.quarantine import Actor, EntryFilter, Lease, Quarantine, State
from tests.quarantine.samples import NOW, evidence, identifier, raw, whole

ME = Actor("me")
pytestmark = pytest.mark.threat("QUA-13")


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """Five messages of one size, a day apart in age, all held by NOW."""
    with closing(Quarantine(tmp_path / "quarantine", clock=lambda: NOW, fsync=lambda _: None)) as found:
        for number in range(5):
            hold(found, number)
        yield found


def hold(quarantine: Quarantine, number: int) -> None:
    """Hold one of them."""
    body = b"body %d" % number
    with raw(body) as message:
        quarantine.hold(evidence(number, whole(body)), message)


def waiting(quarantine: Quarantine) -> list[int]:
    """Numbers of what waits, oldest first."""
    found = {entry.id for entry in quarantine.entries(EntryFilter())}
    return [number for number in range(10) if identifier(number) in found]


def limits(*, keep: float = 30 * DAY, messages: int = 0, size: int = 0) -> Limits:
    """What a site may have set."""
    return Limits(keep, 7 * DAY, messages, size)


SIZE = len(whole(b"body 0"))


@pytest.mark.parametrize(
    ("bound", "left"),
    [
        (limits(), [0, 1, 2, 3, 4]),
        (limits(messages=5), [0, 1, 2, 3, 4]),
        (limits(messages=2), [3, 4]),
        (limits(size=3 * SIZE), [2, 3, 4]),
        (limits(size=3 * SIZE - 1), [3, 4]),
        (limits(messages=4, size=SIZE), [4]),
        (limits(keep=1.5), [3, 4]),
    ],
)
def test_the_oldest_goes_first(quarantine: Quarantine, bound: Limits, left: list[int]) -> None:
    """By age, by number and by bytes, and no more than has to."""
    done = sweep(quarantine, bound, NOW + 4)
    assert waiting(quarantine) == left
    assert (done.expired, done.full) == (5 - len(left), ())


def test_what_is_kept_stays(quarantine: Quarantine) -> None:
    """Legal hold is above every bound; what is younger goes in its place, and what is being released is let alone."""
    quarantine.keep(identifier(0), ME, on=True)
    quarantine.begin_release(identifier(1), ME, ("a@b.test",), Lease("x", 9e9))
    done = sweep(quarantine, limits(messages=2), NOW + 4)
    assert (waiting(quarantine), done.full) == ([0, 4], ())
    entry = quarantine.entry(identifier(1))
    assert entry is not None
    assert entry.state is State.RELEASING


def test_nothing_is_refused_without_a_word(quarantine: Quarantine, tmp_path: Path) -> None:
    """Where nothing may expire the client is told to try again, and why is said; when there is room mail is held."""
    for number in range(5):
        quarantine.keep(identifier(number), ME, on=True)
    sign = FullSign(tmp_path / "full")
    bounded = Bounded(quarantine, lambda _: (sign,))
    done = sweep(quarantine, limits(messages=3), NOW + 4)
    assert (done.expired, done.full, waiting(quarantine)) == (0, (ALL,), [0, 1, 2, 3, 4])
    sign.put(up=bool(done.full))
    with raw(b"body 7") as message:
        with pytest.raises(CustodyError, match="most_messages"):
            bounded.hold(evidence(7, whole(b"body 7")), message)
        assert quarantine.entry(identifier(7)) is None
        quarantine.keep(identifier(0), ME, on=False)
        quarantine.keep(identifier(1), ME, on=False)
        done = sweep(quarantine, limits(messages=3), NOW + 4)
        sign.put(up=bool(done.full))
        assert bounded.hold(evidence(7, whole(b"body 7")), message) == identifier(7)
    assert waiting(quarantine) == [2, 3, 4, 7]


def test_a_sign_that_nobody_keeps_up_is_of_no_account(tmp_path: Path) -> None:
    """An upkeep that has died must not have all mail deferred for ever."""
    now = time.time()
    sign = FullSign(tmp_path / "full", lambda: now)
    assert not sign.up()
    sign.put(up=True)
    os.utime(sign.path, (now - FRESH + 1, now - FRESH + 1))
    assert sign.up()
    os.utime(sign.path, (now - FRESH - 1, now - FRESH - 1))
    assert not sign.up()
    sign.put(up=False)
    sign.put(up=False)
    assert not sign.path.exists()

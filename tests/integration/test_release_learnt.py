"""A release that waits for a daemon: the upkeep delivers it, and then has the classifier learn it."""

import time
from contextlib import closing

from filterd.operations.teaching import WISH, owed, wish
from filterd.quarantine import Actor, Lease
from tests.support.process import wait_until
from tests.support.sink import Sink
from tests.support.stack import Stack
from tests.support.world import signed, with_attachment

ME = Actor("reviewer", "tty1")
BROKEN = b"PK\x03\x04" + bytes(range(100))
PATIENCE = 90.0  # seconds: the upkeep looks every 15, and inspectors have to start for a lesson


def test_the_upkeep_delivers_and_then_learns() -> None:
    """Who has begun it is gone: it is delivered once, and learnt once, after that; the audit has it in that order."""
    with Sink() as mta, Stack({"quarantine": {"release": f"inet:{mta.port}@127.0.0.1"}}) as stack:
        mail = signed(with_attachment("alice@aligned.test", "Minutes", "i.zip", BROKEN), now=int(time.time()))
        outcome = stack.send(mail)
        assert (outcome.code, outcome.action) == (250, "quarantine")
        (entry,) = stack.held(outcome)
        with closing(stack.quarantine()) as quarantine:
            wish(quarantine, entry.id, ME)
            assert quarantine.begin_release(entry.id, ME, tuple(outcome.recipients), Lease("gone", 0)) is None
            wait_until(lambda: not owed(quarantine, entry.id), "it is learnt", PATIENCE)
            rows = [(row.actor, row.action, row.result) for row in quarantine.audit(entry.id)][1:]
        assert [one.recipients for one in mta.messages] == [outcome.recipients]
    assert rows == [
        ("reviewer", "learn ham", WISH),
        ("reviewer", "release", "to 1 recipients"),
        ("filterd", "release", "tried again"),
        ("filterd", "release", rows[3][2]),
        ("filterd", "learn ham", "learnt"),
    ]
    assert rows[3][2].startswith("delivered: 2")

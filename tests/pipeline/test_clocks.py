"""RES-08: the host's clock jumps by a day, or the machine sleeps: deadlines hold, and nothing lasts for ever."""

import inspect as inspecting
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from filterd.dns.cache import AnswerCache, since_boot
from filterd.greylist.entries import Entry, State, Times, state
from filterd.inspectors import InspectorTimeout
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.model.session import Client
from filterd.model.verdict import Action
from filterd.operations import release as releasing
from filterd.pipeline.deferral import MAX_DEFERRAL, Deferrals
from filterd.pipeline.finish import MARGIN, Decision, finish
from filterd.pipeline.transaction import Peer, Transaction
from filterd.quarantine import Actor, Attempt, Lease, Quarantine
from filterd.quarantine import State as Held
from filterd.quarantine.changes import AHEAD
from filterd.store import Breaker, MemoryBuckets, MemoryStore, SqliteStore
from filterd.store.buckets import Bucket
from filterd.store.patience import Patience
from filterd.store.recent import Recent
from tests.pipeline.fakes import LIMITS, NOW, Clock, Front
from tests.quarantine.samples import evidence, identifier, raw

DAY = 86_400.0
SECOND = 1_000_000  # microseconds
JUMPS = pytest.mark.parametrize("jump", [-DAY, DAY], ids=["back", "ahead"])
ME = Actor("me")
pytestmark = pytest.mark.threat("RES-08")


def judged(front: Front, between: Callable[[], None] = lambda: None) -> Decision:
    """A message; `between` happens after its envelope."""
    transaction = Transaction(front.parts(), Peer(Client("198.51.100.7", 4711, "mail.sender.test")))
    try:
        transaction.hello("mail.sender.test")
        transaction.mail("anna@sender.test", (), {})
        transaction.rcpt("user@local.test", "<user@local.test>")
        between()
        transaction.header(b"From", b" anna@sender.test")
        transaction.end_of_headers()
        return finish(transaction)
    finally:
        transaction.close()


# --- sessions


@JUMPS
def test_a_session(front: Front, jump: float) -> None:
    """A jump in the middle of a message changes neither its time nor its verdict, nor the time the inspector gets."""

    def jumps() -> None:
        front.epoch.now += jump

    assert judged(front, jumps).verdict.action is Action.ACCEPT
    (_, deadline), *_ = front.inspectors.jobs
    assert deadline == front.monotonic() + LIMITS.deadline - MARGIN
    assert 0.0 <= front.journal.rows[0].ms <= LIMITS.deadline * 1_000


@JUMPS
def test_while_it_is_read(front: Front, jump: float) -> None:
    """A message that is to be held is, whatever the clock says by then: its deadline is another clock's."""
    front.inspectors.facts = InspectorTimeout("it overran")
    judged(front)

    def jumps() -> None:
        front.epoch.now += jump

    front.inspectors.meanwhile = jumps
    assert judged(front).verdict.action is Action.QUARANTINE
    assert len(front.custodian.held) == 1


@pytest.mark.parametrize("kind", [AnswerCache, Breaker, MemoryStore, Patience, Recent])
def test_what_counts_by_itself(kind: type) -> None:
    """What one process keeps for a while knows no clock that jumps."""
    clock = inspecting.signature(kind).parameters["clock"].default
    assert clock in {time.monotonic, since_boot, inspecting.Parameter.empty}


# --- what lasts for a time


def test_answers_after_a_sleep() -> None:
    """A TTL ends while the machine sleeps, too: the clock of answers goes on then, and never back."""
    assert time.clock_getres(time.CLOCK_BOOTTIME) < 1.0
    clock = Clock(since_boot())
    cache = AnswerCache(clock=clock)
    question = Question("a.test", RRType.TXT)
    cache.settle(Answer(question, AnswerStatus.NOERROR, ("x",), 300))
    assert cache.peek(question) is not None
    clock.now += 3_600
    assert cache.peek(question) is None


@JUMPS
def test_greylisting(jump: float) -> None:
    """Who was told to come again does after the usual time; who is known stays so."""
    times = Times(delay=300, window=int(DAY), lifetime=30 * int(DAY))
    later = int(NOW + jump)
    told = Entry(int(NOW))
    again = told if state(told, later, times) is not State.NEW else Entry(later)
    assert state(again, later + 301, times) is not State.EARLY
    assert state(Entry(int(NOW) - 900, int(NOW) - 500, int(NOW)), later, times) is State.KNOWN


@JUMPS
def test_limits(jump: float) -> None:
    """Nobody waits for longer than a rate's own time, and nobody gets more than one bucket for a jump."""
    buckets, bucket = MemoryBuckets(), Bucket("ip:192.0.2.1", 36 * SECOND, 100)
    start, after = round(NOW * SECOND), round((NOW + jump) * SECOND)
    assert [buckets.draw((bucket,), start).granted for _ in range(101)] == [True] * 100 + [False]
    assert sum(buckets.draw((bucket,), after).granted for _ in range(201)) == (100 if jump > 0 else 0)
    assert buckets.draw((bucket,), after).waits == (bucket.interval,)
    assert sum(buckets.draw((bucket,), after + bucket.span).granted for _ in range(101)) == 100


@JUMPS
def test_deferring(jump: float) -> None:
    """A message is deferred for four hours at most after a clock has been set right, then held."""
    deferrals = Deferrals(MemoryStore())
    assert not deferrals.exhausted("digest", NOW)
    right = NOW + jump
    deferrals.exhausted("digest", right)
    assert deferrals.exhausted("digest", right + MAX_DEFERRAL + 1)


@JUMPS
def test_releases(tmp_path: Path, jump: float) -> None:
    """A release that was put off, or whose process has gone, is tried again in time, and by nobody too soon."""
    clock = Clock(NOW)
    with closing(Quarantine(tmp_path / "quarantine", busy=2.0, clock=clock)) as quarantine:
        for number in range(2):
            with raw() as message:
                quarantine.hold(evidence(number, sender=f"s{number}@a.test"), message)
        leases = [Lease(f"first{number}", NOW + releasing.LEASE) for number in range(2)]
        for number, lease in enumerate(leases):
            assert quarantine.begin_release(identifier(number), ME, ("to@b.test",), lease) is None
        put_off = Attempt(Held.RELEASING, "451 later", due=NOW + releasing.RETRIES[-1])
        quarantine.end_attempt(identifier(1), ME, leases[1], put_off)
        assert quarantine.releases_due() == 0
        clock.now += jump + releasing.RETRIES[-1] + 1
        lease = Lease("again", clock.now + releasing.LEASE)
        assert {quarantine.due_release(lease), quarantine.due_release(lease)} == {identifier(0), identifier(1)}
        assert quarantine.due_release(lease) is None
        assert not quarantine.end_attempt(identifier(0), ME, leases[0], Attempt(Held.DELIVERED, "250 late"))


def test_the_longest_pause() -> None:
    """What is due later than the daemon ever puts a release off is not waited for, and nothing sooner is."""
    assert max(releasing.LEASE, *releasing.RETRIES) * 2 == AHEAD


@JUMPS
def test_state(tmp_path: Path, jump: float) -> None:
    """What the shared state keeps for an hour is gone at once, or after the jump and an hour; never for ever."""
    clock = Clock(NOW)
    with closing(SqliteStore(tmp_path / "state.sqlite", clock=clock)) as store:
        store.put("key", b"value", 3_600)
        clock.now += jump
        assert store.get_many(["key"]) == ([None] if jump > 0 else [b"value"])
        clock.now = max(clock.now, NOW + min(jump, 0.0)) + abs(jump) + 3_601
        assert store.get_many(["key"]) == [None]

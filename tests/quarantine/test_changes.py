"""What may become of a held message, and the audit of it."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine import Actor, Attempt, Lease, Quarantine, State
from tests.quarantine.kept import kept
from tests.quarantine.samples import evidence, identifier, raw

ME, YOU = Actor("me", "tty1"), Actor("you", "ssh from 192.0.2.1")
TO = ("to@b.test",)


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """One with three held messages; the second is the first, sent again."""
    with closing(Quarantine(tmp_path / "quarantine", busy=2.0)) as made:
        for number, sender in enumerate(("sender@a.test", "sender@a.test", "other@a.test")):
            with raw() as message:
                made.hold(evidence(number, sender=sender), message)
        yield made


def lease(name: str = "mine", seconds: float = 600.0) -> Lease:
    """The right to release for so long."""
    return Lease(name, time.time() + seconds)


def state(quarantine: Quarantine, number: int = 1) -> State:
    """What an entry is."""
    entry = quarantine.entry(identifier(number))
    assert entry is not None
    return entry.state


@pytest.mark.parametrize("to", [State.DELIVERED, State.FAILED])
def test_release_ends(quarantine: Quarantine, to: State) -> None:
    """What the MTA says ends a release: its word is kept with the entry."""
    assert quarantine.begin_release(identifier(1), ME, TO, lease()) is None
    assert state(quarantine) is State.RELEASING
    assert quarantine.end_attempt(identifier(1), ME, lease(), Attempt(to, "250 ok"))
    entry = quarantine.entry(identifier(1))
    assert entry is not None
    assert (entry.state, entry.outcome, entry.targets, entry.attempts) == (to, "250 ok", TO, 1)


def test_release_takes_copies(quarantine: Quarantine) -> None:
    """A message that was sent twice is delivered once: its copies are put aside with it."""
    quarantine.begin_release(identifier(1), ME, TO, lease())
    entry = quarantine.entry(identifier(0))
    assert entry is not None
    assert (entry.state, entry.outcome) == (State.DELETED, f"a copy of {identifier(1)}")
    assert [held.id for held in quarantine.entries()] == [identifier(2)]


@pytest.mark.threat("QUA-04")
def test_release_race(quarantine: Quarantine) -> None:
    """Of many who release one message at once, one may."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda who: quarantine.begin_release(identifier(1), Actor(who), TO, lease(who)), "abcd"))
    assert sorted(found, key=str) == [None, State.RELEASING, State.RELEASING, State.RELEASING]


@pytest.mark.threat("QUA-16")
def test_delete_while_released(quarantine: Quarantine) -> None:
    """What is being released is not deleted, and who tries is told so; the other way round too."""
    quarantine.begin_release(identifier(1), ME, TO, lease())
    assert quarantine.delete(identifier(1), YOU) == "was releasing"
    quarantine.delete(identifier(2), YOU)
    assert quarantine.begin_release(identifier(2), ME, TO, lease()) is State.DELETED
    assert [row.result for row in quarantine.audit(identifier(2))] == ["done", "done", "was deleted"]


def test_release_later(quarantine: Quarantine) -> None:
    """A release that the MTA puts off is due again at its time, not before, and counts its attempts."""
    quarantine.begin_release(identifier(1), ME, TO, lease())
    now = time.time()
    quarantine.end_attempt(identifier(1), ME, lease(), Attempt(State.RELEASING, "451 later", now + 60))
    assert quarantine.due_release(lease("again")) is None
    quarantine.end_attempt(identifier(1), ME, Lease("", 0), Attempt(State.RELEASING, "451 later", now - 1))
    assert quarantine.due_release(lease("again")) == identifier(1)
    entry = quarantine.entry(identifier(1))
    assert entry is not None
    assert (entry.state, entry.attempts) == (State.RELEASING, 2)


@pytest.mark.threat("QUA-04")
def test_lost_lease(quarantine: Quarantine) -> None:
    """Who comes back after his lease was over changes nothing; the audit has what he found."""
    quarantine.begin_release(identifier(1), ME, TO, lease("gone", seconds=-1))
    assert quarantine.due_release(lease("new")) == identifier(1)
    assert not quarantine.end_attempt(identifier(1), ME, lease("gone"), Attempt(State.FAILED, "550 no"))
    assert state(quarantine) is State.RELEASING
    assert quarantine.audit(identifier(1))[-1].result == "too late, failed: 550 no"
    assert quarantine.end_attempt(identifier(1), ME, lease("new"), Attempt(State.DELIVERED, "250 ok"))


def test_release_again(quarantine: Quarantine) -> None:
    """What was delivered is delivered again only where somebody says so."""
    quarantine.begin_release(identifier(1), ME, TO, lease())
    quarantine.end_attempt(identifier(1), ME, lease(), Attempt(State.DELIVERED, "250 ok"))
    assert quarantine.begin_release(identifier(1), ME, TO, lease()) is State.DELIVERED
    assert quarantine.begin_release(identifier(1), ME, TO, lease(), again=True) is None


def test_restore(quarantine: Quarantine) -> None:
    """What was deleted is held again while its files are there."""
    quarantine.delete(identifier(2), ME)
    assert quarantine.restore(identifier(2), ME) is None
    assert state(quarantine, 2) is State.HELD
    assert quarantine.restore(identifier(2), ME) == "was held"
    quarantine.delete(identifier(2), ME)
    quarantine.sweep(time.time() + 1)
    assert quarantine.restore(identifier(2), ME) == "its files are gone"


@pytest.mark.threat("QUA-12")
def test_legal_hold(quarantine: Quarantine) -> None:
    """What is kept is neither deleted nor expired nor purged."""
    quarantine.keep(identifier(2), ME, on=True)
    assert quarantine.delete(identifier(2), ME) == "under legal hold"
    assert identifier(2) not in [one.id for one in quarantine.oldest(["score"], time.time())]
    assert quarantine.expire([(identifier(2), "old")]) == 0
    assert not quarantine.purge(identifier(2), ME, "asked")
    assert state(quarantine, 2) is State.HELD
    quarantine.keep(identifier(2), ME, on=False)
    assert quarantine.delete(identifier(2), ME) is None


def test_expire(quarantine: Quarantine) -> None:
    """What has waited too long expires, oldest first, each once and with why; what came later waits on."""
    received = quarantine.entries()[0].received
    found = [one.id for one in quarantine.oldest(["score"], received)]
    assert found == [identifier(0), identifier(1)]
    assert [quarantine.expire([(one, "old") for one in found], ME) for _ in range(2)] == [2, 0]
    assert [(row.actor, row.action, row.result) for row in quarantine.audit(found[1])[1:]] == [("me", "expire", "old")]
    assert [(held.id, held.state) for held in quarantine.entries()] == [(identifier(2), State.HELD)]
    assert state(quarantine, 0) is State.EXPIRED


@pytest.mark.threat("QUA-12")
def test_purge(quarantine: Quarantine, tmp_path: Path) -> None:
    """A purge leaves neither row nor file, only the audit."""
    for number in range(3):
        assert quarantine.purge(identifier(number), ME, "asked")
    assert [quarantine.entry(identifier(number)) for number in range(3)] == [None, None, None]
    assert kept(tmp_path / "quarantine") == set()
    assert [row.action for row in quarantine.audit(identifier(1))] == ["hold", "purge"]


@pytest.mark.threat("QUA-12")
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("to@b.test: 550 5.1.1 <to@b.test>: no such user", "(an address): 550 5.1.1 <(an address)>: no such user"),
        ("451 4.3.0 queue file write error", "451 4.3.0 queue file write error"),
        ("550 a@b@c, x@", "550 (an address)@c, x@"),
    ],
)
def test_what_an_mta_said_keeps_no_address_in_the_audit(quarantine: Quarantine, said: str, kept: str) -> None:
    """The audit outlives a purge by address; what the MTA said in full is the entry's, and goes with it."""
    assert quarantine.begin_release(identifier(1), ME, TO, lease()) is None
    assert quarantine.end_attempt(identifier(1), ME, lease(), Attempt(State.FAILED, said))
    entry = quarantine.entry(identifier(1))
    assert entry is not None
    assert entry.outcome == said
    assert quarantine.audit(identifier(1))[-1].result == f"failed: {kept}"


@pytest.mark.threat("QUA-11")
def test_chain_is_whole(quarantine: Quarantine) -> None:
    """What was only added to is found whole, whoever wrote it at the same time."""
    threads = [threading.Thread(target=quarantine.note, args=(ME, "view", identifier(2))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = quarantine.verify_audit()
    assert (found.broken, found.rows, found.uncovered) == (None, 11, 0)


@pytest.mark.threat("QUA-11")
@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE seq = 2", 2),
        ("UPDATE audit SET result = 'x' WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("UPDATE audit SET link = '' WHERE seq = 1", 2),
        ("UPDATE audit SET seq = seq + 1 WHERE seq = 4", 4),
    ],
)
def test_chain_broken(quarantine: Quarantine, tmp_path: Path, statement: str, broken: int) -> None:
    """A row that was changed or taken out is found, the newest one too."""
    quarantine.note(ME, "view", identifier(2))
    with closing(sqlite3.connect(tmp_path / "quarantine" / "ledger.sqlite")) as connection, connection:
        connection.execute(statement)
    assert quarantine.verify_audit().broken == broken


@pytest.mark.threat("QUA-07")
@pytest.mark.parametrize("bad", ["../x", "", "%", "0" * 26, "\u0660" * 26])
def test_unknown_ids(quarantine: Quarantine, bad: str) -> None:
    """What is no id, or nobody's, changes nothing."""
    for act in (
        lambda: quarantine.begin_release(bad, ME, TO, lease()),
        lambda: quarantine.delete(bad, ME),
        lambda: quarantine.restore(bad, ME),
        lambda: quarantine.keep(bad, ME, on=True),
        lambda: quarantine.purge(bad, ME, ""),
    ):
        with pytest.raises((KeyError, CustodyError)):
            act()
    assert quarantine.verify_audit().rows == 3

"""Looking for held mail costs the same however much is held: work is counted, not time.

python -m tests.bench.ledger_cost has the times among a million.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest

from filterd.quarantine import Actor, Attempt, Lease, Quarantine, State, custodian
from filterd.quarantine.database import SqliteDatabase
from filterd.quarantine.ledger import INSERT, RECENT, Ledger
from filterd.quarantine.opening import Place, open_quarantine
from filterd.quarantine.rows import values_of
from tests.bench.ledger_cost import SEED, entry, kinds
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = pytest.mark.threat("QUA-14")
ME = Actor("me", "tty1")
FEW, TIMES = 12_000, 4  # entries, more than are looked through before any index is asked; and how many times as many
STEP = 50  # instructions of SQLite's machine that are counted as one
PAGE = 50  # entries
assert FEW > 2 * RECENT


def words() -> list[str]:
    """What senders and subjects are made of."""
    rng = random.Random(SEED)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(4, 11))) for _ in range(3_000)]


class Counted(SqliteDatabase):
    """Counts what its connections work."""

    steps = 0

    def _open(self) -> sqlite3.Connection:
        def step() -> int:
            self.steps += 1
            return 0

        connection = super()._open()
        connection.set_progress_handler(step, STEP)
        return connection


class Held:
    """A quarantine with so many entries, whose work is counted."""

    def __init__(self, folder: Path, count: int) -> None:
        """Fill and index it."""
        self.count = count
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(custodian, "SqliteDatabase", Counted)
            self.quarantine = Quarantine(folder, fsync=lambda _: None)
        self.quarantine.prepare()
        database = self.quarantine._database
        assert isinstance(database, Counted)
        self.database = database
        fill(self.quarantine._ledger, count)

    def cost(self, act: Callable[[], object]) -> int:
        """What it takes."""
        before = self.database.steps
        act()
        return self.database.steps - before

    def looks(self) -> dict[str, int]:
        """What each kind of look takes, in the mean of some."""
        return {
            name: sum(self.cost(look) for look in found) // len(found)
            for name, found in all_looks(self.quarantine, self.count)
        }


def fill(ledger: Ledger, count: int) -> None:
    """With the same entries always."""
    rng, known = random.Random(SEED), words()
    with ledger.changing() as connection:
        for number in range(count):
            connection.execute(INSERT, values_of(entry(rng, number, known)))
    while ledger.index():
        pass


def all_looks(quarantine: Quarantine, count: int) -> Iterator[tuple[str, list[Callable[[], object]]]]:
    """Every kind of look there is, some of each."""
    rng = random.Random(SEED)
    for name, wanted, before in kinds(rng, count, words()):
        yield name, [partial(quarantine.entries, wanted(), before=before, limit=PAGE) for _ in range(8)]


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Held, Held]]:
    """Two quarantines, one with four times as much as the other."""
    folder = tmp_path_factory.mktemp("scale")
    few, many = Held(folder / "few", FEW), Held(folder / "many", TIMES * FEW)
    with closing(few.quarantine), closing(many.quarantine):
        yield few, many


def test_looks(sizes: tuple[Held, Held]) -> None:
    """Pages, filters and texts, found or not: no kind of look takes longer where there is four times as much."""
    few, many = (one.looks() for one in sizes)
    assert {name: (few[name], cost) for name, cost in many.items() if cost > few[name] * grows(name) + 10} == {}
    assert few["no such sender"] > 0  # it is counted


def grows(name: str) -> float:
    """What four times as many entries may cost: more where what is found grows with them, but not four times."""
    return 2.5 if name == "all of them" else 1.3


def test_acts(sizes: tuple[Held, Held]) -> None:
    """Nor is anything that is done with one message: looked at, deleted, restored, released, kept, purged."""

    def acts(one: Held) -> dict[str, int]:
        quarantine = one.quarantine
        chosen = [found.id for found in quarantine.entries(limit=4)]
        lease = Lease("mine", 9e9)
        done: dict[str, Callable[[], object]] = {
            "entry": lambda: quarantine.entry(chosen[0]),
            "note": lambda: quarantine.note(ME, "view", chosen[0]),
            "audit": lambda: quarantine.audit(chosen[0]),
            "delete": lambda: quarantine.delete(chosen[0], ME),
            "keep": lambda: quarantine.keep(chosen[1], ME, on=True),
            "release": lambda: quarantine.begin_release(chosen[2], ME, ("to@b.test",), lease),
            "end": lambda: quarantine.end_attempt(chosen[2], ME, lease, Attempt(State.RELEASING, "451 later", 5.0)),
            "due": lambda: quarantine.due_release(lease),
            "purge": lambda: quarantine.purge(chosen[3], ME, "asked"),
        }
        return {name: one.cost(act) for name, act in done.items()}

    few, many = (acts(one) for one in sizes)
    assert {name: (few[name], cost) for name, cost in many.items() if cost > few[name] * 1.3 + 10} == {}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL."""
    with postgres_server() as running:
        yield running


@pytest.mark.integration
def test_looks_in_postgresql(server: PostgresServer, tmp_path: Path) -> None:
    """No kind of look reads the whole table there."""
    url = server.url(server.fresh())
    with closing(open_quarantine(Place(url=url), tmp_path)) as quarantine:
        quarantine.prepare()
        fill(quarantine._ledger, TIMES * FEW)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("ANALYZE entries")
            scans = {}
            for name, looks in all_looks(quarantine, TIMES * FEW):
                before = scanned(quarantine, other)
                for look in looks:
                    look()
                scans[name] = scanned(quarantine, other) - before
            before = scanned(quarantine, other)
            with quarantine._ledger.reading() as connection:
                connection.execute("SELECT sum(length(text)) FROM entries")
            counted = scanned(quarantine, other) - before
    assert {name: count for name, count in scans.items() if count} == {}
    assert counted  # as it would have been


def scanned(quarantine: Quarantine, other: psycopg.Connection) -> int:
    """How often all of the entries were read, one after the other."""
    with quarantine._ledger.reading() as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.execute("SELECT 1")
    row = other.execute("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'entries'").fetchone()
    assert row is not None
    return int(row[0])

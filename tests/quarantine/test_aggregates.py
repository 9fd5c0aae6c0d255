"""What DMARC found is counted once, by all fronts and nodes, within bounds; in SQLite and in PostgreSQL."""

import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from filterd.model.aggregate import Evaluated, Sighting, Signature
from filterd.model.custody import CustodyError
from filterd.quarantine import Lease, Place, aggregates
from filterd.quarantine.aggregate_places import FILE, AggregateFile, Aside
from filterd.quarantine.aggregates import Aggregates, Fate
from filterd.quarantine.opening import open_aside
from tests.quarantine.backends import ROOT, Backend, hold
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = pytest.mark.integration
DAY = 20_000
RECORD = "v=DMARC1; p=reject; rua=mailto:r@a.test"
ROW = Evaluated(
    "192.0.2.7",
    "pass",
    dkim=True,
    spf=False,
    header_from="a.test",
    signatures=(Signature("a.test", "s1", "pass"),),
    spf_domain="a.test",
    spf_result="fail",
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server."""
    with postgres_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    """Where it is kept."""
    if request.param == "sqlite":
        return Place()
    server: PostgresServer = request.getfixturevalue("postgres")
    return Place(url=server.url(server.fresh()))


@pytest.fixture
def kept(place: Place, tmp_path: Path) -> Iterator[Aggregates]:
    """Empty."""
    with closing(opened(place, tmp_path)) as made:
        yield made


def opened(place: Place, folder: Path, told: list[str] | None = None) -> Aggregates:
    """One more front that counts."""
    return Aggregates(open_aside(place, folder), interval=60, failed=None if told is None else told.append)


def seen(number: int = 0, *, domain: str = "a.test", day: int = DAY, record: str = RECORD) -> Sighting:
    """A message of the kind of that number."""
    return Sighting(day, domain, record, replace(ROW, source=f"192.0.{number // 256}.{number % 256}"))


def test_equal_ones_are_one_row(kept: Aggregates) -> None:
    """Counted together in one batch, and with those of batches before; values come back as they were."""
    for _ in range(2):
        for number in (0, 0, 1):
            kept.record(seen(number))
        kept.flush()
    assert dict(kept.rows(DAY, "a.test")) == {seen(0).evaluated: 4, seen(1).evaluated: 2}
    about = kept.domain(DAY, "a.test")
    assert about is not None
    assert (about.kinds, about.messages, about.lost, about.record) == (2, 6, 0, RECORD)
    assert kept.domains(DAY) == [about]


def test_days_and_domains_stand_apart(kept: Aggregates) -> None:
    """Those with most messages come first; the last record seen is the one that counts."""
    for one in (seen(domain="b.test"), seen(day=DAY + 1), *[seen()] * 2, seen(record="v=DMARC1; p=none")):
        kept.record(one)
    kept.flush()
    assert [(one.domain, one.messages) for one in kept.domains(DAY)] == [("a.test", 3), ("b.test", 1)]
    assert kept.domains(DAY)[0].record == "v=DMARC1; p=none"
    assert kept.days() == [DAY, DAY + 1]
    assert (kept.domain(DAY, "c.test"), kept.domains(DAY + 2)) == (None, [])


def test_fronts_count_side_by_side(place: Place, tmp_path: Path) -> None:
    """Four that write the same rows at the same time: nothing is lost, nothing counted twice."""
    fronts = [opened(place, tmp_path) for _ in range(4)]

    def work(front: Aggregates) -> None:
        for turn in range(5):
            for number in range(20):
                front.record(seen(number, domain="b.test" if turn % 2 else "a.test"))
            front.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, fronts))
    assert [front.failed for front in fronts] == [0, 0, 0, 0]
    found = {one.domain: one for one in fronts[0].domains(DAY)}
    assert (found["a.test"].kinds, found["a.test"].messages) == (20, 4 * 3 * 20)
    assert (found["b.test"].kinds, found["b.test"].messages) == (20, 4 * 2 * 20)
    for front in fronts:
        front.close()


def test_a_domain_has_so_many_rows(kept: Aggregates, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever forges can make any number of kinds: beyond the bound they are lost, and how many is known."""
    monkeypatch.setattr(aggregates, "MAX_KINDS", 5)
    for number in (*range(4), *range(8), *range(8)):
        kept.record(seen(number))
        kept.flush()
    about = kept.domain(DAY, "a.test")
    assert about is not None
    assert (about.kinds, about.messages, about.lost) == (5, 4 + 5 + 5, 3 + 3)


def test_a_day_has_so_many_rows_and_domains(kept: Aggregates, monkeypatch: pytest.MonkeyPatch) -> None:
    """Domains that come when all are taken are not reported to; those that are there go on within the day's bound."""
    monkeypatch.setattr(aggregates, "MAX_DOMAINS", 3)
    monkeypatch.setattr(aggregates, "MAX_DAY", 4)
    for number in range(6):
        kept.record(seen(domain=f"d{number}.test"))
    for number in range(1, 5):
        kept.record(seen(number, domain="d0.test"))
    kept.flush()
    assert kept.failed == 3
    kept.record(seen(99, domain="d1.test"))
    kept.flush()
    found = {one.domain: one for one in kept.domains(DAY)}
    assert sorted(found) == ["d0.test", "d1.test", "d2.test"]
    assert [(one.kinds, one.messages, one.lost) for _, one in sorted(found.items())] == [
        (4, 4, 1),
        (0, 0, 2),
        (0, 0, 1),
    ]


def test_old_days_are_forgotten(kept: Aggregates) -> None:
    """With their rows, and with what was sent of them."""
    for day in (DAY, DAY + 1):
        kept.record(seen(day=day))
    kept.flush()
    about = kept.domain(DAY, "a.test")
    assert about is not None
    assert kept.take(about, "r@a.test", Lease("t", 5.0), 1.0) is None
    assert kept.forget(DAY + 1) == 3
    assert (kept.days(), kept.fates(DAY, "a.test"), list(kept.rows(DAY, "a.test"))) == ([DAY + 1], {}, [])
    assert kept.forget(DAY + 1) == 0


def test_a_report_is_taken_by_one(kept: Aggregates) -> None:
    """Another finds it taken, until the lease is over; what was sent or refused is never taken again."""
    kept.record(seen())
    kept.flush()
    (about,) = kept.domains(DAY)
    first, second = Lease("one", 100.0), Lease("two", 200.0)
    assert kept.take(about, "r@a.test", first, 1.0) is None
    assert kept.take(about, "r@a.test", second, 99.0) is Fate.SENDING
    assert kept.take(about, "r@a.test", second, 101.0) is None
    assert not kept.end(about, "r@a.test", first, Fate.SENT, "250 late")
    assert kept.end(about, "r@a.test", second, Fate.SENDING, "451 later")
    assert kept.take(about, "r@a.test", first, 102.0) is None
    assert kept.end(about, "r@a.test", first, Fate.SENT, "250 ok")
    assert kept.take(about, "r@a.test", second, 1e9) is Fate.SENT
    assert kept.fates(DAY, "a.test") == {"r@a.test": Fate.SENT}


def test_two_take_at_once(place: Place, tmp_path: Path) -> None:
    """One of them has it."""
    nodes = [opened(place, tmp_path) for _ in range(4)]
    nodes[0].record(seen())
    nodes[0].flush()
    (about,) = nodes[0].domains(DAY)
    start = threading.Barrier(4)

    def take(number: int) -> Fate | None:
        start.wait()
        return nodes[number].take(about, "r@a.test", Lease(str(number), 100.0), 1.0)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(map(str, pool.map(take, range(4)))) == ["None", *["sending"] * 3]
    for node in nodes:
        node.close()


def test_what_somebody_else_has_written(place: Place, kept: Aggregates, tmp_path: Path) -> None:
    """A row that is none of ours is left out of a report."""
    kept.record(seen())
    kept.flush()
    insert = "INSERT INTO dmarc_rows (day, domain, name, content, messages) VALUES (20000, 'a.test', '0', '{', 1)"
    if place.url:
        with psycopg.connect(place.url) as other:
            other.execute(insert)
    else:
        with closing(sqlite3.connect(tmp_path / FILE)) as file, file:
            file.execute(insert)
    assert list(kept.rows(DAY, "a.test")) == [(seen().evaluated, 1)]


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """Where nothing was counted there is no file, and there is none afterwards."""
    with closing(opened(Place(), tmp_path)) as made:
        assert (made.days(), made.domains(DAY), made.forget(DAY)) == ([], [], 0)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_private(tmp_path: Path) -> None:
    """Who has written from where is nobody else's business."""
    with closing(opened(Place(), tmp_path)) as made:
        made.record(seen())
        made.flush()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_no_hold_waits_for_it(place: Place, tmp_path: Path, postgres: PostgresServer) -> None:
    """While a count is in the middle of its transaction a message is held: the ledger's lock is not its own."""
    if not place.url:
        place = Place(url=postgres.url(postgres.fresh()))  # of SQLite it is another file
    aside: Aside = open_aside(place, tmp_path)
    backend = Backend(place, tmp_path / "quarantine")
    with aside.aside() as connection:
        connection.execute("INSERT INTO dmarc_days VALUES (1, 'a.test', '', 0, 0)")
        quarantine = backend.node()
        assert quarantine.entry(hold(quarantine)) is not None
    backend.close()
    aside.close()


class Broken(AggregateFile):
    """A database that answers now and then."""

    def __init__(self, path: Path) -> None:
        """It works at first."""
        super().__init__(path)
        self.broken = False

    @staticmethod
    def _raise() -> None:
        raise CustodyError("dmarc.sqlite: disk I/O error")

    def aside(self):  # type: ignore[no-untyped-def]  # as the class above has it
        """Broken, where that is said."""
        if self.broken:
            self._raise()
        return super().aside()


def test_a_database_that_refuses(tmp_path: Path) -> None:
    """Messages are counted as failed, why is told once until it works again, and nothing is raised."""
    place, told = Broken(tmp_path / FILE), list[str]()
    made = Aggregates(place, interval=60, failed=told.append)
    for broken in (True, True, False, True):
        place.broken = broken
        made.record(seen())
        made.flush()
    assert (made.failed, told) == (3, ["dmarc.sqlite: disk I/O error"] * 2)
    (about,) = made.domains(DAY)
    assert about.messages == 1
    made.close()


def test_a_queue_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The front goes on at once; what found no room is counted as dropped."""
    monkeypatch.setattr(aggregates, "MAX_QUEUED", 10)
    told = list[str]()
    made = opened(Place(), tmp_path, told)
    for number in range(25):
        made.record(seen(number))
    assert made.dropped == 15
    made.close()
    assert told == ["more messages came than can be counted: 15 are not"]


def test_a_later_release(tmp_path: Path) -> None:
    """Its file is refused in words, and left as it is."""
    made = opened(Place(), tmp_path)
    made.record(seen())
    made.flush()
    made.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        file.execute("PRAGMA user_version = 99")
    with closing(opened(Place(), tmp_path)) as other, pytest.raises(CustodyError, match=r"dmarc\.sqlite: schema 99"):
        other.days()


def test_roles(postgres: PostgresServer, tmp_path: Path) -> None:
    """With roles.sql the daemon counts and removes nothing; who keeps house reads, sends and forgets."""
    name = postgres.fresh()
    with closing(opened(Place(url=postgres.url(name)), tmp_path)) as owner:
        owner.days()
        psql = shutil.which("psql")
        assert psql is not None
        argv = [psql, "-q", "-X", "-d", postgres.url(name), "-f", "deploy/postgresql/roles.sql"]
        subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
        with psycopg.connect(postgres.url(name), autocommit=True) as admin:
            for role in ("milter", "upkeep"):
                with suppress(psycopg.errors.DuplicateObject):
                    admin.execute(f"CREATE USER dm_{role} IN ROLE filterd_{role}".encode())
    with closing(opened(Place(url=postgres.url(name, "dm_milter")), tmp_path)) as milter:
        milter.record(seen())
        milter.flush()
        milter.record(seen())
        milter.flush()
        assert milter.failed == 0
        with pytest.raises(CustodyError, match="permission denied"):
            milter.forget(DAY + 1)
    with closing(opened(Place(url=postgres.url(name, "dm_upkeep")), tmp_path)) as upkeep:
        (about,) = upkeep.domains(DAY)
        assert about.messages == 2
        assert upkeep.take(about, "r@a.test", Lease("t", 5.0), 1.0) is None
        assert upkeep.end(about, "r@a.test", Lease("t", 5.0), Fate.SENT, "250 ok")
        assert upkeep.forget(DAY + 1) == 3

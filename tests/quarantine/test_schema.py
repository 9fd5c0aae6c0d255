"""The ledger of another release: taken over whole, from whichever it was, or refused and left alone."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine import Actor, EntryFilter, Quarantine
from filterd.quarantine.digests import Round
from filterd.quarantine.entries import entry_of
from filterd.quarantine.evidence import encode
from filterd.quarantine.local import LocalFiles
from filterd.quarantine.schema import SCHEMA
from filterd.store import embedded
from filterd.store.embedded import Schema
from tests.quarantine.aged import SCHEMAS, age
from tests.quarantine.backends import hold, read
from tests.quarantine.kept import kept
from tests.quarantine.samples import evidence, identifier, raw, whole

pytestmark = pytest.mark.threat("QUA-15")
ME = Actor("me", "tty1")
EARLIER = sorted(path.stem for path in SCHEMAS.glob("sqlite-*.sql"))
SEGMENTS = 3  # the first schema that has messages in segments


def version_of(path: Path) -> int:
    """What the file says."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def number_of(schema: str) -> int:
    """The schema's number."""
    return int(schema.split("-")[1])


def earlier(folder: Path, schema: str) -> Path:
    """A quarantine as that release left it, with three messages, one of them deleted; its ledger's path."""
    with closing(Quarantine(folder)) as quarantine:
        if number_of(schema) >= SEGMENTS:
            for number in range(3):
                hold(quarantine, number, b"body %d" % number)
        else:
            loose(quarantine)
        quarantine.delete(identifier(1), ME)
        if number_of(schema) == 1:  # whose deletion was the files' end
            quarantine.sweep(time.time() + 1)
    path = age(folder, schema)
    if number_of(schema) > 1:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO search (search) VALUES ('rebuild')")
            if number_of(schema) >= SEGMENTS:
                connection.execute("UPDATE searched SET number = (SELECT max(number) FROM entries)")
    return path


def loose(quarantine: Quarantine) -> None:
    """Three messages in files of their own."""
    files = quarantine._files
    assert isinstance(files, LocalFiles)
    quarantine.prepare()
    for number in range(3):
        body = b"body %d" % number
        held = evidence(number, whole(body))
        with raw(body) as message:
            files.loose.hold(held, encode(held), message, entry_of(held, message))


@pytest.fixture(params=EARLIER)
def schema(request: pytest.FixtureRequest) -> str:
    """Each that there ever was before this one."""
    return str(request.param)


def test_all_are_here() -> None:
    """Every version from the first to the one before this has its statements here, and a way that leads on."""
    assert {number_of(one) for one in EARLIER} == set(range(1, SCHEMA.version)) == set(SCHEMA.upgrades)


def test_taken_over(tmp_path: Path, schema: str) -> None:
    """Entries, states, messages, evidence and audit: found by text, read, restored, purged, and added to."""
    folder = tmp_path / "quarantine"
    path = earlier(folder, schema)
    with closing(Quarantine(folder)) as quarantine:
        assert [entry.id for entry in quarantine.entries(EntryFilter(subject="invoice"))] == [
            identifier(2),
            identifier(0),
        ]
        assert version_of(path) == SCHEMA.version
        undone = (1,) if number_of(schema) > 1 else ()
        for number in (0, 2, *undone):
            assert read(quarantine, identifier(number)) == whole(b"body %d" % number)
            assert quarantine.evidence(identifier(number)) == evidence(number, whole(b"body %d" % number))
        assert list(quarantine.inventory().problems(contents=True)) == []
        assert (quarantine.restore(identifier(1), ME) is None) is bool(undone)
        hold(quarantine, 3, b"body 3")
        quarantine.index()
        assert [entry.id for entry in quarantine.entries(EntryFilter(subject="invoice", sender="sender@a"))] == [
            identifier(number) for number in (3, 2, *undone, 0)
        ]
        assert quarantine.purge(identifier(0), ME, "asked")
        assert [entry.id for entry in quarantine.entries(EntryFilter(recipient="to@b"))] == [
            identifier(number) for number in (3, 2, *undone)
        ]
        assert list(quarantine.inventory().problems(contents=True)) == []
        assert quarantine.verify_audit().broken is None


@pytest.mark.parametrize("first", ["sqlite-2", "sqlite-2-first"])
def test_the_index_of_texts_is_made_anew(tmp_path: Path, first: str) -> None:
    """The upkeep indexes what was held before, so that a text is looked for in one column; meanwhile all is found."""
    folder = tmp_path / "quarantine"
    path = earlier(folder, first)
    with closing(Quarantine(folder)) as quarantine:
        quarantine.entries()
        for number in (0, 3, 3):
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("SELECT number FROM searched").fetchone()[0] == number
                rows = connection.execute(
                    "SELECT rowid FROM search WHERE search MATCH 'subject : (\"nvo\")'"
                ).fetchall()
            assert len(rows) == number
            quarantine.index()


def test_what_is_new_works(tmp_path: Path, schema: str) -> None:
    """Digests and used tokens, which earlier releases did not have."""
    earlier(tmp_path / "quarantine", schema)
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        covered = quarantine.digests.begin(100)
        assert covered is not None
        assert quarantine.digests.newest() == covered == Round(100, 0, covered.upto)
        assert [quarantine.redeemed.redeem("nonce", 5.0) for _ in range(2)] == [True, False]


def test_same_tables(tmp_path: Path, schema: str) -> None:
    """An upgraded ledger has the tables, columns, indexes and triggers of a new one."""
    with closing(Quarantine(tmp_path / "new")) as quarantine:
        hold(quarantine)
    earlier(tmp_path / "old", schema)
    with closing(Quarantine(tmp_path / "old")) as quarantine:
        quarantine.entries()
    new, old = (shape(tmp_path / name / "ledger.sqlite") for name in ("new", "old"))
    assert old == new


def shape(path: Path) -> dict[str, object]:
    """Of a ledger: what its names are, columns by table, statements of what is not a table."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        found: dict[str, object] = {}
        for kind, name, sql in rows:
            if kind == "table" and not str(sql).startswith("CREATE VIRTUAL"):
                columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
                found[name] = {row[1:4] for row in columns}
            else:
                found[name] = sql
        return found


def test_the_audit_of_the_first_is_said_to_be_open(tmp_path: Path) -> None:
    """It had no chain: what was written then is counted as not covered, what comes after is."""
    earlier(tmp_path / "quarantine", "sqlite-1")
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        before = quarantine.verify_audit()
        quarantine.note(ME, "view", identifier())
        found = quarantine.verify_audit()
    assert (found.rows, found.uncovered, found.broken) == (before.rows + 1, before.rows, None)


def test_files_stay_where_they_were(tmp_path: Path) -> None:
    """What was held in files is read and removed there; new mail goes into segments."""
    folder = tmp_path / "quarantine"
    earlier(folder, "sqlite-2")
    with closing(Quarantine(folder)) as quarantine:
        hold(quarantine, 3)
        kinds = sorted({name.partition(" ")[0].partition("/")[0] for name in kept(folder)})
        assert kinds == ["EVIDENCE", "MESSAGE", "blobs", "evidence"]
        for number in range(3):
            assert quarantine.purge(identifier(number), ME, "asked")
        assert sorted({name.partition(" ")[0] for name in kept(folder)}) == ["EVIDENCE", "MESSAGE"]


# --- in the middle


def statements(schema: str) -> int:
    """How many lead from there to here."""
    return sum(len(SCHEMA.upgrades[version]) for version in range(number_of(schema), SCHEMA.version))


def killed(folder: Path, at: int) -> None:
    """Begin the upgrade in another process, which is killed before its statement of that number."""
    child = os.fork()
    if child == 0:
        missing = embedded._missing

        def counted(version: int, schema: Schema) -> Iterator[str]:
            for number, statement in enumerate(missing(version, schema)):
                if number == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield statement
            os.kill(os.getpid(), signal.SIGKILL)  # before the version is written

        embedded._missing = counted
        Quarantine(folder).entries()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_killed_in_the_middle(tmp_path: Path, schema: str) -> None:
    """Whichever statement was the last, the file is as it was; the next start does it all."""
    folder = tmp_path / "quarantine"
    path = earlier(folder, schema)
    before = dump(path)
    for number in range(statements(schema) + 1):
        killed(folder, number)
        assert version_of(path) == number_of(schema)
        assert dump(path) == before
    with closing(Quarantine(folder)) as quarantine:
        assert [entry.id for entry in quarantine.entries()] == [identifier(2), identifier(0)]
        assert list(quarantine.inventory().problems(contents=True)) == []
    assert version_of(path) == SCHEMA.version


def dump(path: Path) -> list[tuple[object, ...]]:
    """All that is in entries and audit, and every table's statement."""
    with closing(sqlite3.connect(path)) as connection:
        queries = (
            "SELECT * FROM entries ORDER BY id",
            "SELECT * FROM audit ORDER BY seq",
            "SELECT * FROM sqlite_master",
        )
        return [row for query in queries for row in connection.execute(query)]


def test_failed_in_the_middle(tmp_path: Path, schema: str) -> None:
    """A statement that fails leaves the file as it was, and is said; when its cause is gone it is done."""
    folder = tmp_path / "quarantine"
    path = earlier(folder, schema)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE tokens (x)")  # in the way of the last statement
    before = dump(path)
    with closing(Quarantine(folder)) as quarantine, pytest.raises(CustodyError, match="table tokens already exists"):
        quarantine.entries()
    assert dump(path) == before
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE tokens")
    with closing(Quarantine(folder)) as quarantine:
        assert len(quarantine.entries()) == 2


def test_many_at_once(tmp_path: Path, schema: str) -> None:
    """Fronts that start together upgrade it once, and all of them hold."""
    folder = tmp_path / "quarantine"
    earlier(folder, schema)
    nodes = [Quarantine(folder, busy=20.0) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: hold(nodes[number], number + 3, b"%d" % number), range(4)))
    assert len(nodes[0].entries()) == 6
    for node in nodes:
        node.close()


# --- and back


@pytest.mark.parametrize("version", [SCHEMA.version + 1, 99, -1])
def test_a_later_release(tmp_path: Path, version: int) -> None:
    """A ledger that a later release wrote is refused in words, for looking and for holding, and left alone."""
    folder = tmp_path / "quarantine"
    with closing(Quarantine(folder)) as quarantine:
        hold(quarantine)
    path = folder / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before, files = dump(path), kept(folder)
    words = (
        rf"ledger: schema {version} is not one that this release reads \(up to {SCHEMA.version}\): nothing was changed"
    )
    with closing(Quarantine(folder)) as quarantine:
        with pytest.raises(CustodyError, match=words):
            quarantine.entries()
        with pytest.raises(CustodyError, match=words):
            hold(quarantine, 1)
        with pytest.raises(CustodyError, match=words):
            quarantine.look()
    assert (dump(path), version_of(path), kept(folder)) == (before, version, files)

"""The ledger of an earlier release in PostgreSQL: taken over by one who may, whole or not at all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine import Actor, EntryFilter, postgres
from filterd.quarantine.opening import Place
from filterd.quarantine.postgres_schema import UPGRADES, VERSION
from tests.quarantine.aged import SCHEMAS, age_postgres
from tests.quarantine.backends import Backend, hold, read
from tests.quarantine.samples import identifier, whole
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = [pytest.mark.integration, pytest.mark.threat("QUA-15")]
ME = Actor("me", "tty1")
EARLIER = sorted(path.stem for path in SCHEMAS.glob("postgresql-*.sql"))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all of them."""
    with postgres_server() as running:
        yield running


@pytest.fixture(params=EARLIER)
def backend(request: pytest.FixtureRequest, server: PostgresServer, tmp_path: Path) -> Iterator[Backend]:
    """A quarantine as that release left it, with three messages, one of them deleted."""
    made = Backend(Place(url=server.url(server.fresh())), tmp_path / "quarantine")
    node = made.node()
    for number in range(3):
        hold(node, number, b"body %d" % number)
    node.delete(identifier(1), ME)
    made.close()
    age_postgres(made.place.url, str(request.param))
    yield made
    made.close()


def version_of(backend: Backend) -> int:
    """What the database says."""
    with psycopg.connect(backend.place.url) as other:
        row = other.execute("SELECT version FROM ledger_version").fetchone()
    assert row is not None
    return int(row[0])


def tables(url: str) -> set[tuple[object, ...]]:
    """All columns there are, with their types, and all indexes."""
    with psycopg.connect(url) as other:
        columns = other.execute(
            "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        ).fetchall()
        indexes = other.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'").fetchall()
    return {*columns, *indexes}


def test_all_are_here() -> None:
    """Every version before this one has its statements here, and a way that leads on."""
    assert {int(one.split("-")[1]) for one in EARLIER} == set(range(1, VERSION)) == set(UPGRADES)


def test_taken_over(backend: Backend, server: PostgresServer, tmp_path: Path) -> None:
    """Entries, states, messages and the audit's chain; then it is as a new one, and what is new works."""
    node = backend.node()
    assert [entry.id for entry in node.entries(EntryFilter(subject="invoice"))] == [identifier(2), identifier(0)]
    assert version_of(backend) == VERSION
    assert node.restore(identifier(1), ME) is None
    hold(node, 3, b"body 3")
    for number in range(4):
        assert read(node, identifier(number)) == whole(b"body %d" % number)
    assert list(node.inventory().problems(contents=True)) == []
    assert node.verify_audit().broken is None
    assert node.digests.begin(100) is not None
    assert [node.redeemed.redeem("nonce", 5.0) for _ in range(2)] == [True, False]
    new = Backend(Place(url=server.url(server.fresh())), tmp_path / "new")
    hold(new.node())
    new.close()
    assert tables(backend.place.url) == tables(new.place.url)


def test_many_at_once(backend: Backend) -> None:
    """Nodes that start together upgrade it once, and all of them hold."""
    nodes = [backend.node() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: hold(nodes[number], number + 3, b"%d" % number), range(4)))
    assert len(nodes[0].entries()) == 6


def test_killed_in_the_middle(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends the session before any statement has done nothing of it; the next start does it all."""
    before = tables(backend.place.url)
    missing = postgres._missing
    first = version_of(backend)
    for at in range(len(list(missing(first))) + 1):

        def ended(version: int | None, at: int = at) -> Iterator[str]:
            yield from list(missing(version))[:at]
            yield "SELECT pg_terminate_backend(pg_backend_pid())"

        monkeypatch.setattr(postgres, "_missing", ended)
        with pytest.raises(CustodyError, match="terminating connection"):
            backend.node().entries()
        assert (version_of(backend), tables(backend.place.url)) == (first, before)
    monkeypatch.setattr(postgres, "_missing", missing)
    assert [entry.id for entry in backend.node().entries()] == [identifier(2), identifier(0)]


def test_failed_in_the_middle(backend: Backend) -> None:
    """A statement that fails leaves all as it was, and is said; when its cause is gone it is done."""
    with psycopg.connect(backend.place.url) as other:
        other.execute("CREATE TABLE dmarc_reports (x INTEGER)")
    first, before = version_of(backend), tables(backend.place.url)
    node = backend.node()
    with pytest.raises(CustodyError, match='relation "dmarc_reports" already exists'):
        node.entries()
    assert (version_of(backend), tables(backend.place.url)) == (first, before)
    with psycopg.connect(backend.place.url) as other:
        other.execute("DROP TABLE dmarc_reports")
    assert len(node.entries()) == 2


def test_one_who_may_not(backend: Backend, server: PostgresServer) -> None:
    """A role without rights to make tables says which version it has found and who must come first."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as other:
        if other.execute("SELECT 1 FROM pg_roles WHERE rolname = 'mx_later'").fetchone() is None:
            other.execute("CREATE USER mx_later")
    with psycopg.connect(backend.place.url) as owner:
        owner.execute("GRANT USAGE ON SCHEMA public TO mx_later")
        owner.execute("GRANT SELECT ON ledger_version TO mx_later")
    url = backend.place.url.replace("postgresql://filterd@", "postgresql://mx_later@")
    role = Backend(Place(url=url), backend.folder)
    first = version_of(backend)
    words = rf"schema {first} is to be brought to {VERSION}, which this user may not: .*as their owner"
    with pytest.raises(CustodyError, match=words):
        role.node().entries()
    with pytest.raises(CustodyError, match=words):
        role.node().prepare()
    role.close()
    assert version_of(backend) == first


@pytest.mark.parametrize("version", [VERSION + 1, 99])
def test_a_later_release(backend: Backend, version: int) -> None:
    """A ledger that a later release wrote is refused in words, for looking, for holding and at the start."""
    backend.node().entries()
    with psycopg.connect(backend.place.url) as other:
        other.execute("UPDATE ledger_version SET version = %s", (version,))
    before = tables(backend.place.url)
    words = rf"ledger: schema {version} is not one that this release reads \(up to {VERSION}\): nothing was changed"
    for act in (backend.node().entries, backend.node().prepare, lambda: hold(backend.node(), 5)):
        with pytest.raises(CustodyError, match=words):
            act()
    assert (version_of(backend), tables(backend.place.url)) == (version, before)

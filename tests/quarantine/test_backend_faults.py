"""What only servers do: going away, freezing, staying locked, dying during a COMMIT."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine import Actor
from filterd.quarantine import postgres as postgres_ledger
from filterd.quarantine.database import AmbiguousCommitError
from filterd.quarantine.opening import Place
from tests.quarantine.backends import Backend, hold, read, recovers, with_store
from tests.quarantine.samples import identifier, whole
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.process import open_folder
from tests.support.s3 import S3Server

pytestmark = pytest.mark.integration
ME = Actor("me", "tty1")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all of them."""
    with postgres_server() as running:
        yield running


@pytest.mark.threat("RES-05")
def test_ledger_gone(tmp_path: Path) -> None:
    """While PostgreSQL is down nothing is held and nothing is left; when it is back, holding goes on."""
    with postgres_server() as server:
        backend = Backend(Place(url=server.url(server.fresh())), tmp_path / "quarantine")
        node = backend.node()
        node.prepare()
        hold(node, 0)
        files = backend.files()
        for end in (server.kill, server.stop):
            end()
            begin = time.monotonic()
            with pytest.raises(CustodyError):
                hold(node, 1)
            assert time.monotonic() - begin < 30  # a dead socket refuses at once; unbounded it would never end
            assert backend.files() == files
            backend.node().prepare()  # a daemon starts nevertheless
            server.start()
            recovers(lambda: hold(node, 1, b"again"))
            node.purge(identifier(1), ME, "asked")
        assert read(node, identifier(0)) == whole()
        backend.close()


@pytest.mark.threat("RES-05")
def test_ledger_frozen(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes connections and says nothing costs a bounded wait."""
    monkeypatch.setattr(postgres_ledger, "ANSWER", 0.5)
    backend = Backend(Place(url=server.url(server.fresh())), tmp_path / "quarantine")
    node = backend.node()
    hold(node, 0)
    server.freeze()
    try:
        with pytest.raises(CustodyError, match="no answer"):
            hold(node, 1)
    finally:
        server.freeze(thaw=True)
    recovers(lambda: hold(node, 2))
    assert len(node.copies(node.entries()[0])) == 2
    backend.close()


@pytest.mark.threat("RES-05")
def test_locked(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that keeps the ledger locked costs the others a bounded wait each, however many hold."""
    monkeypatch.setattr(postgres_ledger, "LOCK", 300)
    backend = Backend(Place(url=server.url(server.fresh())), tmp_path / "quarantine")
    node = backend.node()
    hold(node, 0)
    files = backend.files()
    with psycopg.connect(backend.place.url) as other:
        other.execute("SELECT 1 FROM head FOR UPDATE")
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(hold, backend.node(), number, b"%d" % number) for number in range(1, 5)]
            assert all(isinstance(future.exception(), CustodyError) for future in waiting)
        assert backend.files() == files
    assert read(node, hold(node, 9)) == whole()
    backend.close()


@pytest.mark.threat("QUA-01")
@pytest.mark.parametrize("done", [True, False])
def test_lost_at_commit(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, done: bool) -> None:
    """A connection that dies during COMMIT: the client is to try again, and files stay for what may be there."""
    backend = Backend(Place(url=server.url(server.fresh())), tmp_path / "quarantine")
    node = backend.node()
    hold(node, 0, b"first")
    execute = postgres_ledger._Connection.execute

    def dying(self: postgres_ledger._Connection, query: str, values: tuple[object, ...] | None = None) -> object:
        if query == "COMMIT":
            if done:
                execute(self, query)
            self.close()
        return execute(self, query, values)

    with monkeypatch.context() as patch:
        patch.setattr(postgres_ledger._Connection, "execute", dying)
        with pytest.raises(AmbiguousCommitError):
            hold(node, 1)
    assert (node.entry(identifier(1)) is not None) is done
    if done:
        assert read(node, identifier(1)) == whole()
    assert read(node, hold(node, 2)) == whole()
    backend.close()


@pytest.mark.threat("RES-04")
def test_store_gone(server: PostgresServer, tmp_path: Path) -> None:
    """While the object store is down nothing is held, and what is removed goes when it is back."""
    with open_folder() as folder, ExitStack() as stack:
        store = S3Server(folder)
        stack.callback(store.kill)
        store.start()
        place = store.make("held")
        backend = Backend(with_store(Place(url=server.url(server.fresh())), place), tmp_path / "quarantine")
        stack.callback(backend.close)
        node = backend.node()
        hold(node, 0)
        store.kill()
        with pytest.raises(CustodyError):
            hold(node, 1, b"another")
        assert len(node.entries()) == 1
        with pytest.raises(CustodyError, match="later"):
            node.purge(identifier(0), ME, "asked")
        store.start()
        store.make("held")
        recovers(lambda: hold(node, 2))
        assert node.sweep(time.time()) == 0
        assert (read(node, identifier(2)), len(backend.files())) == (whole(), 2)
        with psycopg.connect(backend.place.url) as other:
            assert other.execute("SELECT count(*) FROM litter").fetchone() == (0,)


@pytest.mark.threat("QUA-15")
def test_other_schema(server: PostgresServer, tmp_path: Path) -> None:
    """A ledger of another release is refused, at the start too."""
    backend = Backend(Place(url=server.url(server.fresh())), tmp_path / "quarantine")
    hold(backend.node())
    with psycopg.connect(backend.place.url) as other:
        other.execute("UPDATE ledger_version SET version = 99")
    with pytest.raises(CustodyError, match="schema 99"):
        backend.node().prepare()
    backend.close()


def test_first_use_by_many(server: PostgresServer, tmp_path: Path) -> None:
    """Nodes that meet an empty database at the same time make its tables once."""
    backend = Backend(Place(url=server.url(server.fresh())), tmp_path / "quarantine")
    nodes = [backend.node() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: hold(nodes[number], number, b"%d" % number), range(4)))
    assert len(nodes[0].entries()) == 4
    backend.close()


def test_durable(server: PostgresServer) -> None:
    """Commits are synchronous even where the database's own setting is that they are not."""
    name = server.fresh()
    with psycopg.connect(server.url("postgres"), autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
    database = postgres_ledger.PostgresDatabase(server.url(name))
    with database.changing() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    database.close()

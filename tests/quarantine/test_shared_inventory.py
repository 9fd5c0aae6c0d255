"""Looking over a quarantine that several nodes share, in a folder and in an S3 store."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine import Actor, Quarantine, shared_inventory
from filterd.quarantine.inventory import Kind
from filterd.quarantine.objects import DirectoryObjects, ObjectStore
from filterd.quarantine.opening import Place
from filterd.quarantine.s3 import S3Objects
from tests.quarantine.backends import Backend, hold, read, with_store
from tests.quarantine.samples import evidence, identifier, whole
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.s3 import s3_server

pytestmark = [pytest.mark.integration, pytest.mark.threat("QUA-01")]
ME = Actor("me", "tty1")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all of them."""
    with postgres_server() as running:
        yield running


class Site:
    """A quarantine with two held messages, and its store."""

    def __init__(self, backend: Backend, objects: ObjectStore) -> None:
        """Hold them."""
        self.backend = backend
        self.objects = objects
        self.node: Quarantine = backend.node()
        hold(self.node, 0)
        hold(self.node, 1, b"another")

    def sql(self, *statements: str) -> None:
        """What strange hands do."""
        with psycopg.connect(self.backend.place.url, autocommit=True) as other:
            for statement in statements:
                other.execute(statement.encode())

    def found(self, *, mend: bool = False) -> list[tuple[Kind, str]]:
        """All problems; and what was done about each."""
        inventory = self.node.inventory()
        problems = list(inventory.problems(contents=True))
        return [(one.kind, inventory.mend(one, ME, 1_800_000_000.0) if mend else "") for one in problems]

    def record(self) -> str:
        """The name of the first message's evidence."""
        return f"evidence/{identifier(0)}.json"

    def message(self) -> str:
        """The name of the first message's object."""
        return next(name for name, _ in self.objects.names("blobs/") if evidence().sha256 in name)


@pytest.fixture(params=["folder", "folder, zstd", "s3", "s3, zstd"])
def site(
    request: pytest.FixtureRequest, server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """One in each kind of store, of which everything counts as old."""
    monkeypatch.setattr(shared_inventory, "GRACE", -60.0)
    place = Place(url=server.url(server.fresh()), compress="zstd" in request.param)
    folder = tmp_path / "quarantine"
    if "folder" in request.param:
        backend = Backend(place, folder)
        with closing(backend):
            yield Site(backend, DirectoryObjects(folder))
        return
    with s3_server() as running:
        store = running.fresh()
        backend = Backend(with_store(place, store), folder)
        with closing(backend):
            yield Site(backend, S3Objects(store))


def test_nothing(site: Site) -> None:
    """Where all is well nothing is said."""
    assert site.found() == []


def test_lost_ledger(site: Site) -> None:
    """Entries that the ledger has lost are held again from the store."""
    site.sql("DELETE FROM entries", "DELETE FROM blobs")
    assert site.found(mend=True) == [(Kind.UNLISTED, "held again")] * 2
    assert (site.found(), read(site.node, identifier(0))) == ([], whole())
    assert [entry.id for entry in site.node.entries()] == [identifier(1), identifier(0)]


def test_crash_before_the_commit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that a hold left goes, but not while it may be one under way."""
    site.objects.put(f"blobs/ab/{'ab' * 32}-0123", lambda: (b"left",))
    with monkeypatch.context() as patch:
        patch.setattr(shared_inventory, "GRACE", 60.0)
        assert site.found(mend=True) == []
    assert site.found(mend=True) == [(Kind.ORPHAN, "removed")]
    assert site.found() == []


def test_crash_in_a_purge(site: Site) -> None:
    """Evidence that a purge left goes, and does not come back as an entry."""
    with site.objects.open(site.record()) as source:
        data = source.read()
    site.node.purge(identifier(0), ME, "address sha256 00")
    site.objects.put(site.record(), lambda: (data,))
    assert site.found(mend=True) == [(Kind.LEFT, "removed")]
    assert site.found() == []


def test_strange_hands(site: Site) -> None:
    """What was altered or taken away is said, and cannot be mended."""
    site.objects.put(site.message(), lambda: (b"altered",))
    assert site.found(mend=True) == [(Kind.ALTERED, "")]
    site.objects.delete(site.message())
    assert site.found(mend=True) == [(Kind.GONE, "")]


def test_lost_message_comes_again(site: Site) -> None:
    """A message that the store has lost is there again, for its old entry too, once the like of it was held."""
    site.objects.delete(site.message())
    with pytest.raises(CustodyError, match="has lost"):
        hold(site.node, 2)
    assert site.found(mend=True) == [(Kind.GONE, "")]
    hold(site.node, 2)
    assert [read(site.node, identifier(number)) for number in (0, 2)] == [whole(), whole()]
    assert site.found() == []

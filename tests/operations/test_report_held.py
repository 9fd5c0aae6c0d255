"""What became of held mail, from a ledger in SQLite and one in PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.custody import CustodyError
from filterd.operations import report_held
from filterd.operations.report_held import HeldFor, look
from filterd.quarantine import Actor, Place, Quarantine, open_quarantine
from filterd.quarantine.changes import Attempt, Lease
from filterd.quarantine.entries import State
from tests.quarantine.samples import NOW, evidence, identifier, raw, whole
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = pytest.mark.integration

WHO = Actor("anna")
LEASE = Lease("token", NOW + 1e9)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def quarantine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Quarantine]:
    """One with six messages: two wait, two were released, one was deleted, one could not be released."""
    place = Place()
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        place = Place(url=server.url(server.fresh()))
    with closing(open_quarantine(place, tmp_path / "quarantine")) as made:
        made.prepare()
        for number in range(6):
            body = b"message %d" % number
            with raw(body) as message:
                made.hold(evidence(number, whole(body)), message)
        for number, state in ((1, State.DELIVERED), (2, State.DELIVERED), (5, State.FAILED)):
            assert made.begin_release(identifier(number), WHO, ("to@b.test",), LEASE) is None
            made.end_attempt(identifier(number), WHO, LEASE, Attempt(state, "250 ok"))
        made.delete(identifier(3), WHO)
        yield made


def test_by_reason(quarantine: Quarantine) -> None:
    """What was released had been held by mistake; its symbols are counted."""
    found = look(quarantine, 0.0)
    (reason,) = found.reasons
    assert reason == HeldFor(reason.code, 6, 3, 2, 1, 0, reason.bytes)
    assert reason.bytes > 0
    assert set(found.symbols.values()) == {2}
    assert found.total == HeldFor("all", 6, 3, 2, 1, 0, reason.bytes)


def test_since(quarantine: Quarantine) -> None:
    """Only what was received since then counts."""
    assert look(quarantine, NOW + 2).total.held == 4
    assert look(quarantine, NOW + 99).reasons == ()


def test_released_ones_are_looked_at_to_a_limit(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said that there are more."""
    monkeypatch.setattr(report_held, "PAGE", 1)
    monkeypatch.setattr(report_held, "MAX_RELEASED", 1)
    found = look(quarantine, 0.0)
    assert (found.partly, set(found.symbols.values())) == (True, {1})


def test_a_ledger_that_does_not_answer(tmp_path: Path) -> None:
    """It is told, never counted as nothing held."""
    place = Place(url=f"postgresql://nobody@/none?host={tmp_path}")
    with closing(open_quarantine(place, tmp_path)) as made, pytest.raises(CustodyError):
        look(made, 0.0)

"""Held mail as a corpus: each message once, under what says most about it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.operations.held_corpus import LABELS, held_corpus
from filterd.operations.rules_backtest import Row, State, resumed
from filterd.quarantine import Actor, Attempt, Lease, Quarantine
from filterd.quarantine import State as Fate
from tests.operations.test_rules_backtest import Inspector
from tests.quarantine.samples import NOW, evidence, identifier, raw, whole

ME = Actor("me")


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """Holds four different messages."""
    with closing(Quarantine(tmp_path / "quarantine", fsync=lambda _: None)) as found:
        for number in range(4):
            hold(found, number, number)
        yield found


def hold(quarantine: Quarantine, number: int, content: int) -> None:
    """A message with that body, which a client may have sent before."""
    body = b"body %d" % content
    with raw(body) as message:
        quarantine.hold(evidence(number, whole(body)), message)


def deliver(quarantine: Quarantine, number: int, to: Fate) -> None:
    """Release it; the MTA said so."""
    lease = Lease("x", 9e9)
    quarantine.begin_release(identifier(number), ME, ("a@b.test",), lease)
    quarantine.end_attempt(identifier(number), ME, lease, Attempt(to, "so it goes"))


def labels(quarantine: Quarantine, since: float | None = None) -> dict[str, str]:
    """What the corpus says of each."""
    return {one.name: one.label for one in held_corpus(quarantine, since)}


def test_every_state_has_a_label() -> None:
    """None is forgotten when one is added."""
    assert set(LABELS) == set(Fate)


def test_what_became_of_mail_is_its_label(quarantine: Quarantine) -> None:
    """A release that the MTA refused is a reviewer's word all the same; nobody's word is held or expired."""
    deliver(quarantine, 0, Fate.DELIVERED)
    deliver(quarantine, 1, Fate.FAILED)
    quarantine.delete(identifier(2), ME)
    assert labels(quarantine) == {
        identifier(0): "released",
        identifier(1): "released",
        identifier(2): "deleted",
        identifier(3): "held",
    }
    assert labels(quarantine, NOW + 3) == {identifier(3): "held"}


def test_a_message_that_came_twice_counts_once(quarantine: Quarantine) -> None:
    """The copies that a release puts aside are not deleted spam, and what is held anew was released before."""
    hold(quarantine, 10, 0)
    deliver(quarantine, 10, Fate.DELIVERED)
    hold(quarantine, 11, 0)
    found = labels(quarantine)
    assert found[identifier(10)] == "released"
    assert {identifier(0), identifier(11)}.isdisjoint(found)


def test_the_bytes_are_those_that_came(quarantine: Quarantine) -> None:
    """What was purged meanwhile is a problem of that message, not of the run."""
    corpus = held_corpus(quarantine)
    assert corpus[0].read() == whole(b"body 3")
    quarantine.purge(identifier(3), ME, "why")
    with pytest.raises(OSError, match="KeyError"):
        corpus[0].read()


def test_a_run_that_goes_on_has_labels_of_today(quarantine: Quarantine, tmp_path: Path) -> None:
    """What was held when it was ended may have been released since."""
    state = State(tmp_path / "state", "x")
    state.keep(Row(identifier(3), "held", {"r": ["1"]}, 0.0))
    state.close()
    deliver(quarantine, 3, Fate.DELIVERED)
    state = State(tmp_path / "state", "x")
    rows = list(resumed(Inspector(), held_corpus(quarantine), 1, state))
    state.close()
    assert [row.label for row in rows if row.file == identifier(3)] == ["released"]

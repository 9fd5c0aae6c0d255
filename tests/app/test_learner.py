"""The process that learns: what it takes from the queue, what it keeps in balance, and what it survives."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from filterd.app.learner import INBOX, SLACK, Work, balanced, lasting
from filterd.classifier.learning import Learner
from filterd.classifier.memory import Became
from filterd.config import Config
from filterd.model.store import StoreError
from filterd.pipeline.autolearn import Offer
from filterd.store.inbox import Inbox
from tests.classifier.lessons import features, lesson


def offer(number: int, *, spam: bool) -> Offer:
    """A message that a front has offered."""
    return Offer(hashlib.sha256(b"%d" % number).digest(), features(number, spam=spam).pack(), spam, 1.0)


def config(folder: Path, **classifier: object) -> Config:
    """A configuration with its state there."""
    return Config.model_validate({"paths": {"state": folder}, "classifier": classifier})


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[Learner]:
    """One that has learnt nothing."""
    made = Learner(tmp_path / "classifier")
    made.ensure()
    yield made
    made.close()


def counts(learner: Learner) -> dict[str, dict[str, int]]:
    """What was learnt."""
    with learner.memory.looking() as look:
        return look.counts()


def test_neither_kind_gets_far_ahead() -> None:
    """A day of nothing but spam teaches a little of it, and goes on where there is good mail to match."""
    flood = [offer(number, spam=True) for number in range(3 * SLACK)]
    assert len(balanced(flood, 0, 0)) == SLACK
    assert balanced(flood, SLACK, 0) == []
    assert len(balanced(flood, SLACK, 10)) == 10
    mixed = [offer(number, spam=number % 2 == 0) for number in range(4 * SLACK)]
    assert balanced([*mixed, None], 5, 5) == mixed


def test_offers_are_learnt_once(tmp_path: Path, learner: Learner) -> None:
    """What fronts have put into the queue is learnt as the daemon's own, and is not there any more."""
    inbox = Inbox(tmp_path / "classifier" / INBOX)
    inbox.put([msgspec.msgpack.encode(offer(number, spam=number % 2 == 0)) for number in range(6)])
    inbox.put([b"\xc1 no offer", msgspec.msgpack.encode(msgspec.structs.replace(offer(9, spam=True), features=b"x"))])
    work = Work(config(tmp_path, autolearn=True), learner, None)
    work.once()
    work.once()
    assert counts(learner) == {"spam": {"auto": 3}, "ham": {"auto": 3}}
    assert inbox.first(10) == []
    assert not learner.stale
    work.close()
    inbox.close()


def test_what_a_person_has_said_is_not_overruled(tmp_path: Path, learner: Learner) -> None:
    """A message that is known stays what it was said to be."""
    said = lesson(1, spam=True)
    learner.learn([said])
    inbox = Inbox(tmp_path / "classifier" / INBOX)
    inbox.put([msgspec.msgpack.encode(Offer(said.digest, said.features, spam=False, at=2.0))])
    work = Work(config(tmp_path, autolearn=True), learner, None)
    work.once()
    assert counts(learner) == {"spam": {"user": 1}, "ham": {}}
    assert learner.learn([said]) == [Became.KNOWN]
    work.close()
    inbox.close()


class Down:
    """A stream of a Redis that does not answer."""

    missed = 0

    def __init__(self) -> None:
        """Nobody has asked."""
        self.asked = 0

    def follow(self) -> None:
        """Never."""
        self.asked += 1
        raise StoreError("down")

    def close(self) -> None:
        """Nothing is open."""


def test_it_waits_for_a_store_that_is_down(tmp_path: Path, learner: Learner) -> None:
    """Each look is tried, none ends the work."""
    stream = Down()
    work = Work(config(tmp_path), learner, stream)  # type: ignore[arg-type]  # as much of it as is asked
    looks = iter([False, False, True])
    work.until(lambda: next(looks))
    assert stream.asked == 2
    work.close()


def test_it_lasts_only_where_there_is_something_to_do(tmp_path: Path) -> None:
    """A site that learns by the command has no process for it."""
    assert not lasting(config(tmp_path))
    assert lasting(config(tmp_path, autolearn=True))
    assert not lasting(config(tmp_path, autolearn=True, enabled=False))

"""Several nodes that share one model through a real Redis."""

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.classifier import margin
from filterd.classifier.learning import Learner
from filterd.classifier.memory import Became
from filterd.classifier.modelfile import NAME, Model
from filterd.classifier.stream import NAME as STREAM
from filterd.classifier.stream import SharedLearner
from filterd.model.store import StoreError
from filterd.store.events import EventStream
from tests.classifier.lessons import features, lesson
from tests.support.daemon import COMMAND, Filterd
from tests.support.process import open_folder, wait_until
from tests.support.redis import RedisServer, redis_server

PROBES = [features(number, spam=bool(number % 2)) for number in range(1_000, 1_010)]
names = (f"stream-{number}" for number in itertools.count())


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server of this test's own."""
    with redis_server() as server:
        yield server


def node(folder: Path, redis: RedisServer, most: int = 10_000) -> SharedLearner:
    """One node with a model file of its own."""
    return SharedLearner(Learner(folder), EventStream(redis.url, STREAM), most, lambda: next(names))


def scores(learner: Learner) -> list[float]:
    """What the node's model says of the probes, once it holds nothing that was forgotten."""
    learner.settle()
    found = Model(learner.folder / NAME).read(lambda half, _: [margin(half.weights, probe) for probe in PROBES])
    assert found is not None
    return found


def test_nodes_come_to_the_same_model(redis: RedisServer, tmp_path: Path) -> None:
    """What either learns or forgets both know, in the stream's order, whoever was away meanwhile."""
    one, two = node(tmp_path / "1", redis), node(tmp_path / "2", redis)
    assert one.learn([lesson(number) for number in range(6)]) == [Became.LEARNT] * 6
    assert two.learn([lesson(number) for number in range(4, 10)]) == [Became.KNOWN] * 2 + [Became.LEARNT] * 4
    assert one.forget([lesson(2).digest, lesson(77).digest]) == [Became.FORGOTTEN, Became.UNKNOWN]
    assert two.learn([lesson(4, spam=False)]) == [Became.CHANGED]
    one.follow()
    assert scores(one.learner) == scores(two.learner)
    alone = Learner(tmp_path / "3")
    alone.learn([*[lesson(number) for number in range(10) if number not in {2, 4}], lesson(4, spam=False)])
    assert scores(alone) == scores(one.learner)
    for learner in (one, two, alone):
        learner.close()


def test_a_node_that_was_away_catches_up(redis: RedisServer, tmp_path: Path) -> None:
    """A node that starts again after others have learnt goes on where it was, and does nothing twice."""
    one, two = node(tmp_path / "1", redis), node(tmp_path / "2", redis)
    one.learn([lesson(number) for number in range(5)])
    two.follow()
    two.close()
    for start in range(5, 605, 100):
        one.learn([lesson(number) for number in range(start, start + 100)])
    again = node(tmp_path / "2", redis)
    assert len(again.follow()) == 600
    assert again.follow() == {}
    assert scores(again.learner) == scores(one.learner)
    again.close()
    one.close()


def test_a_node_brings_what_it_had_learnt_alone(redis: RedisServer, tmp_path: Path) -> None:
    """A site that gets Redis later keeps what it knows: the first node puts it there, the next one adds its own."""
    for folder, numbers in (("1", range(5)), ("2", range(3, 9))):
        learner = Learner(tmp_path / folder)
        learner.learn([lesson(number) for number in numbers])
        learner.close()
    one, two = node(tmp_path / "1", redis), node(tmp_path / "2", redis)
    one.follow()
    two.follow()
    one.follow()
    assert scores(one.learner) == scores(two.learner)
    with two.learner.memory.looking() as look:
        assert look.last() > 0
        assert sum(sum(of.values()) for of in look.counts().values()) == 9
    one.close()
    two.close()


def test_a_node_that_knows_more_than_is_kept_loses_nothing(redis: RedisServer, tmp_path: Path) -> None:
    """What it brings is kept in the stream until it has it back, whatever the bound."""
    learner = Learner(tmp_path / "1")
    learner.learn([lesson(number) for number in range(700)])
    learner.close()
    one = node(tmp_path / "1", redis, most=100)
    one.follow()
    with one.learner.memory.looking() as look:
        assert sum(sum(of.values()) for of in look.counts().values()) == 700
    one.close()


def test_after_redis_was_emptied_nothing_is_lost(redis: RedisServer, tmp_path: Path) -> None:
    """The nodes put back what they know, and come to one model again."""
    one, two = node(tmp_path / "1", redis), node(tmp_path / "2", redis)
    one.learn([lesson(number) for number in range(6)])
    two.follow()
    with redis.client() as client:
        client.flushall()
    two.learn([lesson(6)])
    one.learn([lesson(7)])
    two.follow()
    assert scores(one.learner) == scores(two.learner)
    alone = Learner(tmp_path / "3")
    alone.learn([lesson(number) for number in range(8)])
    assert scores(alone) == scores(one.learner)
    for learner in (one, two, alone):
        learner.close()


def test_what_the_stream_has_no_more_is_counted_as_missed(redis: RedisServer, tmp_path: Path) -> None:
    """A node that was away for more than the stream keeps goes on with the rest, and knows how much it missed."""
    one, two = node(tmp_path / "1", redis, most=100), node(tmp_path / "2", redis, most=100)
    one.learn([lesson(0)])
    two.follow()
    for start in range(1, 601, 100):
        one.learn([lesson(number) for number in range(start, start + 100)])
    done = two.follow()
    assert two.missed == 600 - len(done) > 0
    assert two.learn([lesson(700)]) == [Became.LEARNT]
    one.close()
    two.close()


def test_without_redis_nothing_is_learnt(redis: RedisServer, tmp_path: Path) -> None:
    """A lesson that cannot be shared is refused as a whole, and can be learnt later."""
    one = node(tmp_path / "1", redis)
    one.learn([lesson(0)])
    redis.kill()
    with pytest.raises(StoreError):
        one.learn([lesson(1)])
    redis.start()
    assert one.learn([lesson(1)]) == [Became.LEARNT]
    one.close()


def test_what_others_write_there_is_passed_over(redis: RedisServer, tmp_path: Path) -> None:
    """Entries that are no lessons cost their place in the order and nothing else."""
    one = node(tmp_path / "1", redis)
    one.learn([lesson(0)])
    with redis.client() as client:
        client.xadd(f"filterd:{STREAM}:stream", {"e": b"\xc1garbage"}, id="2-1")
    assert one.learn([lesson(1)]) == [Became.LEARNT]
    one.close()


def test_a_daemon_follows_what_another_node_is_taught(redis: RedisServer) -> None:
    """A lesson given by the command on one node is in the model of the daemon on the other, mixed and whole."""
    with open_folder() as folder:
        shared: dict[str, dict[str, object]] = {"redis": {"url": redis.url}}
        for name in ("here", "there"):
            (folder / name).mkdir()
        here = Filterd(folder / "here", shared)  # never started: the command needs no daemon
        mail = folder / "mail"
        mail.mkdir()
        for number in range(12):
            (mail / f"{number}.eml").write_bytes(b"Subject: %d\n\ncheap pills %d\n" % (number, number))
        with Filterd(folder / "there", shared):
            argv = [*COMMAND, "learn", "spam", str(mail), "--config", str(here.config)]
            subprocess.run(argv, check=True, capture_output=True)
            reader = Model(folder / "there" / "state" / "classifier" / NAME)
            wait_until(lambda: reader.read(lambda _, known: known.spam) == 12, "twelve lessons at the other node")
            ours = Model(folder / "here" / "state" / "classifier" / NAME).read(lambda half, _: half.digest())
            wait_until(lambda: reader.read(lambda half, _: half.digest()) == ours, "the same model at both nodes")

"""Learning, forgetting, and the model that follows."""

import multiprocessing
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filterd.classifier import margin
from filterd.classifier.base import read_base
from filterd.classifier.counting import COUNTED, FULL
from filterd.classifier.features import (
    BITS,
    EARLIER,
    EARLIER_SLOTS,
    EDGES,
    EVERY,
    FEWER,
    FORMAT,
    HEADER,
    LONGER,
    SLOTS,
    STRETCHES,
    Features,
)
from filterd.classifier.layer import LAYER, correction, key_of
from filterd.classifier.learning import Learner
from filterd.classifier.lesson import AUTO, Lesson
from filterd.classifier.memory import FEATURES, Became
from filterd.classifier.modelfile import NAME, Known, Model
from filterd.classifier.weights import SIZE
from filterd.classifier.writing import WriterBusyError, writing
from tests.classifier.lessons import as_before, features, lesson

PROBES = [features(number, spam=bool(number % 2)) for number in range(1_000, 1_020)]


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[Learner]:
    """One that has learnt nothing."""
    made = Learner(tmp_path / "a")
    made.ensure()
    yield made
    made.close()


def scores(learner: Learner, domain: str = "") -> list[float]:
    """What the model on the disk says of the probes, once it is not stale any more."""
    learner.settle()
    found = Model(learner.folder / NAME).read(
        lambda half, _: [
            margin(half.weights, probe) + (correction(half.layer, probe, key_of(domain)) if domain else 0.0)
            for probe in PROBES
        ]
    )
    assert found is not None
    return found


def facts(learner: Learner) -> Known:
    """What the model on the disk says of itself, stale or not."""
    found = Model(learner.folder / NAME).read(lambda _half, known: known)
    assert found is not None
    return found


def taught(folder: Path, numbers: Sequence[int], domain: str = "") -> list[float]:
    """The scores of a model that has learnt these messages and never anything else."""
    learner = Learner(folder)
    learner.learn([lesson(number, domain=domain) for number in numbers])
    found = scores(learner, domain)
    learner.close()
    return found


def test_learning_parts_spam_from_ham(learner: Learner) -> None:
    """After some messages of each kind, unseen ones of each lie on their own side."""
    learner.learn([lesson(number) for number in range(60)])
    found = scores(learner)
    assert max(found[::2]) < 0 < min(found[1::2])
    assert (facts(learner).spam, facts(learner).ham) == (30, 30)


def test_how_many_are_learnt_at_once_makes_no_difference(learner: Learner, tmp_path: Path) -> None:
    """One by one, in batches, all spam before all ham or with something learnt and forgotten between: one model."""
    order = [*range(0, 40, 2), *range(1, 40, 2)]
    for number in order[:3]:
        learner.learn([lesson(number)])
    learner.learn([lesson(100)])
    learner.learn([lesson(number) for number in order[3:25]])
    learner.settle()
    learner.forget([lesson(100).digest])
    learner.learn([lesson(number) for number in order[25:]])
    assert scores(learner) == taught(tmp_path / "b", order)


def test_blocks_of_one_kind_are_mixed(learner: Learner) -> None:
    """All spam and then all ham: the last speaker is not simply right."""
    learner.learn([lesson(number) for number in range(0, 80, 2)])
    learner.learn([lesson(number) for number in range(1, 80, 2)])
    found = scores(learner)
    assert max(found[::2]) < 0 < min(found[1::2])


def test_learning_twice_is_learning_once(learner: Learner) -> None:
    """A message that is known changes nothing, neither the scores nor the counts."""
    assert learner.learn([lesson(0), lesson(1), lesson(0)]) == [Became.LEARNT, Became.LEARNT, Became.KNOWN]
    before = scores(learner), facts(learner)
    assert learner.learn([lesson(1), lesson(0)]) == [Became.KNOWN, Became.KNOWN]
    assert (scores(learner), facts(learner)) == before


def test_the_last_lesson_is_taken_back_at_once(learner: Learner, tmp_path: Path) -> None:
    """Where nothing was learnt since, forgetting leaves the model as it was, to the last bit, without a rebuilding."""
    learner.learn([lesson(number, domain="a.test") for number in range(12)])
    learner.settle()
    learner.learn([lesson(12, domain="a.test")])
    assert learner.forget([lesson(12).digest]) == [Became.FORGOTTEN]
    assert not learner.stale
    assert scores(learner, "a.test") == taught(tmp_path / "b", range(12), "a.test")
    assert facts(learner).domains == {key_of("a.test"): (6, 6)}


def test_the_last_lesson_of_a_batch_is_taken_back_too(learner: Learner, tmp_path: Path) -> None:
    """How many lessons were learnt together makes no difference."""
    learner.learn([lesson(number) for number in range(33)])
    learner.settle()
    learner.learn([lesson(33), lesson(34)])
    learner.forget([lesson(34).digest])
    assert not learner.stale
    assert scores(learner) == taught(tmp_path / "b", range(34))
    learner.learn([lesson(35)])
    assert scores(learner) == taught(tmp_path / "c", [*range(34), 35])


@pytest.mark.parametrize("domain", ["", "a.test"])
def test_an_earlier_lesson_is_forgotten_by_rebuilding(learner: Learner, tmp_path: Path, domain: str) -> None:
    """Until the rebuilding the model holds it and says so; afterwards it is as if it had never been learnt."""
    learner.learn([lesson(number, domain=domain) for number in range(20)])
    learner.settle()
    assert learner.forget([lesson(3).digest, lesson(8).digest]) == [Became.FORGOTTEN] * 2
    assert learner.stale
    told: list[tuple[int, int]] = []
    learner.rebuild(lambda done, of: told.append((done, of)))
    assert told[-1] == (18, 18)
    assert not learner.stale
    kept = [number for number in range(20) if number not in {3, 8}]
    assert scores(learner, domain) == taught(tmp_path / "b", kept, domain)


def test_forgetting_what_was_never_learnt(learner: Learner) -> None:
    """It is said, and nothing changes."""
    learner.learn([lesson(0)])
    before = scores(learner)
    assert learner.forget([lesson(1).digest]) == [Became.UNKNOWN]
    assert (learner.stale, scores(learner)) == (False, before)


def test_a_corrected_label_replaces_the_first(learner: Learner, tmp_path: Path) -> None:
    """A message learnt as the other kind is as if it had only ever been learnt as that."""
    learner.learn([lesson(number) for number in range(10)])
    assert learner.learn([lesson(4, spam=False)]) == [Became.CHANGED]
    other = Learner(tmp_path / "b")
    other.learn([*[lesson(number) for number in range(10) if number != 4], lesson(4, spam=False)])
    assert scores(learner) == scores(other)
    other.close()


def test_what_a_person_said_stands(learner: Learner) -> None:
    """What the daemon would learn by itself never replaces what somebody has said; the reverse does."""
    learner.learn([lesson(0)])
    assert learner.learn([lesson(0, spam=False, source=AUTO)]) == [Became.KNOWN]
    learner.learn([lesson(1, source=AUTO)])
    assert learner.learn([lesson(1, spam=True)]) == [Became.CHANGED]


def test_a_writer_killed_before_the_model_is_caught_up_with(learner: Learner, tmp_path: Path) -> None:
    """Lessons that were written down and not learnt are learnt at the next occasion."""
    learner.learn([lesson(number) for number in range(10)])
    learner.settle()
    with learner.memory.changing() as change:
        change.add(lesson(10))
    assert facts(learner).applied == 10
    assert learner.prepare() == ""
    assert facts(learner).applied == 11
    assert scores(learner) == taught(tmp_path / "b", range(11))


def test_a_damaged_model_is_made_anew(learner: Learner, tmp_path: Path) -> None:
    """A bit that fell over is noticed, said, and mended from the memory."""
    learner.learn([lesson(number) for number in range(10)])
    path = learner.folder / NAME
    with path.open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"\x40")
        file.seek(path.stat().st_size // 2 + 2_000_000)
        file.write(b"\x40")
    assert learner.prepare() == "the model was damaged"
    assert scores(learner) == taught(tmp_path / "b", range(10))


def test_the_oldest_lessons_become_part_of_the_base(tmp_path: Path) -> None:
    """Beyond its bound the memory has no features of the oldest: they stay learnt, and the others can be forgotten."""
    small = Learner(tmp_path / "a", remembered=12_000)
    for number in range(0, 40, 10):
        small.learn([lesson(number + more) for more in range(10)])
    found = scores(small)
    assert max(found[::2]) < 0 < min(found[1::2])
    assert facts(small).spam + facts(small).ham == 40
    assert len(list(small.folder.glob("base-*.bin"))) == 1
    assert small.forget([lesson(0).digest]) == [Became.TOO_OLD]
    assert small.learn([lesson(0)]) == [Became.KNOWN]
    small.learn([lesson(41)])
    assert scores(small) != found
    assert small.forget([lesson(41).digest]) == [Became.FORGOTTEN]
    assert scores(small) == found
    small.close()


def test_what_another_release_remembers_is_of_no_use(learner: Learner) -> None:
    """Features of another format are forgotten as a whole, so that the same mail can be learnt again."""
    learner.learn([lesson(0), lesson(1)])
    with learner.memory.changing() as change:
        change.put(FEATURES, FORMAT + 1)
    assert "another release" in learner.prepare()
    assert facts(learner).spam == 0
    assert learner.learn([lesson(0)]) == [Became.LEARNT]
    assert learner.prepare() == ""


def earlier(number: int) -> Lesson:
    """The message with that number as a lesson of the format before: it has nothing in the last view."""
    found = lesson(number)
    slots = Features.unpack(found.features).slots
    packed = EARLIER[-1].to_bytes(4, "little") + as_before(slots).astype("<u4").tobytes()
    return replace(found, features=packed)


@pytest.mark.parametrize("number", EARLIER)
def test_what_the_release_before_remembers_is_learnt_anew(learner: Learner, tmp_path: Path, number: int) -> None:
    """Its model is of no use, its lessons are: the model is the same as if this release had learnt them."""
    learner.learn([earlier(one) for one in range(20)])
    with learner.memory.changing() as change:
        change.put(FEATURES, number)
    with (learner.folder / NAME).open("r+b") as file:
        file.seek(12)
        file.write(number.to_bytes(4, "little"))
        file.truncate(54_598_656)
    assert "another release" in learner.prepare()
    other = Learner(tmp_path / "b")
    other.learn([earlier(one) for one in range(20)])
    assert scores(learner) == scores(other)
    assert (facts(learner).spam, facts(learner).ham) == (10, 10)
    assert learner.forget([lesson(3).digest]) == [Became.FORGOTTEN]
    assert learner.prepare() == ""
    other.close()


def test_a_base_of_the_release_before_is_kept(tmp_path: Path) -> None:
    """Its weights and counts are this release's in the views that there were, and the new one knows nothing yet."""
    rng = np.random.default_rng(1)
    old = rng.standard_normal((EARLIER_SLOTS, 2)).astype(np.float32)
    first, header, longer = EDGES[STRETCHES], EDGES[HEADER], EDGES[LONGER]
    counts = rng.integers(1, FULL, (longer - header, 2)).astype(np.uint8)
    numbers = np.array([5, 6, 7, 8], dtype=np.float32)
    layer = rng.standard_normal(LAYER).astype(np.float32)
    packed = zlib.compress(
        Known(spam=3, ham=4).pack() + old.tobytes() + counts.tobytes() + numbers.tobytes() + layer.tobytes(), 0
    )
    size = 2 * EARLIER_SLOTS + (longer - header) // 2 + 4
    head = struct.pack("<8sIIII", b"filterdB", EARLIER[-1], size, LAYER, zlib.crc32(packed))
    (tmp_path / "base-7.bin").write_bytes(head + packed)
    half, known = read_base(tmp_path, 7)
    assert (known.spam, known.ham, len(half.weights)) == (3, 4, SIZE)
    found, kept = half.weights[: 2 * SLOTS].reshape(-1, 2), half.weights[2 * SLOTS :]
    assert np.array_equal(found[:first], old[:first])
    assert np.array_equal(found[first:header], old[first : first + (1 << BITS)][::EVERY])
    assert np.array_equal(found[header:longer], old[header + FEWER :])
    assert not found[longer:].any()
    bytes_kept = kept.view(np.uint8)[: 2 * (SLOTS - first)].reshape(-1, 2)
    assert np.array_equal(bytes_kept[header - first : longer - first], counts)
    assert not bytes_kept[: header - first].any()
    assert not bytes_kept[longer - first :].any()
    assert kept[-2 * len(COUNTED) :].tolist() == [0, 0, 5, 6, 7, 8, 0, 0]
    assert np.array_equal(half.layer, layer)


def test_a_lost_base_costs_what_was_in_it(tmp_path: Path) -> None:
    """What is still remembered is learnt anew, and the rest is gone: the filter goes on."""
    small = Learner(tmp_path / "a", remembered=8_000)
    for number in range(0, 40, 10):
        small.learn([lesson(number + more) for more in range(10)])
    next(small.folder.glob("base-*.bin")).write_bytes(b"nothing")
    small.rebuild()
    assert 0 < facts(small).spam + facts(small).ham < 40
    small.close()


def test_a_domain_has_an_opinion_of_its_own(learner: Learner) -> None:
    """What one domain takes for ham is corrected there, and nowhere else."""
    learner.learn([lesson(number) for number in range(80)])
    learner.learn([lesson(number, spam=False, domain="shop.test") for number in range(200, 260, 2)])
    at_shop, elsewhere = scores(learner, "shop.test"), scores(learner, "other.test")
    assert max(at_shop[1::2]) < max(elsewhere[1::2])
    assert elsewhere == pytest.approx(scores(learner), abs=0.5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_is_the_daemons(tmp_path: Path) -> None:
    """Files that a command of root's makes belong to the owner of the state, who must be able to go on with them."""
    os.chown(tmp_path, 12_345, 12_345)
    learner = Learner(tmp_path / "classifier", remembered=8_000)
    learner.learn([lesson(number) for number in range(20)])
    learner.settle()
    made = [tmp_path / "classifier", *(tmp_path / "classifier").iterdir()]
    assert len(made) >= 5
    assert {path.stat().st_uid for path in made} == {12_345}
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
    learner.close()


def test_only_one_writes(learner: Learner) -> None:
    """Who finds the lock taken waits, and gives up in the end."""
    with writing(learner.folder):
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool, pytest.raises(WriterBusyError):
            pool.apply(_write, (learner.folder,))


def _write(folder: Path) -> None:
    with writing(folder, 0.1):
        pass

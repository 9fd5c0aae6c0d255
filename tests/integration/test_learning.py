"""Learning at work: behind Postfix, from the command line and by itself; and writers that are killed."""

import multiprocessing
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from filterd.classifier import margin
from filterd.classifier.learning import Learner
from filterd.classifier.modelfile import NAME, Model
from tests.classifier.lessons import features, lesson
from tests.support.daemon import COMMAND
from tests.support.process import wait_until
from tests.support.smtp import Pose
from tests.support.stack import Stack
from tests.support.world import message, zone

WORDS = {
    "spam": ["pills", "casino", "winner", "cheap", "offer"],
    "ham": ["meeting", "minutes", "patch", "review", "lunch"],
}
SHOP = Pose("11.22.33.44", "mail.shop.test", "mail.shop.test")
RECORDS = {
    **zone(),
    "shop.test": {"TXT": "v=spf1 ip4:11.22.33.44 -all"},
    "mail.shop.test": {"A": "11.22.33.44"},
    "44.33.22.11.in-addr.arpa": {"PTR": "mail.shop.test"},
    "_dmarc.shop.test": {"TXT": "v=DMARC1; p=reject"},
}
LEAST = 20


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A site that learns by itself, with loose bounds: what is tested here is the way."""
    settings: dict[str, dict[str, object]] = {
        "milter": {"workers": 1},
        "classifier": {"least": LEAST, "autolearn": True, "autolearn_ham": 3.0},
        "trust": {"skip": {"stranger": ["dnsbl", "uribl", "dkimbl"]}},
    }
    with Stack(settings, records=RECORDS) as running:
        yield running


def text(kind: str, rng: random.Random, own: int = 0) -> bytes:
    """A message of that kind, with so many words of its own."""
    words = rng.choices(WORDS[kind], k=40) + [f"w{rng.random()}" for _ in range(own)]
    return message("anna@shop.test", rng.choice(WORDS[kind]), " ".join(words) + "\r\n", number=rng.randrange(10**9))


def teach(stack: Stack, kind: str, count: int) -> None:
    """Learn that many messages by the command, beside the running daemon."""
    folder = stack.folder / kind
    folder.mkdir()
    rng = random.Random(kind)
    for number in range(count):
        (folder / f"{number}.eml").write_bytes(text(kind, rng))
    argv = [*COMMAND, "learn", kind, str(folder), "--config", str(stack.filterd.config)]
    subprocess.run(argv, check=True, capture_output=True)


def graded(stack: Stack, mail: bytes) -> list[str]:
    """The classifier's symbols of a message that is sent."""
    return [name for name in stack.send(mail, SHOP, "anna@shop.test").symbols if name.startswith("CLASSIFIER")]


def automatic(stack: Stack) -> int:
    """How many messages the daemon has learnt by itself."""
    path = stack.folder / "state" / "classifier" / "lessons.sqlite"
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM lessons WHERE source = 'auto'").fetchone()[0])


def test_the_running_daemon_judges_by_what_was_just_learnt(stack: Stack) -> None:
    """No reload, no restart: the next message is read by inspectors that see the new generation."""
    rng = random.Random(0)
    assert graded(stack, text("spam", rng)) == []
    teach(stack, "spam", 2 * LEAST)
    teach(stack, "ham", 2 * LEAST)
    assert [name[:15] for name in graded(stack, text("spam", rng))] == ["CLASSIFIER_SPAM"]
    assert [name[:14] for name in graded(stack, text("ham", rng))] == ["CLASSIFIER_HAM"]


def test_what_all_agree_about_is_learnt(stack: Stack) -> None:
    """Good mail of a proved sender that looks like good mail is learnt, a few of one source and no more."""
    teach(stack, "spam", 2 * LEAST)
    teach(stack, "ham", 2 * LEAST)
    rng = random.Random(1)
    for _ in range(12):
        stack.send(text("ham", rng, own=6), SHOP, "anna@shop.test")
    wait_until(lambda: automatic(stack) > 0, "something learnt")
    time.sleep(5)  # two more looks of the process that learns
    assert 0 < automatic(stack) <= 5


def test_a_writer_that_is_killed_leaves_a_whole_model(tmp_path: Path) -> None:
    """Killed at any moment: readers see a whole generation, and the next writer knows all that was written down."""
    context = multiprocessing.get_context("spawn")
    with_kills = Learner(tmp_path / "a")
    with_kills.ensure()
    reader = Model(tmp_path / "a" / NAME)
    rng = random.Random(3)
    for attempt in range(4):
        process = context.Process(target=_teach_for_ever, args=(tmp_path / "a", 1_000 * attempt))
        before = reader.current
        process.start()
        wait_until(partial(_beyond, reader, before), "something learnt")
        time.sleep(rng.random() / 2)
        assert reader.read(lambda _, known: known.spam + known.ham) is not None
        process.kill()
        process.join()
        assert Model(tmp_path / "a" / NAME).read(lambda half, known: half.digest() == known.digest)
    assert with_kills.prepare() == ""
    with with_kills.memory.looking() as look:
        known = look.all()
    alone = Learner(tmp_path / "b")
    alone.learn(known)
    alone.settle()
    probe = features(5_001, spam=True)
    found = [Model(tmp_path / folder / NAME).read(lambda half, _: margin(half.weights, probe)) for folder in ("a", "b")]
    assert len(known) > 4
    assert found[0] == found[1]
    with_kills.close()
    alone.close()


def _beyond(reader: Model, generation: int) -> bool:
    return reader.current > generation


def _teach_for_ever(folder: Path, start: int) -> None:
    learner = Learner(folder)
    for number in range(start, start + 1_000):
        learner.learn([lesson(number)])

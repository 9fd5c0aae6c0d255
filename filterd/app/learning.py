"""What learning works with. Imported where something is learnt and nowhere else: numpy is not for fronts."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from filterd.app.front import StartError
from filterd.app.nursery import nursery_settings
from filterd.app.redis import redis_url
from filterd.classifier.learning import Learner
from filterd.classifier.lesson import AUTO, Lesson, usable
from filterd.classifier.memory import MemoryLostError
from filterd.classifier.modelfile import NAME as MODEL
from filterd.classifier.modelfile import Model, ModelFileError
from filterd.classifier.stream import NAME, SharedLearner, StreamMovedError
from filterd.classifier.writing import WriterBusyError
from filterd.config import Config
from filterd.inspectors import InspectorPool, start_nursery
from filterd.model.store import StoreError
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.learn import School
from filterd.pipeline.autolearn import Offer
from filterd.store.events import EventStream

LEARN: Final = "filterd learn spam|ham; see docs/learning.md"
LOOK_SECONDS: Final = 0.5  # between two looks whether the nursery still lives
_NAME_BYTES: Final = 12  # of a stream's random name
# Whatever goes wrong with learning: what it stands in need of is not there, or others are at it.
TROUBLE: Final = (StartError, StoreError, OSError, ValueError, MemoryLostError, StreamMovedError, WriterBusyError)


def open_learner(config: Config) -> Learner:
    """The model of this host. OSError."""
    learner = Learner(config.classifier_directory, remembered=config.classifier.remembered)
    learner.ensure()
    return learner


def shared(config: Config, learner: Learner) -> SharedLearner | None:
    """How lessons go to all nodes; None where there is no Redis."""
    url = redis_url(config)
    if not url:
        return None
    stream = EventStream(url, NAME)
    return SharedLearner(learner, stream, config.classifier.shared, lambda: os.urandom(_NAME_BYTES).hex())


def look_at_model(config: Config) -> Diagnosis:
    """What the classifier's model is worth, for filterd doctor. Looking makes nothing."""
    path, subject = config.classifier_directory / MODEL, "classifier"
    if not path.exists():
        return Diagnosis(Level.OK, subject, f"has learnt nothing: messages are judged without it ({LEARN})")
    try:
        known = Model(path).read(lambda _, facts: facts)
    except ModelFileError as error:
        return Diagnosis(Level.FAILED, subject, str(error), "restart filterd: it makes the model anew")
    if known is None:
        return Diagnosis(Level.WARNING, subject, "is being written all the time", "try again")
    text = f"has learnt {known.spam} spam and {known.ham} ham messages (model {known.id})"
    if min(known.spam, known.ham) >= config.classifier.least:
        return Diagnosis(Level.OK, subject, text)
    missing = f"{text}: it is asked from {config.classifier.least} of each on"
    return Diagnosis(Level.WARNING, subject, missing, LEARN)


def lessons_of(offers: Sequence[Offer]) -> list[Lesson]:
    """What the daemon may learn by itself, as lessons."""
    return [
        Lesson(one.digest, one.spam, one.features, source=AUTO, at=one.at) for one in offers if usable(one.features)
    ]


@contextmanager
def open_school(config: Config, learner: Learner, jobs: int = 0) -> Iterator[School]:
    """Inspectors that make features, and the model. StartError."""
    workers = jobs or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="filterd-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        # As the daemon reads mail, or features would be others; but no rules are asked, and no model.
        settings = replace(nursery_settings(config), rules="", model="")
        nursery = start_nursery(folder, settings)
        pool = InspectorPool(nursery.path, workers)
        try:
            while not pool.wait_ready(LOOK_SECONDS):
                if not nursery.alive():  # it has said why itself
                    raise StartError("no inspectors")
            if not settings.classifier or pool.problems:
                raise StartError("; ".join(pool.problems) or f"{config.rules_directory}: expected classifier.toml")
            together = shared(config, learner)
            yield School(pool, workers, together or learner)
            if together is not None:
                together.close()
        finally:
            pool.close()
            nursery.stop()


@contextmanager
def lessons(config: Config, jobs: int = 1) -> Iterator[School]:
    """A school for a while; at its end the model knows what it was taught. Raises what is in TROUBLE."""
    learner = open_learner(config)
    try:
        with open_school(config, learner, jobs) as school:
            yield school
        learner.settle()
    finally:
        learner.close()

"""What learning works with. Imported where something is learnt and nowhere else: numpy is not for fronts."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from filterd.app.front import StartError, redis_url
from filterd.app.nursery import nursery_settings
from filterd.classifier.learning import Learner
from filterd.classifier.lesson import AUTO, Lesson, usable
from filterd.classifier.stream import NAME, SharedLearner
from filterd.config import Config
from filterd.inspectors import InspectorPool, start_nursery
from filterd.operations.learn import School
from filterd.pipeline.autolearn import Offer
from filterd.store.events import EventStream

LOOK_SECONDS: Final = 0.5  # between two looks whether the nursery still lives
_NAME_BYTES: Final = 12  # of a stream's random name


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

"""Inspectors for `filterd learn evaluate`. Imported nowhere else."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from filterd.app.front import StartError
from filterd.app.nursery import nursery_settings
from filterd.config import Config
from filterd.inspectors import InspectorPool, start_nursery
from filterd.pipeline.parts import Inspect

LOOK_SECONDS: Final = 0.5  # between two looks whether the nursery still lives


@contextmanager
def open_evaluators(config: Config, jobs: int = 0, *, rules: bool) -> Iterator[tuple[Inspect, int]]:
    """Inspectors that make features, with the daemon's rules or without any, and how many there are. StartError.

    None of them asks the model that the daemon has: an evaluation begins with nothing.
    """
    workers = jobs or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="filterd-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        settings = replace(nursery_settings(config, folder / "cache"), model="")
        nursery = start_nursery(folder, settings if rules else replace(settings, rules="", regex=()))
        pool = InspectorPool(nursery.path, workers)
        try:
            while not pool.wait_ready(LOOK_SECONDS):
                if not nursery.alive():  # it has said why itself
                    raise StartError("no inspectors: the rules do not load")
            if not settings.classifier:
                raise StartError(f"{config.rules_directory}: expected classifier.toml")
            yield pool, workers
        finally:
            pool.close()
            nursery.stop()

"""The pipeline's fixtures: a loop and a front of fakes."""

from tests.pipeline.conftest import front, gate, log, loop

__all__ = ["front", "gate", "log", "loop"]

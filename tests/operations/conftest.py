"""A front of fakes."""

from tests.pipeline.conftest import front, gate, log, loop

__all__ = ["front", "gate", "log", "loop"]  # fixtures

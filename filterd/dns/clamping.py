"""Bounds on how long answers from some zones are kept, where those that hold for all of DNS do not fit them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

from filterd.dns.stub import Done
from filterd.model.dns import Answer, Question

Bounds: TypeAlias = tuple[int, int]  # seconds, at least and at most


class Asker(Protocol):
    """Who puts a question on the wire."""

    def ask(self, question: Question, done: Done) -> None:
        """Call `done` once with an answer, now or later in the loop's thread. Never raises."""


class ClampedAsker:
    """Asks another, and puts the TTL of answers from certain zones within bounds before anybody keeps them.

    What the cache clamps it clamps nevertheless: bounds narrow its own.
    """

    def __init__(self, asker: Asker, bounds: Mapping[str, Bounds]) -> None:
        """`bounds` by zone: names in it, however deep."""
        self._asker = asker
        # The deepest zone first: it speaks for its names.
        zones = sorted(bounds, key=lambda zone: zone.count("."), reverse=True)
        self._bounds: Final = tuple([(f".{zone}", bounds[zone]) for zone in zones])

    def ask(self, question: Question, done: Done) -> None:
        """Ask; other zones' answers pass as they are."""
        bounds = self._of(question.name)
        told = done if bounds is None else lambda answer: done(_clamped(answer, *bounds))
        self._asker.ask(question, told)

    def _of(self, name: str) -> Bounds | None:
        for zone, bounds in self._bounds:
            if name.endswith(zone):
                return bounds
        return None


def _clamped(answer: Answer, least: int, most: int) -> Answer:
    ttl = min(max(answer.ttl, least), most)
    return answer if answer.failed or ttl == answer.ttl else replace(answer, ttl=ttl)

"""One configuration at work: its nursery and its fronts."""

import os
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson

from filterd.supervisor.front import DRAIN, MAX_FACTS, Front, LiveParts, fork_front
from filterd.supervisor.handover import LeftFront, LeftGeneration

NO_PIPE: Final = -1  # of a front that another program forked: it has told long ago
_BEAT: Final = 1.0  # seconds of waiting between two signs of life


class Nursery(Protocol):
    """The inspectors' parent, as far as it is watched here."""

    def alive(self) -> bool:
        """Whether it runs."""

    def restart(self) -> None:
        """Start it again on the same socket."""

    def stop(self) -> None:
        """End it and its inspectors."""

    def left(self) -> tuple[int, str]:
        """Its process and its folder, for who takes over."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to build a generation: made by the composition root from one configuration."""

    workers: int
    start_nursery: Callable[[], Nursery]
    build_front: Callable[[int], LiveParts]
    summary: dict[str, object]


@dataclass(slots=True)
class Generation:
    """The processes of one plan: `fronts` by pid, `facts` as they told, `retired` once they were told to stop."""

    number: int
    plan: Plan
    nursery: Nursery
    fronts: dict[int, Front] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    retired: bool = False

    @classmethod
    def start(cls, number: int, plan: Plan, slots: Sequence[int]) -> "Generation":
        """Start the nursery and fork a front for each metrics slot; they may not be ready yet."""
        generation = cls(number, plan, plan.start_nursery())
        for slot in slots:
            generation.add(slot)
        return generation

    @classmethod
    def inherited(cls, left: LeftGeneration, nursery: Nursery) -> "Generation":
        """One that another program started in this process: its fronts end with their sessions, none is replaced."""
        fronts = {one.pid: Front(one.pid, one.slot, left.number, NO_PIPE, one.started) for one in left.fronts}
        return cls(left.number, Plan(0, lambda: nursery, _no_front, {}), nursery, fronts, retired=True)

    def left(self) -> LeftGeneration:
        """What whoever takes over must know of it."""
        fronts = [LeftFront(front.pid, front.slot, front.started) for front in self.fronts.values()]
        return LeftGeneration(self.number, tuple(fronts), *self.nursery.left())

    def add(self, slot: int) -> Front:
        """Fork one more front on a metrics slot."""
        front = fork_front(slot, self.number, self.plan.build_front)
        self.fronts[front.pid] = front
        return front

    def wait_ready(self, seconds: float, beat: Callable[[], None] = lambda: None) -> bool:
        """Wait until every front serves; False where one died or did not get there in time.

        `beat` is called again and again meanwhile.
        """
        deadline = time.monotonic() + seconds
        waiting = {front.ready_fd for front in self.fronts.values()}
        good = True
        while waiting:
            beat()
            left = deadline - time.monotonic()
            ready, _, _ = select.select(list(waiting), [], [], max(0.0, min(left, _BEAT)))
            if not ready and left <= 0:
                return False
            for descriptor in ready:
                told = os.read(descriptor, MAX_FACTS)
                good &= told != b""
                self.facts |= orjson.loads(told or b"{}")
                waiting.discard(descriptor)
        return good

    def retire(self) -> None:
        """Tell the fronts to take no new sessions and end with the open ones."""
        self.retired = True
        for pid in self.fronts:
            os.kill(pid, DRAIN)

    def gone(self, pid: int) -> Front | None:
        """Take note that a process ended; the front it was, if it was one of ours."""
        front = self.fronts.pop(pid, None)
        if front is not None and front.ready_fd != NO_PIPE:
            os.close(front.ready_fd)
        return front


def _no_front(_slot: int) -> LiveParts:
    raise RuntimeError("expected no front to be forked for a generation that was taken over")

"""What a supervisor leaves to the program that takes its place in the same process: sockets, lock, fronts at work.

It goes through the environment, with the process's number: a program that merely inherits the variable, as a child
would, finds nothing of its own in it.
"""

import os
from collections.abc import MutableMapping
from typing import Final, Self

import msgspec

VARIABLE: Final = "FILTERD_HANDOVER"


class LeftFront(msgspec.Struct, frozen=True):
    """A front that goes on until its sessions end; `started` in seconds since the epoch."""

    pid: int
    slot: int
    started: float


class LeftGeneration(msgspec.Struct, frozen=True):
    """A generation with the nursery it needs until then, whose sockets lie in `folder`."""

    number: int
    fronts: tuple[LeftFront, ...]
    nursery: int
    folder: str


class Handover(msgspec.Struct, frozen=True):
    """All of it. `milter`, `policy` and `lock` are descriptors, which stay open; `plans` counts nurseries' folders.

    `places` says of each by what configuration it was opened.
    """

    pid: int
    places: dict[str, str]
    milter: tuple[int, ...]
    policy: int | None
    lock: int
    plans: int
    generations: tuple[LeftGeneration, ...]

    def give(self, environment: MutableMapping[str, str]) -> None:
        """Put it where the next program finds it, and let it have the descriptors."""
        for descriptor in self.descriptors:
            os.set_inheritable(descriptor, True)
        environment[VARIABLE] = msgspec.json.encode(self).decode()

    def withdraw(self, environment: MutableMapping[str, str]) -> None:
        """There was no next program."""
        environment.pop(VARIABLE, None)
        for descriptor in self.descriptors:
            os.set_inheritable(descriptor, False)

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Self | None:
        """What this process was left, once; None where it is nobody's successor."""
        text = environment.pop(VARIABLE, "")
        try:
            found = msgspec.json.decode(text, type=cls) if text else None
        except (msgspec.DecodeError, UnicodeError):
            return None
        if found is None or found.pid != os.getpid():
            return None
        for descriptor in found.descriptors:
            os.set_inheritable(descriptor, False)
        return found

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that must stay open."""
        return (*self.milter, *([] if self.policy is None else [self.policy]), self.lock)

"""A restart in place: the program begins anew in the same process, and the fronts of before go on meanwhile.

What is listened on stays open, so no MTA is refused: the old fronts serve until the new ones do, and then end with
their sessions. The process keeps its number, which is what a service manager knows it by. That the program as it is
installed now accepts the configuration is tried first, in a process of its own: after it there is no way back.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from filterd.config import Config
from filterd.supervisor.generation import Generation
from filterd.supervisor.handover import Handover, LeftGeneration

CHECK_SECONDS: Final = 60.0  # for `config check`: one on an idle machine, ten on a busy one
ENDS_SECONDS: Final = 5.0  # for the processes beside the fronts, whose sockets the next ones bind
POLL: Final = 0.05  # seconds between two looks at them
MAX_CAUSE: Final = 1_000  # characters of what it said
_VERB: Final = "run"


def places(config: Config) -> dict[str, str]:
    """By what configuration the sockets and the lock are opened: another wants others."""
    milter, policy = config.milter, config.policy
    return {
        "milter": f"{milter.address.libmilter} {milter.mode:o} {milter.socket_group}",
        "policy": f"{policy.address.libmilter} {policy.mode:o} {policy.socket_group}" if policy.address else "",
        "lock": str(config.runtime_directory.resolve()),
    }


class Predecessor:
    """What the program that ran in this process before has left, as far as this configuration has a use for it."""

    def __init__(self, handover: Handover | None, config: Config) -> None:
        """Close what is of no use: a socket at another address, the lock of another folder."""
        self.milter: tuple[int, ...] = ()
        self.policy: int | None = None
        self.lock: int | None = None
        self.generations: tuple[Generation, ...] = ()
        self.plans = 0
        if handover is None:
            return
        wanted = places(config)
        same = {name for name, place in handover.places.items() if place == wanted[name]}
        self.milter = handover.milter if "milter" in same else ()
        self.policy = handover.policy if "policy" in same else None
        self.lock = handover.lock if "lock" in same else None
        self.generations = tuple([Generation.inherited(one, LeftNursery(one)) for one in handover.generations])
        self.plans = handover.plans
        for descriptor in {*handover.descriptors} - {*self.milter, self.policy, self.lock}:
            os.close(descriptor)

    @property
    def folders(self) -> frozenset[Path]:
        """Where the sockets of its nurseries lie."""
        return frozenset([Path(generation.nursery.left()[1]) for generation in self.generations])


class LeftNursery:
    """A nursery that another program started in this process: it is ended when its fronts have, never replaced."""

    def __init__(self, left: LeftGeneration) -> None:
        """Whatever runs."""
        self._pid = left.nursery
        self._folder = Path(left.folder)

    def alive(self) -> bool:
        """Nobody could replace it, so nobody need know."""
        return True

    def restart(self) -> None:
        """Its fronts have their last inspectors, and then messages are deferred until they end."""

    def left(self) -> tuple[int, str]:
        """Its process and folder."""
        return self._pid, str(self._folder)

    def stop(self) -> None:
        """End it and its inspectors; it is reaped with the fronts."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        shutil.rmtree(self._folder, ignore_errors=True)


def program() -> tuple[str, ...] | None:
    """The command that this process was started with up to `run`, by an absolute interpreter; None: by another way."""
    words = sys.orig_argv
    if _VERB not in words or not sys.executable:
        return None
    return (sys.executable, *words[1 : words.index(_VERB)])


def refused(command: Sequence[str], config: Path | None, beat: Callable[[], None]) -> str:
    """Why the program as it is installed now would not start with this configuration; empty where it would.

    `beat` is called again and again meanwhile.
    """
    words = [*command, "config", "check", *(["--config", str(config)] if config is not None else [])]
    with subprocess.Popen(  # noqa: S603  # our own command line
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as trial:
        until = time.monotonic() + CHECK_SECONDS
        while True:
            beat()
            try:
                _, said = trial.communicate(timeout=1.0)
            except subprocess.TimeoutExpired:
                if time.monotonic() > until:
                    trial.kill()
                    return f"`{' '.join(words)}` has not ended within {CHECK_SECONDS:.0f} s"
            else:
                return "" if trial.returncode == 0 else said.strip()[-MAX_CAUSE:] or f"exit status {trial.returncode}"


def end(pids: Sequence[int]) -> None:
    """End children of this process and wait until they are gone; who does not listen is killed."""
    for number, seconds in ((signal.SIGTERM, ENDS_SECONDS), (signal.SIGKILL, ENDS_SECONDS)):
        left = [pid for pid in pids if not _gone(pid)]
        for pid in left:
            os.kill(pid, number)
        until = time.monotonic() + seconds
        while (left := [pid for pid in left if not _gone(pid)]) and time.monotonic() < until:
            time.sleep(POLL)


def _gone(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def succeed(command: Sequence[str], handover: Handover) -> NoReturn:
    """Become the program as it is installed now. OSError where it cannot be started."""
    arguments = sys.orig_argv[sys.orig_argv.index(_VERB) :]
    handover.give(os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(command[0], [*command, *arguments])  # noqa: S606  # the command this process was started with
    finally:
        handover.withdraw(os.environ)

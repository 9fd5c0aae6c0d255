"""What orchestrators ask: whether the daemon lives (/healthz), and whether it takes mail (/readyz)."""

import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Final

from filterd.config import Listen, ListenKind
from filterd.telemetry import Metrics
from filterd.telemetry.pulse import Phase, Pulse

PROBE_SECONDS: Final = 2.0  # for one negotiation with a front
FRESH: Final = 1.0  # seconds an answer of a front is good for, however often it is asked
SECOND_LOOK: Final = 0.2  # seconds: inspectors that are replaced at the same moment are back by then
# What an MTA says first, and what is answered: length, command, milter version 6, no actions, no steps left out.
_NEGOTIATE: Final = struct.pack("!IcIII", 13, b"O", 6, 0, 0)
_ANSWER: Final = struct.pack("!Ic", 13, b"O")


def probes(pulse: Pulse, metrics: Metrics, milter: Listen) -> Mapping[str, Callable[[], str]]:
    """The paths of the metrics' address, and what is found wrong when they are asked for."""
    front = Negotiation(milter)

    def alive() -> str:
        return "" if pulse.alive else f"the supervisor has been silent for {pulse.silence:.0f} s"

    def ready() -> str:
        if pulse.phase is not Phase.SERVING:
            return f"no new mail is taken: {pulse.phase.name.lower()}"
        if not _inspectors(metrics):
            return "no inspector reads mail"
        return alive() or front.wrong()

    return {"/healthz": alive, "/readyz": ready}


def _inspectors(metrics: Metrics) -> float:
    found = metrics.total("filterd_inspectors")
    if not found:
        time.sleep(SECOND_LOOK)
        found = metrics.total("filterd_inspectors")
    return found


class Negotiation:
    """Whether a front takes a connection and answers as a milter. Asked once a second at most."""

    def __init__(self, listen: Listen, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked yet."""
        self._listen = listen
        self._clock = clock
        self._until = float("-inf")
        self._wrong = ""

    def wrong(self) -> str:
        """What is, in words; empty where nothing is."""
        if self._clock() >= self._until:
            self._wrong = self._ask()
            self._until = self._clock() + FRESH
        return self._wrong

    def _ask(self) -> str:
        where = self._listen.libmilter
        families = {ListenKind.UNIX: socket.AF_UNIX, ListenKind.INET: socket.AF_INET, ListenKind.INET6: socket.AF_INET6}
        unix = self._listen.kind is ListenKind.UNIX
        try:
            with socket.socket(families[self._listen.kind]) as front:
                front.settimeout(PROBE_SECONDS)
                front.connect(self._listen.path if unix else (self._listen.host, self._listen.port))
                front.sendall(_NEGOTIATE)
                said = front.recv(len(_ANSWER), socket.MSG_WAITALL)
        except OSError as error:
            return f"no front answers on {where}: {error.strerror or error}"
        return "" if said == _ANSWER else f"a front on {where} answers as no milter does"

"""What probes find wrong."""

import socket
import threading
from pathlib import Path

import pytest

from filterd.app.probes import FRESH, Negotiation, probes
from filterd.config import Listen, ListenKind
from filterd.telemetry import Metrics
from filterd.telemetry.pulse import STALE, Phase, Pulse

NOWHERE = Listen(ListenKind.UNIX, path="/nonexistent/milter.sock")


class Clock:
    """A time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_a_supervisor_that_does_no_rounds_is_not_alive() -> None:
    """Half a minute without a beat; one beat, and it is again."""
    clock = Clock()
    pulse = Pulse(clock)
    alive = probes(pulse, Metrics.create(1), NOWHERE)["/healthz"]
    clock.now = STALE
    assert alive() == ""
    clock.now += 1
    assert alive() == f"the supervisor has been silent for {STALE + 1:.0f} s"
    pulse.beat()
    assert alive() == ""


@pytest.mark.integration
@pytest.mark.threat("RES-02")
def test_only_who_serves_with_inspectors_is_ready() -> None:
    """Before the first fronts, while it stops, and while nobody could read a message it is said what is missing."""
    pulse, metrics = Pulse(), Metrics.create(1)
    ready = probes(pulse, metrics, NOWHERE)["/readyz"]
    assert ready() == "no new mail is taken: starting"
    pulse.enter(Phase.SERVING)
    assert ready() == "no inspector reads mail"
    metrics.front(0).inspectors(2)
    assert ready().startswith("no front answers on unix:/nonexistent/milter.sock: ")
    pulse.enter(Phase.STOPPING)
    assert ready() == "no new mail is taken: stopping"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("said", "wrong"),
    [(b"\0\0\0\x0dO" + bytes(12), ""), (b"220 mail", "answers as no milter does"), (b"", "answers as no milter does")],
    ids=["milter", "mail server", "nobody"],
)
def test_a_front_is_who_negotiates(tmp_path: Path, said: bytes, wrong: str) -> None:
    """Whatever else answers is not ready; it is asked once a second at most."""
    clock, asked = Clock(), []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "milter"))
        server.listen()

        def answer() -> None:
            for _ in range(2):
                connection, _address = server.accept()
                with connection:
                    asked.append(connection.recv(100))
                    connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        front = Negotiation(Listen(ListenKind.UNIX, path=str(tmp_path / "milter")), clock)
        found = [front.wrong() for _ in range(3)]
        clock.now += FRESH
        found.append(front.wrong())
        thread.join(10)
    assert len(asked) == 2
    assert all(text.endswith(wrong) if wrong else text == "" for text in found)

"""A front's connection to the nursery: inspectors are asked for and buried over it."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.ipc.frames import Frame, FrameError, close_all, recv_frame, recv_frame_with_fds, send_frame
from filterd.ipc.messages import (
    Bury,
    Kind,
    MessageError,
    Ready,
    decode_buried,
    decode_failure,
    decode_ready,
    decode_spawned,
    encode,
)

SPAWN_SECONDS: Final = 10.0  # fork, lock, first words: 10 ms; a nursery that loads its rules answers afterwards


class LinkError(Exception):
    """The nursery did not do what it was asked; the text says what is known."""


@dataclass(slots=True, eq=False)
class Inspector:
    """One inspector as a front sees it; `generation` is that of the connection it came over."""

    handle: int
    pid: int
    sock: socket.socket
    ready: Ready
    generation: int
    retiring: bool = False


class NurseryLink:
    """Connects when needed, again where the connection broke. Thread-safe; each call is bounded in time.

    When a connection ends, for whatever reason, the inspectors that came over it are killed.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Talk to the nursery that listens at `path`."""
        self._path = str(path)
        self._clock = clock
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._generation = 0

    def spawn(self, seconds: float = SPAWN_SECONDS) -> Inspector:
        """A new inspector, locked in and ready. LinkError."""
        deadline = self._clock() + seconds
        frame, generation = self._ask(Kind.SPAWN, b"", Kind.SPAWNED, deadline, fds=1)
        if len(frame.fds) != 1:
            raise LinkError("the nursery sent no socket")
        try:
            sock = socket.socket(fileno=frame.fds[0])
        except OSError as error:
            close_all(frame.fds)
            raise LinkError(f"the nursery sent no socket: {error}") from error
        try:
            spawned = decode_spawned(frame.payload)
            first = recv_frame(sock, deadline=deadline, clock=self._clock)
            ready = _first_words(first)
        except (FrameError, MessageError) as error:
            sock.close()
            raise LinkError(f"an inspector died at its start: {error}") from error
        except LinkError:
            sock.close()
            raise
        return Inspector(spawned.handle, spawned.pid, sock, ready, generation)

    def bury(self, inspector: Inspector, seconds: float) -> int | None:
        """Kill it and say how it ended: exit code, or signal below zero; None where nobody knows.

        It is dead or will be killed in every case: with the connection, where it cannot be asked for over it.
        """
        with suppress(OSError):
            inspector.sock.close()
        try:
            frame, _ = self._ask(
                Kind.BURY,
                encode(Bury(inspector.handle)),
                Kind.BURIED,
                self._clock() + seconds,
                generation=inspector.generation,
            )
            return decode_buried(frame.payload).status
        except (LinkError, MessageError):
            return None

    def interrupt(self) -> None:
        """Have a call that waits for the nursery end now, in another thread: the connection is over."""
        sock = self._sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, and with it every inspector that came over it."""
        with self._lock:
            self._hang_up()

    def _ask(
        self, kind: Kind, payload: bytes, expected: Kind, deadline: float, *, fds: int = 0, generation: int = 0
    ) -> tuple[Frame, int]:
        """One question and its answer; a broken exchange closes the connection, for its order would be lost."""
        if not self._lock.acquire(timeout=max(deadline - self._clock(), 0)):
            raise LinkError("the connection to the nursery is in use")
        try:
            if generation and (self._sock is None or generation != self._generation):
                raise LinkError("it belonged to a connection that is gone")
            sock = self._connected(deadline)
            send_frame(sock, kind, payload, deadline=deadline, clock=self._clock)
            if fds:
                frame = recv_frame_with_fds(sock, fds, deadline=deadline, clock=self._clock)
            else:
                frame = recv_frame(sock, deadline=deadline, clock=self._clock)
            return _expect(frame, expected), self._generation
        except (FrameError, OSError) as error:
            self._hang_up()
            raise LinkError(f"the nursery did not answer: {error}") from error
        finally:
            self._lock.release()

    def _connected(self, deadline: float) -> socket.socket:
        if self._sock is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(max(deadline - self._clock(), 0.001))
                sock.connect(self._path)
            except OSError:
                sock.close()
                raise
            self._sock = sock
            self._generation += 1
        return self._sock

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def _first_words(frame: Frame) -> Ready:
    """What an inspector says unasked. LinkError where it says that it will not serve; MessageError."""
    if frame.kind == Kind.REFUSED:
        raise LinkError(decode_failure(frame.payload).text)
    if frame.kind != Kind.READY:
        raise MessageError(f"first words of kind {frame.kind}")
    return decode_ready(frame.payload)


def _expect(frame: Frame, kind: Kind) -> Frame:
    if frame.kind != kind:
        close_all(frame.fds)
        raise FrameError(f"frame of kind {frame.kind} instead of {kind}")
    return frame

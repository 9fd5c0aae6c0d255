"""The inspector's loop: one message in, one set of facts out, under timers that end even C code.

The timers' default actions are left in place: the process dies at the deadline or at its CPU limit whatever it is
doing, and the front learns of it by the closed socket.
"""

import mmap
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from filterd.inspection.fitting import encode_fitting
from filterd.ipc.frames import MAX_FRAME, FrameClosedError, close_all, recv_frame_with_fds, send_frame
from filterd.ipc.messages import RETIRING, Failure, Kind, NurserySettings, decode_job, encode
from filterd.model.inspection import Inspection, InspectionJob

Inspect: TypeAlias = Callable[[InspectionJob, memoryview], Inspection]

MAP_FROM: Final = 256 * 1024  # bytes; below, one pread costs less than mapping and its page faults
MAX_FAILURE_TEXT: Final = 2_000  # characters of a failure for the log
_LEAST_TIMER: Final = 0.001  # seconds; 0 would switch the timer off


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads messages, ready to work: all rules and models loaded. `problems` are the rule files left out."""

    inspect: Inspect
    rule_set: str = ""
    problems: tuple[str, ...] = ()


def serve(sock: socket.socket, reader: Reader, settings: NurserySettings) -> None:
    """Answer jobs until the front closes its end. FrameError where the front breaks the conversation."""
    done = 0
    while True:
        try:
            frame = recv_frame_with_fds(sock, 1)
        except FrameClosedError:
            return
        done += 1
        try:
            kind, payload = _answer(frame.payload, frame.fds, reader.inspect, settings)
        finally:
            close_all(frame.fds)
        if done >= settings.messages:
            kind |= RETIRING
        send_frame(sock, kind, payload)


def _answer(
    payload: bytes | bytearray | memoryview, fds: tuple[int, ...], inspect: Inspect, settings: NurserySettings
) -> tuple[int, bytes]:
    """The answer's kind and payload. After an exception the process asks to be replaced: who knows what it left."""
    try:
        job = decode_job(payload)
        signal.setitimer(signal.ITIMER_REAL, max(job.seconds, _LEAST_TIMER))
        signal.setitimer(signal.ITIMER_PROF, settings.cpu_seconds)
        facts = encode_fitting(inspect(job, _body(fds, min(job.body_size, settings.analysed))))
    except Exception as error:  # noqa: BLE001  # the border: a bug met by hostile mail becomes "crashed", never silence
        facts, text = b"", f"{type(error).__name__}: {error}"[:MAX_FAILURE_TEXT]
    else:
        text = f"facts of {len(facts)} bytes are over the limit" if len(facts) > MAX_FRAME else ""
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if text:
        return Kind.CRASHED | RETIRING, encode(Failure(text.encode("utf-8", "replace").decode()))
    return Kind.FACTS, facts


def _body(fds: tuple[int, ...], size: int) -> memoryview:
    """The body's first `size` bytes: read where they are few, else mapped. OSError and ValueError."""
    if not fds:
        raise ValueError("a job without a body")
    if size < MAP_FROM:
        return memoryview(os.pread(fds[0], size, 0))
    return memoryview(mmap.mmap(fds[0], size, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE))

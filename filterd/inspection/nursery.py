"""The nursery: loads everything once, then forks inspectors for whoever connects.

Single-threaded and without secrets, so that a forked child inherits neither locks nor anything worth stealing. A front
holds one connection; its inspectors live as long as that connection and are not replaced after it. Of every inspector
that ended the front is told how, once, when it asks.
"""

import gc
import os
import selectors
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Final, NoReturn

from filterd.inspection.child import Reader, serve
from filterd.inspection.sandbox import lock
from filterd.ipc.frames import FrameError, recv_frame, send_frame
from filterd.ipc.messages import (
    Buried,
    Failure,
    Kind,
    MessageError,
    NurserySettings,
    Ready,
    SandboxLevel,
    Spawned,
    decode_bury,
    encode,
)

MAX_FRONTS: Final = 256  # connections; one per front and command
MAX_INSPECTORS: Final = 64  # per front; several times what its cores can keep busy
_ACCEPT_PAUSE: Final = 0.05  # seconds; inspectors go on reading, only new ones wait
_ANSWER_SECONDS: Final = 1.0  # a front that does not take an answer of some bytes within that is as good as dead


@dataclass(slots=True, eq=False)
class _Front:
    """One connection: its living inspectors (handle to pid), the ended ones not yet asked for (handle to status)."""

    sock: socket.socket
    living: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    burying: int = 0


class Nursery:
    """Serves fronts on a listening socket until SIGTERM."""

    def __init__(self, listener: socket.socket, settings: NurserySettings, reader: Reader) -> None:
        """Take the socket over; `reader` is what every inspector will read with."""
        self._listener = listener
        self._settings = settings
        self._reader = reader
        self._selector = selectors.DefaultSelector()
        self._fronts: set[_Front] = set()
        self._owners: dict[int, tuple[_Front, int]] = {}
        self._handles = 0
        self._stopping = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    def run(self) -> None:
        """Serve; returns after SIGTERM with every inspector gone."""
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        signal.set_wakeup_fd(self._wake_out.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        gc.collect()
        gc.freeze()  # what is loaded stays in pages that parent and children share
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_in:
                    self._woken()
                elif key.data in self._fronts:
                    self._attend(key.data)
        for front in tuple(self._fronts):
            self._forget(front)
        signal.set_wakeup_fd(-1)  # a signal that still comes would find its socket closed, and say so on stderr

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # gone again
        except OSError:  # no descriptors or no memory left: the front waits in the queue, and we must not spin
            time.sleep(_ACCEPT_PAUSE)
            return
        if len(self._fronts) >= MAX_FRONTS:
            sock.close()
            return
        front = _Front(sock)
        self._fronts.add(front)
        self._selector.register(sock, selectors.EVENT_READ, front)

    def _woken(self) -> None:
        try:
            while self._wake_in.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._reap()

    def _reap(self) -> None:
        while self._owners:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            front, handle = self._owners.pop(pid)
            front.living.pop(handle, None)
            if front.sock.fileno() < 0:
                continue
            front.ended[handle] = os.waitstatus_to_exitcode(status)
            if front.burying == handle:
                self._report(front, handle)

    def _report(self, front: _Front, handle: int) -> None:
        front.burying = 0
        self._send(front, Kind.BURIED, encode(Buried(front.ended.pop(handle, 0))))

    def _send(self, front: _Front, kind: Kind, payload: bytes, fds: tuple[int, ...] = ()) -> None:
        try:
            send_frame(front.sock, kind, payload, fds=fds, deadline=_soon())
        except FrameError:
            self._forget(front)

    def _attend(self, front: _Front) -> None:
        try:
            frame = recv_frame(front.sock, deadline=_soon())
            if frame.kind == Kind.SPAWN:
                self._spawn(front)
            elif frame.kind == Kind.BURY:
                self._bury(front, decode_bury(frame.payload).handle)
            else:
                self._forget(front)
        except (FrameError, MessageError):
            self._forget(front)

    def _bury(self, front: _Front, handle: int) -> None:
        pid = front.living.get(handle)
        front.burying = handle
        if pid is None:
            self._report(front, handle)
        else:
            os.kill(pid, signal.SIGKILL)  # it is not reaped yet, so the pid is still its own

    def _forget(self, front: _Front) -> None:
        """The connection is over: its inspectors go with it."""
        if front not in self._fronts:
            return
        self._fronts.discard(front)
        self._selector.unregister(front.sock)
        front.sock.close()
        for pid in front.living.values():
            os.kill(pid, signal.SIGKILL)

    def _spawn(self, front: _Front) -> None:
        if len(front.living) >= MAX_INSPECTORS or _hung_up(front.sock):
            self._forget(front)
            return
        ours, theirs = socket.socketpair()
        with ours, theirs:
            parent = os.getpid()
            # Blocked until the child has its own handlers: a signal between must not run the nursery's in it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
            try:
                pid = os.fork()
            except OSError:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
                self._forget(front)  # no memory or no process left: the front waits a little and comes back
                return
            if not pid:
                self._become_inspector(theirs, parent)
            self._handles += 1
            front.living[self._handles] = pid
            self._owners[pid] = (front, self._handles)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
            self._send(front, Kind.SPAWNED, encode(Spawned(self._handles, pid)), (ours.fileno(),))

    def _become_inspector(self, sock: socket.socket, parent: int) -> NoReturn:
        """In the child: keep the one socket, lock in, serve; never returns into the nursery's code."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGPROF):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
            for fd in (0, 1, 2):
                os.dup2(self._null, fd)
            os.closerange(3, sock.fileno())
            os.closerange(sock.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
            level, weakness = _walls(self._settings, parent)
            if weakness:
                send_frame(sock, Kind.REFUSED, encode(Failure(weakness)))
            else:
                send_frame(sock, Kind.READY, encode(Ready(level, self._reader.rule_set, self._reader.problems)))
                serve(sock, self._reader, self._settings)
                status = 0
        finally:
            os._exit(status)  # no handlers, no finalisers: the descriptors behind the parent's objects are closed


def _walls(settings: NurserySettings, parent: int) -> tuple[SandboxLevel, str]:
    """Lock this process in; the second value says why that is not enough to serve, empty where it is."""
    try:
        level = lock(settings, parent)
    except OSError as error:
        return SandboxLevel(), f"the sandbox failed: {error}"
    missing = level.missing(settings.demand)
    return level, f"the sandbox lacks what is demanded: {', '.join(missing)}" if missing else ""


def _soon() -> float:
    return time.monotonic() + _ANSWER_SECONDS


def _hung_up(sock: socket.socket) -> bool:
    """True where the front is gone already: a request it left behind is not worth a process."""
    try:
        sock.setblocking(False)
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True

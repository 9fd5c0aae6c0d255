"""The socket: connections bounded in number, each one question and one answer, bounded in size and time."""

import os
import socket
import struct
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from filterd.control.roles import ROOT, Grant, Peer
from filterd.control.wire import MAX_ANSWER, MAX_REQUEST, Refusal, Request, WireError, decode_request, encode
from filterd.ipc.listening import clear_path
from filterd.telemetry.events import Event

MAX_CONNECTIONS: Final = 16  # at the same time, of all who have a role; each is a thread
RESERVED: Final = 4  # more, for root and the daemon's own user: nobody shuts them out
MAX_PER_USER: Final = 4  # of one user: nobody shuts the others out
REQUEST_SECONDS: Final = 5.0  # for the whole question: one that drips is cut off
ANSWER_SECONDS: Final = 5.0  # for the whole answer to be taken
BACKLOG: Final = 128  # connections that wait to be accepted; a client of ours does not wait when it is full
CLOSE_SECONDS: Final = 1.0
PAUSE: Final = 1.0  # seconds without descriptors: try again, but not at full speed
_SO_PEERGROUPS: Final = 59  # asm-generic/socket.h; Python has no name for it
_MOST: Final = 1_024  # bytes Python takes of such an answer: 256 groups
_CREDENTIALS: Final = struct.Struct("3i")
_log = structlog.get_logger()

Answer = Callable[[Peer, Grant, Request], dict[str, Any]]


class ControlServer:
    """Serves from threads of its own. `grant` says what somebody may, `answer` does what is asked or refuses it."""

    def __init__(self, path: Path, mode: int, grant: Callable[[Peer], Grant], answer: Answer) -> None:
        """Bind at once (OSError, ListenError) and serve."""
        self._path = path
        self._grant = grant
        self._answer = answer
        self._closing = False
        self._open: Counter[int] = Counter()
        self._lock = threading.Lock()
        clear_path(path)
        self._socket = socket.socket(socket.AF_UNIX)
        old = os.umask(0o777 & ~mode)
        try:
            self._socket.bind(str(path))
            self._socket.listen(BACKLOG)
        except OSError:
            self._socket.close()
            raise
        finally:
            os.umask(old)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more questions; the socket's file goes with it."""
        self._closing = True
        with suppress(OSError):  # wakes the thread from accept
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)
        self._thread.join(CLOSE_SECONDS)

    def _serve(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._socket.accept()
            except OSError as problem:
                if self._closing:
                    return
                _log.warning(Event.CONTROL_FAILED, cause=str(problem))
                time.sleep(PAUSE)
                continue
            try:
                self._begin(connection)
            except Exception:  # noqa: BLE001  # the border of this thread: one connection must not end it
                connection.close()
                _log.error(Event.CONTROL_FAILED, exc_info=True)

    def _begin(self, connection: socket.socket) -> None:
        """Who it is, and whether there is a place for him; then a thread."""
        peer = peer_of(connection)
        grant = self._grant(peer)
        refusal = self._refused(peer, grant)
        if refusal:
            connection.setblocking(False)  # a fresh connection's buffer takes it, or he does without
            with suppress(OSError):
                connection.send(encode({"ok": False, "error": refusal}))
            connection.close()
            return
        speaking = threading.Thread(target=self._speak, args=(connection, peer, grant), name="control-ask", daemon=True)
        try:
            speaking.start()
        except RuntimeError:  # no thread to be had
            self._leave(peer)
            raise

    def _refused(self, peer: Peer, grant: Grant) -> str:
        """Why there is no place, empty where there was one: it is taken."""
        if not grant.rights:
            return f"{peer.name} has no role here: see [control.roles] in filterd.toml"
        privileged = peer.uid in {ROOT, os.geteuid()}
        with self._lock:
            if self._open.total() >= MAX_CONNECTIONS + (RESERVED if privileged else 0):
                return "too many are asking at the moment: try again"
            if self._open[peer.uid] >= MAX_PER_USER and not privileged:
                return f"{peer.name} is asking {MAX_PER_USER} times at the moment: try again"
            self._open[peer.uid] += 1
        return ""

    def _speak(self, connection: socket.socket, peer: Peer, grant: Grant) -> None:
        try:
            with connection:
                found = self._answered(_line(connection), peer, grant)
                connection.settimeout(ANSWER_SECONDS)
                connection.sendall(found)
        except OSError:
            pass  # he went away
        except Exception:  # noqa: BLE001  # the top of this thread
            _log.error(Event.CONTROL_FAILED, exc_info=True)
        finally:
            self._leave(peer)

    def _leave(self, peer: Peer) -> None:
        """Give a place back."""
        with self._lock:
            self._open[peer.uid] -= 1

    def _answered(self, line: bytes, peer: Peer, grant: Grant) -> bytes:
        try:
            request = decode_request(line)
            _check(request, peer, grant)
            found = encode({"ok": True, **self._answer(peer, grant, request)})
        except (WireError, Refusal) as why:
            return encode({"ok": False, "error": str(why)})
        except Exception:  # noqa: BLE001  # our bug: who asked is told that there is one, the log what it is
            _log.error(Event.CONTROL_FAILED, exc_info=True)
            return encode({"ok": False, "error": "it failed: the daemon's log says how"})
        return found if len(found) <= MAX_ANSWER else encode({"ok": False, "error": "too much to tell: ask for less"})


def _check(request: Request, peer: Peer, grant: Grant) -> None:
    """Refusal where this is not for him to ask."""
    if request.command.right is not None and request.command.right not in grant.rights:
        raise Refusal(f"{peer.name} may not {request.command}: see [control.roles] in filterd.toml")


def peer_of(connection: socket.socket) -> Peer:
    """Who connected, as the kernel noted it then; who has more groups than fit is known by his first alone. OSError."""
    pid, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    groups = array("I")
    with suppress(OSError):
        groups.frombytes(connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST))
    return Peer(pid, uid, frozenset([gid, *groups]))


def _line(connection: socket.socket) -> bytes:
    """The question, without its line end, or what came of it within the bounds."""
    deadline = time.monotonic() + REQUEST_SECONDS
    found = b""
    while b"\n" not in found and len(found) <= MAX_REQUEST:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection.settimeout(left)
        try:
            received = connection.recv(MAX_REQUEST + 1 - len(found))
        except TimeoutError:
            break
        if not received:
            break
        found += received
    line, end, _ = found.partition(b"\n")
    return line if end or len(found) > MAX_REQUEST else b""

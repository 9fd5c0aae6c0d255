"""A socket to a scanner: nothing on it takes longer than a deadline, and what is shown of its answers is harmless."""

import re
import select
import socket
import time
from typing import Final

from filterd.config.listen import Listen, ListenKind

MAX_NAME: Final = 120  # characters of a signature's name that are kept
# Scanners take for mail what begins as mail: this field says so, whatever a sender puts first.
OPENING: Final = b"Received: by filterd\r\n"
_PRINTABLE: Final = re.compile(r"[^\x21-\x7e]+")


class ScannerError(Exception):
    """The scanner could not be asked or did not answer; the text says why."""


class ScannerRefusedError(ScannerError):
    """The scanner works, and says that it could not scan this message."""


def connected(address: Listen, deadline: float) -> socket.socket:
    """A socket that does not block. OSError; ScannerError at the deadline (of time.monotonic)."""
    family = socket.AF_UNIX if address.kind is ListenKind.UNIX else socket.AF_INET
    family = socket.AF_INET6 if ":" in address.host else family
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if family != socket.AF_UNIX:  # a small piece must not wait until the one before is acknowledged
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(max(0.001, left(deadline)))
        sock.connect(address.path if address.kind is ListenKind.UNIX else (address.host, address.port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def wait(sock: socket.socket, events: int, deadline: float) -> int:
    """What the socket is ready for, as poll names it; 0 at the deadline. ScannerError where that is over already."""
    poll = select.poll()
    poll.register(sock, events)
    ready = poll.poll(left(deadline) * 1000)
    return ready[0][1] if ready else 0


def left(deadline: float) -> float:
    """Seconds left. ScannerError where none are."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise ScannerError("no answer in time")
    return seconds


def shown(text: bytes) -> str:
    """At most MAX_NAME characters of printable ASCII."""
    return _PRINTABLE.sub(" ", text[: 2 * MAX_NAME].decode("ascii", "replace")).strip()[:MAX_NAME]

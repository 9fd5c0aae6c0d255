"""Asking the running daemon."""

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from filterd.control.wire import MAX_ANSWER, Request, WireError, decode_answer, encode

SECONDS: Final = 15.0  # until an answer that needs no waiting is given up
_PIECE: Final = 65_536


class ControlError(Exception):
    """The daemon has not done what it was asked; the text says why."""


class NotRunningError(ControlError):
    """Nobody answers on the socket."""


def ask(path: Path, request: Request, seconds: float = SECONDS) -> dict[str, Any]:
    """The daemon's answer. ControlError, with NotRunningError where there is no daemon."""
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(seconds)
            channel.connect(str(path))
            with suppress(BrokenPipeError):  # it has refused us already, and says why
                channel.sendall(encode(request))
            answer = decode_answer(_read(channel, seconds))
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunningError(f"no daemon answers on {path}") from None
    except PermissionError:
        raise ControlError(
            f"{path}: this user ({os.geteuid()}) may not connect: run it as root or as the daemon's user, or give him"
            " a role in [control.roles] and restart filterd"
        ) from None
    except BlockingIOError:
        raise ControlError(f"{path}: too many are asking at the moment: try again") from None
    except TimeoutError:
        raise ControlError(f"{path}: no answer within {seconds:.0f} s") from None
    except (OSError, WireError) as problem:
        raise ControlError(f"{path}: {problem}") from None
    if not answer.pop("ok", False):
        raise ControlError(str(answer.get("error", "it was refused without a word")))
    return answer


def _read(channel: socket.socket, seconds: float) -> bytes:
    """One line. OSError, WireError."""
    deadline = time.monotonic() + seconds
    found = bytearray()
    while not found.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        channel.settimeout(left)
        try:
            received = channel.recv(_PIECE)
        except ConnectionResetError:
            received = b""
        if not received:
            break
        found += received
        if len(found) > MAX_ANSWER:
            raise WireError(f"expected an answer of at most {MAX_ANSWER} bytes")
    return bytes(found)

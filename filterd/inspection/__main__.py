"""Run a nursery: `python -m filterd.inspection LISTENING_FD SETTINGS_JSON`. Started by filterd itself, not by hand."""

import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable

from filterd.inspection.child import Reader
from filterd.inspection.nursery import Nursery
from filterd.inspection.preload import preload
from filterd.inspection.sandbox import die_with_parent
from filterd.ipc.messages import MessageError, NurserySettings, settings_from

_ARGUMENTS = 3


def main(arguments: list[str]) -> int:
    """Load, then serve until SIGTERM; 1 with a line on standard error where the rules or the reader do not load."""
    if len(arguments) != _ARGUMENTS:
        sys.stderr.write("usage: python -m filterd.inspection LISTENING_FD SETTINGS_JSON\n")
        return 2
    die_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to all; who started us decides
    listener = socket.socket(fileno=int(arguments[1]))
    try:
        settings = settings_from(arguments[2])
        preload()
        reader = _factory(settings)(settings)
    except (MessageError, ImportError, AttributeError, OSError, ValueError) as error:
        sys.stderr.write(f"nursery: {type(error).__name__}: {error}\n")
        return 1
    Nursery(listener, settings, reader).run()
    return 0


def _factory(settings: NurserySettings) -> Callable[[NurserySettings], Reader]:
    module, _, name = settings.reader.partition(":")
    factory: Callable[[NurserySettings], Reader] = getattr(importlib.import_module(module), name)
    return factory


if __name__ == "__main__":
    sys.exit(main(sys.argv))

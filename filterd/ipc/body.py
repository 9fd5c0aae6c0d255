"""A message's body as an inspector may have it: readable, not writable."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def read_only(fd: int) -> Iterator[int]:
    """A second, read-only opening of the same file, closed at the end.

    An inspector that hostile mail has taken over could otherwise change the body that is delivered or kept. Where /proc
    is missing the descriptor itself is given, and where that is a memfd its maker may seal it.
    """
    try:
        reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield fd
        return
    try:
        yield reader
    finally:
        os.close(reader)

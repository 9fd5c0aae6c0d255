"""A message body while it arrives: in anonymous memory behind a descriptor, never joined in Python."""

import os


class Body:
    """Chunks go in, a descriptor comes out. Whoever makes one closes it."""

    __slots__ = ("fd", "size")

    def __init__(self) -> None:
        """Open an empty one."""
        self.fd = os.memfd_create("filterd-body", os.MFD_CLOEXEC)
        self.size = 0

    def append(self, chunk: bytes) -> None:
        """Add a chunk; OSError (no memory) leaves through the callback's border and defers the message."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(self.fd, view) :]
        self.size += len(chunk)

    def close(self) -> None:
        """Give the memory back; a second call does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

"""The policy service's listening socket: opened once by the supervisor, accepted on by every front forked after."""

import os
import socket
from pathlib import Path
from typing import Final

from filterd.config.listen import Listen, ListenKind
from filterd.ipc.listening import ListenError, clear_path

_BACKLOG: Final = 1024  # connections waiting to be accepted; every smtpd process has one of its own


class PolicyListener:
    """The socket, non-blocking: fronts race for a connection, and who loses must not wait in accept()."""

    def __init__(self, listen: Listen, mode: int, group: int = -1, inherited: int | None = None) -> None:
        """Bind and listen; `mode` and `group` are the path's. ListenError says which and why not.

        `inherited` is the descriptor of the program that ran in this process before, which is listened on already.
        """
        self._path = Path(listen.path) if listen.kind is ListenKind.UNIX else None
        if inherited is not None:
            self.socket = socket.socket(fileno=inherited)
            self.socket.setblocking(False)
            return
        families = {ListenKind.UNIX: socket.AF_UNIX, ListenKind.INET: socket.AF_INET, ListenKind.INET6: socket.AF_INET6}
        self.socket = socket.socket(families[listen.kind])
        try:
            if self._path is not None:
                clear_path(self._path)
                self._bind_path(self._path, mode, group)
            else:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.bind((listen.host, listen.port))
            self.socket.listen(_BACKLOG)
        except OSError as error:
            self.socket.close()
            raise ListenError(f"[policy] cannot listen on {listen.libmilter}: {error.strerror or error}") from None
        except ListenError as error:
            self.socket.close()
            raise ListenError(f"[policy] {error}") from None
        self.socket.setblocking(False)

    def _bind_path(self, path: Path, mode: int, group: int) -> None:
        old = os.umask(0o777 & ~mode)
        try:
            self.socket.bind(str(path))
        finally:
            os.umask(old)
        if group >= 0:
            os.chown(path, -1, group)

    def close(self) -> None:
        """In the process that opened it: once its fronts have stopped listening too, MTAs are refused at once."""
        self.socket.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

"""The policy service of one front: accepts on the daemon's common socket, in the loop that also does the lookups."""

import socket
from asyncio import AbstractEventLoop, Task, TimerHandle
from typing import Final

from filterd.policy.connection import Connection
from filterd.policy.service import PolicyService

MAX_CONNECTIONS: Final = 1_000  # of one front, ten times Postfix' default process limit; more wait in the backlog
LOOK_EVERY: Final = 1.0  # seconds
PAUSE: Final = 1.0  # seconds without accepting where the process has no descriptor left
# Seconds that a front looks away after it has accepted, for each connection it has: the others then get the next ones.
# Postfix keeps a connection for minutes, so that who was quickest at one moment would do all the work for as long.
YIELD: Final = 0.0002
MAX_YIELD: Final = 0.005  # seconds; a hundred connections that come at once are all accepted within half a second


class PolicyServer:
    """Made after the fork. `start`, `retire` and `close` may be called from any thread."""

    def __init__(self, listening: socket.socket, service: PolicyService, loop: AbstractEventLoop) -> None:
        """Nothing is accepted yet."""
        self._listening = listening
        self._service = service
        self._loop = loop
        self._connections: set[Connection] = set()
        self._opening: set[Task[None]] = set()
        self._accepting = False
        self._retired = False
        self._timer: TimerHandle | None = None

    @property
    def busy(self) -> int:
        """How many connections are there: once retired, each has a request at work."""
        return len(self._connections)

    def start(self) -> None:
        """Accept from now on."""
        self._loop.call_soon_threadsafe(self._begin)

    def retire(self) -> None:
        """Accept no more, and close each connection when its request is answered."""
        self._loop.call_soon_threadsafe(self._retire)

    def close(self) -> None:
        """Accept nothing and hang up."""
        self._loop.call_soon_threadsafe(self._close)
        self._service.close()

    # In the loop's thread.

    def _begin(self) -> None:
        self._accept_more()
        self._look()

    def _accept_more(self) -> None:
        if not self._accepting and not self._retired and self.busy < MAX_CONNECTIONS:
            self._accepting = True
            self._loop.add_reader(self._listening, self._accept)

    def _accept_none(self) -> None:
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._listening)

    def _accept(self) -> None:
        """Take one: another front that was woken too gets the next."""
        try:
            accepted, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another front was faster, or the peer has gone again
            return
        except OSError:  # no descriptor left: look again in a while, and not a thousand times meanwhile
            self._accept_none()
            self._loop.call_later(PAUSE, self._accept_more)
            return
        accepted.setblocking(False)
        connection = Connection(self._service, self._loop, self._gone)
        self._connections.add(connection)  # at once, so that it counts, and counts once
        task = self._loop.create_task(self._open(connection, accepted))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        self._accept_none()
        self._loop.call_later(min(YIELD * self.busy, MAX_YIELD), self._accept_more)

    async def _open(self, connection: Connection, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError:
            accepted.close()
            self._gone(connection)
            return
        if self._retired:
            connection.retire()

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._accept_more()

    def _look(self) -> None:
        for connection in tuple(self._connections):
            connection.look()
        self._timer = self._loop.call_later(LOOK_EVERY, self._look)

    def _retire(self) -> None:
        self._retired = True
        self._accept_none()
        for connection in tuple(self._connections):
            connection.retire()

    def _close(self) -> None:
        self._retired = True
        self._accept_none()
        if self._timer is not None:
            self._timer.cancel()
        for connection in tuple(self._connections):
            connection.close()

"""Reads from Redis for an event loop: answered by callback, many at a time on one connection, never waited for.

redis-py opens the connection (addresses, TLS, authentication) and is then done with it: its asyncio layer costs three
times the exchange, and allows one command at a time. What goes over it from there on is MGET and its replies, in order.

A server that does not answer within the time limit loses the connection, and a task in the background tries once a
second whether a new one answers a PING. Until then `get_many` says no at once.
"""

import asyncio
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import hiredis
from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from filterd.store.address import Address
from filterd.store.connecting import open_loops_pool
from filterd.store.guarded import GuardedStore
from filterd.store.redis import PREFIX, TIMEOUT, RedisStore
from filterd.store.writes import BatchStore

GRACE: Final = 0.001  # seconds; a busy loop runs its timers before it reads, so it must come round once more
PROBE_EVERY: Final = 1.0  # seconds between two tries to get a connection
MAX_OUTSTANDING: Final = 64  # calls on the way; Redis takes thousands in the time limit, so more means that it hangs
MAX_REPLY: Final = 4 << 20  # bytes of one reply; ours stay below 300 KB, and a front has 60 MB for everything

Values: TypeAlias = "list[bytes | None] | None"
Received: TypeAlias = Callable[[Values], None]

_INCOMPLETE: Final = object()


class RedisReads:
    """Made, used and closed in the loop's thread; `start` connects. Nothing here raises or waits."""

    def __init__(self, url: str, loop: AbstractEventLoop, *, timeout: float = TIMEOUT) -> None:
        """`url` as RedisStore takes it. ValueError where it cannot be one."""
        self._address = Address.of(url)
        self._options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "driver_info": None,
            **self._address.options,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": False,
        }
        self._timeout = timeout
        self._loop = loop
        self._line: _Line | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked: Sequence[Redis] = ()  # Sentinels
        self.failures = 0  # connections that were not got or that were given up
        self.last_error = ""

    @property
    def ready(self) -> bool:
        """Whether a call has a chance of being answered in time."""
        return self._line is not None and self._line.usable

    def start(self) -> None:
        """Begin to connect."""
        if self._task is None:
            self._task = self._loop.create_task(self._keep())

    def close(self) -> None:
        """End: what is outstanding is answered None."""
        if self._task is not None:
            self._task.cancel()
        if self._line is not None:
            self._line.give_up()

    def get_many(self, keys: Sequence[str], done: Received) -> bool:
        """Ask for the values and call `done` with them later, in the order of the keys; None: nobody knows.

        False where there is nobody to ask: `done` is not called then.
        """
        line = self._line
        if line is None or not line.usable:
            return False
        line.send(("MGET", *[PREFIX + key.encode("utf-8", "surrogatepass") for key in keys]), len(keys), done)
        return True

    async def _keep(self) -> None:
        """Have a connection as far as there is one to be had."""
        pool: ConnectionPool | None = None
        while True:
            used = False
            try:
                if pool is None:
                    pool, self._asked = open_loops_pool(self._address, self._options)
                used = await self._use(pool.make_connection())  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            except Exception as error:  # noqa: BLE001  # border: whatever this try ended with, the next one may work
                self.last_error = f"{type(error).__name__}: {error}"
            self.failures += 1
            if not used:  # a server that answered and went, restarted perhaps, is worth a try at once
                await asyncio.sleep(PROBE_EVERY)

    async def _use(self, connection: AbstractConnection) -> bool:
        """Connect and serve until the connection is lost; whether anything was answered."""
        try:
            line = self._line = await self._open(connection)
            await line.lost.wait()
        finally:
            self._line = None
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)
        return line.answered

    async def _open(self, connection: AbstractConnection) -> "_Line":
        """Connect, see that it answers, and take the connection over."""
        try:
            async with asyncio.timeout(2 * self._timeout):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
                await connection.send_command("PING", check_health=False)
                await connection.read_response()
        finally:
            for sentinel in self._asked:  # until the connection is lost there is nothing to ask
                with suppress(RedisError, OSError):
                    await sentinel.connection_pool.disconnect()
        writer = connection._writer  # noqa: SLF001  # there is no public way below its one command at a time
        if writer is None:
            raise EOFError("closed at once")
        line = _Line(self._loop, writer.transport, self._timeout)
        writer.transport.set_protocol(line)
        return line


class _Line(asyncio.Protocol):
    """One connection: commands out, replies in, matched by their order."""

    def __init__(self, loop: AbstractEventLoop, transport: asyncio.WriteTransport, timeout: float) -> None:
        self.lost = asyncio.Event()
        self.answered = False
        self._loop = loop
        self._transport = transport
        self._timeout = timeout
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self._outstanding: deque[tuple[float, int, Received]] = deque()
        self._overdue: tuple[float, int, Received] | None = None
        self._bytes = 0  # of the reply that is coming in
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        return len(self._outstanding) < MAX_OUTSTANDING and not self.lost.is_set()

    def send(self, command: tuple[Any, ...], count: int, done: Received) -> None:
        self._outstanding.append((self._loop.time() + self._timeout, count, done))
        self._transport.write(hiredis.pack_command(command))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._tick)

    def _tick(self) -> None:
        """Give up where the oldest call has waited too long; sleep until it would have."""
        self._timer = None
        if not self._outstanding:
            return
        due = self._outstanding[0][0]
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._tick)
        elif self._overdue is self._outstanding[0]:
            self.give_up()
        else:
            self._overdue = self._outstanding[0]
            self._timer = self._loop.call_later(GRACE, self._tick)

    def data_received(self, data: bytes) -> None:
        self._bytes += len(data)
        self._reader.feed(data)
        while (reply := self._next()) is not _INCOMPLETE:
            self._bytes = 0
            if not self._outstanding:  # a reply that nobody asked for
                self.give_up()
                return
            _, count, done = self._outstanding.popleft()
            self.answered = True
            done(_values(reply, count))
        if self._bytes > MAX_REPLY:
            self.give_up()

    def _next(self) -> object:
        try:
            return self._reader.gets()
        except hiredis.HiredisError:  # whoever talks there is no Redis
            self.give_up()
            return _INCOMPLETE

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why does not matter
        self.give_up()

    def give_up(self) -> None:
        """Nothing more comes: tell all who wait. Once more does nothing."""
        if self.lost.is_set():
            return
        self.lost.set()
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._outstanding = self._outstanding, deque()
        for _, _, done in waiting:
            done(None)


def _values(reply: object, count: int) -> Values:
    """What MGET must have given, or None: an error (LOADING, NOAUTH), or no Redis."""
    if not isinstance(reply, list) or len(reply) != count:
        return None
    return [value if isinstance(value, bytes) else None for value in reply]


def open_reads(store: BatchStore, loop: AbstractEventLoop) -> RedisReads | None:
    """The reads that go to the same Redis as this store; None where it is none."""
    backend = store.backend if isinstance(store, GuardedStore) else store
    if not isinstance(backend, RedisStore):
        return None
    return RedisReads(backend.url, loop)

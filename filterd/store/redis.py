"""A store in Redis: what several hosts share.

redis-py owns addresses, TLS, authentication and Sentinel; commands are packed and read on its connections directly,
because its command layer costs as much again as the exchange. Every call is one round trip. A dead server costs one
socket timeout; retries are the caller's business and there are none.
"""

import os
import threading
from collections.abc import Sequence
from typing import Any, Final

from redis import RedisError
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import ResponseError
from redis.retry import Retry

from filterd.model.store import StoreError
from filterd.store.address import Address
from filterd.store.connecting import open_pool
from filterd.store.encoding import decoded, encoded
from filterd.store.errors import StoreRefusedError
from filterd.store.writes import Add, Put, Remember, Write

PREFIX: Final = b"filterd:"
TIMEOUT: Final = 0.15  # seconds for connecting and for each answer
MAX_CONNECTIONS: Final = 64  # per process; where more calls than that hang at once, the next fails at once

Command = tuple[bytes | int, ...]

# EVAL with the text, not EVALSHA: no second round trip after a server has forgotten its scripts.
_ADD: Final = b"local v=redis.call('INCRBY',KEYS[1],ARGV[1]) redis.call('EXPIRE',KEYS[1],ARGV[2]) return v"
# The first LPUSH is there to be refused: a full server lets a script that has begun with LREM go on growing.
_REMEMBER: Final = (
    b"redis.call('LPUSH',KEYS[1],ARGV[1]) redis.call('LREM',KEYS[1],0,ARGV[1]) redis.call('LPUSH',KEYS[1],ARGV[1])"
    b" redis.call('LTRIM',KEYS[1],0,ARGV[3]-1) redis.call('EXPIRE',KEYS[1],ARGV[2])"
)


def _name(key: str) -> bytes:
    return PREFIX + encoded(key)


class RedisStore:
    """See Store. Connects at the first call, in the process that makes it."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        """`url` as Address takes it (options in the query win over ours).

        ValueError where it cannot be one; nothing is opened yet.
        """
        self.url = url
        self._address = Address.of(url)
        self._options = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "max_connections": MAX_CONNECTIONS,
            "driver_info": None,  # saves two round trips per connection
            **self._address.options,
            "protocol": 2,  # no HELLO: a fresh connection without a password answers its first command at once
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": False,
        }
        self._opening = threading.Lock()
        self._pid = 0
        self._pool: ConnectionPool | None = None

    def _connections(self) -> ConnectionPool:
        """This process's pool."""
        if self._pool is None or self._pid != os.getpid():
            with self._opening:
                if self._pool is None or self._pid != os.getpid():
                    self._pool = open_pool(self._address, self._options)
                    self._pid = os.getpid()
        return self._pool

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send all, read all. A refusal stands in the list as ResponseError; anything else raises StoreError."""
        try:
            pool = self._connections()
            connection = pool.get_connection()
            try:
                connection.send_packed_command(connection.pack_commands(commands))  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
                return [_answer(connection) for _ in commands]
            except BaseException:
                connection.disconnect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
                raise
            finally:
                pool.release(connection)
        except (RedisError, OSError) as error:
            raise StoreError(f"Redis: {type(error).__name__}: {error}") from error

    def _one(self, *command: bytes | int) -> Any:
        answer = self._exchange((command,))[0]
        if isinstance(answer, ResponseError):
            raise StoreRefusedError(f"Redis: {answer}") from answer
        return answer

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """As Store."""
        return list(self._one(b"MGET", *[_name(key) for key in keys])) if keys else []

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """As Store."""
        self._one(*_command(Put(key, value, ttl)))

    def delete(self, key: str) -> None:
        """As Store."""
        self._one(b"DEL", _name(key))

    def add(self, key: str, amount: int, ttl: int) -> int:
        """As Store."""
        return int(self._one(*_command(Add(key, amount, ttl))))

    def remember(self, key: str, member: str, ttl: int, most: int) -> None:
        """As Store."""
        self._one(*_command(Remember(key, member, ttl, most)))

    def members(self, key: str) -> tuple[str, ...]:
        """As Store."""
        return tuple([decoded(member) for member in self._one(b"LRANGE", _name(key), 0, -1)])

    def fetch(self, keys: Sequence[str], sets: Sequence[str]) -> tuple[list[bytes | None], list[tuple[str, ...]]]:
        """As Store; one pipeline for all."""
        commands: list[Command] = [(b"MGET", *[_name(key) for key in keys])] if keys else []
        commands += [(b"LRANGE", _name(key), 0, -1) for key in sets]
        answers = self._exchange(commands) if commands else []
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise StoreRefusedError(f"Redis: {answer}") from answer
        values = list(answers.pop(0)) if keys else []
        return values, [tuple([decoded(member) for member in members]) for members in answers]

    def apply(self, writes: Sequence[Write]) -> int:
        """As BatchStore; one pipeline for all."""
        answers = self._exchange([_command(write) for write in writes])
        return sum(isinstance(answer, ResponseError) for answer in answers)

    def close(self) -> None:
        """As BatchStore."""
        if self._pool is not None and self._pid == os.getpid():
            self._pool.disconnect()


def _answer(connection: Any) -> Any:
    """The next reply; a refusal is a value, so that the ones behind it are read too."""
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _command(write: Write) -> Command:
    match write:
        case Put(key, value, ttl):
            return (b"SET", _name(key), value, b"EX", max(ttl, 1))
        case Add(key, amount, ttl):
            return (b"EVAL", _ADD, 1, _name(key), amount, max(ttl, 1))
        case Remember(key, member, ttl, most):
            return (b"EVAL", _REMEMBER, 1, _name(key), encoded(member), max(ttl, 1), most)

"""redis-py's connections of our making: the same for callers that wait and for the loop.

TLS is one context for each pool, made from our files alone: redis-py makes one for each connection, and would trust
whom this machine trusts besides the authority that is named.
"""

import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis import Redis, asyncio
from redis.asyncio import connection as loops
from redis.asyncio import sentinel as loops_sentinel
from redis.asyncio.retry import Retry as LoopsRetry
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection

from filterd.store.address import Address

# What a connection to a Sentinel has in common with one to the server.
_KEPT: Final = ("socket_timeout", "socket_connect_timeout", "protocol", "driver_info")


class _Tls(SSLConnection):
    def __init__(self, *, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self._tls = tls

    def _wrap_socket_with_ssl(self, sock: Any) -> ssl.SSLSocket:
        return self._tls.wrap_socket(sock, server_hostname=self.host)


class _WatchedTls(SentinelManagedConnection, _Tls):
    """To the server that Sentinel names."""


class _LoopsTls(loops.SSLConnection):
    def __init__(self, *, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self._tls = tls

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {"host": self.host, "port": self.port, "ssl": self._tls}


class _LoopsWatchedTls(loops_sentinel.SentinelManagedConnection, _LoopsTls):
    """To the server that Sentinel names."""


def open_pool(address: Address, options: Mapping[str, Any]) -> ConnectionPool:
    """Connections for threads. Nothing is connected; OSError where a file of certificates cannot be used."""
    tls: dict[str, Any] = {} if address.tls is None else {"tls": address.tls.context()}
    if not address.sentinels:
        kind = UnixDomainSocketConnection if "path" in options else _Tls if tls else Connection
        return ConnectionPool(**options, **tls, connection_class=kind)
    sentinel = Sentinel([])  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    asking = {**{name: options[name] for name in (*_KEPT, "retry")}, **address.asking, **tls}
    sentinel.sentinels = [
        Redis(
            connection_pool=ConnectionPool(host=host, port=port, connection_class=_Tls if tls else Connection, **asking)
        )
        for host, port in address.sentinels
    ]
    watched = _WatchedTls if tls else SentinelManagedConnection
    return SentinelConnectionPool(address.service, sentinel, **options, **tls, connection_class=watched)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


def open_loops_pool(
    address: Address, options: Mapping[str, Any]
) -> tuple[loops.ConnectionPool, Sequence[asyncio.Redis]]:
    """Connections for the loop, and the Sentinels that are asked for the server. As open_pool."""
    tls: dict[str, Any] = {} if address.tls is None else {"tls": address.tls.context()}
    plain, secure = loops.Connection, _LoopsTls
    if not address.sentinels:
        kind: type = loops.UnixDomainSocketConnection if "path" in options else secure if tls else plain
        return loops.ConnectionPool(**options, **tls, connection_class=kind), ()
    sentinel = loops_sentinel.Sentinel([])  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    asking = {
        **{name: options[name] for name in _KEPT},
        "retry": LoopsRetry(NoBackoff(), 0),
        **address.asking,
        **tls,
    }
    sentinel.sentinels = [
        asyncio.Redis(
            connection_pool=loops.ConnectionPool(
                host=host, port=port, connection_class=secure if tls else plain, **asking
            )
        )
        for host, port in address.sentinels
    ]
    watched: type = _LoopsWatchedTls if tls else loops_sentinel.SentinelManagedConnection
    pool = loops_sentinel.SentinelConnectionPool(address.service, sentinel, **options, **tls, connection_class=watched)  # type: ignore[no-untyped-call]  # as above
    return pool, sentinel.sentinels

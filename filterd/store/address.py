"""Where Redis is, as one URL says it: the server, or the Sentinels that know it; passwords; TLS and its files.

Schemes: unix, redis, rediss (TLS), redis+sentinel and rediss+sentinel (TLS to the Sentinels and to the server alike).
The query has redis-py's names for what a configuration may set (`filterd.config.redis.OPTIONS`), and for the files and
the Sentinels' password, which stand in keys of their own there. Nothing in it can turn the proof of a server's name
off, and no address falls back to plain text.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from redis.connection import parse_url

from filterd.config.redis import OPTIONS, PLAIN, SENTINELS, TLS, UNIX, sentinels_of

SCHEMES: Final = (UNIX, *PLAIN, *TLS)
_MORE: Final = ("password", "sentinel_password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "host", "port", "path")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files: who may sign for the server (None: whom this machine trusts), and what we show it."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """Certificate and name of the server must be proved. OSError where a file cannot be used."""
        context = ssl.create_default_context(cafile=self.ca)  # with a file of ours, those of this machine are not read
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Address:
    """`options` are those of a connection to the server, `asking` of one to a Sentinel, as redis-py names them."""

    options: Mapping[str, Any]
    tls: Certificates | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    asking: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str) -> Self:
        """ValueError where it cannot be one."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise ValueError(f"expected a URL of {', '.join(SCHEMES)}")
        asked = parts.scheme in SENTINELS
        options = dict(parse_url(f"redis://localhost?{parts.query}" if asked else url))  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        options.pop("connection_class", None)
        if unknown := options.keys() - {*OPTIONS, *_MORE}:
            raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
        files = Certificates(*[options.pop(name, None) for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")])
        if files != Certificates() and parts.scheme not in TLS:
            raise ValueError("certificates are for rediss:// and rediss+sentinel://")
        asking = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        tls = files if parts.scheme in TLS else None
        if not asked:
            return cls(options, tls)
        options.pop("host", None)
        credentials = parts.netloc.rpartition("@")[0]
        if credentials:
            user, _, password = credentials.partition(":")
            options |= {"username": unquote(user) or None, "password": unquote(password) or None}
        return cls(options, tls, sentinels_of(parts), unquote(parts.path.strip("/")), asking)

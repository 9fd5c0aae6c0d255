"""The table of filterd.toml that says where Redis is, and whom it must prove to be."""

from pathlib import Path
from typing import Final, Self
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import field_validator, model_validator

from filterd.config.fields import PathField, Section, key
from filterd.config.secrets import MAX_KEY, SecretError, read_private, readable

UNIX: Final = "unix"
PLAIN: Final = ("redis", "redis+sentinel")
TLS: Final = ("rediss", "rediss+sentinel")
SENTINELS: Final = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT: Final = 26_379
# What may stand behind the question mark, and whether it is a number. Nothing there weakens TLS.
OPTIONS: Final = {
    "db": True,
    "max_connections": True,
    "socket_timeout": True,
    "socket_connect_timeout": True,
    "client_name": False,
    "username": False,
    "sentinel_username": False,
}
_FILES: Final = {
    "ssl_ca_certs": "ca_file",
    "ssl_certfile": "certificate_file",
    "ssl_keyfile": "key_file",
    "password": "password_file",
    "sentinel_password": "sentinel_password_file",
}


class Redis(Section):
    """The shared cache and state. Without `url` both live in this machine: memory, and SQLite under `[paths] state`."""

    url: str = key(
        "",
        "unix:///path, redis://host:port/db or rediss://host:port/db (TLS); redis+sentinel://HOST:PORT,HOST:PORT/NAME"
        " asks these Sentinels where the master of that name is, rediss+sentinel:// asks them and it over TLS; empty:"
        " no Redis. Behind a `?`: db, username, sentinel_username, client_name, max_connections, socket_timeout,"
        " socket_connect_timeout.",
    )
    password_file: Path | None = key(
        None,
        "File whose first line is the password; others must not be able to read it. A password in `url` is refused.",
    )
    sentinel_password_file: Path | None = key(
        None, "The same for the password that the Sentinels want (`requirepass` of theirs); absent: they want none."
    )
    ca_file: PathField | None = key(
        None,
        "With rediss: the certificates, PEM, of those who may sign for Redis, and nobody else's; absent: those that"
        " this machine trusts. The name in `url`, or the one that Sentinel gives, must stand in its certificate.",
    )
    certificate_file: PathField | None = key(
        None, "With rediss: the certificate that we show, PEM, where the server wants one; with `key_file`."
    )
    key_file: PathField | None = key(
        None, "Its private key, PEM without a passphrase; others must not be able to read it."
    )

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {UNIX, *PLAIN, *TLS}:
            raise ValueError("expected unix:///path, redis://host:port/db or rediss://host:port/db")
        if parts.password or "password" in parts.query:
            raise ValueError("expected no password here: put it into a file and name that as password_file")
        _options(parts.query)
        if parts.scheme in SENTINELS:
            sentinels_of(parts)
        elif parts.scheme != UNIX:
            _server(parts)
        return value

    @field_validator("password_file", "sentinel_password_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        return readable(value)

    @field_validator("ca_file", "certificate_file")
    @classmethod
    def _there(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                with value.open("rb") as file:
                    file.read(1)
            except OSError as problem:
                raise ValueError(f"{value}: {problem.strerror}; expected a file of certificates (PEM)") from None
        return value

    @field_validator("key_file")
    @classmethod
    def _private(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                read_private(value, MAX_KEY)
            except SecretError as problem:
                raise ValueError(str(problem)) from None
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        scheme = urlsplit(self.url).scheme
        files = [name for name in ("ca_file", "certificate_file", "key_file") if getattr(self, name) is not None]
        if files and scheme not in TLS:
            raise ValueError(f"{files[0]} is for TLS: expected a url of rediss:// or rediss+sentinel://")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        if self.sentinel_password_file is not None and scheme not in SENTINELS:
            raise ValueError("sentinel_password_file is for Sentinels: expected a url of redis+sentinel://")
        return self


def sentinels_of(parts: SplitResult) -> tuple[tuple[str, int], ...]:
    """The hosts of redis+sentinel://[USER@]HOST[:PORT],HOST[:PORT].../NAME, with their ports. ValueError."""
    nodes = []
    for node in filter(None, parts.netloc.rpartition("@")[2].split(",")):
        host, _, port = node.rpartition(":") if not node.endswith("]") and ":" in node else (node, "", "")
        if not host or not (port or str(SENTINEL_PORT)).isdecimal():
            raise ValueError("expected Sentinels as HOST:PORT,HOST:PORT")
        nodes.append((host.strip("[]"), int(port or SENTINEL_PORT)))
    if not nodes or not parts.path.strip("/"):
        raise ValueError("expected redis+sentinel://HOST:PORT,HOST:PORT/NAME, the name that Sentinel watches")
    return tuple(nodes)


def _server(parts: SplitResult) -> None:
    """ValueError where this names no server, and no number of a database."""
    if parts.port == 0 or not (parts.path.strip("/") or "0").isdecimal():  # reading a port that is none raises, too
        raise ValueError(f"expected {parts.scheme}://host:port/db, db a number")


def _options(query: str) -> None:
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in _FILES:
            raise ValueError(f"expected no {name} here: name the file as {_FILES[name]}")
        if name not in OPTIONS:
            raise ValueError(f"unknown option {name!r}: expected {', '.join(OPTIONS)}")
        if OPTIONS[name] and not value.replace(".", "", int("timeout" in name)).isdecimal():
            raise ValueError(f"{name}: expected a number")

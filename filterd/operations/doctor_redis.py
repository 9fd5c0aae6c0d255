"""What doctor says of the way to Redis: whether it is spoken to in the clear where others could listen, or answer."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from filterd.config.redis import PLAIN, SENTINELS, sentinels_of
from filterd.operations.doctor import Diagnosis, Level


def check_redis_way(url: str) -> Iterator[Diagnosis]:
    """A warning for each host beyond this machine that is spoken to without TLS."""
    parts = urlsplit(url)
    if parts.scheme not in PLAIN:
        return
    hosts = [host for host, _ in sentinels_of(parts)] if parts.scheme in SENTINELS else [parts.hostname or ""]
    far = [host for host in hosts if not _here(host)]
    if far:
        text = f"{', '.join(far)}: spoken to in the clear; what stands in Redis decides about mail"
        secure = parts.scheme.replace("redis", "rediss", 1)
        yield Diagnosis(Level.WARNING, "redis", text, f"{secure}:// (docs/nodes.md, TLS), or a network of its own")


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}

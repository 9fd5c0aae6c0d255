"""Rate limits for commands: the same buckets that the fronts draw from."""

from collections.abc import Iterator
from contextlib import contextmanager

from filterd.app.redis import redis_url
from filterd.app.throttle import TABLE, buckets_of
from filterd.config import Config
from filterd.limits import Rate, rates_of
from filterd.store import Buckets, MemoryBuckets


@contextmanager
def open_limits(config: Config) -> Iterator[tuple[tuple[Rate, ...], Buckets]]:
    """The configured rates and their buckets. Looking makes no file."""
    url = redis_url(config)
    there = url or (config.state_directory / TABLE).is_file()
    buckets: Buckets = buckets_of(url, config.state_directory) if there else MemoryBuckets()
    try:
        yield rates_of(config.rates), buckets
    finally:
        buckets.close()

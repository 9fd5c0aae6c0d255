"""Token buckets in Redis: one script for all buckets of a request, in one round trip."""

from collections.abc import Iterator, Sequence
from typing import Final

from filterd.model.store import StoreError
from filterd.store.buckets import MAX_LISTED, MAX_SKEW, Bucket, Draw
from filterd.store.encoding import decoded, encoded
from filterd.store.redis import PREFIX, RedisStore

NAMES: Final = PREFIX + b"bucket:"
KEEP: Final = 60  # seconds that a bucket is kept after it is full: nodes' clocks differ, and Redis has its own
_MAX_DIGITS: Final = 16  # of a moment: what a double holds exactly
SCANNED: Final = 1_000  # keys looked at in one step of a listing

# As `filterd.store.buckets.draw`; ARGV has now, then for each key interval, capacity and whether it is binding.
_DRAW: Final = b"""
local now, granted, waits, after, right = tonumber(ARGV[1]), 1, {}, {}, {}
for i = 1, #KEYS do
  local interval, capacity = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local span = interval * capacity
  local full = tonumber(redis.call('GET', KEYS[i]) or '0') or 0
  if full > now + span + %d then right[i] = now + span end
  full = math.min(math.max(full, now), now + span)
  waits[i] = math.max(full + interval - span - now, 0)
  after[i] = full + interval
  if waits[i] > 0 and ARGV[3 * i + 1] == '1' then granted = 0 end
end
for i = 1, #KEYS do
  local full = granted == 1 and waits[i] == 0 and after[i] or right[i]
  if full then
    local seconds = math.ceil((full - now) / 1000000) + %d
    redis.call('SET', KEYS[i], string.format('%%.0f', full), 'EX', seconds)
  end
end
return {granted, waits}
""" % (MAX_SKEW, KEEP)


class RedisBuckets(RedisStore):
    """See Buckets; connections are its own. `url` and `timeout` as for RedisStore."""

    def draw(self, buckets: Sequence[Bucket], now: int) -> Draw:
        """As Buckets."""
        arguments: list[bytes | int] = [now]
        for bucket in buckets:
            arguments += (bucket.interval, bucket.capacity, int(bucket.binding))
        names = [NAMES + encoded(bucket.key) for bucket in buckets]
        granted, waits = self._one(b"EVAL", _DRAW, len(names), *names, *arguments)
        return Draw(granted == 1, tuple([int(wait) for wait in waits]))

    def try_draw(self, buckets: Sequence[Bucket], now: int) -> None:
        """As Buckets: a server is always waited for."""

    def listed(self, now: int) -> Iterator[tuple[str, int]]:
        """As Buckets, in no order; every step is a round trip."""
        count = 0
        for names in self._scanned():
            for name, value in zip(names, self._one(b"MGET", *names), strict=True):
                full = _number(value)
                if full > now:
                    count += 1
                    yield _key(name), full
                if count >= MAX_LISTED:
                    return

    def full_at(self, key: str) -> int:
        """As Buckets."""
        return _number(self._one(b"GET", NAMES + encoded(key)))

    def fill(self, key: str) -> None:
        """As Buckets."""
        self._one(b"DEL", NAMES + encoded(key))

    def fill_all(self, prefix: str) -> int:
        """As Buckets."""
        start, count = NAMES + encoded(prefix), 0
        for names in self._scanned():
            wanted = [name for name in names if name.startswith(start)]
            count += int(self._one(b"DEL", *wanted)) if wanted else 0
        return count

    def _scanned(self) -> Iterator[list[bytes]]:
        """The names of all buckets, some at a time; one that comes or goes meanwhile may be missed."""
        cursor = b"0"
        while True:
            cursor, names = self._one(b"SCAN", cursor, b"MATCH", NAMES + b"*", b"COUNT", SCANNED)
            if names:
                yield list(dict.fromkeys(names))
            if cursor == b"0":
                return


def _number(value: bytes | None) -> int:
    """A moment; long past for what is none."""
    return int(value) if value is not None and len(value) <= _MAX_DIGITS and value.isdigit() else 0


def _key(name: bytes) -> str:
    try:
        return decoded(name.removeprefix(NAMES))
    except StoreError:  # not written by us
        return repr(name)

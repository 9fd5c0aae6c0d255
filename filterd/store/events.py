"""Events that all nodes see in one order: a Redis stream whose entries are numbered without gaps.

The number is the entry's id, given by a script, so that who has come to number n knows whether something is missing
behind it. `born` names the stream: it is another one after Redis was emptied, whatever the numbers say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from filterd.store.encoding import encoded
from filterd.store.errors import StoreRefusedError
from filterd.store.redis import PREFIX, RedisStore

TIMEOUT: Final = 5.0  # seconds; batches are large, and no message waits for them

# The script refuses with an empty answer where the stream is not the one that the caller means; a stream that is not
# there is begun under the name the caller brings along.
_ADD: Final = b"""
local born = redis.call('GET', KEYS[2]) or ''
if redis.call('EXISTS', KEYS[1]) == 0 then born = '' end
if born ~= ARGV[1] then return {} end
if born == '' then redis.call('SET', KEYS[2], ARGV[2]) end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local number = last[1] and tonumber(string.match(last[1][1], '^%d+')) or 0
local first = number + 1
for place = 4, #ARGV do
  number = number + 1
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], string.format('%d-1', number), 'e', ARGV[place])
end
return {first}
"""


@dataclass(frozen=True, slots=True)
class Events:
    """Some of a stream: its name (empty where there is none), the oldest number it has, and numbers with events."""

    born: str
    first: int
    entries: tuple[tuple[int, bytes], ...]


class EventStream(RedisStore):
    """One stream. Every call raises StoreError only."""

    def __init__(self, url: str, name: str, *, timeout: float = TIMEOUT) -> None:
        """`url` as for RedisStore."""
        super().__init__(url, timeout=timeout)
        self._stream = PREFIX + encoded(f"{name}:stream")
        self._born = PREFIX + encoded(f"{name}:born")

    def append(self, born: str, new: str, events: Sequence[bytes], most: int) -> int:
        """Add events to the stream of that name; the number of the first, 0 where the stream is another one now.

        An empty `born` begins the stream `new`, where there is none. About `most` entries are kept.
        """
        found = self._one(
            b"EVAL", _ADD, 2, self._stream, self._born, encoded(born), encoded(new), most, *[bytes(e) for e in events]
        )
        return int(found[0]) if found else 0

    def after(self, number: int, count: int) -> Events:
        """The next entries behind that number."""
        born, oldest, entries = self._exchange(
            (
                (b"GET", self._born),
                (b"XRANGE", self._stream, b"-", b"+", b"COUNT", 1),
                (b"XRANGE", self._stream, b"(%d-1" % number, b"+", b"COUNT", count),
            )
        )
        for answer in (born, oldest, entries):
            if isinstance(answer, Exception):
                raise StoreRefusedError(f"Redis: {answer}") from answer
        if not oldest:
            return Events("", 0, ())
        found = tuple([(_number(entry[0]), bytes(entry[1][1])) for entry in entries])
        return Events((born or b"").decode("utf-8", "replace"), _number(oldest[0][0]), found)


def _number(identifier: bytes) -> int:
    return int(identifier.partition(b"-")[0])

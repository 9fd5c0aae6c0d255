"""Who knows whom: whom our users have written to, and who has sent them good mail."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from filterd.reputation.keys import digest, person, read_key, wrote_key
from filterd.reputation.tally import Tally
from filterd.store.recent import Recent

MEMBER_DIGITS: Final = 16  # hexadecimal, 64 bits: our users among themselves
MAX_USERS: Final = 64  # of ours who are remembered for one correspondent, the last ones
MAX_PEOPLE: Final = 32  # recipients of one message that are remembered or looked for
KNOWN_FOR: Final = 180 * 86_400  # seconds without mail after which two people are strangers again
TOLD_FOR: Final = 6 * 3_600.0  # seconds in which the store is not told the same again
MAX_HELD: Final = 4_096  # correspondents in this process; about 2 MB
KEEP: Final = 600.0  # seconds that what was read is at hand
_USERS_CACHED: Final = 1_024


class Known(NamedTuple):
    """Our users, by `user`, who know a correspondent: those who have written to him, those who had good mail of him."""

    wrote: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()


class People:
    """Two sets for each correspondent: nobody can crowd out those who wrote to him. Thread-safe, never raises."""

    def __init__(self, tally: Tally, clock: Callable[[], float], fresh: float) -> None:
        """What was read counts as fresh for so many seconds of `clock`."""
        self._tally = tally
        self._clock = clock
        self._fresh = fresh
        self._held: Recent[str, tuple[float, Known]] = Recent(MAX_HELD, clock)
        self._told: Recent[tuple[str, str], bool] = Recent(MAX_HELD, clock)

    def due(self, address: str) -> tuple[str, ...]:
        """The sets to be read about a correspondent, for `take`; () where what is at hand is fresh, or it is nobody."""
        if not address:
            return ()
        held = self._held.get(address)
        if held is not None and self._clock() - held[0] < self._fresh:
            return ()
        return wrote_key(address), read_key(address)

    def take(self, address: str, sets: Sequence[tuple[str, ...]]) -> None:
        """Keep what the sets hold."""
        wrote, read = sets
        self._held.put(address, (self._clock(), Known(frozenset(wrote), frozenset(read))), KEEP)

    def known(self, address: str) -> Known | None:
        """Who knows the correspondent; None where that is not at hand."""
        held = self._held.get(address)
        return None if held is None else held[1]

    def met(self, address: str, recipients: Sequence[str]) -> None:
        """Recipients of ours have had good mail from the address."""
        members = frozenset(filter(None, map(user, recipients[:MAX_PEOPLE])))
        self._remember(read_key(address), members)
        held = self._held.get(address)
        if held is not None:
            self._held.put(address, (held[0], held[1]._replace(read=held[1].read | members)), KEEP)

    def wrote(self, sender: str, recipients: Sequence[str]) -> None:
        """Our user has written to these addresses."""
        members = frozenset(filter(None, [user(sender)]))
        for address in filter(None, map(person, recipients[:MAX_PEOPLE])):
            self._remember(wrote_key(address), members)
            held = self._held.get(address)
            if held is not None:
                self._held.put(address, (held[0], held[1]._replace(wrote=held[1].wrote | members)), KEEP)

    def _remember(self, key: str, members: frozenset[str]) -> None:
        for member in members:
            if not self._told.get((key, member)):
                self._told.put((key, member), value=True, seconds=TOLD_FOR)
                self._tally.remember(key, member, KNOWN_FOR, MAX_USERS)


@lru_cache(maxsize=_USERS_CACHED)
def user(address: str) -> str:
    """A short name for one of our users, the same for all his sub-addresses; empty for what is no address."""
    local, at, domain = person(address).rpartition("@")
    return digest("user", f"{local.partition('+')[0]}@{domain}")[:MEMBER_DIGITS] if at else ""

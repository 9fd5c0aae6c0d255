"""How long one message may be deferred by us before it is held instead."""

from typing import Final

from filterd.model.store import Store, StoreError

DEFERRED_PREFIX: Final = "deferred:"  # of the keys, before the digest of the message
MAX_DEFERRAL: Final = 4 * 3600  # seconds; well inside the 4-5 days an MTA tries (RFC 5321, section 4.5.4.1)
MAX_SKEW: Final = 60  # seconds that another node's clock may be ahead
_KEEP: Final = 2 * 86_400  # seconds the first attempt is remembered


class Deferrals:
    """Remembers when a message (by content hash) was first deferred."""

    def __init__(self, store: Store) -> None:
        """Use the shared state, so that a retry on another front or node is recognised."""
        self._store = store

    def exhausted(self, digest: str, now: float) -> bool:
        """Note a deferral at `now`; True where the first one is longer ago than MAX_DEFERRAL.

        Where the store cannot say, the message is deferred again: the MTA still has it.
        """
        key = DEFERRED_PREFIX + digest
        try:
            first = self._store.get_many([key])[0]
            # One in the future is that of a clock that was ahead: the time begins now.
            if first is None or int(first) > now + MAX_SKEW:
                self._store.put(key, str(int(now)).encode(), _KEEP)
                return False
            return now - int(first) > MAX_DEFERRAL
        except (StoreError, ValueError):
            return False

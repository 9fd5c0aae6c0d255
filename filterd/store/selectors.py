"""Which DKIM selectors a domain signs with, so that their keys can be asked for before the header has come."""

import time
from collections.abc import Callable
from typing import Final

from filterd.model.store import Store, StoreError
from filterd.store.recent import Recent
from filterd.store.writebehind import WriteBehind

LIFETIME: Final = 30 * 24 * 3600  # seconds; longer than the pause between two mailings
MAX_SELECTORS: Final = 8  # per domain: each remembered one may cost a lookup per message
MAX_DOMAINS: Final = 4_096  # known in this process; about 2 MB
FRESH: Final = 600.0  # seconds in which the store is neither asked nor told the same again
FRESH_UNKNOWN: Final = 30.0  # the same for a domain nothing is remembered of: another front may just be learning it
MAX_NAME: Final = 253  # characters; RFC 1035, section 2.3.4: longer ones cannot be asked for


class SelectorMemory:
    """What is recalled is a guess, used to warm a cache and for nothing else. Thread-safe, never raises.

    Remember only selectors whose signature verified: anybody can write others into a header.
    """

    def __init__(self, store: Store, writes: WriteBehind, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self.failures = 0  # recalls that the store did not answer
        self._store = store
        self._writes = writes
        self._known: Recent[str, tuple[str, ...]] = Recent(MAX_DOMAINS, clock)
        self._told: Recent[tuple[str, str], bool] = Recent(MAX_DOMAINS, clock)

    def recall(self, domain: str) -> tuple[str, ...]:
        """The domain's selectors, most recently remembered first; () where none are known or the store is silent."""
        if not 0 < len(domain) <= MAX_NAME:
            return ()
        known = self._known.get(domain)
        if known is not None:
            return known
        try:
            return self.take(domain, self._store.members(_key(domain)))
        except StoreError:
            self.failures += 1
            return ()

    def due(self, domain: str) -> str | None:
        """The set that `recall` would read now, for who reads several things at once; None where it would not read."""
        if not 0 < len(domain) <= MAX_NAME or self._known.get(domain) is not None:
            return None
        return _key(domain)

    def take(self, domain: str, members: tuple[str, ...], seconds: float | None = None) -> tuple[str, ...]:
        """Recall these of what the set holds, for `seconds` or until they are due again."""
        selectors = members[:MAX_SELECTORS]
        self._known.put(domain, selectors, seconds or (FRESH if selectors else FRESH_UNKNOWN))
        return selectors

    def remember(self, domain: str, selector: str) -> None:
        """The domain has signed with this selector."""
        if not (0 < len(domain) <= MAX_NAME and 0 < len(selector) <= MAX_NAME):
            return
        if self._told.get((domain, selector)):
            return
        self._told.put((domain, selector), value=True, seconds=FRESH)
        self._writes.remember(_key(domain), selector, LIFETIME, MAX_SELECTORS)
        known = self._known.get(domain)
        if known is not None:
            others = [other for other in known if other != selector]
            self._known.put(domain, (selector, *others)[:MAX_SELECTORS], FRESH)


def _key(domain: str) -> str:
    return f"selectors:{domain}"

"""Reading the lists from the shared state, and changing them there: one at a time, whoever else is at it."""

import time
from collections.abc import Callable
from typing import Final

from filterd.model.store import Store, StoreError
from filterd.ownlists.document import MAX_CHANGES, MAX_ENTRIES, Document, DocumentError, decode, encode

VERSION: Final = "ownlists:version"
ALL: Final = "ownlists:all"
LOCK: Final = "ownlists:lock"
LIFETIME: Final = 10 * 365 * 86_400  # seconds; every write renews it, and fronts write anew what was forgotten
LEASE: Final = 10  # seconds; many times what a change takes: so long others wait for one that died in it
WAIT: Final = 12.0  # seconds that a change waits for others: longer than the lease of a dead one
POLL: Final = 0.05  # seconds between two looks


class ChangeError(Exception):
    """The lists were not changed; the text says why."""


def read(store: Store) -> Document | None:
    """What the shared state holds; None: nothing. StoreError; DocumentError."""
    (raw,) = store.get_many([ALL])
    return None if raw is None else decode(raw)


def publish(store: Store, document: Document) -> None:
    """Write it for all; the version last, for that is what the fronts look at. StoreError."""
    store.put(ALL, encode(document), LIFETIME)
    store.put(VERSION, b"%d" % document.version, LIFETIME)


def change(
    store: Store,
    copy: Document | None,
    make: Callable[[Document], Document],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Document:
    """Have `make` make the new lists from those that are, and publish them; what is the same is not written.

    `copy` is the last good copy of this machine, for a store that has forgotten. ChangeError; what `make` raises.
    """
    try:
        _lock(store, sleep)
        try:
            known = read(store)
            if known is None or (copy is not None and copy.version > known.version):
                known = copy or Document()
            made = make(known)
            if made is known:
                return known
            if len(made.entries) > MAX_ENTRIES:
                raise ChangeError(f"there would be {len(made.entries)} entries: {MAX_ENTRIES} at most")
            document = Document(known.version + 1, made.entries, made.changes[-MAX_CHANGES:])
            publish(store, document)
            return document
        finally:
            store.delete(LOCK)
    except (StoreError, DocumentError) as error:
        raise ChangeError(f"the shared state cannot be used: {error}") from error


def _lock(store: Store, sleep: Callable[[float], None]) -> None:
    """Take the lease. It is looked at before it is counted up: every count renews it, a dead one's too."""
    for _ in range(int(WAIT / POLL)):
        if store.get_many([LOCK])[0] is None and store.add(LOCK, 1, LEASE) == 1:
            return
        sleep(POLL)
    raise ChangeError("somebody else is changing the lists: try again")

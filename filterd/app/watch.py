"""The watch over block lists in one front: what they answer to mail is seen, and a thread tests them."""

import os
import threading
import time
from collections.abc import Callable, Container, Sequence
from typing import Final

import structlog

from filterd.dnsbl import Ask, ListHealth, Listing, ListKeeper, Outside, Zone
from filterd.store import SuspendedLists
from filterd.store.writes import BatchStore
from filterd.telemetry import Event
from filterd.telemetry.metrics import FrontMetrics

FIRST: Final = 2.0  # seconds that a front serves before it tests lists: the first messages need the machine more
SPREAD: Final = 8.0  # seconds more at most, by chance: fronts start together, and one tests for all
CLOSE_SECONDS: Final = 1.0  # a test under way is given up then: its turn ends with its lease
_log = structlog.get_logger()


class ListsWatch:
    """Which lists may be asked, and what they answered. `start` begins to test them; commands leave that out."""

    def __init__(
        self, zones: Sequence[Zone], store: BatchStore, ask: Ask, forget: Callable[[str], None], metrics: FrontMetrics
    ) -> None:
        """`ask` and `forget` as in dnsbl.Outside."""
        self._metrics = metrics
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        suspended = SuspendedLists(store, [zone.name for zone in zones])
        self._health = ListHealth(suspended.suspend, time.time)
        outside = Outside(
            ask=ask,
            clock=time.time,
            monotonic=time.monotonic,
            randomness=os.urandom,
            forget=forget,
            show=metrics.lists_suspended,
            wake=self._wake.set,
        )
        self._keeper = ListKeeper(zones, store, suspended, outside)

    def unusable(self) -> Container[str]:
        """The names of lists that must not be asked just now."""
        return self._keeper.unusable()

    def observe(self, zone: Zone, listing: Listing, about: str = "") -> None:
        """A list has answered."""
        if not listing.usable:
            self._metrics.list_failed()
        self._health.record(zone, listing)
        if self._thread is not None and about:  # without tests a doubt would have no end
            self._keeper.see(zone, listing, about)

    def start(self) -> None:
        """Test lists from now on."""
        self._thread = threading.Thread(target=self._run, name="lists", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Test nothing more."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        pause = FIRST + SPREAD * os.urandom(1)[0] / 255
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            if self._closing.is_set():
                return
            try:
                pause = self._keeper.round()
            except Exception:  # noqa: BLE001  # the top of this thread: one bad round must not be the last
                _log.error(Event.DNSBL_KEEPER_CRASHED, exc_info=True)
                pause = FIRST + SPREAD

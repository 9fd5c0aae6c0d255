"""Threads that ask clamd while others read the message."""

from collections.abc import Callable
from functools import partial

from filterd.clamd.wire import instream, ping
from filterd.config.listen import Listen
from filterd.model.message import RawMessage
from filterd.scanners import ScannerPool
from filterd.telemetry.events import Event


class ClamdPool(ScannerPool):
    """Asks clamd, which scans ten messages at once as it comes, those of all fronts together."""

    def __init__(
        self,
        address: Listen,
        seconds: float,
        most: int,
        ask: Callable[[Listen, RawMessage, float], str] = instream,
        call: Callable[[Listen, float], None] = ping,
    ) -> None:
        """As ScannerPool does, for the clamd that listens there."""
        super().__init__(
            "clamd",
            seconds=seconds,
            most=most,
            ask=partial(ask, address),
            call=partial(call, address),
            events=(Event.CLAMD_FAILING, Event.CLAMD_RETURNED),
        )

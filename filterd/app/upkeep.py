"""The upkeep of held mail in a process of its own: no message waits for it, and it waits for no message."""

import math
import os
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from filterd.app.digests import post_of, tell_digests
from filterd.app.dmarc_reports import forget_counted
from filterd.app.releasing import deliver_of, marker_of
from filterd.app.retention import limits_of, sign_of
from filterd.config import Config
from filterd.model.custody import CustodyError
from filterd.operations.release import Releaser
from filterd.operations.retention import ALL, DAY
from filterd.operations.teaching import owed, teach
from filterd.operations.upkeep import Done, retry, sweep
from filterd.quarantine import Quarantine, State
from filterd.quarantine.changes import DAEMON, without_addresses
from filterd.telemetry import Event
from filterd.telemetry.metrics import FrontMetrics

ROUND: Final = 15.0  # seconds between two looks for releases that are due
COUNT: Final = 60.0  # seconds between two counts of what waits: it reads an index as long as that
SWEEP: Final = 600.0  # seconds between two looks for what is old
CLOSE_SECONDS: Final = 5.0  # a release under way is waited for that long; its lease ends by itself
_log = structlog.get_logger()


def releaser_of(config: Config, quarantine: Quarantine) -> Releaser:
    """What gives mail of this quarantine back to the MTA."""
    return Releaser(quarantine, deliver_of(config), config.authserv_id, marker=marker_of(config))


def begin_upkeep(config: Config, quarantine: Quarantine, row: FrontMetrics) -> Callable[[], None]:
    """Begin, in a thread; what is given back ends it. `row` is told how much waits: gauges nobody else sets."""
    closing = threading.Event()
    signs = {name: sign_of(config, name) for name in (ALL, *config.quarantine.classes)}
    releaser, limits, post = releaser_of(config, quarantine), limits_of(config), post_of(config, quarantine)

    def run() -> None:
        swept, counted, full = -math.inf, -math.inf, False  # the first round does both, however short the host is up
        while not closing.wait(ROUND):
            try:
                done = retry(releaser)
                tell(done, whole=config.log.addresses == "full")
                learn_owed(config, quarantine, done)
                tell_digests(post)
                quarantine.index()
                if time.monotonic() - counted > COUNT:
                    counted = time.monotonic()
                    count(quarantine, row)
                if full or time.monotonic() - swept > SWEEP:
                    swept = time.monotonic()
                    done = sweep(quarantine, limits, time.time())
                    full = bool(done.full)
                    tell(done)
                    for name, sign in signs.items():
                        sign.put(up=name in done.full)
                    quarantine.redeemed.forget(time.time() - DAY)
                    forget_counted(config)
            except (CustodyError, OSError) as error:
                _log.error(Event.UPKEEP_FAILED, cause=str(error))
            except Exception:  # noqa: BLE001  # the top of this thread: one bad round must not be the last
                _log.error(Event.UPKEEP_FAILED, exc_info=True)

    thread = threading.Thread(target=run, name="upkeep", daemon=True)
    thread.start()

    def end() -> None:
        closing.set()
        thread.join(CLOSE_SECONDS)
        quarantine.close()

    return end


def count(quarantine: Quarantine, row: FrontMetrics) -> None:
    """Tell how much waits for somebody, and how many releases are due. CustodyError."""
    row.set("filterd_held_messages", float(sum([many for many, _ in quarantine.totals().values()])))
    row.set("filterd_releases_waiting", float(quarantine.releases_due()))


def learn_owed(config: Config, quarantine: Quarantine, done: Done) -> None:
    """Have the classifier learn what was released with --learn and has been delivered only now. CustodyError."""
    ids = [one.id for one in done.released if one.done and owed(quarantine, one.id)]
    if not ids:
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from filterd.app.learning import TROUBLE, lessons  # noqa: PLC0415  # numpy: most upkeep never needs it

    try:
        with lessons(config) as school:
            list(teach(quarantine, school.learn, "ham", ids, DAEMON))  # the audit has what became of each
    except TROUBLE as error:
        _log.error(Event.UPKEEP_FAILED, cause=f"not learnt: {error}")


def tell(done: Done, *, whole: bool = True) -> None:
    """Log what was done; without `whole` no address that the MTA has named."""
    for released in done.released:
        if released.state is not State.RELEASING:
            answer = released.text if whole else without_addresses(released.text)
            _log.info(Event.RELEASE_ENDED, id=released.id, state=released.state, answer=answer)
    if done.expired or done.removed:
        _log.info(Event.UPKEEP_DONE, expired=done.expired, removed=done.removed)

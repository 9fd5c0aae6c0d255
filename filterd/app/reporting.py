"""What reports are made of: this host's journal, the ledger, and which list gives which symbol."""

from collections.abc import Callable
from contextlib import closing
from typing import TypeAlias

from filterd.app.commands import open_journal, open_quarantine
from filterd.app.site import Site
from filterd.model.custody import CustodyError
from filterd.operations.report import Counting, Report, lists_by_symbol
from filterd.operations.report_held import Held, look

Progress: TypeAlias = Callable[[int, float], None]  # rows read, and the time of the last one


def _silent(_rows: int, _received: float) -> None:
    """Nobody looks on."""


def report_of(site: Site, since: float, until: float, most: int, progress: Progress = _silent) -> tuple[Report, str]:
    """The report of that time, and why it has nothing of held mail where the ledger does not answer.

    `progress` is told after each page. sqlite3.Error or OSError where the journal cannot be read.
    """
    zones = lists_by_symbol((zone.display, zone.symbols) for zone in site.zones)
    counting = Counting(since, until, zones)
    done = 0
    with closing(open_journal(site.config)) as journal:
        for rows in journal.pages(since, until):
            counting.take(rows)
            done += len(rows)
            progress(done, rows[-1].received)
    held, trouble = _held(site, since)
    return counting.report(held, most), trouble


def _held(site: Site, since: float) -> tuple[Held | None, str]:
    try:
        with closing(open_quarantine(site.config)) as quarantine:
            return look(quarantine, since), ""
    except (CustodyError, OSError) as error:
        return None, str(error)

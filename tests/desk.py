"""A picture of the reviewer's desk for the documents: python -m tests.desk docs/quarantine-desk.svg."""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from textual.widgets import DataTable, Static

from filterd.cli.desk import Desk
from filterd.model.custody import Evidence
from filterd.model.report import Finding
from filterd.model.verdict import ScoredSymbol
from filterd.operations.release import Releaser
from filterd.operations.review import Reviewer
from filterd.quarantine import Actor, Quarantine
from filterd.quarantine.relay import Answer, Fate
from tests.quarantine.samples import evidence, raw, whole

SIZE: Final = (150, 40)
PATIENCE: Final = 20.0  # seconds
FIELDS: Final = (
    (b"From", b' "Payroll" <payroll@company.example>'),
    (b"To", b" anna@example.org"),
    (b"Subject", b" Your payslip"),
)
HELD: Final = (
    ("payroll@c0mpany.example", "Your payslip for November", "dmarc", 12.4, "DMARC_REJECT"),
    ("news@shop.example", "Last chance: 70 % off everything", "score", 11.2, "PHRASES_OFFER"),
    ("scan@copier.example", "Scanned document", "unscannable-encrypted", 7.5, "UNSCANNABLE_ENCRYPTED"),
    ("invoice@supplier.example", "Invoice 4711", "yara", 14.0, "YARA_MACRO_AUTOOPEN"),
)


def _words(found: Evidence) -> Iterator[str]:
    verdict = found.verdict
    yield f"sender        {found.envelope.sender}"
    yield f"reason        {verdict.code}: {verdict.text}"
    yield f"score         {verdict.score:.2f} of add_header 6, quarantine 10, reject 15"
    yield "symbols"
    yield from (f"  {one.weight:+7.2f}  {one.finding.symbol}" for one in verdict.symbols)


def _fill(quarantine: Quarantine) -> None:
    for number, (sender, subject, code, score, symbol) in enumerate(HELD):
        body = b"Please open the attached file.\r\n%d\r\n" % number
        given = evidence(
            number, whole(body, FIELDS), sender=sender, subject=subject, score=score, recipients=("anna@example.org",)
        )
        symbols = (
            ScoredSymbol(Finding(symbol), "content", score - 1.5),
            ScoredSymbol(Finding("SPF_NEUTRAL"), "spf", 1.5),
        )
        verdict = replace(given.verdict, code=code, text=f"score {score:g} of 10", symbols=symbols)
        with raw(body, FIELDS) as message:
            quarantine.hold(replace(given, verdict=verdict), message)


def _drawn(desk: Desk) -> bool:
    """Whether the list, the message under the cursor and the keys at the bottom are there; the last come last."""
    return (
        desk.query_one(DataTable).row_count == len(HELD)
        and "body" in str(desk.query_one("#text", Static).render())
        and bool(desk.query("FooterKey"))
    )


async def _picture(desk: Desk) -> str:
    async with desk.run_test(size=SIZE) as pilot:
        end = time.monotonic() + PATIENCE
        while not _drawn(desk):
            if time.monotonic() > end:
                raise TimeoutError("the desk shows nothing")
            await pilot.pause(0.05)
        await pilot.pause()  # what is there is laid out now
        # What the library writes differs from run to run in the names of its classes.
        drawn = desk.export_screenshot(title="filterd quarantine review")
        return re.sub(
            r"@font-face \{[^}]*\}|<!--.*?-->", "", re.sub(r"terminal-\d+", "terminal", drawn), flags=re.DOTALL
        )


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder, closing(Quarantine(Path(folder) / "quarantine")) as quarantine:
        _fill(quarantine)
        releaser = Releaser(quarantine, lambda *_: Answer(Fate.LATER, ""), "mx.example.org")
        desk = Desk(Reviewer(quarantine, releaser, _words, lambda *_: "", Actor("reviewer"), lambda _: ""))
        Path(sys.argv[1]).write_text(asyncio.run(_picture(desk)))


if __name__ == "__main__":
    main()

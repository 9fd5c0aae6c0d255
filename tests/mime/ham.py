"""How many ordinary messages are doubtful or unscannable, by class. Run it as: python -m tests.mime.ham.

Reads the public archive of ham and spam through the whole inspection, without rules, in as many processes as there are
processors. Needs FILTERD_SHARED.
"""

import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Final

from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from tests.conftest import SHARED

ARCHIVE: Final = SHARED / "data" / "mail" / "dev-mail.tar.xz"
PREFIXES: Final = ("AMBIGUOUS_", "UNSCANNABLE_")


def doubts(item: tuple[str, bytes]) -> tuple[str, dict[str, str]]:
    """The label of a message, and the doubtful symbols with what they are about."""
    label, raw = item
    fields, start = split(raw)
    facts = inspect(InspectionJob("x", fields, len(raw) - start, 60, 1_767_268_800.0), memoryview(raw)[start:], None)
    found = {one.symbol: one.evidence for one in facts.findings if one.symbol.startswith(PREFIXES)}
    return label, {symbol: ", ".join(evidence[:2]) for symbol, evidence in found.items()}


def messages(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Label and bytes of each message: its folder is its label."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.endswith(".eml") else None
            if content is not None:
                yield Path(member.name).parts[-2], content.read()


def main() -> None:
    """Print the classes of each label."""
    totals: Counter[str] = Counter()
    doubtful: Counter[str] = Counter()
    classes: Counter[tuple[str, str]] = Counter()
    with Pool() as pool:
        for label, found in pool.imap_unordered(doubts, messages(ARCHIVE), chunksize=32):
            totals[label] += 1
            doubtful[label] += any(symbol.startswith(PREFIXES[0]) for symbol in found)
            classes.update((label, symbol) for symbol in found)
    for label, total in sorted(totals.items()):
        share = 100 * doubtful[label] / total
        sys.stdout.write(f"{label}: {total} messages, {doubtful[label]} ambiguous ({share:.2f} %)\n")
        for (owner, symbol), count in sorted(classes.items()):
            if owner == label:
                sys.stdout.write(f"  {count:5} {symbol}\n")


if __name__ == "__main__":
    main()

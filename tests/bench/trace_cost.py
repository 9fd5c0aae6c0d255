"""How long `filterd trace` looks in a journal of a million rows: python -m tests.bench.trace_cost [FOLDER] [ROWS].

Milliseconds of `Journal.search`, each question asked TURNS times; the bar is 200 ms for the 95th percentile of each.
Also what a row costs its writer. Exits with 1 where the bar is missed.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from filterd.model.custody import JournalRow
from filterd.model.ids import new_id
from filterd.quarantine import Journal, JournalFilter

ROWS: Final = 1_000_000
BATCH: Final = 1_000  # rows written at once
TURNS: Final = 20
BAR: Final = 200.0  # milliseconds
BEGIN: Final = 1_790_000_000.0
APART: Final = 3.0  # seconds between two messages: five weeks in all
SYMBOLS: Final = ("SPF_PASS=-0.1", "DKIM_PASS=-0.5", "DMARC_PASS=-1", "HTML_ONLY=0.5", "URIBL_DBL_SPAM=6", "ARC_NONE=0")


def rows(count: int, rng: random.Random) -> Iterator[JournalRow]:
    """Rows as a busy site has them: most senders are known, many subjects are new."""
    words = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(3, 9))) for _ in range(5_000)]
    for number in range(count):
        received = BEGIN + APART * number
        domain = f"{rng.choice(words)}.{rng.choice(words[:200])}.example"
        sender = f"{rng.choice(words)}.{rng.choice(words)}@{domain}"
        yield JournalRow(
            id=new_id(received, rng.randbytes(10)),
            received=received,
            action=rng.choices(("accept", "add_header", "quarantine", "reject"), (80, 8, 5, 7))[0],
            code="clean",
            score=rng.random(),
            client=f"{rng.randint(1, 223)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}",
            helo=f"mail.{domain}",
            sender=sender,
            recipients=(f"{rng.choice(words[:500])}@site.test",),
            header_from=sender if rng.random() < 0.7 else f"news@{rng.choice(words)}.example",
            subject=" ".join(rng.choices(words, k=rng.randint(2, 9))),
            message_id=f"<{rng.getrandbits(64):x}@{domain}>",
            queue_id=f"4X{rng.getrandbits(40):X}",
            size=rng.randint(1_000, 100_000),
            sha256=rng.randbytes(32).hex(),
            symbols=tuple(rng.sample(SYMBOLS, 5)),
            ms=rng.random() * 50,
        )


def fill(journal: Journal, count: int) -> tuple[float, list[JournalRow]]:
    """Write the rows; CPU microseconds that one cost, and a few of them from all ages."""
    spent, kept = 0.0, []
    made = rows(count, random.Random(1))
    for start in range(0, count, BATCH):
        batch = [next(made) for _ in range(min(BATCH, count - start))]
        kept += batch[:1]
        for row in batch:
            journal.record(row)
        began = time.process_time()
        journal.flush()
        spent += time.process_time() - began
    return spent / count * 1e6, kept


def questions(kept: list[JournalRow]) -> dict[str, JournalFilter]:
    """What is asked: what is nowhere, what is old, what is everywhere."""
    old = kept[1]
    return {
        "--id ID": JournalFilter(identifier=old.id),
        "--id QUEUE-ID": JournalFilter(identifier=old.queue_id),
        "--id MESSAGE-ID": JournalFilter(identifier=old.message_id),
        "--from, old": JournalFilter(sender=old.sender[3:]),
        "--from, nobody": JournalFilter(sender="nobody@nowhere.test"),
        "--from, everybody": JournalFilter(sender="example"),
        "--to, nobody": JournalFilter(recipient="nobody@site.test"),
        "--subject, old": JournalFilter(subject=old.subject),
        "--subject, none": JournalFilter(subject="no such subject"),
        "--client, old": JournalFilter(client=old.client),
        "--client, network": JournalFilter(client="250."),
        "--action discard": JournalFilter(action="discard"),
        "--from --to, together nowhere": JournalFilter(sender="a", recipient="nobody@site.test"),
        "--from --since --until": JournalFilter(sender="zzzz", since=old.received, until=old.received + 1e6),
        "nothing": JournalFilter(),
    }


def asked(journal: Journal, wanted: JournalFilter) -> tuple[int, float, float]:
    """How many rows are found, and the median and 95th percentile of milliseconds."""
    count, taken = 0, []
    for _ in range(TURNS):
        began = time.perf_counter()
        count = len(journal.search(wanted))
        taken.append((time.perf_counter() - began) * 1_000)
    taken.sort()
    return count, taken[TURNS // 2], taken[int(TURNS * 0.95) - 1]


def main() -> None:
    """Print a table."""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    missed = False
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        path = Path(folder) / "journal.sqlite"
        with closing(Journal(path, interval=3_600, clock=lambda: BEGIN)) as journal:
            cost, kept = fill(journal, count)
            sys.stdout.write(f"{count} rows, {path.stat().st_size / 1e6:.0f} MB, {cost:.1f} us CPU to write one\n")
            for name, wanted in questions(kept).items():
                found, median, p95 = asked(journal, wanted)
                missed |= p95 > BAR
                sys.stdout.write(f"{name:32} {found:4} rows  median {median:7.1f} ms  p95 {p95:7.1f} ms\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

"""What looking for held mail costs among a million entries.

    python -m tests.bench.ledger_cost [COUNT]      a million by default, which takes some minutes to make

Prints the median and the 95th percentile of each kind of look; exit status 1 where one is above the bar.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from filterd.model.ids import new_id
from filterd.quarantine import Entry, EntryFilter, State
from filterd.quarantine.database import SqliteDatabase
from filterd.quarantine.entries import WAITING
from filterd.quarantine.ledger import INSERT, Ledger
from filterd.quarantine.rows import values_of
from tests.support.process import open_folder

COUNT: Final = 1_000_000
FIRST: Final = 1_700_000_000.0
BETWEEN: Final = 30.0  # seconds from one entry to the next
LOOKS: Final = 40  # of each kind
BAR: Final = 200.0  # ms at the 95th percentile
SEED: Final = 20_261_125
CODES: Final = ("score", "dmarc", "unscannable", "yara", "ambiguous")


def entry(rng: random.Random, number: int, words: list[str]) -> Entry:
    """One of them; its sender's domain is one of 20,000, its recipient one of 5,000."""
    received = FIRST + number * BETWEEN
    state = rng.choices((State.HELD, State.DELIVERED, State.DELETED, State.EXPIRED), (30, 10, 10, 50))[0]
    return Entry(
        new_id(received, rng.randbytes(10)),
        received,
        state,
        f"{number if rng.random() < 0.98 else number - 1:064x}",
        f"{rng.choice(words)}@d{rng.randrange(20_000)}.example",
        (f"user{rng.randrange(5_000)}@local.test",),
        f"192.0.2.{rng.randrange(256)}",
        "mail.example",
        " ".join(rng.choices(words, k=6)),
        f"{rng.choice(words)}@d{rng.randrange(20_000)}.example",
        rng.choice(CODES),
        "the score reached 10",
        rng.uniform(5, 30),
        rng.randrange(2_000, 200_000),
        f"{number:064x}",
        "4BxQ",
        tuple(rng.sample(words[:60], 6)),
        received,
    )


def kinds(
    rng: random.Random, count: int, words: list[str]
) -> Iterator[tuple[str, Callable[[], EntryFilter], str | None]]:
    """What is looked for, by name; and the id that a page begins at."""
    middle = new_id(FIRST + count * BETWEEN / 2, bytes(10))
    yield "newest page", EntryFilter, None
    yield "a page in the middle", EntryFilter, middle
    yield "what waits", lambda: EntryFilter(states=WAITING), None
    yield "what waits, in the middle", lambda: EntryFilter(states=WAITING), middle
    yield "rare states", lambda: EntryFilter(states=(State.FAILED, State.EXPIRED)), None
    yield "by state", lambda: EntryFilter(state=State.DELIVERED), None
    yield "by reason", lambda: EntryFilter(code=rng.choice(CODES)), None
    yield "no such reason", lambda: EntryFilter(code="none"), None
    yield "a sender's domain", lambda: EntryFilter(sender=f"@d{rng.randrange(20_000)}.example"), None
    yield "a recipient", lambda: EntryFilter(recipient=f"user{rng.randrange(5_000)}@local.test"), None
    yield "a word of the subject", lambda: EntryFilter(subject=rng.choice(words)), None
    yield "two words in a row", lambda: EntryFilter(subject=" ".join(rng.choices(words, k=2))), None
    yield "no such sender", lambda: EntryFilter(sender="nobody@nowhere.invalid"), None
    yield "a symbol", lambda: EntryFilter(symbol=rng.choice(words[:60])), None
    yield "since an hour", lambda: EntryFilter(since=FIRST + count * BETWEEN - 3_600), None
    yield "a high score", lambda: EntryFilter(min_score=29.99), None
    yield (
        "all of them",
        lambda: EntryFilter(state=None, sender=f"@d{rng.randrange(20_000)}.example", code="score"),
        None,
    )


def main() -> int:
    """Fill, look, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    rng = random.Random(SEED)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(4, 11))) for _ in range(3_000)]
    slow = 0
    with open_folder() as folder, closing(SqliteDatabase(Path(folder) / "ledger.sqlite")) as database:
        ledger = Ledger(database)
        start = time.perf_counter()
        with database.changing() as connection:
            connection.executemany(INSERT, (values_of(entry(rng, number, words)) for number in range(count)))
        made = time.perf_counter() - start
        while ledger.index():
            pass
        size = (Path(folder) / "ledger.sqlite").stat().st_size
        sys.stdout.write(f"{count} entries, {size / 1e6:.0f} MB, made in {made:.0f} s,")
        sys.stdout.write(f" indexed in {time.perf_counter() - start - made:.0f} s\n")
        sys.stdout.flush()
        for name, wanted, before in kinds(rng, count, words):
            times, found = [], 0
            for _ in range(LOOKS):
                begin = time.perf_counter()
                found = len(ledger.entries(wanted(), before=before, limit=50))
                times.append((time.perf_counter() - begin) * 1000)
            high = statistics.quantiles(times, n=20)[-1]
            slow += high > BAR
            sys.stdout.write(f"{name:<24} {statistics.median(times):8.1f} {high:8.1f} ms   {found} found\n")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())

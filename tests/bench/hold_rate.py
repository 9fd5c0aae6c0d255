"""How many messages a second the quarantine takes, against bare write+fsync of the same bytes on the same disk.

python -m tests.bench.hold_rate [FOLDER]; both are measured in turns in one run, with 1, 4 and 16 threads. The bytes are
those of a message and of its evidence, bare in one file. Both are made before the clock starts. Printed are medians,
and the median of the quotients within each turn with the quartiles: the disk's speed changes from one second to the
next. Exit status 1 where that is below what is asked for.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from filterd.model.custody import Evidence
from filterd.model.ids import new_id
from filterd.model.message import RawMessage
from filterd.quarantine import Quarantine
from filterd.quarantine.blobs import raw_chunks
from filterd.quarantine.evidence import encode
from tests.quarantine.samples import evidence, raw, whole

SIZE: Final = 20_000  # bytes of body
COUNT: Final = 240  # messages per turn
TURNS: Final = 9
BAR: Final = 0.5

T = TypeVar("T")


def bare(folder: Path, content: bytes) -> None:
    """What the disk allows: a new file, written and fsynced."""
    descriptor = os.open(folder / os.urandom(8).hex(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, content)
    os.fsync(descriptor)
    os.close(descriptor)


@contextmanager
def parcels() -> Iterator[list[tuple[Evidence, RawMessage]]]:
    """Messages to hold."""
    with ExitStack() as stack:
        made = []
        for _ in range(COUNT):
            body = os.urandom(SIZE)
            sample = evidence(0, whole(body))
            # Without what no honest message has: texts that JSON cannot hold are written a slower way.
            reports = tuple([report for report in sample.reports if report.check != "arc"])
            given = replace(sample, id=new_id(time.time(), os.urandom(10)), reports=reports)
            made.append((given, stack.enter_context(raw(body))))
        yield made


def rate(work: Callable[[T], object], items: Sequence[T], threads: int) -> float:
    """Calls of `work` per second."""
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(work, items))
        return len(items) / (time.perf_counter() - start)


def turn(folder: Path, quarantine: Quarantine, threads: int) -> tuple[float, float]:
    """Files written and messages held in a second."""
    with parcels() as made:
        contents = [b"".join(raw_chunks(message)) + encode(given) for given, message in made]
        written = rate(lambda content: bare(folder, content), contents, threads)
        return written, rate(lambda one: quarantine.hold(*one), made, threads)


def main() -> int:
    """Print a table."""
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else "."))
    low = 0
    try:
        quarantine = Quarantine(folder / "quarantine", busy=30)
        for threads in (1, 4, 16):
            rates = [turn(folder, quarantine, threads) for _ in range(TURNS)]
            disk, held = (statistics.median(column) for column in zip(*rates, strict=True))
            lower, ratio, upper = statistics.quantiles((held / disk for disk, held in rates), n=4)
            low += ratio < BAR
            sys.stdout.write(
                f"{threads:3} threads: fsync {disk:6.0f}/s  hold {held:6.0f}/s  ratio {ratio:.2f}"
                f" ({lower:.2f} to {upper:.2f})\n"
            )
        with parcels() as made:
            cpu = time.process_time()
            rate(lambda one: quarantine.hold(*one), made, 1)
            sys.stdout.write(f"CPU per hold {(time.process_time() - cpu) / COUNT * 1e6:.0f} us\n")
        quarantine.close()
    finally:
        shutil.rmtree(folder)
    return int(low > 0)


if __name__ == "__main__":
    sys.exit(main())

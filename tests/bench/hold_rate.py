"""How many messages a second the quarantine takes, against bare write+fsync of the same bytes on the same disk.

python -m tests.bench.hold_rate [FOLDER]; both are measured in turns in one run, with 1, 4 and 16 threads.
"""

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from filterd.model.ids import new_id
from filterd.quarantine import Quarantine
from tests.quarantine.samples import evidence, raw, whole

SIZE = 20_000  # bytes of body
COUNT = 240  # messages per turn
TURNS = 3


def bare(folder: Path, body: bytes) -> None:
    """What the disk allows: a new file, written and fsynced."""
    descriptor = os.open(folder / os.urandom(8).hex(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, body)
    os.fsync(descriptor)
    os.close(descriptor)


def rate(work: Callable[[int], None], threads: int) -> float:
    """Calls of `work` per second."""
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(COUNT)))
    return COUNT / (time.perf_counter() - start)


def main() -> None:
    """Print a table."""
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else "."))
    try:
        quarantine = Quarantine(folder / "quarantine", busy=30)
        local = threading.local()

        def hold(_: int) -> None:
            body = os.urandom(SIZE)
            with raw(body) as message:
                sample = evidence(0, whole(body))
                # Without what no honest message has: texts that JSON cannot hold are written a slower way.
                reports = tuple([report for report in sample.reports if report.check != "arc"])
                given = replace(sample, id=new_id(time.time(), os.urandom(10)), reports=reports)
                quarantine.hold(given, message)

        def write(_: int) -> None:
            local.body = os.urandom(SIZE)
            bare(folder, local.body)

        for threads in (1, 4, 16):
            rates = [(rate(write, threads), rate(hold, threads)) for _ in range(TURNS)]
            disk, held = (sorted(column)[TURNS // 2] for column in zip(*rates, strict=True))
            sys.stdout.write(f"{threads:3} threads: fsync {disk:6.0f}/s  hold {held:6.0f}/s  ratio {held / disk:.2f}\n")
        cpu = time.process_time()
        rate(hold, 1)
        sys.stdout.write(f"CPU per hold {(time.process_time() - cpu) / COUNT * 1e6:.0f} us\n")
        quarantine.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

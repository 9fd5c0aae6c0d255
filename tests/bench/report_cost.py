"""What `filterd report` takes of a journal of a million rows: python -m tests.bench.report_cost [FOLDER] [ROWS].

Seconds, CPU and peak memory of the command, once with a tenth of the rows and once with all: memory must not grow by
more than SLACK. Exits with 1 where it does.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from filterd.quarantine import Journal
from tests.bench.trace_cost import BEGIN, ROWS, fill

SLACK: Final = 20.0  # MB: names are counted up to a bound that a tenth of the rows may not have reached
PARTS: Final = 10
SINCE: Final = "2026-01-01"  # before trace_cost's first row


def reported(folder: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak MB of one report of the journal there."""
    config = folder / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{folder}"\n')
    began = time.perf_counter()
    command = [sys.executable, "-m", "filterd", "report", "--since", SINCE, "--json", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(process.returncode)
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1_024


def main() -> None:
    """Print a line for each size."""
    most = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    peaks = []
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        for count in (most // PARTS, most):
            path = Path(folder) / "journal.sqlite"
            path.unlink(missing_ok=True)
            with closing(Journal(path, interval=3_600, clock=lambda: BEGIN)) as journal:
                fill(journal, count)
            seconds, cpu, peak = reported(Path(folder))
            peaks.append(peak)
            sys.stdout.write(f"{count:9,} rows  {seconds:6.1f} s  CPU {cpu:6.1f} s  peak {peak:6.1f} MB\n")
    sys.exit(1 if peaks[1] > peaks[0] + SLACK else 0)


if __name__ == "__main__":
    main()

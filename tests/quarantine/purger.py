"""A process that expires and sweeps all it finds, beside others that do: ROOT. Prints how many it has itself done."""

import sys
import time
from pathlib import Path

from filterd.quarantine import EntryFilter, Quarantine, State

BATCH = 3  # entries in one commit, so that both are in each other's way


def main() -> None:
    """Go on until nothing is left of any of them."""
    expired = swept = 0
    quarantine = Quarantine(Path(sys.argv[1]), busy=20.0)
    sys.stdin.readline()  # both begin at once
    while found := quarantine.entries(EntryFilter(states=(State.HELD,)), limit=BATCH):
        expired += quarantine.expire([(entry.id, "too old") for entry in found])
        swept += quarantine.sweep(time.time() + 1, BATCH)
    while done := quarantine.sweep(time.time() + 1):
        swept += done
    quarantine.close()
    sys.stdout.write(f"{expired} {swept}\n")


if __name__ == "__main__":
    main()

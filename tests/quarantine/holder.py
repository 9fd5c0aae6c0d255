"""A process that holds messages in a loop and prints each id once hold() has returned.

Run with: ROOT SEED THREADS [PLACE]. PLACE is a quarantine.opening.Place in JSON.
"""

import json
import os
import random
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from filterd.model.ids import new_id
from filterd.quarantine import Quarantine
from filterd.quarantine.opening import Place, open_quarantine
from tests.quarantine.samples import evidence, raw, whole


def work(quarantine: Quarantine, seed: int) -> None:
    """Hold for ever; some bodies repeat, so that blobs are shared."""
    rng = random.Random(seed)
    while True:
        body = rng.choice([b"same", rng.randbytes(rng.choice([10, 5_000, 600_000]))])
        data = whole(body)
        with raw(body) as message:
            given = replace(evidence(0, data), id=new_id(time.time(), os.urandom(10)))
            held = quarantine.hold(given, message)
        sys.stdout.write(f"{held}\n")
        sys.stdout.flush()


def main() -> None:
    """Start the threads and wait to be killed."""
    root, seed, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    place = Place(**json.loads(sys.argv[4])) if len(sys.argv) > 4 else Place()
    quarantine = open_quarantine(place, root)
    for number in range(threads):
        threading.Thread(target=work, args=(quarantine, seed * 100 + number), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()

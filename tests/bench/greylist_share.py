"""How much mail of each kind would be greylisted at which score: python -m tests.bench.greylist_share INDEX [COUNT].

INDEX has lines of label (ham or spam), source and path, parted by tabs. Messages are judged by their content alone: no
name exists, so nothing is proved of anybody, no list lists anybody, and every client is without a name. For ham that is
the worst case.
"""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.dnsserver import DnsServer

SCORES: Final = (2, 3, 4, 5, 6)
HELD: Final = 10.0
CLIENT: Final = ("--client-ip", "198.51.100.7", "--helo", "mail.example.com", "--mail-from", "a@example.com")


def scores(files: list[str], port: int) -> list[float]:
    """What `filterd scan` gives them."""
    command = [sys.executable, "-m", "filterd", "scan", "--json", *CLIENT, "--nameserver", f"127.0.0.1:{port}", *files]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(json.loads(line)["score"]) for line in done.stdout.splitlines()]


def main() -> None:
    """Print a table in percent."""
    index, most = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 700
    rows = [line.split("\t") for line in index.read_text().splitlines()]
    sys.stdout.write(
        f"{'':6} {'messages':>8}" + "".join([f"{f'from {least}':>10}" for least in SCORES]) + "      held\n"
    )
    with DnsServer({}) as dns:
        for label in ("ham", "spam"):
            paths = [str(index.parent / row[2]) for row in rows if row[0] == label]
            found = scores(random.Random(1).sample(paths, min(most, len(paths))), dns.port)
            shares = [sum(least <= one < HELD for one in found) / len(found) for least in SCORES]
            cells = "".join([f"{share:10.1%}" for share in shares])
            held = sum(one >= HELD for one in found) / len(found)
            sys.stdout.write(f"{label:6} {len(found):8}{cells}{held:10.1%}\n")


if __name__ == "__main__":
    main()

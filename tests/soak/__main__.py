"""`make soak HOURS=24`: a hostile mix through a real Postfix for hours, and what grew meanwhile.

    python -m tests.soak --hours 24 [--rate N] [--seed N] [--only-made] [--json FILE]

Exit status 1 where a message is not accounted for, a session did not end, something crashed, or a process grew by more
than it may. From which length on a run says what: report.py and slopes.py.
"""

import argparse
import os
import sys
from pathlib import Path

import msgspec

from tests.soak.report import checks, text
from tests.soak.run import RATE, Plan, run

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="A long run with hostile mail.")
    parser.add_argument("--hours", type=float, required=True, help="how long; a part of one, such as 0.34, does")
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second")
    parser.add_argument("--seed", type=int, default=1, help="which messages")
    parser.add_argument("--json", type=Path, help="write every sample into this file")
    parser.add_argument("--only-made", action="store_true", help="without the public mail of FILTERD_SHARED")
    chosen = parser.parse_args()
    shared = Path(os.environ.get("FILTERD_SHARED") or ROOT.parent / "shared")
    public = shared if (shared / "data").is_dir() and not chosen.only_made else None
    outcome = run(Plan(chosen.hours, public, chosen.rate, chosen.seed), say)
    say(text(outcome))
    if chosen.json is not None:
        chosen.json.write_bytes(msgspec.json.encode(outcome.samples))
    return int(not all(one.good for one in checks(outcome)))


def say(line: str) -> None:
    """Print at once: a run takes hours."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""A thousand held messages replayed: the same verdict, score and symbols? python -m tests.bench.replay_same [COUNT].

Mail of the bench, and public mail and documents where FILTERD_SHARED has them, is held by a front with everything live
and then replayed with nobody to ask. Prints what differs, and exits with 1 where anything does.
"""

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from filterd.operations.replay_many import held, replay_many
from tests.conftest import SHARED
from tests.operations.held import stand, varied

COUNT: Final = 1_050  # brought: some are refused whatever the thresholds are, retries of one count as one
LEAST: Final = 1_000
JOBS: Final = 2


def _differs(found: dict[str, Any]) -> bool:
    return "problem" in found or not found["same"] or bool(found["missing"] or found["unrecorded"])


def main() -> None:
    """Print what came of it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    data = SHARED / "data"
    with tempfile.TemporaryDirectory() as folder, stand(Path(folder), JOBS) as found:
        mail = varied(count, data if data.is_dir() else None)
        began = time.monotonic()
        actions = Counter(found.hold(mail))
        holding = time.monotonic() - began
        ids = held(found.quarantine)
        began = time.monotonic()
        rows = list(replay_many(found.bench, found.quarantine, ids, JOBS, found.site.config_id, live=False))
        replaying = time.monotonic() - began
        symbols = {one.finding.symbol for name in ids for one in found.quarantine.evidence(name).verdict.symbols}
    wrong = [row for row in rows if _differs(row)]
    for row in wrong:
        sys.stdout.write(f"{row}\n")
    told = ", ".join(f"{number} {action}" for action, number in sorted(actions.items()))
    sys.stdout.write(
        f"{len(mail)} messages ({told}), {len(ids)} held apart from retries, {len(symbols)} symbols\n"
        f"held in {holding:.1f} s, replayed in {replaying:.1f} s by {JOBS} jobs\n"
        f"{len(rows) - len(wrong)} of {len(rows)} to the same verdict, score and symbols\n"
    )
    sys.exit(1 if wrong or (count >= COUNT and len(ids) < LEAST) else 0)


if __name__ == "__main__":
    main()

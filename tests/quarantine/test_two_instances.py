"""Two daemons on one spool: each of them finds what is due, and what the other has done is not done again."""

import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from filterd.quarantine import EntryFilter, Quarantine, State
from tests.quarantine.kept import kept
from tests.quarantine.samples import evidence, identifier, raw, whole

ROOT: Final = Path(__file__).resolve().parents[2]
MESSAGES: Final = 60
LARGE: Final = 300_000  # bytes: a file of its own, where others are in segments
ENDS: Final = 90.0  # seconds until a process is given up


@pytest.mark.integration
@pytest.mark.threat("OPS-11")
def test_two_upkeeps_purge_nothing_twice(tmp_path: Path) -> None:
    """Sixty messages, each expired by one of two processes and removed by one; both end well, and nothing is left."""
    folder = tmp_path / "quarantine"
    with closing(Quarantine(folder, busy=5.0)) as quarantine:
        for number in range(MESSAGES):
            body = b"%d" % number * (LARGE if number % 10 == 0 else 1)
            with raw(body) as message:
                quarantine.hold(evidence(number, whole(body), sender=f"{number}@a.test"), message)
        argv = [sys.executable, "-m", "tests.quarantine.purger", str(folder)]
        both = [
            subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        for one in both:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        done = [[int(word) for word in one.communicate(timeout=ENDS)[0].split()] for one in both]
        assert [one.returncode for one in both] == [0, 0]
        assert [sum(column) for column in zip(*done, strict=True)] == [MESSAGES, MESSAGES]
        assert quarantine.entries(EntryFilter(states=(State.HELD,))) == []
        for number in range(MESSAGES):
            actions = Counter(row.action for row in quarantine.audit(identifier(number)))
            assert set(actions.values()) == {1}, actions
    assert kept(folder) == set()

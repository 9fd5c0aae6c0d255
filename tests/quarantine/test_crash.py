"""Whatever moment a process dies at, an id that hold() returned is there, and nothing is there by half."""

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.ids import is_id
from filterd.quarantine import Quarantine
from filterd.quarantine.inventory import Kind

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("FILTERD_KILLS", "12"))  # test_kills.py has more of them


def run_and_kill(root: Path, seed: int, after: float) -> list[str]:
    """The ids a holding process printed before SIGKILL struck."""
    argv = [sys.executable, "-m", "tests.quarantine.holder", str(root), str(seed), "3"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as child:
        assert child.stdout is not None
        first = child.stdout.readline()  # it is under way: kill relative to that, not to the start of Python
        try:
            child.wait(after)
        except subprocess.TimeoutExpired:
            child.kill()
        lines = (first + child.stdout.read()).decode().split("\n")
    return [line for line in lines if is_id(line)]


@pytest.mark.integration
@pytest.mark.soak
@pytest.mark.threat("QUA-01")
def test_kill(tmp_path: Path) -> None:
    """Kill -9 at random moments: every returned id reads back whole, every entry has its files."""
    seed = int(os.environ.get("FILTERD_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed}")  # noqa: T201  # pytest shows it where the test fails
    rng = random.Random(seed)
    root = tmp_path / "quarantine"
    returned: list[str] = []
    for turn in range(KILLS):
        returned += run_and_kill(root, seed + turn, rng.uniform(0.0, 0.15))
    with closing(Quarantine(root)) as quarantine:
        assert len(returned) >= KILLS
        seen: set[str] = set()
        for entry in quarantine._ledger.with_files():
            with quarantine.open_raw(entry.id) as stored:
                data = stored.read()
            assert hashlib.sha256(data).hexdigest() == entry.sha256, f"seed {seed}"
            assert (quarantine.evidence(entry.id).id, len(data)) == (entry.id, entry.size), f"seed {seed}"
            seen.add(entry.id)
        print(f"{KILLS} kills, {len(returned)} held and said so, {len(seen)} held")  # noqa: T201  # as above
        assert set(returned) <= seen, f"seed {seed}"
        assert quarantine.verify_audit().broken is None, f"seed {seed}"
        # Files and records without an entry: the process died before the commit, and nobody was told.
        kinds = {problem.kind for problem in quarantine.inventory().problems(contents=True)}
        assert kinds <= {Kind.UNLISTED, Kind.ORPHAN}, f"seed {seed}"


@pytest.mark.integration
@pytest.mark.threat("QUA-02")
def test_fsync_order(tmp_path: Path) -> None:
    """What is stored is fsynced before the ledger is, and only then hold() returns.

    A small message and its evidence are one write into a segment. A large one and its evidence are files, fsynced
    before they are renamed, their folders after it.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    code = (
        "import os, sys; from pathlib import Path; from filterd.quarantine import Quarantine;"
        "from tests.quarantine.samples import evidence, raw, whole\n"
        "q = Quarantine(Path(sys.argv[1]))\n"
        "for number in range(4):\n"
        "    body = b'%d' % number * (1 if number < 2 else 300_000)\n"
        "    with raw(body) as message: held = q.hold(evidence(number, whole(body)), message)\n"
        "    os.write(1, b'returned ' + held.encode())\n"
    )
    trace = tmp_path / "trace"
    calls = "trace=openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
    argv = ["strace", "-f", "-y", "-s", "64", "-e", calls, "-o", str(trace)]
    argv += [sys.executable, "-c", code, str(tmp_path / "quarantine")]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    if b"ptrace" in done.stderr.lower():
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr.decode()
    # All folders exist, and the segment, when the second of each is held.
    first, small, _, large, _ = [_steps(part) for part in trace.read_text(errors="replace").split("returned 0")]
    # The very first: names of segment and ledger are on the disk before the commit that speaks of them counts.
    assert first[-1] == "fsync ledger"
    assert "fsync segments folder" in first[: _last(first, "fsync segment")]
    assert _last(first, "fsync segment") < _last(first, "fsync quarantine folder") < len(first) - 1
    assert small == ["write segment", "fsync segment", "fsync ledger"]
    assert large == [
        "fsync draft",
        "fsync draft",
        "rename blob",
        "rename evidence",
        "fsync blobs folder",
        "fsync evidence folder",
        "fsync ledger",
    ]


def _last(steps: list[str], name: str) -> int:
    """Where it was done last."""
    return len(steps) - 1 - steps[::-1].index(name)


def _steps(trace: str) -> list[str]:
    """What of the trace matters, in order; making the blob's own folder left out."""
    patterns = {
        "write segment": r"pwrite64\(\d+<[^>]*/segments/[0-9a-f-]+>",
        "fsync segment": r"f(?:data)?sync\(\d+<[^>]*/segments/[0-9a-f-]+>",
        "fsync draft": r"fsync\(\d+<[^>]*/drafts/[0-9a-f]+>",
        "rename blob": r"rename\w*\(.*/drafts/\w+\", .*/blobs/",
        "rename evidence": r"rename\w*\(.*/drafts/\w+\", .*/evidence/",
        "fsync blobs folder": r"fsync\(\d+<[^>]*/blobs/\w\w>",
        "fsync evidence folder": r"fsync\(\d+<[^>]*/evidence>",
        "fsync segments folder": r"fsync\(\d+<[^>]*/segments>",
        "fsync quarantine folder": r"f(?:data)?sync\(\d+<[^>]*/quarantine>",
        "fsync ledger": r"f(?:data)?sync\(\d+<[^>]*/ledger\.sqlite-wal>",
    }
    steps = []
    for line in trace.split("\n"):
        steps += [name for name, pattern in patterns.items() if re.search(pattern, line)]
    return steps

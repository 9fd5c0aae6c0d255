"""CPU and memory of process trees, and the quotients of two filters."""

import os
import subprocess
import sys
from dataclasses import replace

from tests.bench.measure import Process, cpu, memory, spent, tree
from tests.bench.passes import Figures, merged
from tests.bench.report import ratios, wire_cost

BURN = """
import os, time
if os.fork() == 0:
    while time.process_time() < 0.3:
        pass
    os._exit(0)
os.wait()
print(1, flush=True)
input()
"""


def role(one: Process) -> str:
    """The child we started, or what came of it."""
    return "child" if one.command else "grandchild"


def figures(system: str, turn: int, cpu_ms: float, rate: float) -> Figures:
    """One pass of which only some figures matter."""
    return Figures(system, "warm, all", 8, turn, 10, rate, 1, 1, 1, 1, {"x": cpu_ms}, 0, 0, 0, 0, 0, 0)


def test_children_that_ended_count() -> None:
    """CPU of a process that was waited for is in its parent's tree, under the children's role."""
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        before = cpu(process.pid, role)
        process.stdout.readline()
        used = spent(before, cpu(process.pid, role))
        sizes = memory(process.pid, role)
        process.communicate(b"\n")
    assert used["grandchild"] >= 0.2
    assert sum(sizes["child"]) > 1


def test_tree_holds_ourselves() -> None:
    """The root of a tree is a part of it."""
    assert os.getpid() in {one.pid for one in tree(os.getpid())}


def test_quotients_are_taken_within_a_round() -> None:
    """The median of quotients of the same round, not the quotient of medians: the machine's drift cancels out."""
    mine = [figures("filterd", 0, 1, 300), figures("filterd", 1, 4, 100), figures("filterd", 2, 2, 200)]
    theirs = [figures("rspamd", 0, 2, 100), figures("rspamd", 1, 8, 50), figures("rspamd", 2, 4, 100)]
    assert ratios(mine + theirs) == [("warm, all", 8, "filterd", 0.5, 2.0, 1.0)]


def test_differences_are_taken_within_a_round() -> None:
    """What new names cost: the median of differences in the fronts alone, with the questions on the wire."""
    warm = [replace(figures("filterd", turn, 0, 1), cpu={"front": cpu_ms}) for turn, cpu_ms in ((0, 2), (1, 4), (2, 2))]
    new = [
        replace(one, case="new names, all", cpu={"front": one.cpu["front"] + more, "inspector": 9}, wire=16)
        for one, more in zip(warm, (1, 2, 3), strict=True)
    ]
    others = [replace(one, system="rspamd") for one in new]
    assert wire_cost([*warm, *new, *others]) == [(8, 2, 16)]


def test_rounds_merge_to_medians() -> None:
    """A figure of several rounds is their median."""
    one = merged([figures("filterd", 0, 1, 300), figures("filterd", 1, 4, 100), figures("filterd", 2, 2, 200)])
    assert (one.total, one.rate, one.messages) == (2, 200, 30)

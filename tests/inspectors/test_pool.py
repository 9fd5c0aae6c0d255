"""The pool over a real nursery whose inspectors do as they are told: every way in which one may fail."""

import inspect
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.inspectors import (
    InspectorBusy,
    InspectorCrashed,
    InspectorDied,
    InspectorFailure,
    InspectorPool,
    InspectorTimeout,
    SandboxLevel,
    start_nursery,
)
from filterd.inspectors.pool import MAX_WAITING
from filterd.ipc.messages import Kind, encode_facts
from filterd.model.inspection import Inspection
from tests.inspectors.conftest import OBEDIENT, WITHIN, Bed, Make, gone, inspectors_of, wait_until
from tests.support.process import open_folder

pytestmark = pytest.mark.integration
REPLACED_WITHIN = 2.0  # seconds; the promise, of which a fork takes some hundredths


def failure(call: Callable[[], object]) -> InspectorFailure:
    """How it failed."""
    with pytest.raises(InspectorFailure) as caught:
        call()
    return caught.value


def in_background(bed: Bed, body: bytes, count: int = 1) -> list[Future[Inspection]]:
    """Ask from threads of their own."""
    executor = ThreadPoolExecutor(count)
    futures = [executor.submit(bed.ask, body) for _ in range(count)]
    executor.shutdown(wait=False)
    return futures


def occupy(bed: Bed, count: int = 1) -> list[Future[Inspection]]:
    """Have inspectors sleep, and return once they do."""
    before = bed.pool.stats()["jobs"]
    futures = in_background(bed, b"sleep 2", count)
    wait_until(lambda: bed.pool.stats()["jobs"] == before + count, "all busy")
    return futures


def computing(pid: int) -> bool:
    """Whether a process has used a fifth of a second, which starting and waiting do not."""
    return sum(int(ticks) for ticks in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]) > 20


def test_answers_reach_who_asked(make: Make) -> None:
    """Many threads over few inspectors: nobody gets another's facts."""
    bed = make(3)
    with ThreadPoolExecutor(8) as executor:
        texts = [f"text{number}" for number in range(300)]
        found = list(executor.map(lambda text: bed.ask(f"echo {text}".encode()).subject, texts))
    assert found == texts
    assert bed.pool.stats() | {"jobs": 300} == bed.pool.stats()


def test_a_body_is_seen_whole_whatever_its_size(make: Make) -> None:
    """Read where it is small, mapped where it is large."""
    bed = make()
    for size in (0, 1, 255 * 1024, 256 * 1024, 1_000_000):
        assert len(bed.ask(b"echo " + b"x" * size).subject) == size


@pytest.mark.threat("MTA-03")
def test_an_inspector_that_overruns_the_deadline_is_killed(make: Make) -> None:
    """The front's deadline: InspectorTimeout, the process is gone, another takes its place."""
    bed = make()
    pid = bed.pid()
    assert isinstance(failure(lambda: bed.ask(b"hang", within=0.2)), InspectorTimeout)
    assert bed.pool.wait_ready(REPLACED_WITHIN)
    assert gone(pid)
    assert bed.pid() != pid


@pytest.mark.parametrize("body", [b"hang", b"spin"])
def test_an_inspector_keeps_its_own_time(make: Make, body: bytes) -> None:
    """The job's seconds end it from within, even where the front is not there to do it."""
    bed = make()
    error = failure(lambda: bed.ask(body, seconds=0.2))
    assert (type(error), "SIGALRM" in str(error)) == (InspectorTimeout, True)
    assert bed.pool.stats()["timeout"] == 1


def test_an_inspector_that_is_stopped_is_killed(make: Make) -> None:
    """A process that runs no code keeps no timer either: the front's deadline is the second one."""
    bed = make()
    pid = bed.pid()
    os.kill(pid, signal.SIGSTOP)
    assert isinstance(failure(lambda: bed.ask(b"echo", seconds=0.2, within=0.5)), InspectorTimeout)
    wait_until(lambda: gone(pid), "the stopped inspector is killed")


@pytest.mark.threat("RES-01")
def test_an_inspector_killed_in_the_middle_is_replaced(make: Make) -> None:
    """SIGKILL with the message in its hands: that message fails, the next one is read within two seconds."""
    bed = make()
    pid = bed.pid()
    future = in_background(bed, b"spin")[0]
    wait_until(lambda: computing(pid), "the message is being read")
    os.kill(pid, signal.SIGKILL)
    error = future.exception(WITHIN)
    assert (type(error), str(error)) == (InspectorDied, "the inspector died (SIGKILL)")
    assert bed.pool.wait_ready(REPLACED_WITHIN)
    assert bed.ask(b"echo again").subject == "again"


@pytest.mark.threat("RES-01")
@pytest.mark.parametrize(
    ("body", "cause"),
    [(b"crash", "SIGSEGV"), (b"exit 3", "exit code 3"), (b"kill 6", "SIGABRT"), (b"kill 15", "SIGTERM")],
)
def test_an_inspector_that_dies_says_how_and_harms_no_other(make: Make, body: bytes, cause: str) -> None:
    """A fault in a library costs one message; another one in a second inspector is read to its end."""
    bed = make(2)
    other = in_background(bed, b"sleep 0.5")[0]
    error = failure(lambda: bed.ask(body))
    assert (type(error), str(error)) == (InspectorDied, f"the inspector died ({cause})")
    assert other.result(WITHIN).subject == "slept"
    assert bed.pool.stats()["died"] == 1


@pytest.mark.threat("RES-12")
def test_an_inspector_that_the_kernel_kills_for_memory_has_died(make: Make) -> None:
    """A cgroup's limit is reached: the same as any other death."""
    root = Path("/sys/fs/cgroup")
    memory = root / "memory" if (root / "memory").is_dir() else root
    group = memory / f"filterd-test-{os.getpid()}"
    limit = "memory.limit_in_bytes" if memory != root else "memory.max"
    try:
        group.mkdir()
    except OSError as problem:
        pytest.skip(f"no cgroup can be made: {problem}")
    try:
        try:
            (group / limit).write_text("50000000")
        except OSError as problem:
            pytest.skip(f"no memory controller: {problem}")
        bed = make()
        (group / "cgroup.procs").write_text(str(bed.pid()))
        error = failure(lambda: bed.ask(b"allocate 120000000"))
        assert (type(error), str(error)) == (InspectorDied, "the inspector died (SIGKILL)")
        assert bed.ask(b"echo again").subject == "again"
    finally:
        wait_until(lambda: (group / "cgroup.procs").read_text() == "", "the group is empty")
        group.rmdir()


def test_cpu_time_is_bounded_for_each_message(make: Make) -> None:
    """A message that computes for ever is ended by its CPU time; earlier ones do not count against it."""
    bed = make(cpu_seconds=1)
    error = failure(lambda: bed.ask(b"spin"))
    assert (type(error), "SIGPROF" in str(error)) == (InspectorTimeout, True)


@pytest.mark.threat("ZIP-06")
def test_memory_is_bounded(make: Make) -> None:
    """More than the address space gives a MemoryError that is told; the process is replaced."""
    bed = make(memory=512 << 20)
    pid = bed.pid()
    error = failure(lambda: bed.ask(b"allocate 600000000"))
    assert (type(error), str(error)[:11]) == (InspectorCrashed, "MemoryError")
    wait_until(lambda: bed.pid() != pid, "replaced")


def test_an_exception_is_told_and_its_inspector_replaced(make: Make) -> None:
    """Our bug met by this message: words for the log, whatever they hold, and nobody reads on in that process."""
    bed = make()
    pid = bed.pid()
    error = failure(lambda: bed.ask(b"raise hostile"))
    assert (type(error), str(error)) == (InspectorCrashed, "RuntimeError: hostile?")
    wait_until(lambda: bed.pid() != pid, "replaced")
    wait_until(lambda: gone(pid), "the old one is ended")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        b"\0\0\0\1\2\xc1",
        b"\0\0\0\x01\x02\x80" * 2,
        b"\0\0\0\0\x09",
        b"\xff\xff\xff\xff\x02",
        b"\0\0\0\1\3\x80",
        b"\0\0\0\2\2\x92\x80",
    ],
    ids=["noise", "broken", "two answers", "kind", "length", "failure", "cut"],
)
def test_an_answer_that_is_none_counts_as_death(make: Make, data: bytes) -> None:
    """An inspector that has been taken over is not believed: it is killed and the message's facts are unknown."""
    bed = make()
    pid = bed.pid()
    assert isinstance(failure(lambda: bed.ask(b"talk " + data.hex().encode(), within=1)), InspectorFailure)
    wait_until(lambda: gone(pid), "killed")
    assert bed.ask(b"echo again").subject == "again"


def test_an_answer_for_two_does_not_serve_the_next_message(make: Make) -> None:
    """Facts sent ahead are facts about nobody's message."""
    bed = make()
    facts = encode_facts(Inspection(subject="innocent"))
    frame = len(facts).to_bytes(4, "big") + bytes([Kind.FACTS]) + facts
    failure(lambda: bed.ask(b"talk " + (frame * 2).hex().encode()))
    assert bed.ask(b"echo mine").subject == "mine"


def test_an_inspector_is_replaced_after_its_messages(make: Make) -> None:
    """Recycled without a message lost or late."""
    bed = make(messages=3)
    pids = {bed.pid()}
    for _ in range(3):
        wait_until(lambda: bed.pid() not in pids, "another one reads")
        pids.add(bed.pid())
    wait_until(lambda: len(inspectors_of(bed.nursery)) == 1, "the old ones are ended")
    stats = bed.pool.stats()
    assert (stats["died"], stats["timeout"], stats["crashed"], stats["busy"]) == (0, 0, 0, 0)
    assert stats["recycled"] >= 3


@pytest.mark.threat("RES-02")
def test_who_waits_too_long_is_told_to_come_back(make: Make) -> None:
    """All busy: InspectorBusy at the end of the admission time, and the message was never begun."""
    bed = make(admission=0.1)
    busy = occupy(bed)
    assert isinstance(failure(lambda: bed.ask(b"echo")), InspectorBusy)
    assert busy[0].result(WITHIN).subject == "slept"
    assert bed.ask(b"echo free").subject == "free"


@pytest.mark.threat("RES-02")
def test_the_queue_is_bounded(make: Make) -> None:
    """All busy and fifty in the queue: the next one is refused at once, those before are served."""
    bed = make(waiting=MAX_WAITING)
    occupy(bed)
    waiting = in_background(bed, b"echo late", MAX_WAITING)
    wait_until(lambda: bed.pool.stats()["waiting"] == MAX_WAITING, "fifty wait")
    error = failure(lambda: bed.ask(b"echo"))
    assert (type(error), str(error)) == (InspectorBusy, "too many messages wait for an inspector")
    assert [future.result(WITHIN).subject for future in waiting] == ["late"] * MAX_WAITING
    assert bed.pool.stats()["waiting"] == 0


@pytest.mark.threat("RES-02")
def test_nobody_waits_longer_than_promised() -> None:
    """What a front's pool is made with, where nobody says otherwise: fifty callers, ten seconds."""
    defaults = inspect.signature(InspectorPool).parameters
    assert (defaults["waiting"].default, defaults["admission"].default) == (50, 10.0)


def test_a_deadline_that_has_passed_costs_no_inspector(make: Make) -> None:
    """Our own lateness is no strike against the message."""
    bed = make()
    pid = bed.pid()
    assert isinstance(failure(lambda: bed.ask(b"echo", within=-1)), InspectorBusy)
    assert bed.pid() == pid


@pytest.mark.threat("RES-01")
def test_an_inspector_that_died_idle_costs_no_message(make: Make) -> None:
    """It had not read it: another one does."""
    bed = make(2)
    for pid in inspectors_of(bed.nursery):
        os.kill(pid, signal.SIGKILL)
    assert [future.result(WITHIN).subject for future in in_background(bed, b"echo still", 8)] == ["still"] * 8
    assert bed.pool.stats()["died_idle"] >= 1
    assert bed.pool.stats()["died"] == 0


def test_an_error_of_the_callers_costs_the_pool_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt in the middle of a conversation: the inspector is given up, and replaced."""
    bed = make()

    def interrupt(_: object) -> Inspection:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(InspectorPool, "_read", staticmethod(interrupt))
        with pytest.raises(KeyboardInterrupt):
            bed.ask(b"echo")
    assert bed.ask(b"echo again").subject == "again"
    assert bed.pool.stats()["serving"] == 1


@pytest.mark.threat("MTA-11")
def test_a_header_of_any_size_is_taken(make: Make) -> None:
    """Twenty megabytes of header are cut to what is unscannable all the same, and cost no inspector."""
    bed = make()
    fields = ((b"Subject", b" " + b"x" * 60_000),) * 350
    assert bed.ask(b"echo fine", fields=fields).subject == "fine"
    assert bed.pool.stats()["died"] == 0


@pytest.mark.threat("OPS-03")
def test_weaker_walls_than_demanded_do_not_serve() -> None:
    """The pool stays empty and says why; messages are told to come back."""
    with open_folder() as folder:
        nursery = start_nursery(folder, replace(OBEDIENT, demand=SandboxLevel(landlock=99)))
        pool = InspectorPool(nursery.path, 1, admission=0.1)
        wait_until(lambda: pool.trouble, "the inspector refuses")
        error = failure(lambda: Bed(nursery, pool).ask(b"echo"))
        assert (type(error), str(error)) == (InspectorBusy, "the sandbox lacks what is demanded: landlock ABI 99")
        pool.close()
        nursery.stop()


def test_what_inspectors_are_is_known(make: Make) -> None:
    """Their walls, their rules, the files left out."""
    bed = make()
    assert (bed.pool.rule_set, bed.pool.problems, bed.pool.trouble) == ("obedient", (), "")


def test_a_closed_pool_ends_its_inspectors_and_its_callers(make: Make) -> None:
    """Who waits and who is being served is told to come back: no strike for our own stop."""
    bed = make()
    served = in_background(bed, b"hang")[0]
    wait_until(lambda: bed.pool.stats()["idle"] == 0, "busy")
    waiting = in_background(bed, b"echo")[0]
    wait_until(lambda: bed.pool.stats()["waiting"] == 1, "one waits")
    bed.pool.close()
    assert isinstance(waiting.exception(WITHIN), InspectorBusy)
    assert isinstance(served.exception(WITHIN), InspectorBusy)
    wait_until(lambda: inspectors_of(bed.nursery) == [], "all inspectors are ended")
    assert isinstance(failure(lambda: bed.ask(b"echo", within=0.1)), InspectorBusy)


def test_no_descriptor_and_no_thread_is_left_over(make: Make) -> None:
    """After deaths, timeouts, recycling and a pool closed under a message the process is as it was."""
    descriptors, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    bed = make(2, messages=5)
    for body in (b"crash", b"raise x", b"hang", b"talk ff", *[b"echo"] * 30):
        try:
            bed.ask(body, seconds=0.2)
        except InspectorFailure:
            continue
    last = occupy(bed, 2)
    bed.pool.close()
    bed.nursery.stop()
    for future in last:
        future.exception(WITHIN)
    wait_until(lambda: threading.active_count() <= threads, "threads end")
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


def test_a_front_that_dies_takes_its_inspectors_along(make: Make) -> None:
    """They live as long as the connection; no one replaces them."""
    bed = make()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            pool = InspectorPool(bed.nursery.path, 3)
            status = 0 if pool.wait_ready(WITHIN) else 1
            while status == 0:
                time.sleep(1)
        finally:
            os._exit(status)
    wait_until(lambda: len(inspectors_of(bed.nursery)) == 4, "the other front has its inspectors")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_until(lambda: len(inspectors_of(bed.nursery)) == 1, "they are gone")
    assert bed.ask(b"echo mine").subject == "mine"

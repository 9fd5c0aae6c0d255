"""Work that threads hand in: each is done once, each hears of its own error."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine.gathering import Awaited, Gathering, PassOn


class Item(Awaited):
    """A number."""

    def __init__(self, number: int) -> None:
        """Which one."""
        super().__init__()
        self.number = number


def test_each_is_done_once() -> None:
    """What many threads hand in is done once each, one batch at a time."""
    batches: list[list[int]] = []
    running = threading.Semaphore(1)

    def work(items: Sequence[Item], _: PassOn) -> None:
        assert running.acquire(blocking=False)
        batches.append([item.number for item in items])
        running.release()

    gathering = Gathering(work)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: gathering.do(Item(number)), range(2_000)))
    assert sorted(number for batch in batches for number in batch) == list(range(2_000))


def test_own_errors() -> None:
    """Who shares a batch with a failure is not told of it."""

    def work(items: Sequence[Item], _: PassOn) -> None:
        for item in items:
            if item.number % 2:
                item.error = CustodyError(f"no {item.number}")

    gathering = Gathering(work)

    def do(number: int) -> str:
        try:
            gathering.do(Item(number))
        except CustodyError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(do, range(200)))
    assert found == [f"no {number}" if number % 2 else "" for number in range(200)]


def test_gathered_while_one_works() -> None:
    """What comes while one works is done together, and where the work breaks each of them hears it."""
    begun, going = threading.Event(), threading.Event()
    batches: list[int] = []

    def work(items: Sequence[Item], _: PassOn) -> None:
        batches.append(len(items))
        if len(batches) == 1:
            begun.set()
            going.wait(30)
        else:
            raise RuntimeError("broken")

    gathering = Gathering(work)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(gathering.do, Item(0))
        begun.wait(30)
        others = [pool.submit(gathering.do, Item(number)) for number in range(1, 5)]
        while len(gathering._waiting) < 4:
            threading.Event().wait(0.001)
        going.set()
        first.result(30)
        errors = [future.exception(30) for future in others]
    assert batches == [1, 4]
    assert {str(error) for error in errors} == {"broken", "RuntimeError: broken"}


def test_passed_on() -> None:
    """Who passes the work on is not waited for by the next, and his batch waits for him."""
    second = threading.Event()

    def work(items: Sequence[Item], pass_on: PassOn) -> None:
        if items[0].number == 0:
            pass_on()
            pass_on()  # once is enough
            assert second.wait(30)
        else:
            second.set()

    gathering = Gathering(work)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(gathering.do, Item(number)) for number in range(2)]
        for future in futures:
            future.result(30)


def test_a_custody_error_keeps_its_kind() -> None:
    """An error that the work raises is each one's, of the same kind."""

    class OwnError(CustodyError):
        """Of a kind."""

    def work(_: Sequence[Item], __: PassOn) -> None:
        raise OwnError("mine")

    with pytest.raises(OwnError, match="mine"):
        Gathering(work).do(Item(0))

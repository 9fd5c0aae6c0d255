"""Work that many threads want done at the same moment, done by one of them for all: one fsync serves them all."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from filterd.model.custody import CustodyError


class Awaited:
    """What a thread hands in: afterwards `error` says why it was not done."""

    __slots__ = ("_done", "_wake", "error")

    def __init__(self) -> None:
        """Nothing is done yet."""
        self.error: CustodyError | None = None
        self._done = False
        self._wake: Final = threading.Lock()
        self._wake.acquire()


T = TypeVar("T", bound=Awaited)
PassOn = Callable[[], None]


class Gathering(Generic[T]):
    """The first thread that comes works for itself, and the next one for all that came meanwhile.

    Each has a lock of its own to wait at: one that all would share is passed from thread to thread, each waking only
    to find that it has nothing to do.
    """

    def __init__(self, work: Callable[[Sequence[T], PassOn], None]) -> None:
        """`work` does it for all of these, and leaves an error where it did not.

        One call runs at a time, until it has called what it is given: then the next one begins.
        """
        self._work = work
        self._waiting: deque[T] = deque()
        self._busy = False
        self._guard = threading.Lock()

    def do(self, item: T) -> None:
        """Return when it is done; the item's error where it is not."""
        with self._guard:
            self._waiting.append(item)
            first, self._busy = not self._busy, True
        if not first:
            item._wake.acquire()  # noqa: SLF001  # the two belong together
        if not item._done:  # noqa: SLF001
            self._lead(item)
        if item.error is not None:
            raise type(item.error)(str(item.error)) from item.error

    def _lead(self, own: T) -> None:
        """Work for all that wait, let the next one lead, wake those whose work is done."""
        with self._guard:
            batch = list(self._waiting)
            self._waiting.clear()
        passed = False

        def pass_on() -> None:
            nonlocal passed
            if passed:
                return
            passed = True
            with self._guard:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            if following is not None:
                following._wake.release()  # noqa: SLF001

        try:
            self._work(batch, pass_on)
        except BaseException as error:
            known = error if isinstance(error, CustodyError) else CustodyError(f"{type(error).__name__}: {error}")
            for item in batch:
                item.error = item.error or known
            raise
        finally:
            pass_on()
            for item in batch:
                item._done = True  # noqa: SLF001
                if item is not own:
                    item._wake.release()  # noqa: SLF001

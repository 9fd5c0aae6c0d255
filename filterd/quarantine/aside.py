"""Work done in a thread that Python itself has started.

libmilter's pool of workers lets any of its threads do what a session's next command is, and pymilter takes the
interpreter's state of the session along. What C calls back into Python finds another one there: that which the thread
had first, of a session that may have ended. libpq calls back with whatever notice a server sends, an object store for
the next part of a large message; a front in which that happened died of it, or had its memory spoilt.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from filterd.model.custody import CustodyError

T = TypeVar("T")


def aside(work: Callable[[], T]) -> T:
    """What `work` returns or raises; CustodyError too where no thread can be started.

    A thread for each, as many as ask at the same time: none waits for another one's.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(work())
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            raised.append(error)

    thread = threading.Thread(target=run, name="aside", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise CustodyError(f"quarantine: {error}") from error
    thread.join()
    if raised:
        raise raised.pop()
    return returned.pop()

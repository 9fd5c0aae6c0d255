"""The border that no exception crosses towards libmilter."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import milter
import structlog

from filterd.telemetry.events import Event

_log = structlog.get_logger()
P = ParamSpec("P")


class Fallible(Protocol):
    """A session that remembers that something went wrong."""

    def failed(self, callback: str) -> None:
        """The message at hand cannot be judged any more: it will be deferred."""


S = TypeVar("S", bound=Fallible)


def guarded(answer: int) -> Callable[[Callable[Concatenate[S, P], int]], Callable[Concatenate[S, P], int]]:
    """Give `answer` to libmilter where the callback raises, log why, and mark the session.

    BaseException too: a KeyboardInterrupt or SystemExit that strays into a callback's thread must not desynchronise
    the MTA either.
    """

    def decorate(callback: Callable[Concatenate[S, P], int]) -> Callable[Concatenate[S, P], int]:
        @wraps(callback)
        def wrapper(session: S, /, *args: P.args, **kwargs: P.kwargs) -> int:
            try:
                return callback(session, *args, **kwargs)
            except BaseException:  # noqa: BLE001  # the named border: see the docstring
                caught(session, callback.__name__)
                return answer

        return wrapper

    return decorate


def caught(session: Fallible, callback: str) -> None:
    """Mark the session and log the exception at hand. Without memory neither may work: the answer is what counts."""
    with suppress(BaseException):
        session.failed(callback)
    with suppress(BaseException):
        _log.error(Event.CALLBACK_CRASHED, callback=callback, exc_info=True)


CONTINUE: int = milter.CONTINUE
TEMPFAIL: int = milter.TEMPFAIL

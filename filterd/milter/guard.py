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
                # Without memory neither of these may work; the answer is what counts.
                with suppress(BaseException):
                    session.failed(callback.__name__)
                with suppress(BaseException):
                    _log.error(Event.CALLBACK_CRASHED, callback=callback.__name__, exc_info=True)
                return answer

        return wrapper

    return decorate


CONTINUE: int = milter.CONTINUE
TEMPFAIL: int = milter.TEMPFAIL

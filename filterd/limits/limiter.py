"""Asks the buckets of a request, and lets it pass where they do not answer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from filterd.limits.rates import Rate, Request
from filterd.model.store import StoreError
from filterd.store import Breaker, Buckets, StoreRefusedError
from filterd.store.buckets import SECOND, Draw
from filterd.store.recent import Recent
from filterd.telemetry.events import Event

NAME: Final = "limits"  # of the gate, in metrics
LOG_EVERY: Final = 60.0  # seconds in which the same rate and subject are logged once
MAX_LOGGED: Final = 1_024
_log = structlog.get_logger()


class Count(Protocol):
    """Where answers are counted."""

    def limited(self, rate: str, result: str) -> None:
        """Count what a rate said of a recipient: passed, refused, or would_refuse in a dry run."""

    def gate_silent(self, gate: str) -> None:
        """Count a request that a gate could not judge."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rates say. `rate` and `subject` are of the one to be waited for longest, empty where it may pass.

    `wait` is how many seconds until then. `failed`: the buckets did not answer, so it may.
    """

    rate: str = ""
    subject: str = ""
    wait: int = 0
    failed: bool = False

    @property
    def refused(self) -> bool:
        """Whether to tell the client to come again."""
        return bool(self.rate)

    @property
    def text(self) -> str:
        """The same for a person."""
        if self.failed:
            return "rate limits could not be looked at"
        return f"{self.rate}: {self.subject} has sent enough for {self.wait} s" if self.rate else "within all rates"


PASSED: Final = Ruling()
FAILED: Final = Ruling(failed=True)


class Limiter:
    """The rates of a site. Thread-safe, never raises."""

    def __init__(  # what differs between the daemon and tests
        self,
        rates: Sequence[Rate],
        buckets: Buckets,
        count: Count,
        *,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        whole: bool = True,
    ) -> None:
        """`breaker` stands before the buckets; not `whole`: no local part of an address is logged."""
        self._rates = tuple(rates)
        self._buckets = buckets
        self._count = count
        self._breaker = breaker or Breaker()
        self._logged: Recent[tuple[str, str], bool] = Recent(MAX_LOGGED, clock)
        self._whole = whole

    def ask(self, request: Request, now: float) -> Ruling:
        """Draw for one recipient, at `now` (epoch seconds). One call to the buckets, none where no rate is for it."""
        subjects = self._subjects(request)
        if not subjects:
            return PASSED
        found = self._draw(subjects, now)
        if found is None:
            self._count.gate_silent(NAME)
            return FAILED
        return self._ruling(subjects, found)

    def at_once(self, request: Request, now: float) -> Ruling | None:
        """The same where nobody has to be waited for; None where somebody has, and then nothing was drawn."""
        subjects = self._subjects(request)
        if not subjects:
            return PASSED
        if self._breaker.open:
            return None
        try:
            found = self._buckets.try_draw([rate.bucket(subject) for rate, subject in subjects], round(now * SECOND))
        except StoreError:
            self._breaker.failure()
            self._count.gate_silent(NAME)
            return FAILED
        return None if found is None else self._ruling(subjects, found)

    def _ruling(self, subjects: Sequence[tuple[Rate, str]], found: Draw) -> Ruling:
        """What was drawn, counted and told."""
        ruling = PASSED
        for (rate, subject), wait in zip(subjects, found.waits, strict=True):
            if not wait:
                self._count.limited(rate.name, "passed")
                continue
            seconds = -(-wait // SECOND)
            self._count.limited(rate.name, "would_refuse" if rate.dry_run else "refused")
            self._tell(rate, subject, seconds)
            if not rate.dry_run and seconds > ruling.wait:
                ruling = Ruling(rate.name, subject, seconds)
        return ruling

    def failed(self, request: Request) -> None:
        """Count a recipient that there was no time to ask for."""
        if self._subjects(request):
            self._count.gate_silent(NAME)

    def close(self) -> None:
        """Give back what the buckets hold open."""
        self._buckets.close()

    def _subjects(self, request: Request) -> list[tuple[Rate, str]]:
        return [(rate, subject) for rate in self._rates if (subject := rate.subject(request))]

    def _draw(self, subjects: Sequence[tuple[Rate, str]], now: float) -> Draw | None:
        """None where nobody answers, at once while the breaker is open."""
        if not self._breaker.allow():
            return None
        try:
            found = self._buckets.draw([rate.bucket(subject) for rate, subject in subjects], round(now * SECOND))
        except StoreRefusedError:
            self._breaker.success()
            return None
        except StoreError:
            self._breaker.failure()
            return None
        self._breaker.success()
        return found

    def _tell(self, rate: Rate, subject: str, wait: int) -> None:
        if self._logged.get((rate.name, subject)) is None:
            self._logged.put((rate.name, subject), value=True, seconds=LOG_EVERY)
            shown = subject if self._whole or "@" not in subject else "@" + subject.rpartition("@")[2]
            _log.info(Event.RATE_LIMITED, rate=rate.name, subject=shown, wait=wait, dry_run=rate.dry_run)

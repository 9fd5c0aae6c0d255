"""What filterd says about itself: log events and metrics.

Log: structlog, one line per event on standard error, JSON (or a console form on a terminal). Event names are the closed
vocabulary of `events.Event`. Values come from hostile mail, so every one is cut at 1 kB and has its control, bidi and
other invisible characters written as escapes; a value JSON cannot hold is never an exception. A log that cannot be
written is dropped: mail goes on.

Metrics: a shared anonymous mapping, made before the fork, in which each process owns a row of doubles. Counting costs
one addition and no system call; the supervisor renders the sum of all rows in the Prometheus text format.
"""

from filterd.telemetry.events import Event, message_event
from filterd.telemetry.logging import configure
from filterd.telemetry.metrics import FrontMetrics, Metrics

__all__ = ["Event", "FrontMetrics", "Metrics", "configure", "message_event"]

"""structlog, set up: one line per event, JSON or console form, whatever the values hold."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, BinaryIO, Final, Literal

import orjson
import structlog

from filterd.config.secrets import masked, masked_line
from filterd.telemetry.events import Event
from filterd.telemetry.lines import Lines
from filterd.telemetry.safe import MAX_FIELD, safe, trace

PLAIN: Final = MAX_FIELD  # bytes of a line no field of which can be over that
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Library(logging.Handler):
    """What libraries log through the standard library becomes an event of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record as Event.LIBRARY."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  # the arguments do not fit the format: say what there is
            text = str(record.msg)
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(structlog.get_logger(), level)(Event.LIBRARY, logger=record.name, text=text, exc_info=record.exc_info)


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["auto", "json", "console"] = "auto",
    stream: BinaryIO | None = None,
) -> None:
    """Set structlog up for this process; `stream` is standard error where absent. Loggers bound before keep working."""
    stream = stream or sys.stderr.buffer
    if form == "auto":
        form = "console" if stream.isatty() else "json"
    render = _console(colours=stream.isatty()) if form == "console" else _json
    lines = Lines(stream, lambda lost: structlog.get_logger().warning(Event.LOG_LINES_LOST, lines=lost))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Library()], force=True)


def _exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event.get("exc_info"):
        return structlog.processors.format_exc_info(_logger, _method, event)
    event.pop("exc_info", None)
    return event


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    exception = event.pop("exception", None)
    if exception is None:
        with suppress(TypeError):
            quick = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
            if len(quick) <= PLAIN and quick.isascii() and b"\\" not in quick and b"\x7f" not in quick:
                return masked_line(quick)  # short ASCII without escapes: nothing to cut, nothing to make visible
    line = {name: safe(value) for name, value in event.items()}
    if exception is not None:
        line["exception"] = trace(masked(str(exception)))  # before it is cut: half a secret is not found
    return masked_line(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


class _Console:
    def __init__(self, *, colours: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        )

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
        exception = event.pop("exception", None)
        line: dict[str, Any] = {name: safe(value) for name, value in event.items()}
        if exception is not None:
            line["exception"] = trace(masked(str(exception)))
        return masked(self._render(logger, method, line) + "\n").encode("utf-8", "backslashreplace")


def _console(*, colours: bool) -> _Console:
    return _Console(colours=colours)

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from filterd.telemetry import Event, configure
from filterd.telemetry.safe import CUT, MAX_FIELD, MAX_ITEMS, safe, trace, visible


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    """Where log lines go; structlog is put back afterwards."""
    before = structlog.get_config()
    handlers = logging.getLogger().handlers[:]
    yield io.BytesIO()
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers


HOSTILE = [
    "a\nb\r\n",
    '"}\\',
    "%s %d {x} ${y}",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202eexe.txt\u2066\u200b\ufeff",
    "\udc80\udfff",
    "\0",
    "\u2028\u2029",
    "x" * 1_000_000,
    "\U000e0001" * 5_000,
    "\u00e9" * 2_000,
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.threat("OPS-09")
def test_any_value_is_one_valid_line_of_bounded_length(stream: io.BytesIO, value: str) -> None:
    """Whatever a message holds, its log line is one JSON object and its fields have at most 1 kB."""
    configure("info", "json", stream)
    structlog.get_logger().info(Event.MESSAGE, helo=value, recipients=(value, value), dns={value: value})
    assert stream.getvalue().count(b"\n") == 1
    line = json.loads(stream.getvalue())
    assert line["event"] == "message"
    assert len(line["helo"].encode()) <= MAX_FIELD
    assert line["helo"].isprintable()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.threat("OPS-09")
def test_the_console_form_is_one_line_without_controls(stream: io.BytesIO, value: str) -> None:
    """On a terminal nothing moves the cursor, hides or reverses."""
    configure("info", "console", stream)
    structlog.get_logger().info(Event.MESSAGE, helo=value)
    text = stream.getvalue().decode()
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()


@pytest.mark.threat("OPS-09")
def test_a_field_cannot_pose_as_level_time_or_event(stream: io.BytesIO) -> None:
    """What filterd says itself wins over what a caller passes on."""
    configure("info", "json", stream)
    structlog.get_logger().info(Event.MESSAGE, level="debug", timestamp=1)
    line = json.loads(stream.getvalue())
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


class _Broken:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("value", [2**70, -(2**70), float("nan"), b"\xff", _Broken(), {1: {2: {3: 4}}}, object, None])
def test_no_value_makes_a_log_call_raise(stream: io.BytesIO, value: object) -> None:
    """Logging never ends what it reports on."""
    configure("info", "json", stream)
    structlog.get_logger().info(Event.MESSAGE, value=value)
    assert "value" in json.loads(stream.getvalue())


class _Full(io.BytesIO):
    def write(self, _data: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_is_lost_quietly(stream: io.BytesIO) -> None:
    """Mail does not wait for its log."""
    full = _Full()
    configure("info", "json", full)
    structlog.get_logger().info(Event.MESSAGE)
    assert full.getvalue() == stream.getvalue() == b""


def test_events_below_the_level_are_dropped(stream: io.BytesIO) -> None:
    """`[log] level` is the least severe event that is written."""
    configure("warning", "json", stream)
    structlog.get_logger().info(Event.MESSAGE)
    structlog.get_logger().warning(Event.FRONT_DIED)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["front_died"]


def test_an_exception_is_logged_with_its_end(stream: io.BytesIO) -> None:
    """The traceback stays readable, and hostile text in it does not escape."""
    configure("info", "json", stream)
    problem = ValueError("\x1b[2J" + "x" * 20_000 + "the end")
    structlog.get_logger().error(Event.CHECK_CRASHED, exc_info=problem)
    line = json.loads(stream.getvalue())
    assert line["exception"].endswith("the end")
    assert "\x1b" not in line["exception"]


def test_warnings_of_libraries_become_events(stream: io.BytesIO) -> None:
    """What a library logs is a line like all others."""
    configure("info", "json", stream)
    logging.getLogger("redis").warning("lost %s\n", "connection")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["text"]) == ("library", "redis", "lost connection\\n")


def test_long_lists_say_how_much_was_left_out() -> None:
    """A thousand recipients do not make a line of a hundred kilobytes."""
    shown = safe(["x"] * 1000)
    assert isinstance(shown, list)
    assert shown[MAX_ITEMS:] == ["and 900 more"]


def test_what_was_cut_shows_it() -> None:
    """A cut text cannot be taken for a whole one."""
    assert visible("x" * 5000).endswith(CUT)
    assert visible("x" * MAX_FIELD) == "x" * MAX_FIELD


def test_a_traceback_keeps_its_lines() -> None:
    """Only line ends survive in it."""
    assert trace("a\nb\tc") == "a\nb\\tc"


def test_every_event_has_a_meaning() -> None:
    """The vocabulary explains itself, and is spelt as scripts expect it."""
    assert all(event.meaning and event.value == event.name.lower() for event in Event)

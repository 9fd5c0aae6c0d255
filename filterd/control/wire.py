"""One question and one answer as lines of JSON. Pure: bytes in, values out, never another error than WireError."""

from enum import StrEnum
from typing import Any, Final, Self

import msgspec

from filterd.config.control import Right

MAX_REQUEST: Final = 8_192  # bytes of a line: a hundred ids of held messages have 3,000
MAX_ANSWER: Final = 4 << 20  # bytes: a thousand held messages with long subjects
MAX_IDS: Final = 100  # messages released by one question; the client asks again for more
MAX_LISTED: Final = 1_000  # held messages in one answer
MAX_ID: Final = 64  # characters; ours have 26


class Command(StrEnum):
    """What may be asked, and which right it takes; none: any role will do."""

    right: Right | None

    def __new__(cls, value: str, right: Right | None) -> Self:
        """A member is its name on the wire, with its right beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.right = right
        return member

    STATUS = "status", Right.VIEW
    HEALTH = "health", None
    RELOAD = "reload", Right.RELOAD
    RESTART = "restart", Right.RELOAD
    PROGRESS = "progress", Right.RELOAD
    HELD = "held", Right.RELEASE
    SHOW = "show", Right.RELEASE
    RELEASE = "release", Right.RELEASE


class WireError(Exception):
    """Bytes that are no request or no answer; the text says what was expected."""


class Refusal(Exception):  # noqa: N818  # an answer in words, no fault of the daemon's
    """What was asked is not done, and why; the asker reads the text."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question. `ids` are of messages to show or release, `most` is how many to list."""

    command: Command
    ids: tuple[str, ...] = ()
    most: int = 50


def decode_request(line: bytes) -> Request:
    """A line as a question. WireError."""
    if len(line) > MAX_REQUEST:
        raise WireError(f"expected a line of at most {MAX_REQUEST} bytes")
    try:
        request = msgspec.json.decode(line, type=Request)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # Not what the decoder says: it repeats what it was sent.
        known = ", ".join(Command)
        raise WireError(f'expected one line of JSON such as {{"command": "status"}}; commands: {known}') from None
    if len(request.ids) > MAX_IDS or any(not 0 < len(one) <= MAX_ID or not one.isalnum() for one in request.ids):
        raise WireError(f"expected at most {MAX_IDS} ids as `filterd reviewer list` shows them")
    if not 0 < request.most <= MAX_LISTED:
        raise WireError(f"expected to list 1 to {MAX_LISTED} messages")
    return request


def encode(value: msgspec.Struct | dict[str, Any]) -> bytes:
    """A question or an answer as a line; text that is no Unicode is shown as escapes."""
    try:
        line = msgspec.json.encode(value)
    except UnicodeEncodeError:
        line = msgspec.json.encode(_storable(msgspec.to_builtins(value)))
    return line + b"\n"


def decode_answer(line: bytes) -> dict[str, Any]:
    """A line as an answer. WireError."""
    try:
        found: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise WireError("expected one line of JSON from the daemon") from None
    return found


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_storable(name): _storable(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(entry) for entry in value]
    return value

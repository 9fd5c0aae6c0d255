"""What an answer of a service says about a message, and about the service itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from filterd.icap.response import NO_CONTENT, OK, Head
from filterd.scanners.sockets import ScannerError, ScannerRefusedError, shown

MAX_PREVIEW: Final = 65_536  # bytes; services ask for 1,024 or 4,096
TTL: Final = (60, 3_600)  # seconds that what OPTIONS says is believed, whatever it says itself
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_THREAT: Final = re.compile(r"\bThreat=([^;\n]*)", re.IGNORECASE)
_NAME_LINE: Final = 2  # of X-Violations-Found, which has a count and four lines for each: file, name, number, action


@dataclass(frozen=True, slots=True)
class Options:
    """RFC 3507, 4.10.2: what a service can and wants; `preview` is None where it wants none."""

    preview: int | None
    connections: int | None
    tag: str
    seconds: int


def read_options(head: Head, method: str) -> Options:
    """What OPTIONS was answered with. ScannerError where the service cannot be used."""
    if head.status != OK:
        raise ScannerError(f"it answered OPTIONS with {head.status}")
    methods = [word.strip().upper() for word in head.fields.get("methods", "").split(",")]
    if method not in methods:
        raise ScannerError(f"the service has no {method}: {shown(' '.join(methods).encode('latin-1'))}")
    preview = _number(head.fields, "preview")
    connections = _number(head.fields, "max-connections")
    seconds = _number(head.fields, "options-ttl")
    return Options(
        None if preview is None else min(preview, MAX_PREVIEW),
        connections or None,
        head.fields.get("istag", ""),
        TTL[1] if seconds is None else min(max(seconds, TTL[0]), TTL[1]),
    )


def judge(head: Head, changed: str) -> str:
    """What the service calls the message, empty where it is clean. ScannerError for all but a clear answer."""
    if head.status not in (OK, NO_CONTENT):
        raise ScannerRefusedError(f"it answered {head.status}")
    return infection(head.fields) or changed


def infection(fields: Mapping[str, str]) -> str:
    """What was found, by the fields that services name it in (draft-stecher-icap-subid); empty where in none."""
    found = fields.get("x-infection-found")
    if found is not None:
        threat = _THREAT.search(found)
        return _name(threat[1] if threat else found)
    if "x-virus-id" in fields:
        return _name(fields["x-virus-id"])
    violations = fields.get("x-violations-found", "0").split("\n", 3)
    if violations[0].strip() in ("", "0"):
        return ""
    return _name(violations[_NAME_LINE] if len(violations) > _NAME_LINE else violations[0])


def _name(text: str) -> str:
    return shown(text.strip(" \"'").encode("latin-1", "replace")) or "?"


def _number(fields: Mapping[str, str], name: str) -> int | None:
    value = fields.get(name, "")
    return int(value) if _DIGITS.fullmatch(value) else None

"""Dates as mail writes them (RFC 5322, section 3.3, and the obsolete forms of 4.3), to epoch seconds."""

import re
from datetime import date
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

MAX_DATE: Final = 200  # bytes of a date worth parsing
_MONTHS: Final = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
# The form that nearly all programs write; others are left to the library, which takes five times as long.
_USUAL: Final = re.compile(
    rb"\s*(?:[A-Za-z]{3},\s{0,2})?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) "
    rb"([01]?\d|2[0-3]):([0-5]\d):([0-6]\d) ([+-])(\d\d)([0-5]\d)\b"
)
_ZONE: Final = re.compile(rb"[+-]\d{4}|\b(?:UT|UTC|GMT|[ECMP][SD]T|Z)\b", re.IGNORECASE)
_SIGNS: Final = (b"+", b"-")
_EPOCH: Final = date(1970, 1, 1).toordinal()
_FURTHEST: Final = 14  # hours: no place on Earth is further from Greenwich


def written_date(value: bytes) -> float | None:
    """The seconds of a Date field; None where it cannot be read."""
    usual = _USUAL.match(value)
    try:
        if usual is None:
            return parsedate_to_datetime(value[:MAX_DATE].decode("ascii", "replace")).timestamp()
        day, month, year, hour, minute, second, sign, east, more = usual.groups()
        seconds = _midnight(int(year), _MONTHS[month.lower()], int(day))
        seconds += int(hour) * 3600 + int(minute) * 60 + int(second)
        away = int(east) * 3600 + int(more) * 60
        return float(seconds - away if sign == b"+" else seconds + away)
    except (ValueError, TypeError, IndexError, OverflowError, KeyError):
        return None


@lru_cache(maxsize=64)
def _midnight(year: int, month: int, day: int) -> int:
    """Seconds of a day's beginning; most mail is of a few days. ValueError."""
    return (date(year, month, day).toordinal() - _EPOCH) * 86_400


def received_date(value: bytes) -> float | None:
    """The seconds of a Received field, which stand behind its last semicolon (RFC 5321, section 4.4)."""
    _, semicolon, date = value[-MAX_DATE:].rpartition(b";")
    return written_date(date.strip()) if semicolon else None


def zone_problem(value: bytes) -> str:
    """What is wrong with a date's zone, in words; empty where nothing is."""
    if value[-5:-4] in _SIGNS and b"00" <= value[-4:-2] <= b"14":
        return ""
    zone = _ZONE.search(value[:MAX_DATE])
    if zone is None:
        return "no zone"
    if zone[0][:1] in b"+-" and int(zone[0][1:3]) > _FURTHEST:
        return f"no place is at {zone[0].decode('ascii')}"
    return ""

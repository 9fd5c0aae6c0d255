"""Signs in the way a message says it came: dates, Received fields, the HELO name, returned mail."""

import re
from typing import Final

from filterd.domains import hello
from filterd.heuristics.dates import MAX_DATE, received_date, zone_problem
from filterd.heuristics.subject import Evidence, Heuristic, Subject

FAR_OFF: Final = 4 * 86_400  # seconds a Date may be off: queues retry for days, clocks drift by hours
_AHEAD: Final = 4 * 3600  # seconds before its arrival that a message can be dated by a clock in the wrong zone
_BACK: Final = 86_400  # seconds by which a hop may seem to be before the one it got the message from
_DAY: Final = 16  # characters of "Thu, 01 Jan 2026"
_BOUNCED: Final = re.compile(
    r"undeliver|delivery (?:status|failure|failed|has failed|problem)|mail delivery|returned mail|failure notice"
    r"|message (?:delivery|not delivered)|could not be delivered|unzustellbar|non remis|no entregado",
    re.IGNORECASE,
)
_REPORTS: Final = frozenset({"message/delivery-status", "message/rfc822", "text/rfc822-headers", "message/global"})


def date_invalid(subject: Subject) -> Evidence:
    """The Date field cannot be read."""
    if not subject.message.values(b"date") or subject.written is not None:
        return None
    return (subject.field(b"date")[:MAX_DATE],)


def date_far_off(subject: Subject) -> Evidence:
    """The Date lies days away from the arrival, and from when the last hop says that it had the message."""
    when = subject.written
    if when is None or not subject.now or abs(when - subject.now) <= FAR_OFF:
        return None
    if subject.received is not None and abs(when - subject.received) <= FAR_OFF:
        return None
    return (f"{(when - (subject.received or subject.now)) / 86_400:+.1f} days",)


def date_ahead(subject: Subject) -> Evidence:
    """The Date lies hours after the last hop had the message."""
    when = subject.written
    if when is None or subject.received is None or not _AHEAD < when - subject.received <= FAR_OFF:
        return None
    return (f"{(when - subject.received) / 3600:+.1f} hours",)


def date_zone_odd(subject: Subject) -> Evidence:
    """The Date has no zone, or one that is nowhere on Earth."""
    if subject.written is None:
        return None
    value = subject.field(b"date")
    problem = zone_problem(value)
    return (problem, value[:MAX_DATE]) if problem else None


def received_unordered(subject: Subject) -> Evidence:
    """The last hop had the message long before the first one: the older Received fields are invented."""
    newest = subject.received
    hops = subject.message.values(b"received")
    if newest is None or len(hops) < 2:  # noqa: PLR2004  # one alone has no order
        return None
    if _day(hops[-1]) == _day(hops[0]):
        return None
    oldest = received_date(hops[-1])
    return (f"{(oldest - newest) / 3600:.1f} hours",) if oldest is not None and oldest - newest > _BACK else None


def _day(received: bytes) -> bytes:
    """The day of a Received field as written: most mail has one in all of them, which spares reading the dates."""
    return received.rpartition(b";")[2].strip()[:_DAY]


def helo_bare_address(subject: Subject) -> Evidence:
    """The client called itself by an address without brackets (RFC 5321, section 4.1.3)."""
    return hello.bare_address(subject.helo)


def helo_unqualified(subject: Subject) -> Evidence:
    """The client's name for itself is no name on the Internet: without a dot, or of a private network."""
    return hello.unqualified(subject.helo)


def helo_false_address(subject: Subject) -> Evidence:
    """The client called itself by an address that is not its own."""
    return hello.false_address(subject.helo, subject.client_address)


def backscatter(subject: Subject) -> Evidence:
    """Returned mail, or an automatic answer: perhaps to what others sent in the recipient's name."""
    if subject.reported:
        return ("a report",)
    if subject.field(b"auto-submitted").lower()[:12] == b"auto-replied":
        return ("an automatic answer",)
    return ("returned mail",) if subject.by_machine else None


def bounce_fake(subject: Subject) -> Evidence:
    """It looks like returned mail, holds nothing that was returned and asks for a click."""
    if not subject.pages or subject.listed or not any(page.links for page in subject.pages):
        return None
    named = next((text for text in subject.called if _BOUNCED.search(text)), "")
    if not named:
        return None
    kinds = {part.content_type for part in subject.message.parts} | {kind for _, kind in subject.message.containers}
    return None if kinds & _REPORTS else (named,)


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("DATE_INVALID", date_invalid),
    ("DATE_FAR_OFF", date_far_off),
    ("DATE_AHEAD", date_ahead),
    ("DATE_ZONE_ODD", date_zone_odd),
    ("RECEIVED_UNORDERED", received_unordered),
    ("BACKSCATTER", backscatter),
    ("BOUNCE_FAKE", bounce_fake),
)
# Where the client has said its name.
HELO: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("HELO_BARE_ADDRESS", helo_bare_address),
    ("HELO_UNQUALIFIED", helo_unqualified),
    ("HELO_FALSE_ADDRESS", helo_false_address),
)

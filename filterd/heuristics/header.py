"""Signs in the header: fields that every mail program writes, and what the Subject looks like."""

import re
from email.utils import parsedate_to_datetime
from typing import Final

from filterd.heuristics.subject import Evidence, Heuristic, Subject

FAR_OFF: Final = 4 * 86_400  # seconds a Date may be off: queues retry for days, clocks drift by hours
_MIN_LETTERS: Final = 10  # of a subject, before its case says anything
_MESSAGE_ID: Final = re.compile(rb"<[^<>\s]{1,900}@[^<>\s]{1,250}>")
_ENCODED: Final = re.compile(rb"=\?[^?]{1,40}\?[bBqQ]\?[^?]{0,200}\?=")
_REPLY: Final = re.compile(r"(?:re|aw|sv|antw)\s?:", re.IGNORECASE)
_MAX_DATE: Final = 200  # bytes of a Date field worth parsing
_SINGLE: Final = (b"subject", b"to", b"date", b"message-id", b"reply-to", b"sender")
_MANY: Final = 50  # recipients in To and Cc together


def missing_date(subject: Subject) -> Evidence:
    """There is no Date field."""
    return None if subject.message.values(b"date") else ()


def missing_message_id(subject: Subject) -> Evidence:
    """There is no Message-ID."""
    return None if subject.message.values(b"message-id") else ()


def missing_subject(subject: Subject) -> Evidence:
    """There is no Subject, or an empty one."""
    return None if subject.subject.strip() else ()


def missing_to(subject: Subject) -> Evidence:
    """Neither To nor Cc is there."""
    return None if subject.message.values(b"to") or subject.message.values(b"cc") else ()


def _date(subject: Subject) -> float | None:
    """The Date field in epoch seconds, None where it cannot be read."""
    raw = subject.message.first(b"date")[:_MAX_DATE].decode("ascii", "replace")
    try:
        return parsedate_to_datetime(raw).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def date_invalid(subject: Subject) -> Evidence:
    """The Date field cannot be read."""
    if not subject.message.values(b"date") or _date(subject) is not None:
        return None
    return (subject.message.first(b"date")[:_MAX_DATE].decode("utf-8", "replace"),)


def date_far_off(subject: Subject) -> Evidence:
    """The Date lies days before or after the message's arrival."""
    when = _date(subject)
    if when is None or not subject.now or abs(when - subject.now) <= FAR_OFF:
        return None
    return (f"{(when - subject.now) / 86_400:+.1f} days",)


def message_id_odd(subject: Subject) -> Evidence:
    """The Message-ID has no <left@right> (RFC 5322, section 3.6.4)."""
    value = subject.message.first(b"message-id")
    return None if not value or _MESSAGE_ID.search(value) else (value[:200].decode("utf-8", "replace"),)


def subject_all_caps(subject: Subject) -> Evidence:
    """All letters of the subject are capitals."""
    letters = [char for char in subject.subject[:500] if char.isalpha()]
    if len(letters) < _MIN_LETTERS or any(char.islower() for char in letters) or not any(map(str.isupper, letters)):
        return None
    return (subject.subject,)


def subject_needless_encoding(subject: Subject) -> Evidence:
    """The Subject is an encoded word that holds nothing but plain ASCII: words hidden from simple filters."""
    raw = subject.message.first(b"subject")
    text = subject.subject
    if not _ENCODED.search(raw) or not text.isascii() or any(sign in text for sign in "=?_\r\n"):
        return None
    return (raw[:200].decode("ascii", "replace"),)


def subject_fake_reply(subject: Subject) -> Evidence:
    """The subject begins with Re: and nothing says what it answers."""
    message = subject.message
    if not _REPLY.match(subject.subject) or message.values(b"references") or message.values(b"in-reply-to"):
        return None
    return (subject.subject,)


def duplicate_field(subject: Subject) -> Evidence:
    """A field that may stand once stands twice (RFC 5322, section 3.6): programs show different ones."""
    twice = [name.decode() for name in _SINGLE if len(subject.message.values(name)) > 1]
    return tuple(twice) or None


def many_recipients(subject: Subject) -> Evidence:
    """To and Cc name dozens of people."""
    count = sum([value.count(b"@") for name in (b"to", b"cc") for value in subject.message.values(name)])
    return (str(count),) if count > _MANY else None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("MISSING_DATE", missing_date),
    ("MISSING_MESSAGE_ID", missing_message_id),
    ("MISSING_SUBJECT", missing_subject),
    ("MISSING_TO", missing_to),
    ("DATE_INVALID", date_invalid),
    ("DATE_FAR_OFF", date_far_off),
    ("MESSAGE_ID_ODD", message_id_odd),
    ("SUBJECT_ALL_CAPS", subject_all_caps),
    ("SUBJECT_NEEDLESS_ENCODING", subject_needless_encoding),
    ("SUBJECT_FAKE_REPLY", subject_fake_reply),
    ("DUPLICATE_FIELD", duplicate_field),
    ("MANY_RECIPIENTS", many_recipients),
)

"""Signs in the header: fields that every mail program writes once, and what a field must look like."""

import re
from collections import Counter
from typing import Final

from filterd.heuristics.subject import Evidence, Heuristic, Subject

_MESSAGE_ID: Final = re.compile(rb"<[^<>\s]{1,900}@[^<>\s]{1,250}>")
_SINGLE: Final = (b"subject", b"to", b"date", b"message-id", b"reply-to", b"sender")
_GROUP: Final = 60  # characters in which a group is named
_MANY: Final = 50  # recipients in To and Cc together
_ALIKE: Final = 5  # recipients that begin alike: a dictionary or a sorted list, not a circle of friends
_START: Final = re.compile(rb"(?<![\w.+-])([A-Za-z0-9._+-]{3})[A-Za-z0-9._+-]{0,60}@")
_MAX_TO: Final = 4_000  # bytes of a field looked at
_URI: Final = re.compile(rb"<\s*(?:https?:|mailto:)", re.IGNORECASE)
_URGENT: Final = (b"1", b"2")
_EIGHT_BIT: Final = (b"from", b"to", b"subject", b"reply-to", b"message-id")


def missing_date(subject: Subject) -> Evidence:
    """There is no Date field."""
    return None if subject.message.values(b"date") else ()


def missing_message_id(subject: Subject) -> Evidence:
    """There is no Message-ID."""
    return None if subject.message.values(b"message-id") else ()


def missing_to(subject: Subject) -> Evidence:
    """Neither To nor Cc is there."""
    return None if subject.message.values(b"to") or subject.message.values(b"cc") else ()


def missing_mime_version(subject: Subject) -> Evidence:
    """The content has a type other than plain text, and no MIME-Version says how to read it (RFC 2045, section 4)."""
    message = subject.message
    if message.values(b"mime-version") or not message.values(b"content-type"):
        return None
    kind = subject.field(b"content-type")
    return None if kind[:10].lower() == b"text/plain" else (kind[:100],)


def message_id_odd(subject: Subject) -> Evidence:
    """The Message-ID has no <left@right> (RFC 5322, section 3.6.4)."""
    value = subject.field(b"message-id")
    return None if not value or _MESSAGE_ID.search(value) else (value[:200],)


def duplicate_field(subject: Subject) -> Evidence:
    """A field that may stand once stands twice (RFC 5322, section 3.6): programs show different ones."""
    index = subject.message.index
    twice = [name for name in _SINGLE if name in index and len(index[name]) > 1]
    return tuple(twice) or None


def header_8bit(subject: Subject) -> Evidence:
    """A field holds bytes that are neither ASCII nor UTF-8 (RFC 6532): no mail program writes such."""
    index = subject.message.index
    for name in _EIGHT_BIT:
        for value in index.get(name, ()):
            if value.isascii():
                continue
            try:
                value.decode()
            except UnicodeDecodeError:
                return (name, value[:100])
    return None


def many_recipients(subject: Subject) -> Evidence:
    """To and Cc name dozens of people."""
    return (str(subject.addressed),) if subject.addressed > _MANY else None


def recipients_alike(subject: Subject) -> Evidence:
    """Most of at least five recipients in To and Cc begin with the same letters: a list in order of the alphabet."""
    if subject.addressed < _ALIKE:
        return None
    index = subject.message.index
    starts = [
        start.lower()
        for name in (b"to", b"cc")
        for value in index.get(name, ())
        for start in _START.findall(value[:_MAX_TO])
    ]
    if len(starts) < _ALIKE:
        return None
    most, count = Counter(starts).most_common(1)[0]
    return (most, str(count)) if count >= _ALIKE and count * 2 > len(starts) else None


def undisclosed_recipients(subject: Subject) -> Evidence:
    """To holds a group without members, or other words that are no address."""
    value = subject.field(b"to")
    if not value or (b"@" in value and b"undisclosed" not in value[:_GROUP].lower()):
        return None
    return (value[:100],)


def list_unsubscribe_odd(subject: Subject) -> Evidence:
    """List-Unsubscribe holds no address that a program could use (RFC 2369, section 3.2)."""
    value = subject.field(b"list-unsubscribe")
    return (value[:200],) if value and not _URI.search(value) else None


def priority_urgent(subject: Subject) -> Evidence:
    """The message calls itself urgent, and no mail program says that a person asked for it."""
    message = subject.message
    priority = subject.field(b"x-priority")[:1]
    urgent = priority in _URGENT or subject.field(b"importance").lower() == b"high"
    if not urgent or message.values(b"x-mailer") or message.values(b"user-agent") or message.values(b"x-mimeole"):
        return None
    return ()


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("MISSING_DATE", missing_date),
    ("MISSING_MESSAGE_ID", missing_message_id),
    ("MISSING_TO", missing_to),
    ("MISSING_MIME_VERSION", missing_mime_version),
    ("MESSAGE_ID_ODD", message_id_odd),
    ("DUPLICATE_FIELD", duplicate_field),
    ("HEADER_8BIT", header_8bit),
    ("MANY_RECIPIENTS", many_recipients),
    ("RECIPIENTS_ALIKE", recipients_alike),
    ("UNDISCLOSED_RECIPIENTS", undisclosed_recipients),
    ("LIST_UNSUBSCRIBE_ODD", list_unsubscribe_odd),
    ("PRIORITY_URGENT", priority_urgent),
)

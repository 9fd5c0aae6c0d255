"""Signs of the program that wrote the message: what it says it is, and what such programs do and do not write."""

import re
from typing import Final

from filterd.heuristics.subject import Evidence, Heuristic, Subject

_ID_HOST: Final = re.compile(rb"@([^<>@\s]{1,250})>?\s*\Z")
_OUTLOOK_ID: Final = re.compile(rb"<[0-9a-f]{12}\$[0-9a-f]{8}\$[0-9a-f]{8}@", re.IGNORECASE)
_OUTLOOK: Final = re.compile(
    rb"Microsoft (?:Outlook|Office Outlook|Windows (?:Live )?Mail|CDO|MimeOLE|Exchange)", re.IGNORECASE
)
_EXPRESS: Final = re.compile(rb"Microsoft Outlook Express \d", re.IGNORECASE)
_BULK: Final = frozenset({b"bulk", b"list", b"junk"})


def message_id_borrowed(subject: Subject) -> Evidence:
    """The Message-ID has the form of Outlook's, and no field says that Outlook wrote the message."""
    message = subject.message
    value = subject.field(b"message-id")
    if not _OUTLOOK_ID.match(value):
        return None
    if message.values(b"x-mimeole") or message.values(b"thread-index") or _OUTLOOK.search(subject.field(b"x-mailer")):
        return None
    return (value[:200],)


def message_id_foreign(subject: Subject) -> Evidence:
    """The author is at a freemail provider, and the Message-ID is of a third party's domain."""
    writer = subject.writer
    match = _ID_HOST.search(subject.field(b"message-id")[:1_000])
    if writer is None or match is None or writer.domain not in subject.phrases.freemail or subject.listed:
        return None
    host = match[1].decode("ascii", "replace").lower()
    stem = writer.domain.partition(".")[0]
    if (
        stem in host
        or b"." not in match[1]
        or subject.message.values(b"user-agent")
        or subject.message.values(b"x-mailer")
    ):
        return None
    return (host, writer.domain)


def mailer_forged(subject: Subject) -> Evidence:
    """X-Mailer says Outlook Express, and what that always writes is missing: X-MimeOLE and its form of Message-ID."""
    message = subject.message
    mailer = subject.field(b"x-mailer")
    if not _EXPRESS.search(mailer):
        return None
    if _OUTLOOK_ID.match(subject.field(b"message-id")) and message.values(b"x-mimeole"):
        return None
    return (mailer[:100],)


def bulk_no_unsubscribe(subject: Subject) -> Evidence:
    """The message says that it is bulk mail, and not how to get rid of it (RFC 2369)."""
    message = subject.message
    kind = subject.field(b"precedence").lower()
    if message.values(b"list-unsubscribe") or (kind not in _BULK and not message.values(b"feedback-id")):
        return None
    return (kind or b"feedback-id",) if not subject.listed else None


def unsubscribe_text_only(subject: Subject) -> Evidence:
    """The text offers to end the mailing, the header does not (RFC 2369, RFC 8058)."""
    if subject.message.values(b"list-unsubscribe") or subject.listed or not subject.urls:
        return None
    found = subject.lures.get("unsubscribe", ()) or subject.lures.get("remove", ())
    return found[:1] or None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("MESSAGE_ID_BORROWED", message_id_borrowed),
    ("MESSAGE_ID_FOREIGN", message_id_foreign),
    ("MAILER_FORGED", mailer_forged),
    ("BULK_NO_UNSUBSCRIBE", bulk_no_unsubscribe),
    ("UNSUBSCRIBE_TEXT_ONLY", unsubscribe_text_only),
)

"""Signs in the structure: what parts are said to be, and what they are."""

from typing import Final

from filterd.heuristics.subject import Evidence, Heuristic, Subject
from filterd.mime.charset import codec_for

_REPORT: Final = frozenset(
    {
        "message/delivery-status", "message/disposition-notification", "message/feedback-report", "message/rfc822",
        "message/global", "text/rfc822-headers", "message/global-delivery-status", "message/global-headers",
        "message/global-disposition-notification", "message/tracking-status",
    }
)  # fmt: skip


def alternative_alone(subject: Subject) -> Evidence:
    """A choice between versions of a text, of which there is one (RFC 2046, section 5.1.4)."""
    message = subject.message
    if len(message.parts) != 1 or len(message.containers) != 1 or message.parts[0].kind != "body":
        return None
    return (message.parts[0].content_type,) if message.containers[0][1] == "multipart/alternative" else None


def report_false(subject: Subject) -> Evidence:
    """It is said to be a report or a digest, and holds none (RFC 6522, RFC 2046, section 5.1.5)."""
    message = subject.message
    if not message.containers:
        return None
    kind = message.containers[0][1]
    if kind not in ("multipart/report", "multipart/digest"):
        return None
    inside = {part.content_type for part in message.parts} | {kind for _, kind in message.containers[1:]}
    return None if inside & _REPORT else (kind,)


def charset_unknown(subject: Subject) -> Evidence:
    """A text is said to be in a character set that does not exist."""
    for part in subject.message.parts:
        if (
            part.charset
            and part.content_type[:5] == "text/"
            and part.kind == "body"
            and codec_for(part.charset) is None
        ):
            return (part.charset, part.path)
    return None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("ALTERNATIVE_ALONE", alternative_alone),
    ("REPORT_FALSE", report_false),
    ("CHARSET_UNKNOWN", charset_unknown),
)

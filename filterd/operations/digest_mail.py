"""A digest as a mail. Everything in it that came with held mail is hostile: shown, and no more than that."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate
from html import escape
from typing import Final
from urllib.parse import quote

from filterd.operations.digest_sheets import Sheet, day_and_time
from filterd.operations.digest_templates import Templates
from filterd.quarantine import Entry

MAX_SUBJECT: Final = 120  # characters of a held message's subject that are shown
MAX_ADDRESS: Final = 100  # of an address
MAX_RECIPIENTS: Final = 5  # named of one message
MAX_MARKS: Final = 2  # combining marks on one letter: more are there to cover other lines
MAX_HEAD: Final = 200  # characters of our own Subject
CUT: Final = "…"
# No programme shall make a link of what a stranger wrote: not of a scheme, not of a name with a dot.
_SCHEME: Final = re.compile(r"(?<=[A-Za-z]):(?=\S)")
_DOTS: Final = ".\u2024\u3002\ufe52\uff0e\uff61"  # UTS 46 4: what is a full stop in a name, or becomes one
_DOT: Final = re.compile(rf"(?<=[^\s{_DOTS}])[{_DOTS}](?=[^\s{_DOTS}])")
_PLAIN: Final = re.compile(r"(?!www\.)[a-z0-9_+=-]+(?:\.[a-z0-9_+=-]+)*@[a-z0-9.-]+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What all digests of a site have in common. `host` is the name in ids, `zone` that of the times shown."""

    sender: str
    bounces: str
    host: str
    zone: tzinfo
    templates: Templates


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when, in epoch seconds; `until` names the round."""

    since: float
    until: int


@dataclass(frozen=True, slots=True)
class Mail:
    """One digest, ready to be handed over; `ids` are the messages it lists."""

    name: str
    recipient: str
    subject: str
    count: int
    ids: tuple[str, ...]
    raw: bytes


def compose(sheet: Sheet, period: Period, letterhead: Letterhead, now: float) -> Mail:
    """The mail of a sheet. The same sheet of the same round has the same Message-ID, however often it is sent."""
    kind = "reviewer" if sheet.reviewer else "recipient"
    fill = letterhead.templates.fill
    head = _head(sheet, period, letterhead)
    lines = [_item(number, entry, sheet, letterhead) for number, entry in enumerate(sheet.entries, 1)]
    text = fill(f"{kind}.txt", {**head, "items": "".join([fill(f"{kind}-item.txt", line) for line in lines])})
    rows = "".join([fill(f"{kind}-item.html", _escaped(line)) for line in lines])
    page = fill(f"{kind}.html", {**_escaped(head), "items": rows})
    subject = one_line(fill(f"{kind}.subject", head), MAX_HEAD)  # what is not our own in it is cleaned already
    message = EmailMessage(policy=SMTP if sheet.address.isascii() else SMTPUTF8)
    message["From"] = letterhead.sender
    message["To"] = sheet.address
    message["Subject"] = subject
    message["Date"] = formatdate(now)
    message["Message-ID"] = f"<digest.{period.until}.{_unique(sheet.name, letterhead.host)}@{letterhead.host}>"
    # RFC 3834 5: nobody's vacation programme answers; RFC 2919 3: what a reader's filter goes by.
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"<held-mail.{letterhead.host}>"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    ids = tuple([entry.id for entry in sheet.entries])
    return Mail(sheet.name, sheet.address, subject, sheet.count, ids, message.as_bytes())


def shown(text: str, most: int) -> str:
    """One line of what a person can see, of so many characters and some brackets, that no programme makes a link of."""
    return defanged(one_line(text, most))


def one_line(text: str, most: int) -> str:
    """One line of what a person can see, at most so many characters."""
    kept, marks = [], 0
    for letter in text[: most * 4]:
        kind = unicodedata.category(letter)
        if kind in {"Zs", "Zl", "Zp"} or letter in "\t\r\n":
            letter = " "  # noqa: PLW2901  # the letter that is shown
        elif kind[0] == "C":  # controls, formats (bidi among them), surrogates, what nobody has defined
            continue
        marks = marks + 1 if kind[0] == "M" else 0
        if marks <= MAX_MARKS:
            kept.append(letter)
    line = " ".join("".join(kept).split())
    return line if len(line) <= most else line[: most - 1] + CUT


def defanged(text: str) -> str:
    """Without what a mail programme would make a link of."""
    return _DOT.sub("[.]", _SCHEME.sub("[:]", text))


def address(text: str) -> str:
    """An address as it is where it is a plain one, else as any hostile text."""
    if _PLAIN.fullmatch(text) and len(text) <= MAX_ADDRESS:
        return text
    return shown(text, MAX_ADDRESS) or "<>"


def _head(sheet: Sheet, period: Period, letterhead: Letterhead) -> dict[str, str]:
    return {
        "count": str(sheet.count),
        "listed": str(len(sheet.entries)),
        "more": str(sheet.count - len(sheet.entries)),
        "since": day_and_time(period.since, letterhead.zone),
        "until": day_and_time(period.until, letterhead.zone),
        "sender": letterhead.sender,
        **_about(sheet, letterhead),
    }


def _about(sheet: Sheet, letterhead: Letterhead) -> dict[str, str]:
    return {
        "recipient": address(sheet.address),
        "recipient_url": quote(sheet.address, safe=""),
        "host": letterhead.host,
    }


def _item(number: int, entry: Entry, sheet: Sheet, letterhead: Letterhead) -> dict[str, str]:
    """What a template may say of one message, cleaned; ids are of our making."""
    people = [address(one) for one in entry.recipients[:MAX_RECIPIENTS]]
    more = len(entry.recipients) - len(people)
    return {
        "number": str(number),
        "id": entry.id,
        "public_id": entry.public_id,
        "received": day_and_time(entry.received, letterhead.zone),
        "from": address(entry.sender),
        "author": address(entry.header_from),
        "to": ", ".join(people) + (f" and {more} more" if more else ""),
        "subject": shown(entry.subject, MAX_SUBJECT) or "(none)",
        "reason": shown(entry.code, MAX_ADDRESS),
        "score": f"{entry.score:.1f}",
        "size": f"{max(entry.size // 1000, 1)} kB",
        **_about(sheet, letterhead),
    }


def _escaped(values: Mapping[str, str]) -> dict[str, str]:
    """For HTML, inside attributes too."""
    return {name: escape(value, quote=True) for name, value in values.items()}


def _unique(name: str, host: str) -> str:
    return hashlib.sha256(f"{name} {host}".encode()).hexdigest()[:20]

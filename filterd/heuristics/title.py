"""Signs in the subject and the display name: what a person sees before opening a message."""

import re
import unicodedata
from typing import Final

from filterd.domains.confusables import skeleton
from filterd.heuristics.subject import Evidence, Heuristic, Subject

_MIN_LETTERS: Final = 10  # of a subject, before its case says anything
_ENCODED: Final = re.compile(rb"=\?[^?]{1,40}\?[bBqQ]\?[^?]{0,200}\?=")
_ESCAPED: Final = re.compile(rb"=(?:4[1-9A-Fa-f]|5[0-9Aa]|6[1-9A-Fa-f]|7[0-9Aa])")
_NEEDLESS: Final = 3  # letters in hexadecimal before it is more than a program's whim
_REPLY: Final = re.compile(r"(?:re|aw|sv|antw)\s?(?:\[\d+\])?:", re.IGNORECASE)
_FORWARD: Final = re.compile(r"(?:fwd?|wg|tr|rv)\s?:", re.IGNORECASE)
_TRAILING: Final = re.compile(r"[ \t]{4,}[^\s]{1,30}\s*\Z")
_GAPPY: Final = re.compile(r"(?<![\w.])[^\W\d_](?:([ .\-_*])[^\W\d_])(?:\1[^\W\d_]){2,30}(?![\w.])")
_MONEY: Final = re.compile(r"[$\u00a3\u20ac\u00a5] ?\d|\d ?(?:[$\u00a3\u20ac]|(?:USD|EUR|GBP)\b)|[$]{2,}")
_CURRENCIES: Final = ("$", "USD", "EUR", "GBP")
_SHOUTS: Final = re.compile(r"!!|\?\?|!\?|[!]\s*\Z")
_PICTURES: Final = re.compile("[\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")
_FANCY: Final = re.compile("[\u249c-\u24e9\uff21-\uff5a\U0001d400-\U0001d7ff\U0001f110-\U0001f189]")
_INVISIBLE: Final = re.compile(
    # Beside them marks of other scripts behind a Latin letter, and joiners between two, which mean nothing there.
    "(?<=[A-Za-z])[\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0730-\u074a\u200c\u200d]"
    "|[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u00ad\ufeff]"
)
_LATIN: Final = re.compile(r"[A-Za-z]")
_LOOKALIKE: Final = re.compile("[\u0370-\u03ff\u0400-\u052f]")  # Greek and Cyrillic
_WORD: Final = re.compile(r"\w{3,40}")
_DISGUISE: Final = re.compile(r"[A-Za-z][0-9@$|][A-Za-z]|[a-z]I[a-z]")
_LEAST: Final = 5  # characters of an address's local part that cannot stand in a subject by chance


def missing_subject(subject: Subject) -> Evidence:
    """There is no Subject, or an empty one."""
    return None if subject.subject.strip() else ()


def subject_all_caps(subject: Subject) -> Evidence:
    """All letters of the subject are capitals."""
    text = subject.subject[:500]
    if text != text.upper() or text == text.lower():
        return None
    return (text,) if len([char for char in text if char.isalpha()]) >= _MIN_LETTERS else None


def subject_needless_encoding(subject: Subject) -> Evidence:
    """The Subject is an encoded word that holds nothing but plain ASCII: words hidden from simple filters."""
    raw = subject.field(b"subject")
    text = subject.subject
    if b"=?" not in raw or not text.isascii() or not _ENCODED.search(raw) or any(sign in text for sign in "=?_\r\n"):
        return None
    return (raw[:200],)


def escaped_letters(subject: Subject) -> Evidence:
    """Subject or From write plain letters as hexadecimal escapes, which no mail program does (RFC 2047, 4.2)."""
    for name in (b"subject", b"from"):
        raw = subject.field(name)
        if b"=?" in raw and len(_ESCAPED.findall(raw[:2_000])) > _NEEDLESS and b"?b?" not in raw.lower():
            return (raw[:200],)
    return None


def subject_fake_reply(subject: Subject) -> Evidence:
    """The subject begins with Re: and nothing says what it answers."""
    message = subject.message
    if not _REPLY.match(subject.subject) or message.values(b"references") or message.values(b"in-reply-to"):
        return None
    return (subject.subject,)


def subject_trailing_id(subject: Subject) -> Evidence:
    """The subject ends with a gap and a word that is there to make it different for everybody."""
    if "    " not in subject.subject and "\t" not in subject.subject:
        return None
    match = _TRAILING.search(subject.subject[-200:])
    return None if match is None else (match[0].strip(),)


def gappy_words(subject: Subject) -> Evidence:
    """Subject or display name s p a c e  l e t t e r s  o u t."""
    for text in subject.called:
        match = _GAPPY.search(text)
        if match is not None:
            return (match[0],)
    return None


def subject_money(subject: Subject) -> Evidence:
    """The subject speaks of an amount of money."""
    if subject.plain and not any([sign in subject.subject for sign in _CURRENCIES]):  # noqa: C419  # four: quicker so
        return None
    match = _MONEY.search(subject.subject)
    return None if match is None else (match[0], subject.subject)


def subject_shouts(subject: Subject) -> Evidence:
    """The subject ends with an exclamation mark, or has several marks in a row."""
    match = _SHOUTS.search(subject.subject) if "!" in subject.subject or "?" in subject.subject else None
    return None if match is None else (subject.subject,)


def pictured_words(subject: Subject) -> Evidence:
    """Subject or display name hold small pictures."""
    for text in subject.called:
        match = _PICTURES.search(text)
        if match is not None:
            return (f"U+{ord(match[0]):04X}", text)
    return None


def fancy_letters(subject: Subject) -> Evidence:
    """Subject or display name are written in letters made for mathematics or in circles: no words to a filter."""
    for text in subject.called:
        found = _FANCY.findall(text)
        if len(found) > _NEEDLESS:
            return (unicodedata.normalize("NFKC", text),)
    return None


def invisible_characters(subject: Subject) -> Evidence:
    """Subject or display name hold characters that nobody sees."""
    for text in subject.called:
        match = _INVISIBLE.search(text)
        if match is not None:
            return (f"U+{ord(match[0]):04X}", text)
    return None


def mixed_script_words(subject: Subject) -> Evidence:
    """A word of Subject or display name mixes Latin with Greek or Cyrillic letters."""
    for text in subject.called:
        for word in _WORD.findall(text) if _LOOKALIKE.search(text) else ():
            if _LATIN.search(word) and _LOOKALIKE.search(word):
                return (word,)
    return None


def subject_spam_words(subject: Subject) -> Evidence:
    """Subject or display name hold a phrase of the list."""
    return subject.phrases.subject.find("\n".join(subject.called)) or None


def disguised_words(subject: Subject) -> Evidence:
    """Subject or display name hold a phrase of the list when letters that look alike are read as the same."""
    text = "\n".join(subject.called)
    if text.isascii() and not _DISGUISE.search(text):
        return None
    shown = set(subject.phrases.subject.find(text))
    found = [phrase for phrase in subject.phrases.alike.by_kind(skeleton(text)) if phrase.lower() not in shown]
    return tuple(found[:3]) or None


def subject_recipient(subject: Subject) -> Evidence:
    """The subject calls the recipient by the e-mail address."""
    if "@" not in subject.subject:
        return None
    text = subject.subject.lower()
    for local, _ in subject.to:
        if len(local) >= _LEAST and f"{local}@" in text:
            return (local,)
    return None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("MISSING_SUBJECT", missing_subject),
    ("SUBJECT_ALL_CAPS", subject_all_caps),
    ("SUBJECT_FAKE_REPLY", subject_fake_reply),
    ("SUBJECT_TRAILING_ID", subject_trailing_id),
    ("GAPPY_WORDS", gappy_words),
    ("SUBJECT_MONEY", subject_money),
    ("SUBJECT_SHOUTS", subject_shouts),
    ("SUBJECT_SPAM_WORDS", subject_spam_words),
    ("DISGUISED_WORDS", disguised_words),
    ("SUBJECT_RECIPIENT", subject_recipient),
)
# Where subject or display name are not all ASCII.
NOT_PLAIN: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("PICTURED_WORDS", pictured_words),
    ("FANCY_LETTERS", fancy_letters),
    ("INVISIBLE_CHARACTERS", invisible_characters),
    ("MIXED_SCRIPT_WORDS", mixed_script_words),
)
# Where there are encoded words.
ENCODED: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("SUBJECT_NEEDLESS_ENCODING", subject_needless_encoding),
    ("ESCAPED_LETTERS", escaped_letters),
)

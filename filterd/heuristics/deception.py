"""Signs of posing as somebody else, and of words disguised from filters but not from people."""

import re
from typing import Final

from filterd.domains import registrable
from filterd.heuristics.subject import Evidence, Heuristic, Subject
from filterd.mime.address import read_mailboxes

_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})")
# Zero-width and bidirectional controls: invisible, or turning what stands beside them round.
_INVISIBLE: Final = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u00ad\ufeff]")
_LATIN: Final = re.compile(r"[A-Za-z]")
_LOOKALIKE: Final = re.compile("[\u0370-\u03ff\u0400-\u052f]")  # Greek and Cyrillic
_WORD: Final = re.compile(r"\w{3,40}")
_MONEY: Final = re.compile(r"(?<!\w)(?:bc1[a-z0-9]{25,59}|[13][1-9A-HJ-NP-Za-km-z]{25,34})(?!\w)")
_LOOKED: Final = 50_000  # characters of the visible text searched


def from_display_address(subject: Subject) -> Evidence:
    """The display name holds an address of another domain than the real one."""
    for mailbox in subject.author.mailboxes:
        match = _ADDRESS.search(mailbox.display[:500])
        if match is not None and registrable(match[1].lower()) != registrable(mailbox.domain):
            return (match[0], mailbox.domain)
    return None


def from_punycode(subject: Subject) -> Evidence:
    """The author's domain is internationalised."""
    found = [mailbox.domain for mailbox in subject.author.mailboxes if "xn--" in mailbox.domain]
    return tuple(found) or None


def replyto_differs_freemail(subject: Subject) -> Evidence:
    """Answers go to a freemail address of somebody else."""
    value = subject.message.first(b"reply-to")
    if not value or not subject.author.mailboxes:
        return None
    author = subject.author.mailboxes[0]
    for mailbox in read_mailboxes(value):
        if mailbox.domain in subject.phrases.freemail and mailbox.domain != author.domain:
            return (f"{mailbox.local_part}@{mailbox.domain}", author.domain)
    return None


def to_is_from(subject: Subject) -> Evidence:
    """The message is addressed to its own author, who is the only recipient named."""
    to = read_mailboxes(subject.message.first(b"to"))
    if len(to) != 1 or len(subject.author.mailboxes) != 1 or subject.message.values(b"cc"):
        return None
    author = subject.author.mailboxes[0]
    same = (to[0].local_part.lower(), to[0].domain) == (author.local_part.lower(), author.domain)
    return (f"{author.local_part}@{author.domain}",) if same else None


def invisible_characters(subject: Subject) -> Evidence:
    """Subject or display name hold characters that nobody sees."""
    for text in (subject.subject, *[mailbox.display for mailbox in subject.author.mailboxes]):
        match = _INVISIBLE.search(text[:1_000])
        if match is not None:
            return (f"U+{ord(match[0]):04X}", text)
    return None


def mixed_script_words(subject: Subject) -> Evidence:
    """A word of Subject or display name mixes Latin with Greek or Cyrillic letters."""
    for text in (subject.subject, *[mailbox.display for mailbox in subject.author.mailboxes]):
        if text.isascii():
            continue
        for word in _WORD.findall(text[:1_000]):
            if _LATIN.search(word) and _LOOKALIKE.search(word):
                return (word,)
    return None


def subject_spam_words(subject: Subject) -> Evidence:
    """The subject holds a phrase of the list."""
    return subject.phrases.subject.find(subject.subject[:1_000]) or None


def body_spam_phrases(subject: Subject) -> Evidence:
    """The text holds at least two different phrases of the list."""
    found = subject.phrases.body.find(subject.visible)
    return found if len(found) > 1 else None


def bitcoin_address(subject: Subject) -> Evidence:
    """The text speaks of bitcoin and gives an address to pay to."""
    text = subject.visible[:_LOOKED]
    lower = text.lower()
    if "bitcoin" not in lower and "btc" not in lower:
        return None
    match = _MONEY.search(text)
    return (match[0],) if match else None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("FROM_DISPLAY_ADDRESS", from_display_address),
    ("FROM_PUNYCODE", from_punycode),
    ("REPLYTO_DIFFERS_FREEMAIL", replyto_differs_freemail),
    ("TO_IS_FROM", to_is_from),
    ("INVISIBLE_CHARACTERS", invisible_characters),
    ("MIXED_SCRIPT_WORDS", mixed_script_words),
    ("SUBJECT_SPAM_WORDS", subject_spam_words),
    ("BODY_SPAM_PHRASES", body_spam_phrases),
    ("BITCOIN_ADDRESS", bitcoin_address),
)

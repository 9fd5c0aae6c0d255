"""Signs of posing as somebody else: names, addresses and domains that are not what they look like."""

import re
from typing import Final

from filterd.domains import registrable
from filterd.domains.confusables import readable, scripts
from filterd.heuristics.brands import owns
from filterd.heuristics.subject import Evidence, Heuristic, Subject

_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})")
_WORD: Final = re.compile(r"[^\W\d_]+")
_RANDOM_LABEL: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}|(?:[a-z]{1,3}\d{1,3}){3}|(?:\d+[a-z]+){3}")
_NUMBER: Final = re.compile(r"\d{5,}")
_LABEL: Final = 8  # letters of a name before it can be called random


def from_display_address(subject: Subject) -> Evidence:
    """The display name holds an address of another domain than the real one."""
    for mailbox in subject.author.mailboxes:
        if "@" not in mailbox.display:
            continue
        match = _ADDRESS.search(mailbox.display[:500])
        if match is not None and registrable(match[1].lower()) != registrable(mailbox.domain):
            return (match[0], mailbox.domain)
    return None


def from_punycode(subject: Subject) -> Evidence:
    """The author's domain is internationalised."""
    found = [mailbox.domain for mailbox in subject.author.mailboxes if "xn--" in mailbox.domain]
    return tuple(found) or None


def from_mixed_script(subject: Subject) -> Evidence:
    """The author's domain mixes Latin with Greek or Cyrillic letters within a label."""
    for mailbox in subject.author.mailboxes:
        for label in readable(mailbox.domain).split(".") if "xn--" in mailbox.domain else ():
            if len(scripts(label)) > 1:
                return (label, mailbox.domain)
    return None


def from_brand(subject: Subject) -> Evidence:
    """The display name is a known brand's, the domain is not."""
    writer = subject.writer
    if writer is None or not subject.borrowed[0]:
        return None
    words = {word.lower() for word in _WORD.findall(writer.display[:200])}
    for use in subject.borrowed[0]:
        plain = {word for name in use.brand.names for word in name.lower().split()}
        if use.brand.common and not use.disguised and words - plain - subject.phrases.roles:
            continue
        if not owns(use.brand, writer.domain):
            return (use.words or writer.display, writer.domain)
    return None


def from_brand_disguised(subject: Subject) -> Evidence:
    """The display name or the domain is a known brand's, written with letters that look alike."""
    writer = subject.writer
    if writer is None:
        return None
    for use in (*subject.borrowed[0], *subject.borrowed[1]):
        if use.disguised and not use.brand.common and not owns(use.brand, writer.domain):
            return (use.words, use.brand.key)
    return None


def from_brand_address(subject: Subject) -> Evidence:
    """The author's address holds a known brand's name, and its domain is not the brand's."""
    writer = subject.writer
    if writer is None:
        return None
    for use in subject.borrowed[1]:
        if not use.brand.common and not owns(use.brand, writer.domain):
            return (use.words, f"{writer.local_part}@{writer.domain}")
    return None


def from_role_freemail(subject: Subject) -> Evidence:
    """The display name speaks for an office, and the address is one that anybody can have."""
    writer = subject.writer
    if writer is None or writer.domain not in subject.phrases.freemail:
        return None
    words = {word.lower() for word in _WORD.findall(writer.display[:200])}
    found = sorted(words & subject.phrases.roles)
    return (found[0], f"{writer.local_part}@{writer.domain}") if found else None


def from_no_name(subject: Subject) -> Evidence:
    """The author has an address and no name."""
    writer = subject.writer
    if writer is None or writer.display.strip() or subject.by_machine:
        return None
    return (f"{writer.local_part}@{writer.domain}",)


def from_number(subject: Subject) -> Evidence:
    """The display name holds a long number."""
    writer = subject.writer
    match = _NUMBER.search(writer.display[:200]) if writer is not None else None
    return (match[0],) if match is not None else None


def from_random(subject: Subject) -> Evidence:
    """The author's domain is letters and digits at random."""
    label = subject.writers_domain.partition(".")[0]
    return (subject.writers_domain,) if len(label) >= _LABEL and _RANDOM_LABEL.search(label) else None


def from_cheap_ending(subject: Subject) -> Evidence:
    """The author's domain has an ending that is sold for next to nothing."""
    writer = subject.writer
    if writer is None or "endings" not in subject.phrases.hosts.kinds(writer.domain):
        return None
    return (writer.domain,)


def from_recipient(subject: Subject) -> Evidence:
    """The display name is the recipient's address or domain, and the author is elsewhere."""
    writer = subject.writer
    if writer is None or not writer.display or subject.listed:
        return None
    shown = writer.display.lower()
    for _, domain in subject.to:
        if domain in shown and registrable(domain) != subject.writers_domain:
            return (domain, writer.domain)
    return None


def replyto_differs_freemail(subject: Subject) -> Evidence:
    """Answers go to a freemail address of somebody else."""
    writer = subject.writer
    if writer is None or writer.domain in subject.phrases.freemail:
        return None
    for mailbox in subject.reply_to:
        if mailbox.domain in subject.phrases.freemail:
            return (f"{mailbox.local_part}@{mailbox.domain}", writer.domain)
    return None


def freemail_pair(subject: Subject) -> Evidence:
    """Author and Reply-To are two different freemail addresses."""
    writer = subject.writer
    if writer is None or writer.domain not in subject.phrases.freemail:
        return None
    author = (writer.local_part.lower(), writer.domain)
    for mailbox in subject.reply_to:
        if mailbox.domain in subject.phrases.freemail and (mailbox.local_part.lower(), mailbox.domain) != author:
            return (f"{mailbox.local_part}@{mailbox.domain}", f"{writer.local_part}@{writer.domain}")
    return None


def replyto_differs(subject: Subject) -> Evidence:
    """Answers go to another domain than the author's, and no mailing list is the reason."""
    if not subject.reply_to or not subject.writers_domain or subject.listed:
        return None
    others = [mailbox.domain for mailbox in subject.reply_to if registrable(mailbox.domain) != subject.writers_domain]
    if len(others) < len(subject.reply_to) or others[0] in subject.phrases.freemail:
        return None
    to = {registrable(domain) for _, domain in subject.to}
    return None if registrable(others[0]) in to else (others[0], subject.writers_domain)


def to_is_from(subject: Subject) -> Evidence:
    """The message is addressed to its own author, who is the only recipient named."""
    writer = subject.writer
    if writer is None or len(subject.author.mailboxes) != 1 or subject.message.values(b"cc"):
        return None
    if writer.domain.encode() not in subject.field(b"to").lower():
        return None
    same = subject.to == ((writer.local_part.lower(), writer.domain),)
    return (f"{writer.local_part}@{writer.domain}",) if same else None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("FROM_DISPLAY_ADDRESS", from_display_address),
    ("FROM_PUNYCODE", from_punycode),
    ("FROM_MIXED_SCRIPT", from_mixed_script),
    ("FROM_ROLE_FREEMAIL", from_role_freemail),
    ("FROM_NO_NAME", from_no_name),
    ("FROM_NUMBER", from_number),
    ("FROM_RANDOM", from_random),
    ("FROM_CHEAP_ENDING", from_cheap_ending),
    ("FROM_RECIPIENT", from_recipient),
    ("TO_IS_FROM", to_is_from),
)
# Where the author's name or address holds a brand's.
BRANDS: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("FROM_BRAND", from_brand),
    ("FROM_BRAND_DISGUISED", from_brand_disguised),
    ("FROM_BRAND_ADDRESS", from_brand_address),
)
# Where answers are to go elsewhere.
REPLY_TO: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("REPLYTO_DIFFERS_FREEMAIL", replyto_differs_freemail),
    ("FREEMAIL_PAIR", freemail_pair),
    ("REPLYTO_DIFFERS", replyto_differs),
)

"""Signs in the words of a message, and in how they are packed."""

import re
from typing import Final

from filterd.heuristics.subject import Evidence, Heuristic, Subject

_MONEY: Final = re.compile(r"(?<!\w)(?:bc1[a-z0-9]{25,59}|[13][1-9A-HJ-NP-Za-km-z]{25,34})(?!\w)")
_LOOKED: Final = 50_000  # characters of the visible text searched
_SHOUTS: Final = 5  # exclamation marks
_QUIET: Final = 400  # characters of text in which one of them is no shouting
_MANY: Final = 5  # phrases of the list, of any kind
_SOME: Final = 2  # phrases of one kind
_SHORT: Final = 150  # visible characters: a sentence or two
_UNSEEN: Final = "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\u00ad\ufeff\u034f"
_ODD: Final = re.compile(f"[{_UNSEEN}\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0730-\u074a]")
# Beside them marks of other scripts behind a Latin letter.
_INSIDE: Final = re.compile(
    f"(?<=[A-Za-z])(?:[{_UNSEEN}](?=[A-Za-z])|[\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0730-\u074a])"
)
_HIDDEN: Final = 8  # letters parted by what nobody sees; a long word may be hyphenated so
_FANCY: Final = re.compile("[\U0001d400-\U0001d7ff]")
_LOOKALIKE: Final = re.compile("[\u0370-\u03ff\u0400-\u052f]")  # Greek and Cyrillic
_MIXED: Final = re.compile("[A-Za-z][\u0391-\u03c9\u0400-\u052f]|[\u0391-\u03c9\u0400-\u052f][A-Za-z]")
_SEVERAL: Final = 3  # such words: one is a formula, or a slip of the keyboard
_GREETED: Final = 200  # characters at the beginning of the text
_LEAST: Final = 5  # characters of an address's local part that do not stand there by chance
_WORDS: Final = re.compile(r"\w{4,20}")
_COMPARED: Final = 4_000  # characters of text and HTML compared, and searched for disguises
_ENOUGH: Final = 20  # different words before two texts can be compared


def body_empty(subject: Subject) -> Evidence:
    """There is no text, no image and no file."""
    if any(page.images for page in subject.pages) or subject.visible.strip():
        return None
    return None if any(not file.text for file in subject.files) else ()


def body_only_file(subject: Subject) -> Evidence:
    """There is a file, and not a word about it."""
    if not subject.files or subject.pages or subject.visible.strip():
        return None
    found = [file for file in subject.files if not file.text and file.depth == 0]
    return (*found[0].names[:1], found[0].path) if found else None


def body_short_link(subject: Subject) -> Evidence:
    """A link and hardly a word beside it."""
    text = subject.visible
    if not subject.urls or not subject.pages or len(text) > 8 * _SHORT or any(not file.text for file in subject.files):
        return None
    shown = len("".join(text.split()))
    longest = sum([len(url.text) for url in subject.urls if url.text in text])
    return (str(shown), subject.urls[0].text) if shown - longest < _SHORT else None


def body_spam_phrases(subject: Subject) -> Evidence:
    """The text holds at least two different phrases of the list."""
    return subject.phrases_found[:10] if len(subject.phrases_found) >= _SOME else None


def body_many_phrases(subject: Subject) -> Evidence:
    """The text holds many different phrases of the list."""
    count = len(subject.phrases_found)
    return (str(count),) if count >= _MANY else None


def _lure(kind: str, least: int = 1) -> Heuristic:
    """So many phrases of one kind."""

    def found(subject: Subject) -> Evidence:
        phrases = subject.lures.get(kind, ())
        return phrases[:10] if len(phrases) >= least else None

    return found


def body_shouts(subject: Subject) -> Evidence:
    """The text is full of exclamation marks."""
    count = subject.visible.count("!")
    return (str(count),) if count >= _SHOUTS and count * _QUIET > len(subject.visible) else None


def bitcoin_address(subject: Subject) -> Evidence:
    """The text speaks of bitcoin and gives an address to pay to."""
    if "coin" not in subject.lures:
        return None
    match = _MONEY.search(subject.visible, 0, _LOOKED)
    return (match[0],) if match else None


def zero_width_text(subject: Subject) -> Evidence:
    """Words of the text are parted by characters that nobody sees."""
    if not subject.exotic and "\u00ad" not in subject.visible:
        return None
    if not _ODD.search(subject.visible, 0, _COMPARED):
        return None
    found = _INSIDE.findall(subject.visible[:_COMPARED])
    return (f"{len(found)} times U+{ord(found[0]):04X}",) if len(found) >= _HIDDEN else None


def mixed_script_text(subject: Subject) -> Evidence:
    """Several words of the text mix Latin with Greek or Cyrillic letters."""
    text = subject.visible
    if not subject.exotic or not _LOOKALIKE.search(text, 0, _COMPARED):
        return None
    count = len(_MIXED.findall(text[:_COMPARED]))
    return (str(count),) if count >= _SEVERAL else None


def fancy_text(subject: Subject) -> Evidence:
    """Words of the text are written in letters made for mathematics."""
    if not subject.exotic:
        return None
    count = len(_FANCY.findall(subject.visible[:_COMPARED]))
    return (str(count),) if count > _HIDDEN else None


def greets_address(subject: Subject) -> Evidence:
    """The text begins with the recipient's address instead of a name."""
    head = subject.visible[: 4 * _GREETED].lstrip()[:_GREETED]
    if "@" not in head or len(subject.to) != 1 or subject.listed:
        return None
    local = subject.to[0][0]
    return (local,) if len(local) >= _LEAST and f"{local}@" in head.lower() else None


def base64_needless(subject: Subject) -> Evidence:
    """A text of plain ASCII is sent in base64, which hides it from simple filters and is of no other use."""
    if not subject.visible.isascii() or not subject.visible:
        return None
    for part in subject.message.parts:
        if (
            part.encodings[:1] == ("base64",)
            and part.content_type[:5] == "text/"
            and part.disposition in ("", "inline")
        ):
            return (part.path, part.content_type)
    return None


def text_html_differ(subject: Subject) -> Evidence:
    """The plain text and the HTML beside it have hardly a word in common: one of them is for filters."""
    if len(subject.texts) != 1 or len(subject.pages) != 1:
        return None
    if not any(kind == "multipart/alternative" for _, kind in subject.message.containers):
        return None
    plain = set(_WORDS.findall(subject.texts[0][:_COMPARED].lower()))
    shown = set(_WORDS.findall(subject.pages[0].text[:_COMPARED].lower()))
    if min(len(plain), len(shown)) < _ENOUGH:
        return None
    common = len(plain & shown)
    return (f"{common} of {len(plain)} words",) if common * 4 < min(len(plain), len(shown)) else None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("BODY_EMPTY", body_empty),
    ("BODY_ONLY_FILE", body_only_file),
    ("BODY_SHORT_LINK", body_short_link),
    ("BODY_SHOUTS", body_shouts),
    ("GREETS_ADDRESS", greets_address),
    ("BASE64_NEEDLESS", base64_needless),
    ("TEXT_HTML_DIFFER", text_html_differ),
)
# Where the text is not all ASCII.
NOT_ASCII: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("ZERO_WIDTH_TEXT", zero_width_text),
    ("MIXED_SCRIPT_TEXT", mixed_script_text),
    ("FANCY_TEXT", fancy_text),
)
# Where the text holds a phrase of the list.
PHRASES: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("BODY_SPAM_PHRASES", body_spam_phrases),
    ("BODY_MANY_PHRASES", body_many_phrases),
    ("LURE_ACCOUNT", _lure("account")),
    ("LURE_PRIZE", _lure("prize")),
    ("LURE_FRAUD", _lure("fraud", _SOME)),
    ("LURE_OFFER", _lure("offer", _SOME)),
    ("LURE_MEDICINE", _lure("medicine", _SOME)),
    ("LURE_PARCEL", _lure("parcel")),
    ("LURE_REMOVE", _lure("remove", _SOME)),
    ("LURE_PRESSURE", _lure("pressure", _SOME)),
    ("BITCOIN_ADDRESS", bitcoin_address),
)

"""Letters that look alike: a form in which words that people read as the same are equal.

The list is our own: what is taken for a Latin letter at the size of a mail program's list of messages. It is for
comparing only. `skeleton("paypal") == skeleton("\u0440\u0430yp\u0430l")`; the form itself is no word.
"""

import unicodedata
from typing import Final

from filterd.domains.names import normalise

MAX_INPUT: Final = 1_000  # characters looked at; names and subjects are shorter

# What stands for each letter. Accents need no entry: they are taken off first. Compatibility forms need none either:
# mathematical, full-width, circled and superscript letters become plain ones.
_LOOKALIKES: Final = {
    "a": "\u0430\u03b1\u0251@4",
    "b": "\u0432\u042c\u044c\u03b2\u1e058",
    "c": "\u0441\u03f2\u1d04",
    "d": "\u0501\u217e",
    "e": "\u0435\u0454\u212e3",
    "f": "\u0192",
    "g": "\u0261\u05239",
    "h": "\u043d\u04bb\u04a3",
    "j": "\u0458\u03f3",
    "k": "\u043a\u03ba",
    # One class: i, l, 1 and | cannot be told apart.
    "l": "i1|!\u0131\u0456\u04cf\u0269\u03b9\u01c0\u2223",
    "m": "\u043c",
    "n": "\u03b7\u043f\u0578",
    "o": "0\u043e\u03bf\u03c3\u0585\u2134\u00f8",
    "p": "\u0440\u03c1",
    "q": "\u051b",
    "r": "\u0433\u1d26",
    "s": "\u0455$5\ua731",
    "t": "\u0442\u03c47",
    "u": "\u03c5\u057d\u028b",
    "v": "\u03bd\u0475\u1d20",
    "w": "\u051d\u0461\u03c9",
    "x": "\u0445\u03c7",
    "y": "\u0443\u03b3\u04af",
    "z": "\u1d222",
}
_TABLE: Final = {ord(sign): letter for letter, signs in _LOOKALIKES.items() for sign in signs}
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_MARKS: Final = frozenset({"Mn", "Cf"})  # accents and what nobody sees


def skeleton(text: str) -> str:
    """The form of at most MAX_INPUT characters. Linear; never raises."""
    text = text[:MAX_INPUT].lower()
    if not text.isascii():
        text = _bare(unicodedata.normalize("NFKD", text)).lower()
    text = text.translate(_TABLE)
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def plain(text: str) -> str:
    """The text without what nobody sees and without marks that belong to no letter, which part words for a program."""
    return text if text.isascii() else _bare(unicodedata.normalize("NFC", text[:MAX_INPUT]))


def _bare(text: str) -> str:
    return "".join([char for char in text if unicodedata.category(char) not in _MARKS])


def readable(name: str) -> str:
    """A domain name as a person would be shown it: A-labels (RFC 5890) decoded where their punycode is sound."""
    if "xn--" not in name:
        return name
    return ".".join([_label(label) for label in name.split(".")])


def _label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        shown = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return label
    return shown if normalise(shown) == label else label


def scripts(text: str) -> frozenset[str]:
    """Which of Latin, Greek and Cyrillic have letters in the text."""
    found = set()
    for char in text[:MAX_INPUT]:
        code = ord(char)
        if char.isalpha():
            if code < 0x250:  # noqa: PLR2004  # Basic Latin to Latin Extended-B
                found.add("Latin")
            elif 0x370 <= code < 0x400:  # noqa: PLR2004  # Greek and Coptic
                found.add("Greek")
            elif 0x400 <= code < 0x530:  # noqa: PLR2004  # Cyrillic and its supplement
                found.add("Cyrillic")
    return frozenset(found)

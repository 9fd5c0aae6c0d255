"""Whether a message is in a language that the operator's users read. Silent where [content] languages is empty."""

import re
from collections import Counter
from typing import Final

from filterd.heuristics.subject import Evidence, Heuristic, Subject

_LOOKED: Final = 2_000  # characters of the text
_LETTERS: Final = 40  # before the text can be said to be in a script
_WORDS: Final = 30  # before it can be said to be in a language
_SHARE: Final = 0.15  # of the words: a text of a language has more of its commonest words than that, a foreign one less
_DIFFERENT: Final = 4  # of its common words: code has one letter over and over
_WORD: Final = re.compile(r"[^\W\d_]+")

# Scripts by first and last character, and the languages written in them; all others write Latin letters.
_SCRIPTS: Final = (
    (0x0370, 0x03FF, "Greek"),
    (0x0400, 0x052F, "Cyrillic"),
    (0x0590, 0x05FF, "Hebrew"),
    (0x0600, 0x06FF, "Arabic"),
    (0x0900, 0x0DFF, "Indic"),
    (0x0E00, 0x0E7F, "Thai"),
    (0x3040, 0x30FF, "Kana"),
    (0x3400, 0x9FFF, "Han"),
    (0xAC00, 0xD7AF, "Hangul"),
)
SCRIPT_LANGUAGES: Final = {
    "Greek": frozenset({"el"}),
    "Cyrillic": frozenset({"ru", "uk", "bg", "sr", "mk", "be", "kk"}),
    "Hebrew": frozenset({"he", "yi"}),
    "Arabic": frozenset({"ar", "fa", "ur"}),
    "Indic": frozenset({"hi", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "si", "ne"}),
    "Thai": frozenset({"th"}),
    "Kana": frozenset({"ja"}),
    "Han": frozenset({"zh", "ja"}),
    "Hangul": frozenset({"ko"}),
}
# Words that every text of a language has, and that tell it from its neighbours.
COMMON_WORDS: Final = {
    "en": "the and of to in is you that for your this with are have not be on from will it we or as by",
    "de": "der die und das ist nicht sie mit ein eine ich den von zu auf f\u00fcr im dem des wir auch ihre ihr sich",
    "fr": "le la les et des est vous une un du pour dans que qui pas votre nous sur avec ce au sont plus par",
    "es": "el la los de y que en un una por para con su se las del es no al como usted lo m\u00e1s est\u00e1",
    "pt": "o a os de e que em um uma para com n\u00e3o seu sua se do da no na voc\u00ea por mais foi ao",
    "it": "il la di e che un una per non con del della i le si sono da al nel gli come questo tuo suo",
    "nl": "de het een en van is niet je dat in op te voor met zijn aan u uw wij ook die deze om naar",
    "pl": "w i na nie si\u0119 z do jest to \u017ce o jak za od po dla przez czy ale tym by\u0107 s\u0105 oraz",
    "sv": "och att det som en p\u00e5 \u00e4r av f\u00f6r med till den inte om du har ett fr\u00e5n vi kan din s\u00e5",
    "da": "og at det er en til af p\u00e5 for ikke med der den de som du har et vi din fra kan om",
    "cs": "a se na je v \u017ee to z s do o pro jsme jako ale by jsou po od nebo v\u00e1\u0161 jsem k",
    "tr": "bir ve bu i\u00e7in ile de da \u00e7ok olarak olan daha gibi her size sizin ne kadar veya en",
}
_LANGUAGES_OF: Final[dict[str, frozenset[str]]] = {
    word: frozenset([language for language, words in COMMON_WORDS.items() if word in words.split()])
    for words in COMMON_WORDS.values()
    for word in words.split()
}
# Character sets that were made for one language or a few.
CHARSET_LANGUAGES: Final = {
    "gb": frozenset({"zh"}), "big5": frozenset({"zh"}), "hz": frozenset({"zh"}), "iso-2022-jp": frozenset({"ja"}),
    "shift": frozenset({"ja"}), "euc-jp": frozenset({"ja"}), "euc-kr": frozenset({"ko"}), "ks_c": frozenset({"ko"}),
    "iso-2022-kr": frozenset({"ko"}), "koi8": SCRIPT_LANGUAGES["Cyrillic"],
    "windows-1251": SCRIPT_LANGUAGES["Cyrillic"],
    "iso-8859-5": SCRIPT_LANGUAGES["Cyrillic"], "windows-1253": frozenset({"el"}), "iso-8859-7": frozenset({"el"}),
    "windows-1254": frozenset({"tr"}), "iso-8859-9": frozenset({"tr"}), "windows-1255": SCRIPT_LANGUAGES["Hebrew"],
    "iso-8859-8": SCRIPT_LANGUAGES["Hebrew"], "windows-1256": SCRIPT_LANGUAGES["Arabic"],
    "iso-8859-6": SCRIPT_LANGUAGES["Arabic"], "windows-874": frozenset({"th"}), "tis-620": frozenset({"th"}),
}  # fmt: skip


def language_foreign(subject: Subject) -> Evidence:
    """The text is in a script or a language that nobody here reads."""
    wanted = subject.phrases.languages
    if not wanted:
        return None
    text = subject.visible[:_LOOKED]
    script = "" if text.isascii() else _script(text)
    if script:
        return (script,) if not SCRIPT_LANGUAGES[script] & wanted else None
    language = language_of(text)
    return (language,) if language and language not in wanted else None


def charset_foreign(subject: Subject) -> Evidence:
    """A text is declared to be in a character set for languages that nobody here reads."""
    wanted = subject.phrases.languages
    if not wanted or subject.visible.isascii():
        return None
    for part in subject.message.parts:
        name = part.charset.strip(" \"'").lower()
        for start, languages in CHARSET_LANGUAGES.items() if name else ():
            if name.startswith(start) and not languages & wanted:
                return (name, part.path)
    return None


def language_of(text: str) -> str:
    """The language of COMMON_WORDS that a text in Latin letters is in; empty where that cannot be said."""
    words = _WORD.findall(text[:_LOOKED].lower())
    if len(words) < _WORDS:
        return ""
    counted = Counter([language for word in words for language in _LANGUAGES_OF.get(word, ())])
    best = counted.most_common(2)
    if not best or best[0][1] < _SHARE * len(words):
        return ""
    if len({word for word in words if best[0][0] in _LANGUAGES_OF.get(word, ())}) < _DIFFERENT:
        return ""
    # Close relatives share words: without a lead it is neither.
    return best[0][0] if len(best) == 1 or best[0][1] > best[1][1] else ""


def _script(text: str) -> str:
    """The script other than Latin that most letters are of; empty where there is none."""
    counted: Counter[str] = Counter()
    for char in text:
        if char.isalpha():
            code = ord(char)
            counted[next((name for first, last, name in _SCRIPTS if first <= code <= last), "Latin")] += 1
    if sum(counted.values()) < _LETTERS:
        return ""
    if counted["Kana"]:
        counted["Kana"] += counted.pop("Han", 0)
    name, count = counted.most_common(1)[0]
    return name if name != "Latin" and count * 2 > sum(counted.values()) else ""


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("LANGUAGE_FOREIGN", language_foreign),
    ("CHARSET_FOREIGN", charset_foreign),
)

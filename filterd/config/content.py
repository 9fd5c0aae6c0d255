"""The table of filterd.toml about what messages are written in."""

from difflib import get_close_matches
from typing import Final

from pydantic import field_validator

from filterd.config.fields import Section, key

# ISO 639-1 codes of what heuristics can tell apart, by script or by common words.
# fmt: off
LANGUAGES: Final = frozenset(
    {
        "ar", "be", "bg", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fr", "gu", "he", "hi", "it", "ja", "kk",
        "kn", "ko", "mk", "ml", "mr", "ne", "nl", "pa", "pl", "pt", "ru", "si", "sr", "sv", "ta", "te", "th", "tr",
        "uk", "ur", "yi", "zh",
    }
)
# fmt: on


class Content(Section):
    """What the people behind this server read."""

    languages: tuple[str, ...] = key(
        (),
        "Languages (ISO 639-1 codes such as en, de) that are read here: mail in others, or in character sets made for"
        " others, gets points (LANGUAGE_FOREIGN, CHARSET_FOREIGN); empty: any language is as good as another.",
    )

    @field_validator("languages")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for code in value:
            if code not in LANGUAGES:
                guess = "".join(f"; did you mean {close!r}?" for close in get_close_matches(code, sorted(LANGUAGES), 1))
                raise ValueError(f"expected codes of {', '.join(sorted(LANGUAGES))}, got {code!r}{guess}")
        return value

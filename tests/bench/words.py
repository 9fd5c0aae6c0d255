"""Text that looks like mail, made by a seeded generator: words by rank, sentences, paragraphs, pages of HTML."""

import html
import random
from typing import Final

COMMON: Final = (
    "the of and to in a is for on with as that at by from we you this are be it will have not or your can our if all"
    " please was more one they but new has which there time their when about them next than some out week into only"
    " other these after then any her two may could his also first its no made over before must through back now"
    " work well way even team because both each between being under never day same another while last might us off"
    " again still own most every found those where much good long little very after many since around however small"
    " during without place order number part report plan point group problem service area month hand year question"
    " answer meeting room office door table water paper letter price list page line city road train garden school"
    " music summer winter morning evening weekend project budget draft review version change figure result study"
    " method sample model idea detail note minute hour market customer supplier store kitchen window machine engine"
    " repair delivery visit travel journey ticket station bridge harbour river mountain village forest field farm"
)
SYLLABLES: Final = (
    "al an ar ba be bor ca cor da del do en er fa fel ga gor ha hel in is ka ker la len lo ma mel mi nor o pa per"
    " ra ren ro sa sel ta ter tu ul va ver wi za"
)
VOCABULARY: Final = 1_500  # words; what a correspondent uses
ENTITIES: Final = {"é": "&eacute;", "ü": "&uuml;"}
ACCENTED: Final = ("café", "für", "Köln", "naïve", "déjà", "Malmö", "señor")


class Writer:
    """Writes text; the same random generator gives the same text."""

    def __init__(self, rng: random.Random) -> None:
        """Make up a vocabulary: common words first, rarer and longer ones behind."""
        self._rng = rng
        self._syllables = SYLLABLES.split()
        made = {"".join(rng.choices(self._syllables, k=rng.randint(2, 4))) for _ in range(VOCABULARY)}
        self._words = [*dict.fromkeys(COMMON.split()), *sorted(made)]
        total, self._weights = 0.0, []
        for rank in range(len(self._words)):
            total += 1 / (rank + 2.7)  # natural language: a word's frequency falls with its rank
            self._weights.append(total)

    def words(self, count: int) -> list[str]:
        """That many words."""
        return self._rng.choices(self._words, cum_weights=self._weights, k=count)

    def name(self) -> str:
        """A person's name."""
        parts = ["".join(self._rng.choices(self._syllables, k=2)).capitalize() for _ in range(2)]
        return " ".join(parts)

    def subject(self) -> str:
        """A subject line."""
        return " ".join(self.words(self._rng.randint(2, 7))).capitalize()

    def sentence(self, *, accents: bool = False) -> str:
        """One sentence."""
        words = self.words(self._rng.randint(5, 22))
        if accents and self._rng.random() < 0.5:
            words[self._rng.randrange(len(words))] = self._rng.choice(ACCENTED)
        if len(words) > 9:
            words[len(words) // 2] += ","
        return " ".join(words).capitalize() + self._rng.choice("....?")

    def paragraphs(self, size: int, *, accents: bool = False) -> list[str]:
        """Paragraphs of about `size` characters together."""
        found, length = [], 0
        while length < size:
            text = " ".join([self.sentence(accents=accents) for _ in range(self._rng.randint(2, 6))])
            found.append(text)
            length += len(text)
        return found

    def page(self, paragraphs: list[str], links: list[str]) -> str:
        """The paragraphs as a mail program's HTML, the links spread over them."""
        rows = []
        for number, text in enumerate(paragraphs):
            body = html.escape(text)
            for letter, entity in ENTITIES.items():
                body = body.replace(letter, entity)
            if number < len(links):
                label = html.escape(" ".join(self.words(3)))
                body += f' <a href="{html.escape(links[number])}" style="color:#1a5fb4">{label}</a>'
            rows.append(
                f'<tr><td style="padding:8px 24px;font:14px/20px Arial,sans-serif;color:#333333">\r\n<p>{body}</p>\r\n'
                "</td></tr>"
            )
        return (
            '<!DOCTYPE html>\r\n<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
            f"<title>{html.escape(self.subject())}</title>\r\n<style>td {{ vertical-align: top }} "
            "a:hover { text-decoration: underline }</style>\r\n</head>\r\n"
            '<body bgcolor="#ffffff"><table width="600" cellpadding="0" cellspacing="0" align="center">\r\n'
            + "\r\n".join(rows)
            + "\r\n</table></body></html>\r\n"
        )

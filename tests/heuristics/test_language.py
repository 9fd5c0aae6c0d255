"""Languages and character sets told from text, and what the operator's choice makes of them."""

import pytest

from filterd.config import Config
from filterd.config.content import LANGUAGES, Content
from filterd.heuristics.language import CHARSET_LANGUAGES, COMMON_WORDS, SCRIPT_LANGUAGES, language_of
from tests.fuzz.worst import assert_linear, fill
from tests.heuristics.test_symbols import examine, mail

SAMPLES = {
    "en": "We have received your order and will send it to you on the day that it is ready for the post. " * 3,
    "de": "Wir haben Ihre Bestellung erhalten und senden sie Ihnen an dem Tag, an dem sie fertig ist, mit der Post. "
    * 3,
    "fr": "Nous avons bien reçu votre commande et nous vous la ferons parvenir par la poste dès que possible. " * 3,
    "es": "Hemos recibido su pedido y se lo enviaremos por correo el día en que esté listo para los clientes. " * 3,
}
KNOWN = frozenset(COMMON_WORDS).union(*SCRIPT_LANGUAGES.values(), *CHARSET_LANGUAGES.values())


def symbols(text: str, languages: tuple[str, ...], charset: str = "utf-8") -> set[str]:
    """What is found about the language of a text."""
    raw = mail("", Content_Type=f"text/plain; charset={charset}", MIME_Version="1.0") + text.encode(charset)
    found = {one.symbol for one in examine(raw, languages=languages).findings}
    return found & {"LANGUAGE_FOREIGN", "CHARSET_FOREIGN"}


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_languages_are_told_apart(language: str) -> None:
    """By their commonest words."""
    assert language_of(SAMPLES[language]) == language


@pytest.mark.parametrize("text", ["", "Thank you.", "x = y + 1; " * 50, "lorem ipsum dolor sit amet " * 20])
def test_what_cannot_be_told_is_no_language(text: str) -> None:
    """Short texts and code are in none."""
    assert language_of(text) == ""


def test_only_what_is_not_read_is_foreign() -> None:
    """The operator's languages pass, and without a choice all do."""
    assert symbols(SAMPLES["de"], ("en",)) == {"LANGUAGE_FOREIGN"}
    assert symbols(SAMPLES["de"], ("en", "de")) == set()
    assert symbols(SAMPLES["de"], ()) == set()


def test_scripts_are_of_languages() -> None:
    """Cyrillic is read where Russian is, and so is its character set."""
    russian = "Уважаемый клиент, ваш заказ готов к отправке. " * 5
    assert symbols(russian, ("en",), "koi8-r") == {"LANGUAGE_FOREIGN", "CHARSET_FOREIGN"}
    assert symbols(russian, ("en", "ru"), "koi8-r") == set()


def test_every_language_can_be_chosen() -> None:
    """The configuration knows what the heuristics can tell, and nothing else."""
    assert KNOWN == LANGUAGES
    assert Config(content=Content(languages=("en", "ja"))).content.languages == ("en", "ja")
    with pytest.raises(ValueError, match="did you mean 'en'"):
        Content(languages=("eng",))


@pytest.mark.parametrize("pattern", ["a ", "и", "the ", "漢", "\ud800"])
def test_the_worst_text_is_linear(pattern: str) -> None:
    """No more than the beginning is looked at."""
    assert_linear(
        lambda data: language_of(data.decode("utf-8", "replace")), fill(pattern.encode("utf-8", "replace")), 20_000
    )

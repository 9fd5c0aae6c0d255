"""Passwords that a mail gives for its own archive."""

from collections.abc import Callable

import pytest

from filterd.unpack import Budget, unpack
from filterd.unpack.passwords import MAX_CANDIDATES, MAX_LENGTH, candidates
from tests.support.archives import locked_zip, written
from tests.support.growth import LINEAR, growth


@pytest.mark.parametrize(
    "text",
    [
        "Please see the attachment.\nPassword: infected\n",
        "password is infected.",
        "PWD=infected, thanks",
        'The password for the archive is "infected".',
        "Passwort lautet: infected.",
        "Das Kennwort für die Datei: (infected)",
        "Contraseña: infected",
        "mot de passe : infected",
        "Код: infected",
        "Пароль к архиву infected",
        "密码\uff1ainfected",
        "infected is the password",
        "pass:infected",
        "Use the code *infected* to open it",
        "Password:\r\n\r\n   infected\r\n\r\nRegards",
    ],
)
@pytest.mark.threat("ZIP-04")
def test_words_near_a_mention(text: str) -> None:
    """Whatever the language and the signs around it, the word is among the first ten."""
    assert "infected" in candidates(text)[:10]


def test_a_quoted_password_may_have_blanks() -> None:
    """What stands in quotation marks is taken whole, whatever they look like."""
    assert candidates("The password is \u201cTop Secret!\u201d.")[0] == "Top Secret!"


def test_no_mention_no_words() -> None:
    """A text that speaks of no password has none."""
    assert candidates("Hello, please find attached our invoice. Regards") == ()


@pytest.mark.threat("ZIP-04")
def test_words_are_few_and_short() -> None:
    """However long the text, there are 20 of at most 64 characters."""
    text = " ".join([f"password: w{number} {'x' * 200}" for number in range(500)])
    found = candidates(text)
    assert len(found) == MAX_CANDIDATES
    assert max(map(len, found)) <= MAX_LENGTH


@pytest.mark.parametrize("piece", ["password ", "pass", '"', "password: \u201c", "a", "\n", "пароль=" * 3])
def test_linear(piece: str) -> None:
    """Twice the text, at most twice the time."""

    def build(size: int) -> Callable[[], object]:
        text = piece * (size // len(piece))
        return lambda: candidates(text)

    assert growth(build, 40_000) <= LINEAR


def opened(data: bytes, *words: str) -> tuple[list[bytes], set[str], Budget]:
    """The members' contents, the findings' symbols, what is left of the budget."""
    budget = Budget(words=lambda: words)
    members = list(unpack(data, "1", "a.zip", 0, budget))
    assert all(member.encrypted for member in members)
    return [bytes(member.data) for member in members], {found.symbol for found in budget.findings}, budget


FILES = (("a.exe", b"MZ\0" * 40), ("b.txt", b"hello" * 40), ("c.txt", b"x"))


@pytest.mark.parametrize("options", ["encryption=zipcrypt", "encryption=aes128", "encryption=aes256"])
@pytest.mark.threat("ZIP-04")
def test_every_encryption_of_zip(options: str) -> None:
    """PKWARE's old cipher and AES are opened, and the word that opened one member opens the others."""
    data = written("zip", *FILES, options=options, password="geheim")
    contents, symbols, budget = opened(data, "no", "nor", "geheim", "this")
    assert contents == [content for _, content in FILES]
    assert symbols == {"ARCHIVE_PASSWORD"}
    assert budget.keys == [b"geheim"]


@pytest.mark.threat("ZIP-04")
def test_passwords_outside_of_ascii() -> None:
    """Packers write them in UTF-8 or in the machine's own code page."""
    data = locked_zip("a", b"MZ\0", "schl\u00fcssel")
    assert opened(data, "schl\u00fcssel")[1] == {"ARCHIVE_PASSWORD"}
    data = locked_zip("a", b"MZ\0", b"schl\xfcssel".decode("cp1252"))
    assert opened(data, "schl\u00fcssel")[1] == {"ARCHIVE_PASSWORD"}


@pytest.mark.threat("ZIP-04")
def test_wrong_words_leave_it_closed() -> None:
    """A byte of check lets one wrong word in 256 pass: the checksum does not."""
    data = locked_zip("a", b"MZ\0" * 100, "geheim")
    contents, symbols, _ = opened(data, *[f"w{number}" for number in range(90)])
    assert (contents, symbols) == ([b""], {"UNSCANNABLE_ENCRYPTED"})


@pytest.mark.threat("ZIP-04")
def test_guesses_are_capped() -> None:
    """Only the first two members of an archive are tried on words, and a message has 100 guesses in all."""
    data = written(
        "zip", *[(str(number), b"x") for number in range(50)], options="encryption=zipcrypt", password="geheim"
    )
    words = [f"w{number}" for number in range(20)]
    budget = Budget(words=lambda: tuple(words))
    list(unpack(data, "1", "a.zip", 0, budget))
    assert budget.guesses == 100 - 2 * 20
    for _ in range(5):
        list(unpack(data, "1", "a.zip", 0, budget))
    assert budget.guesses == 0


@pytest.mark.threat("ZIP-01", "ZIP-04")
def test_an_encrypted_bomb_stops() -> None:
    """What a password opens is under the same budget."""
    data = written("zip", ("a", bytes(30_000_000)), options="encryption=aes256", password="geheim")
    contents, symbols, _ = opened(data, "geheim")
    assert symbols == {"ARCHIVE_PASSWORD", "UNSCANNABLE_BOMB"}
    assert len(contents[0]) <= max(1_000_000, len(data) * 200)

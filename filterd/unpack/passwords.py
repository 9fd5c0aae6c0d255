"""Passwords that a mail gives for its own archive: words near "password", tried under hard caps.

Malware comes in encrypted zips because scanners stop there, and the reader has to be told the password.
"""

import re
from collections.abc import Iterator
from typing import Final

from filterd.unpack.budget import Budget
from filterd.unpack.streams import StreamError
from filterd.unpack.types import Data
from filterd.unpack.zip_member import read
from filterd.unpack.zipfile import Entry

MAX_CANDIDATES: Final = 20  # words taken from one message, likeliest first
MAX_MEMBERS: Final = 2  # encrypted members of one archive that they are tried on
MAX_TEXT: Final = 200_000  # characters looked at; a password stands near the beginning or the end of a short mail
MAX_LENGTH: Final = 64  # characters of a password
_MAX_PLACES: Final = 50  # mentions of a password looked at
_AFTER: Final = 120  # characters behind the mention
_BEFORE: Final = 60  # characters before it
# fmt: off
_WORDS: Final = (
    "password", "passwort", "passcode", "passphrase", "kennwort", "contraseña", "contrasena", "clave", "mot de passe",
    "mdp", "pwd", "senha", "wachtwoord", "parola", "lösenord", "adgangskode", "salasana", "hasło", "haslo", "heslo",
    "jelszó", "şifre", "sifre", "пароль", "пароля", "паролем", "код", "κωδικός", "סיסמה", "كلمة المرور", "密码", "密碼",
    "解压码", "パスワード", "비밀번호", "pass", "pin", "code",
)
# Words between the mention and the password, in some languages; they are tried last.
_FILLERS: Final = frozenset(
    {
        "is", "the", "for", "to", "open", "this", "your", "use", "file", "archive", "zip", "attachment", "document",
        "of", "ist", "das", "der", "die", "lautet", "für", "zum", "datei", "es", "la", "el", "para", "est", "le", "de",
        "du", "pour", "è", "per", "é", "o", "a", "and", "with", "protected", "from", "архива", "к", "архиву", "на",
    }
)
# fmt: on
_MENTION: Final = re.compile("|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True)), re.IGNORECASE)
_QUOTES: Final = "\"'`\u00ab\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u300c\u300d\u300e\u300f"
_QUOTED: Final = re.compile(rf"[{_QUOTES}]([^{_QUOTES}\n]{{1,64}})[{_QUOTES}]")
_TOKEN: Final = re.compile(r"[^\s\0]{1,128}")
_EDGES: Final = " \t.,;:!?()[]{}<>*_=-\u2013\u2014\uff1a\u3002\uff0c" + _QUOTES  # what stands around a word


def candidates(text: str) -> tuple[str, ...]:
    """At most MAX_CANDIDATES words of the text that may be a password, likeliest first. Linear in the text."""
    short = text if len(text) <= MAX_TEXT else text[: MAX_TEXT // 2] + "\n" + text[-MAX_TEXT // 2 :]
    lists = [list(_near(short, match)) for match, _ in zip(_MENTION.finditer(short), range(_MAX_PLACES), strict=False)]
    found: dict[str, None] = {}
    # Round by round: the likeliest of each mention before the second of any.
    for number in range(max(map(len, lists), default=0)):
        for words in lists:
            if number < len(words) and 0 < len(words[number]) <= MAX_LENGTH:
                found.setdefault(words[number])
    likely = [word for word in found if word.lower() not in _FILLERS]
    unlikely = [word for word in found if word.lower() in _FILLERS]
    return tuple((likely + unlikely)[:MAX_CANDIDATES])


def _near(text: str, match: re.Match[str]) -> Iterator[str]:
    """Words near one mention: what is quoted, what follows, what stands before."""
    after = text[match.end() : match.end() + _AFTER]
    quoted = _QUOTED.search(after)
    if quoted is not None:
        yield quoted[1].strip()
    for token in _TOKEN.findall(after)[:8]:
        yield token.strip(_EDGES)
        yield token.lstrip(":=\uff1a").rstrip(",;")
        yield token.rpartition(":")[2]
    for token in reversed(_TOKEN.findall(text[max(0, match.start() - _BEFORE) : match.start()])[-4:]):
        yield token.strip(_EDGES)


def unlock(data: Data, entry: Entry, earlier: int, allowance: int, budget: Budget) -> bytes | None:
    """An encrypted member's content where a word of the mail opens it; None where none does.

    `earlier` counts the encrypted members of this archive before: only the first are tried on new words. What opened
    one member is tried on all later ones.
    """
    for password in budget.keys:
        content = _attempt(data, entry, allowance, password)
        if content is not None:
            return content
    if earlier >= MAX_MEMBERS:
        return None
    for word in budget.words():
        if budget.guesses <= 0 or budget.late(entry.name):
            return None
        for password in dict.fromkeys((word.encode("utf-8", "replace"), word.encode("cp1252", "replace"))):
            budget.guesses -= 1
            content = _attempt(data, entry, allowance, password)
            if content is not None:
                budget.keys.append(password)
                return content
    return None


def _attempt(data: Data, entry: Entry, allowance: int, password: bytes) -> bytes | None:
    """The content, None where the password is wrong or the member cannot be read."""
    try:
        return read(data, entry, allowance, password)
    except StreamError:
        return None

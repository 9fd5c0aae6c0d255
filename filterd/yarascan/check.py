"""One rule file by itself: whether it compiles, and whether it keeps to its time."""

import io
import random
from functools import cache
from typing import Final

import yara

from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.sources import RuleFile, foreign_modules

CANARY_BYTES: Final = 1_000_000  # as much as a large attachment's text
CANARY_SECONDS: Final = 5  # for one file's rules over the canary; usual sets take some milliseconds
_PIECES: Final = 10


def check(file: RuleFile) -> tuple[str, bytes]:
    """Why this file cannot be used, with its line where the compiler knows it, and its compiled rules where it can."""
    if file.problem:
        return file.problem, b""
    unusable = _unusable(file.text)
    if unusable:
        return f"{file.path}: {unusable}", b""
    try:
        rules = yara.compile(sources={file.namespace: file.text}, includes=False, externals=EXTERNALS)
        rules.match(data=canary(), timeout=CANARY_SECONDS, fast=True, warnings_callback=_ignore)
    except yara.TimeoutError:
        return f"{file.path}: takes more than {CANARY_SECONDS} s for {CANARY_BYTES} bytes", b""
    except yara.Error as error:
        return f"{file.path}: {error}", b""
    out = io.BytesIO()
    rules.save(file=out)
    return "", out.getvalue()


def _unusable(text: str) -> str:
    """Why the compiler is not even asked, empty where it is."""
    if "\0" in text:  # there the compiler would stop, and not say so
        return "holds a NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    foreign = foreign_modules(text)
    return f"imports what rules may not have: {', '.join(foreign)}" if foreign else ""


@cache
def canary() -> bytes:
    """Bytes on which slow rules show: text, one character over and over, zeros, noise. Always the same."""
    size = CANARY_BYTES // (4 * _PIECES)
    words = b'The quick brown fox jumps over the lazy dog: 0123456789 <a href="http://x.test/">function(){}</a>\r\n'
    text = words * (size // len(words) + 1)
    noise = random.Random(0).randbytes  # noqa: S311  # no secret: the same bytes each time
    pieces = [part for _ in range(_PIECES) for part in (text[:size], b"a" * size, bytes(size), noise(size))]
    return b"".join(pieces)


def _ignore(*_: object) -> int:
    return int(yara.CALLBACK_CONTINUE)

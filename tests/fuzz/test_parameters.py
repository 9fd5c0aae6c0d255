"""Parameters and file names. Invariant: whatever name another reader takes from a field is among the candidates.

The other reader is the standard library's parser, RFC 2231 included. Candidates are bounded, printable or said to be
not, and never hold a directory; a name written by the rules is read exactly.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from email.message import Message
from email.utils import collapse_rfc2231_value
from itertools import pairwise
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mime.entity import read_entity
from filterd.mime.header import unfold
from filterd.mime.limits import MAX_FILENAME, MAX_FILENAMES, MAX_PARAMETERS
from filterd.mime.parameters import names, parse_parameters
from filterd.mime.symbols import AMBIGUOUS, AMBIGUOUS_NAME, UNSCANNABLE_HEADER
from tests.fuzz.corpus import values
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

SEEDS: Final = (
    b' attachment; filename="a.exe"',
    b" attachment; filename=a.exe; size=5",
    b" attachment; filename*=utf-8''a%2eexe",
    b' attachment; filename*0="a."; filename*1="exe"',
    b" attachment; filename*0*=utf-8''a%20; filename*1*=%2e; filename*2=exe",
    b" attachment; filename*1=exe; filename*0=a.",
    b' attachment; filename="=?utf-8?b?YS5leGU=?="',
    b" inline; filename=\"a.txt\"; filename*=iso-8859-1'en'b%E9.exe",
    b' text/plain; charset=utf-8; name="a.txt"',
    b' multipart/mixed; boundary="b (x)"; type="a/b"',
    b" multipart/mixed; boundary*0=b; boundary*1=c",
    b' application/octet-stream; name="C:\\dir\\a.exe"',
    b' attachment; filename="a\\"b;c.exe"; x=(comment; filename=d.exe)',
    b' attachment\r\n ;filename\r\n =\r\n "a.exe"',
)
TOKENS: Final = (
    b";",
    b"=",
    b'"',
    b"\\",
    b"(",
    b")",
    b"'",
    b"*",
    b"*0",
    b"*1",
    b"*0*",
    b"*1*=",
    b"%",
    b"%2e",
    b"%00",
    b"utf-8''",
    b"utf-7''",
    b"\0",
    b"\t",
    b"\r\n ",
    b"/",
    b"filename",
    b"filename*",
    b"name",
    b"boundary=",
    b"; filename=x.exe",
    b"=?utf-8?q?",
    b"?=",
    b"\xe2\x80\xae",
    b"\xff",
    b",",
    b".exe",
)


def others(value: bytes) -> str:
    """The file name that the standard library finds, as far as it is one: without directories and outer blanks."""
    message = Message()
    message["Content-Disposition"] = unfold(value).decode("latin-1")
    try:
        found = message.get_param("filename", "", "content-disposition")
        text = collapse_rfc2231_value(found) if found else ""
    except (LookupError, TypeError, ValueError):
        return ""
    return str(text)


def check(value: bytes) -> None:
    """Read one field by itself, and as all fields of a part."""
    found = parse_parameters(value)
    assert found == parse_parameters(value)
    assert sum(map(len, found.values.values())) <= 12 * MAX_PARAMETERS
    assert {name.rstrip("*") for name in found.repeated} <= {name.rstrip("*") for name in found.values}
    for name, readings in found.values.items():
        assert readings
        assert found.first(name) == readings[0]
    candidates = names(found.values.get("filename", ())[:MAX_FILENAMES])
    for candidate in candidates:
        assert 0 < len(candidate) <= 2 * MAX_FILENAME
        assert "/" not in candidate
        assert "\\" not in candidate
        candidate.encode()
    entity = read_entity({b"content-disposition": (value,), b"content-type": (value,)}, "text/plain")
    assert len(entity.filenames) <= MAX_FILENAMES
    symbols = {finding.symbol for finding in entity.findings}
    assert symbols <= AMBIGUOUS | {UNSCANNABLE_HEADER}
    entity.charset.encode()
    other = others(value)
    if PLAIN.fullmatch(other) and value.isascii() and not TRICKY.search(value) and symbols.isdisjoint(SAID):
        assert set(names((other,))) <= set(candidates), (other, candidates)


TARGET: Final = Target("parameters", check, SEEDS, TOKENS, runs=2_500, largest=4_096)


@pytest.mark.threat("MIME-13")
def test_any_bytes() -> None:
    """The invariant over mutants of all kinds of file names."""
    fuzz(TARGET)


@pytest.mark.threat("MIME-13")
def test_mutants_of_real_fields(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real fields."""
    seeds = values(mail, b"content-type", b"content-disposition")
    fuzz(replace(TARGET, name="real-parameters", seeds=seeds, runs=1_000))


NAMES: Final = st.text("abc \u00e9\u4e2d.-_()=;,'%*\"", min_size=1, max_size=30).filter(
    lambda text: text.strip(" '\"").rstrip(". ") == text and text.partition(";")[0] != ""
)


SAID: Final = {AMBIGUOUS_NAME, UNSCANNABLE_HEADER}
PLAIN: Final = re.compile(r"[A-Za-z0-9_. -]{1,200}")  # what a file may be called everywhere
# What may be quoted or not: every reader has its own idea. And what only Python takes for a blank.
TRICKY: Final = re.compile(rb"\"[^\"]*[;=]|[\x1c-\x1f]")
CHARSET: Final = "utf-8''"


def sections(text: str, cuts: list[int]) -> list[str]:
    """The text in pieces."""
    ends = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(ends)] or [text]


@given(NAMES, st.lists(st.integers(0, 40), max_size=3), st.booleans(), st.randoms())
def test_a_name_written_by_the_rules_is_read(text: str, cuts: list[int], extended: bool, rng: object) -> None:  # noqa: FBT001  # drawn
    """Quoted, or percent-encoded in sections of any order: the name is a candidate."""
    pieces = sections(text, cuts)
    if extended:
        coded = [quote(piece, safe="") for piece in pieces]
        words = [f"filename*{n}*={'' if n else CHARSET}{piece}" for n, piece in enumerate(coded)]
    else:
        escaped = [piece.replace("\\", "\\\\").replace('"', '\\"') for piece in pieces]
        words = [f'filename*{n}="{piece}"' for n, piece in enumerate(escaped)]
    rng.shuffle(words)  # type: ignore[attr-defined]  # hypothesis' random
    value = "; ".join([" attachment", *words]).encode()
    index: Mapping[bytes, tuple[bytes, ...]] = {b"content-disposition": (value,)}
    assert text in read_entity(index, "text/plain").filenames


@pytest.mark.threat("MIME-20")
@pytest.mark.parametrize(
    "pattern",
    [
        b";",
        b'"',
        b"=",
        b"a*0=x;",
        b"a*=x;",
        b"a=b;",
        b"filename=b;",
        b"filename*1=b;",
        b"filename*=utf-8''b;",
        b"(",
        b"()",
        b"\\",
        b"'",
        b" ",
        b"a",
        b"a ",
        b"a=",
        b"a *",
        b"=?utf-8?q?a?=",
        b"%41",
        b"\xff",
        b"; ",
        b'";',
        b"\\;",
        b"*",
        b"\t=",
    ],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Quotes, sections, comments and thousands of parameters cost time by their length."""
    for head in (b"a/b; filename=", b'a/b; filename="', b"(;"):
        assert_linear(
            lambda value: read_entity({b"content-disposition": (value,)}, "text/plain"), fill(pattern, head), 16_000
        )

"""Results that others report. Invariant: of a field that follows the grammar we read what the grammar says, or less.

Of any other field we read nothing that could end a line or be a result twice, and text that a stranger got into a
quoted string or a comment never changes what stands beside it.
"""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pytest

from filterd.arc.sets import without_instance
from filterd.authres.reader import MAX_PROPERTIES, MAX_RESULTS, MAX_VALUE, Reported, read_results
from filterd.model.authentication import ReportedResult
from tests.authres.strict import Result, read
from tests.fuzz.corpus import values
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

WORD: Final = re.compile(r"[a-z0-9-]+")
NAME: Final = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")
SEEDS: Final = (
    b" mx.x.example; spf=pass smtp.mailfrom=a@b.test; dkim=fail (bad) header.d=b.test header.i=@b.test",
    b' "mx.x.example" 1;\r\n\tdkim/1=pass reason="good \\"x\\"" header.d=b.test header.b=AbC1+/=;\r\n\tarc=none',
    b" i=2; mx.x.example; dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=b.test; arc=pass (i=1 (x) \\) y)",
    b" mx.x.example; none",
    b' mx.x.example 1; auth=pass (cram-md5) smtp.auth="a b"@c.test; iprev=pass policy.iprev=192.0.2.1;',
    " mx.x.example; spf=fail smtp.mailfrom=j\u00f6rg@b\u00fccher.test action=none".encode(),
)
TOKENS: Final = (
    b";",
    b"=",
    b".",
    b"/",
    b"@",
    b'"',
    b"(",
    b")",
    b"\\",
    b" ",
    b"\t",
    b"\r\n ",
    b"none",
    b"spf=pass",
    b"; dmarc=pass header.from=evil.test",
    b"reason=",
    b"header.d=",
    b"header.from=b.test",
    b"policy.x=1",
    b"1",
    b"2",
    b"i=1;",
    b"\0",
    b"\x0b",
    b"\xff",
    b"\xc3\xbc",
    b"\xe2\x80\xa8",
    b"x" * 330,
)


def check(value: bytes) -> None:
    """Read it, with the instance of an ARC field and without."""
    for each in (value, without_instance(value)):
        found = read_results(each)
        if found is not None:
            plain(found)
            by_the_grammar(each, found)
    beside(value)


def plain(found: Reported) -> None:
    """What is read is within its bounds and on one line."""
    assert len(found.results) <= MAX_RESULTS
    assert not set(found.authserv_id) & set("\r\n\0")
    for result in found.results:
        assert WORD.fullmatch(result.method)
        assert WORD.fullmatch(result.result)
        names = [name for name, _ in result.properties]
        assert len(set(names)) == len(names) <= MAX_PROPERTIES
        for name, text in result.properties:
            assert NAME.fullmatch(name)
            assert 0 < len(text) <= MAX_VALUE
            assert not set(text) & set("\r\n\0\u2028")


def by_the_grammar(value: bytes, found: Reported) -> None:
    """Where a strict reader accepts the field, every result of ours is one of its results, in its order."""
    try:
        authserv_id, results = read(value.decode("ascii"))
    except ValueError:
        return
    assert found.authserv_id == authserv_id
    theirs = iter([lowered(one) for one in results])
    assert all(any(one == other for other in theirs) for one in found.results), (found, results)


def lowered(one: Result) -> ReportedResult:
    """A result of the strict reader as ours writes it."""
    known = [(name.lower(), text) for name, text in one.properties if 0 < len(text) <= MAX_VALUE]
    return ReportedResult(one.method.lower(), one.result.lower(), tuple(known))


def beside(value: bytes) -> None:
    """The text as a stranger gets it into another server's field: quoted as it must be, in a comment or a string."""
    with suppress(UnicodeDecodeError):
        text = re.sub(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", "", value.decode())[:MAX_VALUE]
        string = re.sub(r'(["\\])', r"\\\1", text)
        comment = re.sub(r"([()\\])", r"\\\1", text)
        field = f'x.example; spf=fail reason="{string}" smtp.helo=h.test; dkim=none ({comment}) header.d=a.test'
        expected = (
            ReportedResult("spf", "fail", (("smtp.helo", "h.test"),)),
            ReportedResult("dkim", "none", (("header.d", "a.test"),)),
        )
        assert read_results(field.encode()) == Reported("x.example", expected)


TARGET: Final = Target("authres-reader", check, SEEDS, TOKENS, runs=1_500, largest=4_096)


@pytest.mark.threat("AUTH-14", "AR-04")
def test_any_bytes() -> None:
    """The invariant over mutants of fields as servers write them."""
    fuzz(TARGET)


@pytest.mark.threat("AUTH-14")
def test_mutants_of_real_fields(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real fields."""
    seeds = values(mail, b"authentication-results", b"arc-authentication-results")
    fuzz(replace(TARGET, name="real-authres-reader", seeds=seeds or SEEDS, runs=400))


@pytest.mark.threat("AUTH-14")
@pytest.mark.parametrize(
    "pattern", [b"(", b"()", b'"', b'""', b"\\", b";", b" ", b"a=b ", b"a.b=c ", b".", b"\xc3\xbc"]
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Comments, strings, results and properties cost time by their length."""
    for head in (b"", b"x; a=b ", b"x; a=b (", b'x; a=b c.d="', b"x; a=b c.d="):
        assert_linear(read_results, fill(pattern, head), 8_000)

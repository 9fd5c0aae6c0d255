"""Authentication-Results. Invariant: a field that another reader takes for ours is ours; one without our name is not.

The other readers are the authres library and a strict one by the grammar of RFC 8601.
"""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Final

import authres
import pytest

from filterd.authres import claims_us, received_claims_us, received_spf, render
from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    IprevResult,
    IprevStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from tests.authres.strict import read
from tests.authres.test_received import FIELD
from tests.fuzz.corpus import values
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

OURS: Final = "mx.filterd.test"
SEEDS: Final = (
    b" mx.filterd.test; spf=pass smtp.mailfrom=a@b.test",
    b' "mx.filterd.test" 1; dkim=pass header.d=b.test (c)',
    b" (a (b) \\) c) mx.filterd.test(e);\r\n\tspf=pass",
    b" =?utf-8?q?mx.filterd.test?=; none",
    b" other.example; spf=pass (mx.filterd.test: x) smtp.mailfrom=x@mx.filterd.test",
    b" a.mx.filterd.test; dmarc=fail policy.dmarc=none header.from=b.test",
    " mx\uff0efilterd\u3002test; spf=pass".encode(),
)
TOKENS: Final = (
    b"mx.filterd.test",
    b"MX.Filterd.Test",
    b"mx.",
    b"filterd",
    b".test",
    b";",
    b'"',
    b"(",
    b")",
    b"\\",
    b" ",
    b"\r\n ",
    b"\t",
    b"1",
    b".",
    b"=",
    b"/",
    b"@",
    b"\0",
    b"\xff",
    b"\xe2\x80\x8b",
    b"=?utf-8?q?",
    b"?=",
    b"none",
    b"spf=pass",
    b"other.example;",
    b",",
)
LETTERS: Final = re.compile(rb"[ -~\r\n\t]*")


def others(value: bytes) -> set[str]:
    """Whose field other readers think it is."""
    text = value.decode("latin-1").replace("\r\n", "")
    found = set()
    with suppress(ValueError, RecursionError):
        found.add(read(text)[0].lower())
    with suppress(Exception):  # it is no parser for hostile fields, and raises what comes
        parsed = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + text)
        found.add(str(parsed.authserv_id).lower())
    return found


def check(value: bytes) -> None:
    """See whose it is, and whether it still is behind a comment."""
    ours = claims_us(value, OURS)
    assert ours or OURS not in others(value)
    if LETTERS.fullmatch(value) and b"=?" not in value:
        squashed = re.sub(rb'[\s"\\]', b"", value.lower())
        assert not ours or b"filterd" in squashed or b"filterd" in re.sub(rb"\([^()]*\)", b"", squashed)
    assert not ours or claims_us(b" (x) " + value, OURS)
    named = received_claims_us(value, OURS, writing=False)
    assert not named or received_claims_us(value, OURS, writing=True)
    written(value.decode("utf-8", "surrogateescape"))


def written(text: str) -> None:
    """Our own field, made of hostile values, is ours and holds two results."""
    results: list[AuthResult] = [
        SpfResult(SpfStatus.FAIL, text, SpfScope.MAILFROM, text),
        DkimResult(DkimStatus.PASS, text, text, text, text, tag=text),
        DmarcResult(DmarcStatus.FAIL, text, cause=text),
        IprevResult(IprevStatus.FAIL, text, text),
    ]
    field = render(OURS, results, sender=text, helo=text)
    assert claims_us(field.encode(), OURS)
    authserv_id, found = read(field)
    assert authserv_id == OURS
    assert [(one.method, one.result) for one in found] == [
        ("spf", "fail"),
        ("dkim", "pass"),
        ("dmarc", "fail"),
        ("iprev", "fail"),
    ]
    trace = received_spf(
        SpfResult(SpfStatus.FAIL, text, SpfScope.MAILFROM, text), OURS, client=text, sender=text, helo=text
    )
    assert FIELD.fullmatch(trace.replace("\r\n\t", " "))
    assert received_claims_us(trace.encode(), OURS, writing=False)


TARGET: Final = Target("authres", check, SEEDS, TOKENS, runs=1_000, largest=2_048)


@pytest.mark.threat("AR-02", "AR-04")
def test_any_bytes() -> None:
    """The invariant over mutants of fields in our name and in others'."""
    fuzz(TARGET)


@pytest.mark.threat("AR-02")
def test_mutants_of_real_fields(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real fields, with our name strewn in."""
    seeds = values(mail, b"authentication-results", b"arc-authentication-results", b"received-spf")
    fuzz(replace(TARGET, name="real-authres", seeds=seeds or SEEDS, runs=300, largest=4_096))


@pytest.mark.threat("AR-02")
@pytest.mark.parametrize(
    "pattern",
    [b"(", b"()", b")", b'"', b'""', b"\\", b";", b" ", b"a", b"a ", b"(a", b"1", b"mx.filterd.test ", b"\xff", b"=?"],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Comments, quotes and names cost time by their length."""
    for head in (b"", b"x (", b'"', b"=?utf-8?q?a?="):
        assert_linear(lambda value: claims_us(value, OURS), fill(pattern, head), 20_000)

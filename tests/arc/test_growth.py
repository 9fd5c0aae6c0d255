"""Hostile chains cost time by their length, no more."""

from collections.abc import Callable

import pytest

from filterd.arc import MAX_SETS, prepare
from filterd.arc.sets import without_instance
from filterd.model.authentication import ArcStatus
from tests.arc.chains import MESSAGE, craft
from tests.support.growth import LINEAR, growth
from tests.support.signing import SIGNED_AT, split

KINDS = [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]


@pytest.mark.threat("AUTH-15")
def test_sets() -> None:
    """A seal signs all that is below it: twice the sets cost twice the time all the same."""

    def build(size: int) -> Callable[[], object]:
        message = MESSAGE
        for _ in range(size):
            message = craft(message, results="spf=pass " + "(x) " * 400)
        fields, body = split(message)
        assert prepare(fields, body, now=SIGNED_AT).status is None
        return lambda: prepare(fields, body, now=SIGNED_AT)

    assert growth(build, MAX_SETS // 2) <= LINEAR


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_of_fields(kind: bytes) -> None:
    """They are counted and not read."""

    def build(size: int) -> Callable[[], object]:
        fields = [(kind, b" i=1; a=rsa-sha256; cv=none; b=AAAA")] * size
        assert prepare(fields, b"", now=SIGNED_AT).reason == "more than 50 sets"
        return lambda: prepare(fields, b"x" * 100_000, now=SIGNED_AT)

    assert growth(build, 5000) <= LINEAR


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [b"", b"i", b"i=", b"i=1", b"i=1;", b"i=1; cv=none; h="])
@pytest.mark.parametrize("pattern", [b" ", b"\r\n ", b";", b"=", b"i=1;", b"x", b"1", b"(", b"a=b;"], ids=repr)
def test_fields(pattern: bytes, start: bytes, kind: bytes) -> None:
    """Any repetition in any field of a set."""

    def build(size: int) -> Callable[[], object]:
        value = start + pattern * (size // len(pattern))
        fields = [(kind, value)]
        return lambda: [(prepare(fields, b"", now=SIGNED_AT), without_instance(value)) for _ in range(10)]

    assert growth(build, 7000) <= LINEAR


@pytest.mark.threat("AUTH-07")
@pytest.mark.parametrize("form", ["simple/simple", "relaxed/relaxed"])
def test_bodies(form: str) -> None:
    """The body is hashed once, in either form."""
    fields, _ = split(craft(MESSAGE, message_tags={"c": form}))

    def build(size: int) -> Callable[[], object]:
        body = b" \r\n" * size + b"x"
        assert prepare(fields, body, now=SIGNED_AT).status is ArcStatus.FAIL
        return lambda: prepare(fields, body, now=SIGNED_AT)

    assert growth(build, 1 << 18) <= LINEAR

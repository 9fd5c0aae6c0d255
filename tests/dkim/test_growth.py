"""Hostile signatures, keys and bodies cost time by their length, no more."""

import base64
import hashlib
from collections.abc import Callable

import pytest

from filterd.dkim import prepare
from filterd.dkim.canonical import BodyForm, body_hashes, relaxed_field
from filterd.dkim.key import _parse
from filterd.dkim.signature import read_signature
from filterd.dkim.tags import TagError, parse_tags, without_value
from tests.support.growth import LINEAR, growth
from tests.support.signing import SIGNED_AT

PATTERNS = [b" ", b"\t", b" \t", b"\r", b"\n", b"\r\n", b" \r\n", b"\r\n ", b"x ", b"x \r\n", b"\r\r\n", b" \r"]
EMPTY = base64.b64encode(hashlib.sha256(b"\r\n").digest())
RELAXED = BodyForm(relaxed=True, limit=None)
SIMPLE = BodyForm(relaxed=False, limit=None)


@pytest.mark.threat("AUTH-07")
@pytest.mark.parametrize("pattern", PATTERNS, ids=repr)
@pytest.mark.parametrize("form", [RELAXED, SIMPLE], ids=["relaxed", "simple"])
def test_bodies(form: BodyForm, pattern: bytes) -> None:
    """A body of any pattern before text is hashed in linear time."""

    def build(size: int) -> Callable[[], object]:
        body = pattern * (size // len(pattern))
        return lambda: body_hashes(body + b"x", [form])

    assert growth(build, 1 << 20) <= LINEAR


@pytest.mark.threat("AUTH-07")
@pytest.mark.parametrize("pattern", [b" ", b"\t", b" \t", b"\r\n ", b"x ", b"x\r\n\t"], ids=repr)
def test_fields(pattern: bytes) -> None:
    """A field's relaxed form is made in linear time."""

    def build(size: int) -> Callable[[], object]:
        value = pattern * (size // len(pattern)) + b"x"
        return lambda: [relaxed_field(b"Subject", value) for _ in range(20)]

    assert growth(build, 30_000) <= LINEAR


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize(
    "pattern",
    ["; ", ";", " ", "=", "a=b;", "b=", "\r\n ", "h=from:", "x" * 9, "\x80", "\r\n b= AAAA\r\n ;"],
    ids=repr,
)
@pytest.mark.parametrize("tag", ["", "h=", "b=", "bh=", "i=", "d=", "s=", "l=", "t="])
def test_signature_fields(tag: str, pattern: str) -> None:
    """A signature field is read, and its b= emptied, in linear time."""

    def build(size: int) -> Callable[[], object]:
        value = f"v=1; a=rsa-sha256; d=example.test; s=sel; {tag}{pattern * (size // len(pattern))}!".encode()
        return lambda: [(read_signature(value, SIGNED_AT), without_value(value, b"b")) for _ in range(10)]

    assert growth(build, 6000) <= LINEAR


@pytest.mark.threat("AUTH-06")
def test_many_fields_and_names() -> None:
    """Eight signatures over as many names as there are fields cost time by the header, not by its square."""

    def build(size: int) -> Callable[[], object]:
        names = [b"x-%d" % number for number in range(size // 2)] + [b"x-0"] * (size // 2)
        value = (
            b" v=1; a=rsa-sha256; c=relaxed; d=example.test; s=sel; b=AAAA; h=from:" + b":".join(names) + b";\r\n"
            b" bh=" + EMPTY
        )
        fields = [(b"From", b" a@example.test"), *((name, b" x") for name in names)]
        fields += [(b"DKIM-Signature", value)] * 8
        facts = prepare(fields, b"", now=SIGNED_AT)
        assert [each.status for each in facts] == [None] * 8
        return lambda: prepare(fields, b"", now=SIGNED_AT)

    assert growth(build, 250) <= LINEAR


@pytest.mark.threat("AUTH-06")
def test_flood_of_signatures() -> None:
    """However many signature fields there are, they cost no more than naming them."""

    def build(size: int) -> Callable[[], object]:
        fields = [(b"From", b" a@example.test")] + [(b"DKIM-Signature", b" d=%d.test; s=s" % size)] * size
        return lambda: prepare(fields, b"x\r\n" * 1000, now=SIGNED_AT)

    assert growth(build, 5000) <= LINEAR


@pytest.mark.threat("AUTH-06")
@pytest.mark.parametrize("pattern", [";", " ", "=", "p=", "AAAA", "t=y:", "h=sha256:"], ids=repr)
def test_key_records(pattern: str) -> None:
    """A key record is read in linear time."""

    def build(size: int) -> Callable[[], object]:
        text = "v=DKIM1; p=" + pattern * (size // len(pattern))
        return lambda: [_parse.__wrapped__(text) for _ in range(100)]

    assert growth(build, 4000) <= LINEAR


def test_tag_lists_beyond_the_limit() -> None:
    """A list of very many tags is given up early."""

    def build(size: int) -> Callable[[], object]:
        text = b"a=b;" * size

        def work() -> None:
            with pytest.raises(TagError):
                parse_tags(text)

        return work

    assert growth(build, 20_000) <= LINEAR

"""Opaque S/MIME."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mime.smime import Opaque, opaque
from tests.fuzz.worst import assert_linear, fill
from tests.mime.hiding.kit import CONTENTS, honest, multipart
from tests.mime.test_hiding import look

SIGNED, ENVELOPED = "2a864886f70d010702", "2a864886f70d010703"
DATA = "2a864886f70d010701"
COMPRESSED = "2a864886f70d0109100109"


def tlv(tag: int, *contents: bytes, streamed: bool = False) -> bytes:
    """A value with its length, or one that goes on to an end of contents."""
    body = b"".join(contents)
    if streamed:
        return bytes([tag, 0x80]) + body + b"\0\0"
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x84]) + len(body).to_bytes(4, "big") + body


def cms(content: bytes, *, streamed: bool = False, kind: str = SIGNED) -> bytes:
    """A CMS object without certificates and signers."""
    oid = tlv(6, bytes.fromhex(DATA))
    pieces = [tlv(4, content[start : start + 50]) for start in range(0, len(content), 50)]
    octets = tlv(0x24, *pieces, streamed=True) if streamed else tlv(4, content)
    encapsulated = tlv(0x30, oid, tlv(0xA0, octets, streamed=streamed), streamed=streamed)
    inner = tlv(0x30, tlv(2, b"\1"), tlv(0x31), encapsulated, streamed=streamed)
    return tlv(0x30, tlv(6, bytes.fromhex(kind)), tlv(0xA0, inner, streamed=streamed), streamed=streamed)


@given(st.binary(max_size=400), st.booleans())
def test_signed_content_comes_back(content: bytes, streamed: bool) -> None:  # noqa: FBT001  # drawn by hypothesis
    """In one string, or in pieces as programs write it that do not know its length."""
    assert opaque(cms(content, streamed=streamed)) == Opaque(content)


@pytest.mark.parametrize(("kind", "closed"), [(ENVELOPED, "encrypted"), (COMPRESSED, "compressed")])
def test_what_is_closed_is_said(kind: str, closed: str) -> None:
    """There is content, and nobody here reads it."""
    assert opaque(cms(b"x", kind=kind)) == Opaque(b"", closed)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes(data: bytes, cut: int) -> None:
    """Never an exception, whatever lengths are claimed."""
    opaque(data)
    opaque(b"0" + data)
    opaque(cms(data)[:cut])
    opaque(cms(data, streamed=True)[:cut] + data)


@pytest.mark.threat("MIME-10")
@pytest.mark.parametrize("streamed", [True, False])
def test_a_signed_message_is_looked_into(streamed: bool) -> None:  # noqa: FBT001  # by parametrize
    """Its parts are listed below the signature, and judged as all others."""
    inner = multipart(b"\r\nsee http://x.test/a", honest(CONTENTS[2]), boundary=b"in").partition(
        b"MIME-Version: 1.0\r\n"
    )[2]
    raw = base64.encodebytes(cms(inner, streamed=streamed))
    head = b"From: a@b.test\r\nContent-Type: application/pkcs7-mime; name=smime.p7m\r\n"
    facts = look(head + b"Content-Transfer-Encoding: base64\r\n\r\n" + raw)
    assert "ATTACH_EXECUTABLE" in {found.symbol for found in facts.findings}
    assert facts.hosts == ("x.test",)
    assert "update.dat" in {part.filename for part in facts.parts}


@pytest.mark.threat("MIME-10")
def test_an_encrypted_message_is_unscannable() -> None:
    """Only its reader can open it: it has a symbol of its own, as honest people write such mail."""
    raw = base64.encodebytes(cms(b"x", kind=ENVELOPED))
    head = b"From: a@b.test\r\nContent-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert "MAIL_ENCRYPTED" in {found.symbol for found in look(head + raw).findings}


@pytest.mark.parametrize("pattern", [b"\4\0", b"\x24\x80", b"\4\1x", b"\x30\x80"], ids=repr)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Pieces of nothing, and levels without an end."""
    head = cms(b"x", streamed=True)[:-14]
    assert_linear(opaque, fill(pattern, head), 60_000)

"""Release tokens: what was signed is read back, and nothing else is."""

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.quarantine.keys import Key, Keys
from filterd.quarantine.tokens import (
    FIELD,
    LIFETIME,
    MAX_TOKEN,
    Stamp,
    Token,
    content_digest,
    envelope_digest,
    issue,
    read,
)

pytestmark = pytest.mark.threat("QUA-06")
KEY = Key("0a1b2c3d", bytes(range(32)))
OTHER = Key("0a1b2c3d", bytes(32))
TOKEN = Token(1_700_000_900, "n" * 22, "d" * 43, "e" * 43)


def known(name: str) -> Key | None:
    """The keys there are."""
    return KEY if name == KEY.name else None


def test_there_and_back() -> None:
    """With blanks and folds around it, as MTAs may leave them."""
    value = issue(TOKEN, KEY).encode()
    for one in (value, b" " + value, b"\r\n\t" + value + b" "):
        assert read(one, known) == TOKEN


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    """Any other byte anywhere in it, and it is no token of ours."""
    value = issue(TOKEN, KEY).encode()
    place = data.draw(st.integers(0, len(value) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != value[place]))
    assert read(value[:place] + bytes([byte]) + value[place + 1 :], known) is None


@given(st.binary(max_size=700))
def test_any_bytes(value: bytes) -> None:
    """Are no token, and no exception."""
    assert read(value, known) is None


def test_other_keys() -> None:
    """A key of another name is not there; one of that name with another secret has not signed it."""
    value = issue(TOKEN, KEY).encode()
    assert read(value, lambda _: None) is None
    assert read(value, lambda _: OTHER) is None
    assert read(b" " * MAX_TOKEN + value, known) is None


def test_values_cannot_be_moved() -> None:
    """Each has its place and its length: what one lacks the next one cannot give."""
    value = issue(TOKEN, KEY)
    for changed in (
        value.replace("v=1", "v=2"),
        value.replace("; n=", ";n="),
        value.replace("n" * 22, "n" * 21) + "n",
        f"{value}; b=x",
        value.replace("e=1", "e=-1"),
        value.replace("; d=", "; x=1; d="),
    ):
        assert read(changed.encode(), known) is None


def test_envelope() -> None:
    """Recipients in any order and however often are the same; any other sender or recipient, or division, is not."""
    own = envelope_digest("a@b.test", ("x@c.test", "y@c.test"))
    assert own == envelope_digest("a@b.test", ("y@c.test", "x@c.test", "x@c.test"))
    others = {
        envelope_digest("a@b.tes", ("tx@c.test", "y@c.test")),
        envelope_digest("A@b.test", ("x@c.test", "y@c.test")),
        envelope_digest("a@b.test", ("x@c.test",)),
        envelope_digest("a@b.test", ("x@c.testy@c.test",)),
        envelope_digest("", ("a@b.test", "x@c.test", "y@c.test")),
        envelope_digest("x@c.test", ("a@b.test", "y@c.test")),
    }
    assert len(others - {own}) == 6
    assert envelope_digest("\udcff@b.test", ("\udcfe@c.test",))


def test_content() -> None:
    """Where the header ends and the body begins is part of it."""
    body = hashlib.sha256(b"body").digest()
    assert content_digest(b"A: b\r\n\r\n", body) != content_digest(b"A: b\r\n", body)
    assert content_digest(b"A: b\r\n\r\n", body) != content_digest(b"A: b\r\n\r\n", hashlib.sha256(b"bodY").digest())


@pytest.mark.parametrize("message", [b"A: b\r\n\r\nbody\r\n", b"A: b\r\n\r\nbody", b"A: b\r\n\r\n"])
def test_stamp(tmp_path: Path, message: bytes) -> None:
    """The field stands on top of the message, which stays as it is; what is signed is what SMTP makes of it."""
    keys = Keys(tmp_path / "release.key")
    keys.make()
    stamped = Stamp(keys, lambda: 1_700_000_000.7, bytes).on("a@b.test", ("x@c.test",), message)
    assert stamped.endswith(b"\r\n" + message)
    field = stamped.removesuffix(message).removesuffix(b"\r\n")
    assert field.count(b"\r\n") == 0
    name, _, value = field.partition(b":")
    token = read(value, keys.find)
    assert token is not None
    assert (name.decode(), token.expires) == (FIELD, 1_700_000_000 + LIFETIME)
    assert token.nonce == base64.urlsafe_b64encode(bytes(16)).rstrip(b"=").decode()
    assert token.envelope == envelope_digest("a@b.test", ("x@c.test",))
    wire = message if message.endswith(b"\r\n") else message + b"\r\n"
    head, _, body = wire.partition(b"\r\n\r\n")
    assert token.digest == content_digest(head + b"\r\n\r\n", hashlib.sha256(body).digest())

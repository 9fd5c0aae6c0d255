"""Tokens by which a released message passes our own milter: each for one message, its recipients, once, for a while.

    X-Filterd-Release: v=1; k=KEY; e=EXPIRES; n=NONCE; d=DIGEST; r=ENVELOPE; b=MAC

The field stands on top of what is handed over. `k` names the key, `e` is in epoch seconds, `d` is over the message
below the field, `r` over sender and recipients, `b` is HMAC-SHA256 over all before it. Values are base64url without
padding. That a token is ours, and that it fits, are two questions: one that is ours and does not fit was altered,
sent again or is late, and whoever handed the message over must hear it.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from filterd.quarantine.keys import Key, Keys

FIELD: Final = "X-Filterd-Release"
LIFETIME: Final = 900  # seconds; as long as one attempt to release may take
MAX_TOKEN: Final = 600  # bytes of the field's value that are looked at: ours have 240
NONCE: Final = 16  # random bytes
_CRLF: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
_TOKEN: Final = re.compile(
    rb"\s*(?P<signed>v=1; k=(?P<key>[0-9a-f]{8}); e=(?P<expires>[0-9]{1,12}); n=(?P<nonce>[A-Za-z0-9_-]{22});"
    rb" d=(?P<digest>[A-Za-z0-9_-]{43}); r=(?P<envelope>[A-Za-z0-9_-]{43}); )b=(?P<mac>[A-Za-z0-9_-]{43})\s*"
)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says; only `read` makes one from a message, and only where it is ours."""

    expires: int
    nonce: str
    digest: str
    envelope: str


def issue(token: Token, key: Key) -> str:
    """The field's value."""
    signed = f"v=1; k={key.name}; e={token.expires}; n={token.nonce}; d={token.digest}; r={token.envelope}; "
    return f"{signed}b={mac_of(signed.encode(), key)}"


def read(value: bytes, key_of: Callable[[str], Key | None]) -> Token | None:
    """The token in a field's value; None where it is none, or not ours."""
    if len(value) > MAX_TOKEN:
        return None
    found = _TOKEN.fullmatch(value)
    if found is None:
        return None
    key = key_of(found["key"].decode())
    if key is None or not hmac.compare_digest(mac_of(found["signed"], key).encode(), found["mac"]):
        return None
    names = ("nonce", "digest", "envelope")
    return Token(int(found["expires"]), *[found[name].decode() for name in names])


def content_digest(header: bytes, body_sha256: bytes) -> str:
    """Over a header block, the empty line included, and the body's SHA-256."""
    return base64url(hashlib.sha256(hashlib.sha256(header).digest() + body_sha256).digest())


def envelope_digest(sender: str, recipients: Sequence[str]) -> str:
    """Over the sender and the recipients, whatever their order."""
    texts = [text.encode("utf-8", "surrogateescape") for text in (sender, *sorted(set(recipients)))]
    return base64url(hashlib.sha256(b"".join([b"%d:%b" % (len(text), text) for text in texts])).digest())


@dataclass(frozen=True, slots=True)
class Stamp:
    """Puts a token on what is handed over. `clock` gives epoch seconds, `randomness` random bytes."""

    keys: Keys
    clock: Callable[[], float]
    randomness: Callable[[int], bytes]

    def on(self, sender: str, recipients: Sequence[str], message: bytes) -> bytes:
        """The message with a new token on top. KeyFileError, where there is no key to be had."""
        whole = message if message.endswith(_CRLF) else message + _CRLF  # as SMTP hands it over
        head, _, body = whole.partition(_END)
        token = Token(
            int(self.clock()) + LIFETIME,
            base64url(self.randomness(NONCE)),
            content_digest(head + _END, hashlib.sha256(body).digest()),
            envelope_digest(sender, recipients),
        )
        return f"{FIELD}: {issue(token, self.keys.first())}".encode() + _CRLF + message


def mac_of(signed: bytes, key: Key) -> str:
    """HMAC-SHA256 (RFC 2104), as text."""
    return base64url(hmac.digest(key.secret, signed, hashlib.sha256))


def base64url(digest: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

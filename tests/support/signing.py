"""DKIM signatures and keys for tests, the bench and the demo: the same bytes in, the same bytes out.

`sign` lets dkimpy do it, so what filterd verifies was made by other hands. `craft` writes a signature with any tags at
all, malformed ones included, over dkimpy's canonical forms. The keys are public and worth nothing.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from dkim.canonicalization import CanonicalizationPolicy

_KEYS: Final = Path(__file__).parent / "keys"
RSA_1024: Final = (_KEYS / "rsa1024.pem").read_bytes()
RSA_2048: Final = (_KEYS / "rsa2048.pem").read_bytes()
ED25519_SEED: Final = base64.b64encode(hashlib.sha256(b"filterd test key").digest())
"""As dkimpy takes it: the seed in base64 where an RSA key would be PEM."""

SIGNED_AT: Final = 1_700_000_000  # epoch seconds
FIELDS: Final = ("from", "to", "subject", "date", "message-id")


@cache
def _private(key: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
    if not key.startswith(b"-----"):
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(key))
    loaded = load_pem_private_key(key, None)
    assert isinstance(loaded, RSAPrivateKey)
    return loaded


def key_record(key_pem: bytes = RSA_2048, **tags: str) -> str:
    """The TXT record that publishes a key; `tags` go between v= and k= (`t="y"`, `h="sha256"`)."""
    public = _private(key_pem).public_key()
    if isinstance(_private(key_pem), RSAPrivateKey):
        kind, raw = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        kind, raw = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    extra = "".join(f"{name}={value}; " for name, value in tags.items())
    return f"v=DKIM1; {extra}k={kind}; p={base64.b64encode(raw).decode()}"


def sign(  # noqa: PLR0913  # one parameter for each thing a signer chooses
    message: bytes,
    domain: str,
    selector: str,
    key_pem: bytes = RSA_2048,
    *,
    canonicalization: str = "relaxed/relaxed",
    fields: Sequence[str] | None = None,
    length: bool = False,
    now: int = SIGNED_AT,
) -> bytes:
    """The message (CRLF line ends) with a signature by dkimpy on top; `fields` None: all that should be signed.

    `now` is what t= says, in epoch seconds.
    """
    header, _, body = canonicalization.encode().partition(b"/")
    algorithm = b"rsa-sha256" if key_pem.startswith(b"-----") else b"ed25519-sha256"
    include = None if fields is None else [name.encode() for name in fields]
    with patch.object(dkim, "time", SimpleNamespace(time=lambda: now)):
        signature = dkim.sign(
            message, selector.encode(), domain.encode(), key_pem, None, (header, body), algorithm, include, length
        )
    return bytes(signature) + message


def craft(message: bytes, tags: dict[str, str], key_pem: bytes = RSA_2048) -> bytes:
    """The message with a signature of exactly these tags on top, in this order; bh= and b= are filled in where absent.

    v, a, c, d, s and h get defaults where they are absent, and an empty string leaves a tag out. Only one From field,
    To field and so on may be in the message: fields are picked by name, the last one first.
    """
    defaults = {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": "example.test",
        "s": "sel",
        "h": ":".join(FIELDS),
    }
    tags = {name: value for name, value in (defaults | tags).items() if value}
    fields, body = dkim.rfc822_parse(message)
    try:
        policy = CanonicalizationPolicy.from_c_value(tags.get("c", "").encode() or None)
    except dkim.canonicalization.InvalidCanonicalizationPolicyError:
        policy = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    canonical = policy.canonicalize_body(body)
    limit = tags.get("l", "")
    covered = canonical[: int(limit)] if limit.isdigit() else canonical
    if "bh" not in tags:
        tags["bh"] = base64.b64encode(hashlib.sha256(covered).digest()).decode()
    value = " " + "; ".join(f"{name}={content}" for name, content in tags.items())
    if "b" in tags:
        return f"DKIM-Signature:{value}\r\n".encode() + message
    value += "; b="
    names = [name.strip().lower().encode() for name in tags.get("h", "").split(":")]
    chosen = dkim.select_headers(fields, names)
    chosen.append((b"DKIM-Signature", value.encode()))
    forms = policy.canonicalize_headers(chosen)
    signed = b"".join(name + b":" + content for name, content in forms[:-1])
    signed += forms[-1][0] + b":" + forms[-1][1].rstrip(b"\r\n")
    digest = hashlib.sha256(signed).digest()
    private = _private(key_pem)
    if isinstance(private, RSAPrivateKey):
        signature = private.sign(digest, PKCS1v15(), Prehashed(SHA256()))
    else:
        signature = private.sign(digest)
    return f"DKIM-Signature:{value}{base64.b64encode(signature).decode()}\r\n".encode() + message


def split(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Header fields as filterd takes them (blank after the colon kept, folds CRLF) and the body, of a CRLF message."""
    header, _, body = message.partition(b"\r\n\r\n")
    fields: list[tuple[bytes, bytes]] = []
    for line in header.split(b"\r\n"):
        if line[:1] in {b" ", b"\t"} and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + b"\r\n" + line)
        elif b":" in line:
            name, _, value = line.partition(b":")
            fields.append((name, value))
    return fields, body

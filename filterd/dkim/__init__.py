"""DKIM signatures (RFC 6376, updated by RFC 8301, RFC 8463 and RFC 8616), split between two processes.

The inspector, which alone touches the body, calls `prepare`: every signature is read, the body hashed once for each
way it is wanted, and the signed fields reduced to one SHA-256 digest. Whatever no key can change is decided there. The
front then needs the key and one signature operation: `key_question` says what to ask, `verify` turns the answer into a
result. `signature_hints` reads just enough of a field to ask for the key before the message is complete.

    tags.py       the tag=value lists of signatures and key records
    canonical.py  simple and relaxed, of fields and of bodies, in linear time and constant memory
    signature.py  one DKIM-Signature field
    prepare.py    all of them against a message
    key.py        key records, RSA bounds
    verify.py     signature and key

How results are told apart: `permerror` where the signature or its key record breaks the RFC (6376, section 6.1:
PERMFAIL before any mathematics), `fail` where the body hash or the signature does not match, `policy` for what is not
acceptable whether or not it verifies (RFC 8301: rsa-sha1, RSA keys outside 1024 to 4096 bits), `neutral` for what we do
not implement and for failures under a key in testing mode, `temperror` where DNS did not answer or the message is
longer than what is read of it.

Deviations: a From field that the signature does not cover is a permerror, whatever h= says (RFC 6376, section 8.15
allows it). A rsa-sha1 signature is not verified at all. A clock may be 300 s wrong. q= and x= are honoured, z= is
ignored. A body without a final CRLF keeps blanks at its very end, as other implementations do; mail has no such body.
"""

from filterd.dkim.canonical import HashedBody
from filterd.dkim.key import key_question
from filterd.dkim.prepare import MAX_SIGNATURES, STRANGER, nearness, prepare
from filterd.dkim.signature import signature_hints
from filterd.dkim.verify import verify

__all__ = [
    "MAX_SIGNATURES",
    "STRANGER",
    "HashedBody",
    "key_question",
    "nearness",
    "prepare",
    "signature_hints",
    "verify",
]

"""Signature and key (RFC 6376, sections 6.1.2 and 6.1.3)."""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from filterd.dkim.key import KeyRecord, parse_key
from filterd.model.authentication import DkimResult, DkimStatus, SignatureFacts
from filterd.model.dns import Answer, AnswerStatus

MAX_RECORDS: Final = 4  # key records tried under one name; RFC 6376, section 3.6.2.2 leaves more than one undefined

_PADDING: Final = PKCS1v15()
_HASH: Final = Prehashed(SHA256())
_PREFERRED: Final = {
    status: rank
    for rank, status in enumerate(
        (DkimStatus.PASS, DkimStatus.FAIL, DkimStatus.NEUTRAL, DkimStatus.POLICY, DkimStatus.PERMERROR)
    )
}


def verify(facts: SignatureFacts, answer: Answer) -> DkimResult:
    """The outcome of one signature given the answer for its key, which facts with a status need not. Never raises.

    Of several key records under the name the most favourable counts, as only the domain's owner can put them there.
    """
    if facts.status is not None:
        return result(facts, facts.status, facts.reason)
    if answer.failed:
        return result(facts, DkimStatus.TEMPERROR, "key lookup failed")
    if answer.status is not AnswerStatus.NOERROR or not answer.records:
        return result(facts, DkimStatus.PERMERROR, "no key")  # RFC 6376, section 6.1.2, step 3
    if len(answer.records) == 1:
        return _with_key(facts, parse_key(answer.records[0]))
    outcomes = [_with_key(facts, parse_key(record)) for record in answer.records[:MAX_RECORDS]]
    return min(outcomes, key=lambda outcome: _PREFERRED[outcome.status])


def result(facts: SignatureFacts, status: DkimStatus, reason: str = "", record: KeyRecord | None = None) -> DkimResult:
    """A result that says of the signature what the facts say."""
    return DkimResult(
        status=status,
        domain=facts.domain,
        selector=facts.selector,
        algorithm=facts.algorithm,
        identity=facts.identity,
        key_bits=0 if record is None else record.bits,
        reason=reason,
        tag=facts.tag,
        testing=record is not None and record.testing,
        covers_body=facts.uncovered == 0,
        oversigned=facts.oversigned,
    )


def _with_key(facts: SignatureFacts, record: KeyRecord) -> DkimResult:
    if record.status is not None:
        return result(facts, record.status, record.reason, record)
    if not facts.algorithm.startswith(record.kind + "-"):
        return result(facts, DkimStatus.PERMERROR, "key is of another type than a=", record)
    if record.strict and facts.identity.rpartition("@")[2] != facts.domain:
        # RFC 6376, section 3.6.1, t=s: i= must name d= itself.
        return result(facts, DkimStatus.PERMERROR, "key does not allow i= below d=", record)
    if _verifies(facts, record.key):
        return result(facts, DkimStatus.PASS, "", record)
    if record.testing:
        # RFC 6376, section 3.6.1, t=y: not to be treated worse than unsigned mail.
        return result(facts, DkimStatus.NEUTRAL, "signature did not verify, key is in testing mode", record)
    return result(facts, DkimStatus.FAIL, "signature did not verify", record)


def _verifies(facts: SignatureFacts, key: RSAPublicKey | Ed25519PublicKey | None) -> bool:
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(facts.signature, facts.header_digest, _PADDING, _HASH)
        elif isinstance(key, Ed25519PublicKey):
            key.verify(facts.signature, facts.header_digest)  # RFC 8463, section 3: the digest is the message
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True

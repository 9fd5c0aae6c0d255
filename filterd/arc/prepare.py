"""The newest message signature and all seals, reduced to what the front needs (RFC 8617, section 4.1)."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from filterd.arc.sets import ArcSet, BrokenChain, collect, has_sets
from filterd.dkim.canonical import Body, BodyForm, HashedBody
from filterd.dkim.prepare import SignedHeader
from filterd.dkim.signature import (
    MAX_DATE_DIGITS,
    MAX_LENGTH_DIGITS,
    MAX_SIGNED_NAMES,
    TAG_LENGTH,
    Refused,
    accept_algorithm,
    read_algorithm,
    read_base64,
    read_dates,
    read_domain,
    read_forms,
    read_number,
    read_selector,
    require,
)
from filterd.dkim.tags import compact
from filterd.model.authentication import ArcFacts, ArcStatus, SignatureFacts
from filterd.model.message import HeaderField

MAX_RESULTS: Final = 4096  # bytes of an ARC-Authentication-Results passed on; those seen have some 1,000

_IN_MESSAGE: Final = (b"a", b"b", b"bh", b"d", b"h", b"s")
_IN_SEAL: Final = (b"a", b"b", b"d", b"s")


def prepare(fields: Sequence[HeaderField], body: Body | HashedBody, *, now: float) -> ArcFacts:
    """What the message's chain amounts to without its keys. Never raises. `now` is epoch seconds.

    Linear in header and body: each field is read and each byte hashed a fixed number of times, however many sets.
    """
    if not has_sets(fields):
        return ArcFacts()
    header = SignedHeader(fields)
    try:
        sets = collect(header, fields)
    except BrokenChain as broken:
        return ArcFacts(ArcStatus.FAIL, broken.reason, broken.instance)
    if not sets:
        return ArcFacts()
    last = sets[-1]
    hashed = body if isinstance(body, HashedBody) else HashedBody(body)
    try:
        message, whole = _message(last, header, hashed, now)
    except Refused as refused:
        return ArcFacts(ArcStatus.FAIL, f"ARC-Message-Signature i={last.instance}: {refused.reason}", last.instance)
    seals: list[SignatureFacts] = []
    for each, digest in zip(sets, _seal_digests(sets, header), strict=True):
        try:
            seals.append(_seal(each.seal_tags, digest))
        except Refused as refused:
            return ArcFacts(ArcStatus.FAIL, f"ARC-Seal i={each.instance}: {refused.reason}", last.instance)
    return ArcFacts(
        status=None,
        instance=last.instance,
        message=message,
        seals=tuple(reversed(seals)),
        results=tuple([_passed_on(fields[each.results][1]) for each in reversed(sets)]),
        whole=whole,
    )


def _passed_on(value: bytes) -> bytes:
    return value if len(value) <= MAX_RESULTS else b""


def _signer(tags: dict[bytes, bytes], names: Sequence[bytes]) -> tuple[str, str, str, bytes, str]:
    """Domain, selector, algorithm, signature and the beginning of b=, where all the tags of these names are there."""
    require(tags, names)
    domain = read_domain(tags[b"d"])
    selector = read_selector(tags[b"s"], domain)
    algorithm = read_algorithm(tags[b"a"])
    accept_algorithm(algorithm)
    encoded = compact(tags[b"b"])
    return domain, selector, algorithm, read_base64(encoded, "b"), encoded[:TAG_LENGTH].decode("ascii")


def _message(last: ArcSet, header: SignedHeader, hashed: HashedBody, now: float) -> tuple[SignatureFacts, bool]:
    """The message signature of a set, and whether it covers the whole message; Refused where it cannot verify.

    RFC 8617, section 4.1.2: a DKIM-Signature with another i= and without v=. That it signs From is not asked here.
    """
    tags = last.message_tags
    domain, selector, algorithm, signature, tag = _signer(tags, _IN_MESSAGE)
    names = compact(tags[b"h"]).lower().split(b":", MAX_SIGNED_NAMES)
    if len(names) > MAX_SIGNED_NAMES:
        raise Refused("too many names in h=")
    # RFC 8617, section 4.1.2: seals come after the message signature and are never in it.
    if b"arc-seal" in names:
        raise Refused("h= names ARC-Seal")
    body_hash = read_base64(compact(tags[b"bh"]), "bh")
    relaxed_header, relaxed_body = read_forms(tags.get(b"c", b"relaxed/relaxed"))
    limit = read_number(tags, b"l", MAX_LENGTH_DIGITS)
    timestamp, expires = read_dates(tags, now)
    form = BodyForm(relaxed_body, limit)
    body = hashed.hashes([form])[form]
    if limit is not None and limit > body.size:
        raise Refused("l= is larger than the body")
    if body.digest != body_hash:
        raise Refused("body hash did not verify")
    names = [name for name in names if name]
    signed = header.signed_bytes(last.message, names, relaxed=relaxed_header)
    uncovered = 0 if limit is None else body.size - limit
    facts = SignatureFacts(
        domain,
        selector,
        algorithm,
        "@" + domain,
        hashlib.sha256(signed).digest(),
        signature,
        tuple([name.decode("ascii", "replace") for name in names]),
        uncovered,
        header.oversigned(names),
        timestamp,
        expires,
        tag,
    )
    return facts, not uncovered and bool(header.places(b"from")) and header.covers_from(names)


def _seal_digests(sets: Sequence[ArcSet], header: SignedHeader) -> Iterator[bytes]:
    """What each seal signs, hashed: all fields up to it, set by set (RFC 8617, section 5.1.1)."""
    running = hashlib.sha256()
    for each in sets:
        running.update(header.canonical(each.results, relaxed=True))
        running.update(header.canonical(each.message, relaxed=True))
        own = running.copy()
        own.update(header.unsigned(each.seal, relaxed=True))
        yield own.digest()
        running.update(header.canonical(each.seal, relaxed=True))


def _seal(tags: dict[bytes, bytes], digest: bytes) -> SignatureFacts:
    """A seal; Refused where it cannot verify."""
    domain, selector, algorithm, signature, tag = _signer(tags, _IN_SEAL)
    # RFC 8617, section 4.1.3: what a seal signs is fixed, and a seal that says otherwise fails.
    if b"h" in tags:
        raise Refused("a seal with h=")
    timestamp = read_number(tags, b"t", MAX_DATE_DIGITS)
    return SignatureFacts(domain, selector, algorithm, "@" + domain, digest, signature, timestamp=timestamp, tag=tag)

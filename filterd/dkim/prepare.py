"""Every signature of a message, reduced to what the front needs (RFC 6376, sections 3.7 and 6.1.3)."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from filterd.dkim.canonical import Body, BodyHash, HashedBody, relaxed_field, simple_field
from filterd.dkim.signature import Signature, read_signature, signature_hints
from filterd.dkim.tags import without_value
from filterd.domains import is_subdomain, normalise, registrable
from filterd.model.authentication import DkimStatus, SignatureFacts
from filterd.model.message import HeaderField

MAX_SIGNATURES: Final = 8  # signatures evaluated; RFC 6376, section 8.4: each costs a lookup and a public-key operation
MAX_READ: Final = 64  # signature fields looked at when choosing those; a flood costs no more than this
STRANGER: Final = 2  # the rank of a signer who has nothing to do with the author
MAX_AUTHOR: Final = 1000  # last bytes of From in which its domain is looked for, to rank signatures only

# Fields whose second copy a mail reader may show instead of the signed one (RFC 6376, sections 5.4.2 and 8.15).
_SINGLETONS: Final = (b"from", b"subject", b"to", b"date")
_DOMAIN: Final = re.compile(rb"@([^\s<>()@,:;\"\\]{1,253})")


class SignedHeader:
    """A message's header as signatures look at it: fields by name, canonical forms made once."""

    def __init__(self, fields: Sequence[HeaderField]) -> None:
        """`fields` are in the order received."""
        self._fields = fields
        self._relaxed: dict[int, bytes] = {}
        self._places: dict[bytes, list[int]] = {}
        for place, (name, _) in enumerate(fields):
            key = name.rstrip(b" \t").lower()
            if key in self._places:
                self._places[key].append(place)
            else:
                self._places[key] = [place]

    def places(self, name: bytes) -> list[int]:
        """Where the fields of this lower-case name stand."""
        return self._places.get(name, [])

    def canonical(self, place: int, *, relaxed: bool) -> bytes:
        """One field with its CRLF."""
        if not relaxed:
            return simple_field(*self._fields[place])
        form = self._relaxed.get(place)
        if form is None:
            form = self._relaxed[place] = relaxed_field(*self._fields[place])
        return form

    def signed_bytes(self, place: int, names: Sequence[bytes], *, relaxed: bool) -> bytes:
        """What the signature at `place` signs: RFC 6376, section 3.7, data hash input of step 2.

        RFC 6376, section 5.4.2: a name stands for the last field not yet used; named too often, for nothing.
        """
        used: dict[bytes, int] = {}
        chosen: list[int] = []
        for name in names:
            here = self._places.get(name)
            if here is None:
                continue
            left = used.get(name, len(here))
            if left and here[left - 1] == place:
                left -= 1  # RFC 6376, section 3.5, h=: the field being verified never signs itself
            if left:
                left -= 1
                chosen.append(here[left])
            used[name] = left
        parts = [self.canonical(each, relaxed=relaxed) for each in chosen]
        parts.append(self.unsigned(place, relaxed=relaxed))
        return b"".join(parts)

    def unsigned(self, place: int, *, relaxed: bool) -> bytes:
        """A signature field as it signs itself: without the value of b= and the last CRLF."""
        field, value = self._fields[place]
        return (relaxed_field if relaxed else simple_field)(field, without_value(value, b"b"))[:-2]

    def oversigned(self, names: Sequence[bytes]) -> bool:
        """True where no further From, Subject, To or Date can be added without breaking the signature."""
        return all(names.count(name) > len(self.places(name)) for name in _SINGLETONS)

    def covers_from(self, names: Sequence[bytes]) -> bool:
        """True where every From field there is, is signed."""
        return names.count(b"from") >= len(self.places(b"from"))


def prepare(fields: Sequence[HeaderField], body: Body | HashedBody, *, now: float) -> tuple[SignatureFacts, ...]:
    """What each of at most 8 DKIM-Signature fields amounts to, in the order they stand in. Never raises.

    Where there are more, those of From's own domain go first. `now` is epoch seconds. Facts without a status still need
    the key; the others are final. Where the message is not whole, what depends on it is a temperror. Extra memory is a
    few chunks, whatever the body's size.
    """
    header = SignedHeader(fields)
    places = header.places(b"dkim-signature")
    if not places:
        return ()
    if len(places) > MAX_SIGNATURES:
        places = _choose(places, fields, _author_domain(fields, header.places(b"from")))
    read = [(place, read_signature(fields[place][1], now)) for place in places]
    hashed = body if isinstance(body, HashedBody) else HashedBody(body)
    forms = {entry.body_form for _, entry in read if isinstance(entry, Signature)} if hashed.whole else set()
    hashes = hashed.hashes(forms)
    return tuple(
        [
            _facts(place, entry, header, hashes.get(entry.body_form)) if isinstance(entry, Signature) else entry
            for place, entry in read
        ]
    )


def nearness(domain: str, author: str) -> int:
    """How near a signer is to the author: 0 the same name, 1 one above or below or of one organisation, STRANGER.

    The organisation is guessed by public suffixes, which is good enough to say whose signature is looked at first;
    what is aligned DMARC finds out (RFC 9989, section 4.10).
    """
    if domain == author:
        return 0
    near = is_subdomain(domain, author) or is_subdomain(author, domain) or registrable(domain) == registrable(author)
    return 1 if near else STRANGER


def _author_domain(fields: Sequence[HeaderField], places: Sequence[int]) -> str:
    """A guess at From's domain, good enough to say which signatures matter most."""
    if not places:
        return ""
    found = _DOMAIN.findall(fields[places[0]][1][-MAX_AUTHOR:])
    return (normalise(found[-1]) or "") if found else ""


def _choose(places: Sequence[int], fields: Sequence[HeaderField], author: str) -> list[int]:
    ranked: list[tuple[int, int]] = []
    for place in places[:MAX_READ]:
        hints = signature_hints(fields[place][1])
        if hints is not None and author and (rank := nearness(hints[0], author)) < STRANGER:
            ranked.append((rank, place))
    chosen = {place for _, place in sorted(ranked)[:MAX_SIGNATURES]}
    chosen.update([place for place in places if place not in chosen][: MAX_SIGNATURES - len(chosen)])
    return sorted(chosen)


def _facts(place: int, entry: Signature, header: SignedHeader, body: BodyHash | None) -> SignatureFacts:
    status: DkimStatus | None = None
    reason = ""
    limit = entry.body_form.limit
    if body is None:
        # Not even l= helps: where the beginning ends in blanks or line ends, its canonical form is not the whole's.
        status, reason = DkimStatus.TEMPERROR, "message is longer than what is read of it"
    elif not header.places(b"from"):
        status, reason = DkimStatus.PERMERROR, "no From field"
    elif not header.covers_from(entry.names):
        status, reason = DkimStatus.PERMERROR, "a From field is not signed"
    elif limit is not None and limit > body.size:
        status, reason = DkimStatus.PERMERROR, "l= is larger than the body"  # RFC 6376, section 3.5
    elif body.digest != entry.body_hash:
        status, reason = DkimStatus.FAIL, "body hash did not verify"
    digest = b""
    if status is None:
        digest = hashlib.sha256(header.signed_bytes(place, entry.names, relaxed=entry.relaxed_header)).digest()
    return SignatureFacts(
        domain=entry.domain,
        selector=entry.selector,
        algorithm=entry.algorithm,
        identity=entry.identity,
        header_digest=digest,
        signature=entry.signature,
        signed_fields=tuple([name.decode("ascii") for name in entry.names]),
        uncovered=0 if limit is None or body is None else max(0, body.size - limit),
        oversigned=header.oversigned(entry.names),
        timestamp=entry.timestamp,
        expires=entry.expires,
        tag=entry.tag,
        status=status,
        reason=reason,
    )

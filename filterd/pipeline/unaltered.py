"""Whether a message that comes back to us is what we have handed over: MTAs add to its header as it goes. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from filterd.model.message import HeaderField, header_block
from filterd.quarantine.tokens import content_digest

# RFC 5321 4.4: what a server puts on top; and what milters before us do.
ABOVE: Final = frozenset({b"received", b"return-path", b"received-spf", b"authentication-results", b"delivered-to"})
# RFC 5322 3.6: From and Date must be there, RFC 6409 8 lets submission add Message-ID; Postfix adds them for clients of
# its own (local_header_rewrite_clients), and To where nobody is named.
ADDED: Final = frozenset({b"from", b"date", b"message-id", b"to"})


def unaltered(
    fields: Sequence[HeaderField], place: int, body: bytes, digest: str, above: frozenset[bytes] = ABOVE
) -> bool:
    """Whether all below the field in this place is what `digest` was made of, and all above it is an MTA's.

    `body` is the SHA-256 of the body.
    """
    if any(name.strip().lower() not in above for name, _ in fields[:place]):
        return False
    return any(content_digest(header_block(tuple(own)), body) == digest for own in _own(fields[place + 1 :]))


def _own(fields: Sequence[HeaderField]) -> Iterator[Sequence[HeaderField]]:
    """The fields, and the fields without the last ones that an MTA may have added, one after the other."""
    yield fields
    left = set(ADDED)
    while fields and (name := fields[-1][0].strip().lower()) in left:
        left.remove(name)
        fields = fields[:-1]
        yield fields

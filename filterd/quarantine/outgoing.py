"""A held message as the MTA gets it: as received, but for fields taken out and others put on top. Pure."""

from collections import Counter
from collections.abc import Sequence

from filterd.model.message import HeaderField, header_block
from filterd.model.verdict import DeleteHeader, InsertHeader


def rewritten(
    fields: Sequence[HeaderField], body: bytes, gone: Sequence[DeleteHeader], added: Sequence[InsertHeader]
) -> bytes:
    """The message without these fields and with those on top in their order; every other byte is as it was."""
    out = {(edit.name.strip().lower().encode("latin-1"), edit.occurrence) for edit in gone}
    seen: Counter[bytes] = Counter()
    kept: list[HeaderField] = [(edit.name.encode(), f" {edit.value}".encode()) for edit in added]
    for name, value in fields:
        lower = name.strip().lower()
        seen[lower] += 1
        if (lower, seen[lower]) not in out:
            kept.append((name, value))
    return header_block(tuple(kept)) + body

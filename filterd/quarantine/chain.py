"""The audit's hash chain: each row carries a hash over itself and the one before, so that none can be taken out.

Whoever can write the whole file can also compute the whole chain anew. What he cannot do is make it end in a hash that
was seen elsewhere: `filterd quarantine audit verify` prints the last one, to be kept on another machine.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ALGORITHM: Final = "sha256"
FIRST: Final = ""  # the link before the first row


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what with an entry, when (epoch seconds), from where, and what came of it."""

    seq: int
    time: float
    actor: str
    origin: str
    action: str
    id: str
    result: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class ChainState:
    """What a look over the chain found: `broken` is the number of the first row that is not as it was written.

    `uncovered` rows were written by a release that had no chain.
    """

    rows: int
    uncovered: int
    head: str
    broken: int | None = None
    cause: str = ""


def link(before: str, row: AuditRow, seq: int) -> str:
    """The hash of a row of this number behind another; each field is framed by its length: no two rows look alike."""
    texts = (str(seq), repr(row.time), row.actor, row.origin, row.action, row.id, row.result)
    fields = [text.encode("utf-8", "surrogatepass") for text in texts]
    framed = b"".join([b"%d:%b" % (len(field), field) for field in fields])
    return hashlib.new(ALGORITHM, before.encode() + framed).hexdigest()


def verify(rows: Iterable[AuditRow], seq: int, last: str) -> ChainState:
    """Look over all rows, oldest first; `seq` and `last` are the number and the link that the newest must have."""
    head = FIRST
    count = uncovered = 0
    for row in rows:
        count += 1
        if row.seq != count:
            return ChainState(count, uncovered, head, count, "this row is missing")
        if not row.link and not head:
            uncovered += 1
        elif row.link != link(head, row, row.seq):
            return ChainState(count, uncovered, head, count, "this row is not as it was written")
        else:
            head = row.link
    if count != seq or head != last:
        return ChainState(count, uncovered, head, count + 1, f"{seq} rows were written, the newest are missing")
    return ChainState(count, uncovered, head)

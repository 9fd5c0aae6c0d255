"""Leaving held mail with the MTA: whether it is for a message, and what the MTA is told of it. Pure.

The MTA holds a message for all its recipients or for none. Where policies share one out, what is held of it goes into
the quarantine as ever, and the others get theirs.
"""

from collections.abc import Sequence
from typing import Final

from filterd.model.verdict import Action, Verdict
from filterd.pipeline.parts import Parts
from filterd.pipeline.shares import Share

MAX_REASON: Final = 100  # bytes that MTAs keep of it
PLACE: Final = "mta"  # in the journal, of what the MTA holds


def in_hold_queue(parts: Parts, shares: Sequence[Share]) -> bool:
    """Whether the MTA is to hold the message itself."""
    return parts.mta_hold and len(shares) == 1 and shares[0].verdict.action is Action.QUARANTINE


def hold_reason(identifier: str, verdict: Verdict) -> str:
    """What the MTA writes into its log and queue listing: id and reason, nothing of the message."""
    return f"filterd {identifier} {verdict.code}"[:MAX_REASON]

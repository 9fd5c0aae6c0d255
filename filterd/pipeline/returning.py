"""A message that we have released, and that an alias or a forward brings back to us.

Somebody has looked at it and said that it may be delivered. To hold it again would have him release it for ever; to let
pass whatever says of itself that it was released would have everybody say so. It passes where a mark of ours
(quarantine/marks.py) stands on top of the very bytes that were released, in time, to those it was held for, and a host
of our own networks hands it on: once for each recipient, so that it cannot go round and round.

Whatever lacks one of these is judged as any other mail. Where it is held, the evidence says of which release it is, so
that nobody releases it a second time without knowing; what was released MOST times and still comes back to be held is
refused, for then mail goes in a circle that only the postmaster can open, and what was released is in the quarantine.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from filterd.model.message import HeaderField, RawMessage
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, SmtpReply, Verdict
from filterd.pipeline.digest import body_sha256
from filterd.pipeline.reasons import Reason
from filterd.pipeline.transaction import Transaction
from filterd.pipeline.unaltered import ABOVE, unaltered
from filterd.quarantine.keys import Key, KeyFileError
from filterd.quarantine.marks import FIELD, RETURNED, Mark, note, noted, read, use_of
from filterd.telemetry.events import Event

MOST: Final = 3  # releases of one message: whoever has done that three times does not see that it comes back
_NAME: Final = FIELD.lower().encode()
# What Postfix' local(8) and others write beside trace fields when they hand a message on.
FORWARDED: Final = ABOVE | {b"x-original-to", b"x-forwarded-to", b"x-forwarded-for"}
_log = structlog.get_logger()


def returned(transaction: Transaction, message: RawMessage) -> Verdict | None:
    """The verdict on a marked message that passes, None for all others; CustodyError where that cannot be said.

    A mark of ours that gives no right is noted in the transaction's state.
    """
    door = transaction.parts.door
    found = None if door is None else _mark(message.fields, door.key_of)
    if door is None or found is None:
        return None
    place, mark = found
    why = _misfit(transaction, message, place, mark)
    recipients = dict.fromkeys([one.address for one in transaction.envelope.recipients])
    if not why and not door.redeem_all([use_of(mark, one) for one in recipients], mark.expires):
        why = "it came for the same recipient before"
    if why:
        transaction.state[RETURNED] = note(mark, why)
        return None
    return Verdict(Action.ACCEPT, Reason.RETURNED, f"it was released as {mark.id}, and is forwarded")


def no_more(transaction: Transaction, verdict: Verdict) -> Verdict:
    """What has been released as often as that is not held once more."""
    known = noted(transaction.state)
    if known is None or verdict.action is not Action.QUARANTINE or known[1] < MOST:
        return verdict
    identifier, times, why = known
    text = f"it was released {times} times, last as {identifier}, and comes back ({why}): {verdict.text}"
    # RFC 3463 3.5, X.4.6: a routing loop.
    reply = SmtpReply(550, "5.4.6", f"Mail loop: this message was released {times} times and comes back")
    return replace(verdict, action=Action.REJECT, code=Reason.RELEASE_LOOP, text=text, reply=reply)


def _mark(fields: Sequence[HeaderField], key_of: Callable[[str], Key | None]) -> tuple[int, Mark] | None:
    """The place of the only field of that name and the mark in it, where that is ours."""
    # Most names are shorter: a look at each length is all that a message without a mark costs.
    places = [i for i, (name, _) in enumerate(fields) if len(name) >= len(_NAME) and name.strip().lower() == _NAME]
    if len(places) != 1:
        return None
    try:
        mark = read(fields[places[0]][1], key_of)
    except KeyFileError as error:
        _log.error(Event.RELEASE_KEY_FAILED, cause=str(error))
        return None
    return None if mark is None else (places[0], mark)


def _misfit(transaction: Transaction, message: RawMessage, place: int, mark: Mark) -> str:
    """Why the mark gives no right to this message; empty where it does."""
    ours = (TrustClass.LOCAL, TrustClass.RELAY)
    if transaction.trust not in ours or not transaction.parts.trust.is_ours(transaction.client.address):
        return "it comes from outside"
    if not mark.passes:
        return "it was released to others than it was held for"
    if transaction.now > mark.expires:
        return "it comes late"
    if not unaltered(message.fields, place, body_sha256(message), mark.digest, FORWARDED):
        return "it was altered on its way"
    return ""

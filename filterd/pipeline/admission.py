"""Whether a message is one that we give back ourselves: a token of ours on top that fits it and was never used.

A token is looked at before anything is read of the message. What stands above it is the MTA's, or of milters before us,
and may be trace fields alone; behind the message's own fields an MTA may have put those that a message must have. All
else must be as it was handed over, and the client one of ours: a token alone is no reason to trust a stranger.

A token that is ours and does not fit gives no right: the message is filtered as any other. But it is in the quarantine
already, and to hold it once more would tell whoever released it that it was delivered: where it would be held, it is
refused. What an alias or a forward brings back after its release is another matter: returning.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from filterd.model.custody import CustodyError
from filterd.model.message import HeaderField, RawMessage
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, DeleteHeader, SmtpReply, Verdict
from filterd.pipeline.digest import body_sha256
from filterd.pipeline.edits import forged
from filterd.pipeline.reasons import Reason
from filterd.pipeline.returning import no_more, returned
from filterd.pipeline.transaction import Transaction
from filterd.pipeline.unaltered import unaltered
from filterd.quarantine import marks
from filterd.quarantine.keys import Key, KeyFileError
from filterd.quarantine.tokens import FIELD, Token, envelope_digest, read
from filterd.telemetry.events import Event

MISFIT: Final = "release"  # the note in a transaction's state: why a token of ours gave no right
MARK: Final = marks.FIELD.lower().encode()
_NAME: Final = FIELD.lower().encode()
_log = structlog.get_logger()


def admitted(transaction: Transaction, message: RawMessage) -> Verdict | None:
    """The verdict on a message that we give back ourselves, None for all others.

    A token that is ours and gives no right is noted in the transaction's state.
    """
    door = transaction.parts.door
    found = None if door is None or not door.tokens else _token(message.fields, door.key_of)
    try:
        if door is None or found is None:
            return returned(transaction, message)
        place, token = found
        why = _misfit(transaction, message, place, token)
        if not why and door.redeem(token.nonce, token.expires):
            return Verdict(Action.ACCEPT, Reason.RELEASED, "released from the quarantine")
    except CustodyError as error:
        reply = transaction.parts.replies.reply(Action.DEFER, Reason.CUSTODY, transaction.id)
        text = f"whether its release was used before cannot be said: {error}"
        return Verdict(Action.DEFER, Reason.CUSTODY, text, reply=reply)
    transaction.state[MISFIT] = why or "was used before"
    return None


def token_edits(fields: Sequence[HeaderField], authserv_id: str) -> tuple[DeleteHeader, ...]:
    """What is changed in a message that is admitted: its token goes, and what somebody above it says in our name.

    A mark stays: the next hop may bring the message back again.
    """
    places = {name.strip().lower(): index for index, (name, _) in reversed(list(enumerate(fields)))}
    place = places.get(_NAME)
    if place is None:
        return forged(fields[: places[MARK]], authserv_id)
    return (*forged(fields[:place], authserv_id), DeleteHeader(fields[place][0].decode("latin-1"), 1))


def not_again(transaction: Transaction, verdict: Verdict) -> Verdict:
    """A message with a token of ours is not held: it is held already, and its release must be told that it failed."""
    why = transaction.state.get(MISFIT)
    if why is None or verdict.action is not Action.QUARANTINE:
        return no_more(transaction, verdict)
    text = f"its release {why}, and would be held again: {verdict.text}"
    reply = SmtpReply(550, "5.7.1", f"The release of this message {why}")
    return replace(verdict, action=Action.REJECT, code=Reason.RELEASE_REFUSED, text=text, reply=reply)


def _token(fields: Sequence[HeaderField], key_of: Callable[[str], Key | None]) -> tuple[int, Token] | None:
    """The place of the only field of that name and the token in it, where that is ours."""
    places = [index for index, (name, _) in enumerate(fields) if _is_ours(name)]
    if len(places) != 1:
        return None
    try:
        token = read(fields[places[0]][1], key_of)
    except KeyFileError as error:
        _log.error(Event.RELEASE_KEY_FAILED, cause=str(error))
        return None
    return None if token is None else (places[0], token)


def _misfit(transaction: Transaction, message: RawMessage, place: int, token: Token) -> str:
    """Why the token gives no right to this message, in words that the client may read; empty where it does."""
    envelope = transaction.envelope
    addresses = [one.address for one in envelope.recipients]
    if transaction.trust is TrustClass.STRANGER:
        return "came from outside"
    if transaction.now > token.expires:
        return "came too late"
    if envelope_digest(envelope.sender, addresses) != token.envelope:
        return "was for other recipients"
    if not unaltered(message.fields, place, body_sha256(message), token.digest):
        return "was altered on its way"
    return ""


def _is_ours(name: bytes) -> bool:
    return name.strip().lower() == _NAME

"""Whether a message is one that we give back ourselves: a token of ours on top that fits it and was never used.

A token is looked at before anything is read of the message. What stands above it is the MTA's, or of milters before us,
and may be trace fields alone; behind the message's own fields an MTA may have put those that a message must have. All
else must be as it was handed over, and the client one of ours: a token alone is no reason to trust a stranger.

A token that is ours and does not fit gives no right: the message is filtered as any other. But it is in the quarantine
already, and to hold it once more would tell whoever released it that it was delivered: where it would be held, it is
refused.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import structlog

from filterd.model.custody import CustodyError
from filterd.model.message import HeaderField, RawMessage, header_block
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, DeleteHeader, SmtpReply, Verdict
from filterd.pipeline.digest import body_sha256
from filterd.pipeline.edits import forged
from filterd.pipeline.reasons import Reason
from filterd.pipeline.transaction import Transaction
from filterd.quarantine.keys import Key, KeyFileError
from filterd.quarantine.tokens import FIELD, Token, content_digest, envelope_digest, read
from filterd.telemetry.events import Event

MISFIT: Final = "release"  # the note in a transaction's state: why a token of ours gave no right
# RFC 5321 4.4: what a server puts on top; and what milters before us do.
ABOVE: Final = frozenset({b"received", b"return-path", b"received-spf", b"authentication-results", b"delivered-to"})
# RFC 5322 3.6: From and Date must be there, RFC 6409 8 lets submission add Message-ID; Postfix adds them for clients of
# its own (local_header_rewrite_clients), and To where nobody is named.
ADDED: Final = frozenset({b"from", b"date", b"message-id", b"to"})
_NAME: Final = FIELD.lower().encode()
_log = structlog.get_logger()


def admitted(transaction: Transaction, message: RawMessage) -> Verdict | None:
    """The verdict on a message that we give back ourselves, None for all others.

    A token that is ours and gives no right is noted in the transaction's state.
    """
    parts, door = transaction.parts, transaction.parts.door
    found = None if door is None else _token(message.fields, door.key_of)
    if door is None or found is None:
        return None
    place, token = found
    why = _misfit(transaction, message, place, token)
    if not why:
        try:
            if door.redeem(token.nonce, token.expires):
                return Verdict(Action.ACCEPT, Reason.RELEASED, "released from the quarantine")
        except CustodyError as error:
            reply = parts.replies.reply(Action.DEFER, Reason.CUSTODY, transaction.id)
            text = f"whether its release was used before cannot be said: {error}"
            return Verdict(Action.DEFER, Reason.CUSTODY, text, reply=reply)
        why = "was used before"
    transaction.state[MISFIT] = why
    return None


def token_edits(fields: Sequence[HeaderField], authserv_id: str) -> tuple[DeleteHeader, ...]:
    """What is changed in a message that is admitted: its token goes, and what somebody above it says in our name."""
    place = next(index for index, (name, _) in enumerate(fields) if _is_ours(name))
    name = fields[place][0].decode("latin-1")
    return (*forged(fields[:place], authserv_id), DeleteHeader(name, 1))


def not_again(transaction: Transaction, verdict: Verdict) -> Verdict:
    """A message with a token of ours is not held: it is held already, and its release must be told that it failed."""
    why = transaction.state.get(MISFIT)
    if why is None or verdict.action is not Action.QUARANTINE:
        return verdict
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
    envelope, fields = transaction.envelope, message.fields
    addresses = [one.address for one in envelope.recipients]
    if transaction.trust is TrustClass.STRANGER:
        return "came from outside"
    if transaction.now > token.expires:
        return "came too late"
    if envelope_digest(envelope.sender, addresses) != token.envelope:
        return "was for other recipients"
    body = body_sha256(message)
    if any(name.strip().lower() not in ABOVE for name, _ in fields[:place]) or all(
        content_digest(header_block(tuple(own)), body) != token.digest for own in _own(fields[place + 1 :])
    ):
        return "was altered on its way"
    return ""


def _own(fields: Sequence[HeaderField]) -> Iterator[Sequence[HeaderField]]:
    """The fields, and the fields without the last ones that an MTA may have added, one after the other."""
    yield fields
    left = set(ADDED)
    while fields and (name := fields[-1][0].strip().lower()) in left:
        left.remove(name)
        fields = fields[:-1]
        yield fields


def _is_ours(name: bytes) -> bool:
    return name.strip().lower() == _NAME

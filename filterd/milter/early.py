"""Recipients judged at RCPT in the milter, as the policy service would: for MTAs that ask no such service."""

import ipaddress
import threading
from typing import Final

import milter

from filterd.milter.apply import Telling, set_reply
from filterd.model.ids import new_id
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, SmtpReply, Verdict
from filterd.pipeline.early import Early
from filterd.pipeline.early_records import note_recipient
from filterd.pipeline.parts import Parts
from filterd.pipeline.transaction import Transaction

BY: Final = "milter"
_RANDOM_BYTES: Final = 10  # of an id


def judged(context: Telling, parts: Parts, transaction: Transaction, recipient: str, asked: int) -> int:
    """What libmilter is told about one recipient; `asked` counts those of the message that were judged before it."""
    early = parts.early
    if early is None or parts.early_wait is None or early.idle or _by_hand(transaction.client.address):
        return int(milter.CONTINUE)
    if parts.early_wait > 0 and transaction.trust is not TrustClass.RELAY:
        _await(transaction, early, parts.early_wait)
    started = parts.monotonic()
    identifier = new_id(parts.clock(), parts.randomness(_RANDOM_BYTES))
    case = early.case(transaction, transaction.macros.get("{auth_authen}", ""))
    verdict = early.judge(case, recipient, identifier, earlier=asked)
    seconds = parts.monotonic() - started
    queue_id = transaction.macros.get("i", "")
    note_recipient(parts, case, recipient, verdict, identifier, by=BY, seconds=seconds, queue_id=queue_id)
    return _told(context, verdict, verdict.reply)


def _told(context: Telling, verdict: Verdict, reply: SmtpReply | None) -> int:
    if reply is None:
        return int(milter.CONTINUE)
    set_reply(context, reply)
    return int(milter.REJECT if verdict.action is Action.REJECT else milter.TEMPFAIL)


def _await(transaction: Transaction, early: Early, seconds: float) -> None:
    """Let the early checks have their answers, within a bound: meanwhile this thread serves nobody else."""
    done = threading.Event()
    transaction.runner.tell_when(early.awaited, done.set)
    done.wait(seconds)


def _by_hand(address: str) -> bool:
    """Whether it is mail of this machine, sendmail(1) and bounces: what is refused there is lost (MTA-24)."""
    return not address or ipaddress.ip_address(address).is_loopback

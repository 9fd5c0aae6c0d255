"""Carrying a decision out: header edits, reply, and libmilter's return code."""

from typing import Protocol

import milter

from filterd.model.verdict import Action, DeleteHeader, Edit, InsertHeader, SmtpReply
from filterd.pipeline.finish import Decision

_CODES = {
    Action.ACCEPT: milter.ACCEPT,
    Action.ADD_HEADER: milter.ACCEPT,
    Action.GREYLIST: milter.TEMPFAIL,
    Action.DEFER: milter.TEMPFAIL,
    Action.QUARANTINE: milter.DISCARD,  # it is in our custody, fsynced, before this is returned
    Action.REJECT: milter.REJECT,
    Action.DISCARD: milter.DISCARD,
}


class Telling(Protocol):
    """The part of pymilter's context that says why."""

    def setreply(self, code: str, enhanced: str, text: str) -> None:
        """Choose the reply to a refusal."""


class Context(Protocol):
    """The part of pymilter's context that carries out decisions."""

    def addheader(self, name: str, value: str, index: int) -> None:
        """Insert a field."""

    def chgheader(self, name: str, occurrence: int, value: str) -> None:
        """Change a field; an empty value deletes it."""

    def delrcpt(self, recipient: str) -> None:
        """Remove a recipient."""

    def setreply(self, code: str, enhanced: str, text: str) -> None:
        """Choose the reply to a refusal."""

    def quarantine(self, reason: str) -> None:
        """Have the MTA hold the message."""


def carry_out(context: Context, decision: Decision, *, leading_space: bool) -> int:
    """Make the edits in order, set the reply, and return what libmilter is told.

    `leading_space` says that HDR_LEADSPC was negotiated: then the blank behind the colon is ours to give.
    """
    for edit in decision.edits:
        _edit(context, edit, " " if leading_space else "")
    if decision.hold:
        context.quarantine(decision.hold)
        return int(milter.ACCEPT)  # into the hold queue: the MTA has it, and whoever sent it hears 250
    if decision.verdict.reply is not None:
        set_reply(context, decision.verdict.reply)
    return int(_CODES[decision.verdict.action])


def set_reply(context: Telling, reply: SmtpReply) -> None:
    """Hand a reply to libmilter, which reads % as a format character."""
    context.setreply(str(reply.code), reply.enhanced, reply.text.replace("%", "%%"))


def _edit(context: Context, edit: Edit, blank: str) -> None:
    if isinstance(edit, InsertHeader):
        # Milters fold with a bare LF; the MTA writes its own line ends.
        context.addheader(edit.name, blank + edit.value.replace("\r\n", "\n"), edit.index)
    elif isinstance(edit, DeleteHeader):
        context.chgheader(edit.name, edit.occurrence, "")
    else:
        context.delrcpt(edit.exact)

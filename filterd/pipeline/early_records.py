"""What is kept of recipients that were judged before the content: a count of each, row and line of those refused."""

from dataclasses import replace
from typing import Final

import structlog

from filterd.model.custody import JournalRow
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.early import EarlyCase
from filterd.pipeline.parts import Parts
from filterd.telemetry.events import Event, message_event

NO_QUEUE: Final = "NOQUEUE"  # as Postfix writes where there is no queue file yet
_log = structlog.get_logger()


def note_recipient(  # noqa: PLR0913  # one for each thing that is kept
    parts: Parts,
    case: EarlyCase,
    recipient: str,
    verdict: Verdict,
    identifier: str,
    *,
    by: str,
    seconds: float = 0.0,
    queue_id: str = "",
) -> None:
    """Count the recipient; where it was refused, or would have been, leave a row in the journal and a line in the log.

    `identifier` is that of the row and of what the client was told; `by` is policy or milter.
    """
    if parts.early is not None:
        parts.early.counters.recipient(by, (verdict.observed or verdict.action).value)
    if verdict.action is Action.ACCEPT and verdict.observed is None:
        return
    row = JournalRow(
        id=identifier,
        received=case.now,
        action=verdict.action.value,
        code=verdict.code,
        score=verdict.score,
        client=case.client.address,
        helo=case.helo,
        sender=case.sender,
        recipients=(recipient,) if recipient else (),
        header_from="",
        subject="",
        message_id="",
        queue_id=queue_id or NO_QUEUE,
        size=0,
        sha256="",
        symbols=tuple([f"{symbol.finding.symbol}={symbol.weight:g}" for symbol in verdict.symbols]),
        ms=round(seconds * 1000, 1),
        observed=verdict.observed.value if verdict.observed else "",
    )
    parts.journal.record(replace(row, note=verdict.text))
    fields = message_event(row, trust=case.trust.value, stages={}, asked=0, wire=0, addresses=parts.log_addresses)
    _log.info(Event.RECIPIENT, by=by, cause=verdict.text, **fields)

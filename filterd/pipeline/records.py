"""What is kept of a finished message: the journal's row, the log's line, the evidence of a held one."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from filterd.dns.recording import open_to_others
from filterd.model.custody import Evidence, JournalRow
from filterd.model.verdict import Verdict
from filterd.pipeline.greylisting import NOTE
from filterd.pipeline.notes import read_of
from filterd.pipeline.shares import Share
from filterd.pipeline.transaction import Transaction
from filterd.quarantine.layout import layout_note
from filterd.telemetry.events import Event, message_event

_log = structlog.get_logger()


def journal_row(
    transaction: Transaction, verdict: Verdict, digest: str, seconds: float, share: Share | None = None
) -> JournalRow:
    """The row of one message, or of a share of it; `seconds` is its wait at end of message."""
    facts = transaction.inspection
    authors = facts.author.mailboxes if facts else ()
    recipients = transaction.envelope.recipients if share is None else share.recipients
    return JournalRow(
        id=transaction.id if share is None else share.id,
        received=transaction.now,
        action=verdict.action.value,
        code=verdict.code,
        score=verdict.score,
        client=transaction.client.address,
        helo=transaction.helo,
        sender=transaction.envelope.sender,
        recipients=tuple([recipient.address for recipient in recipients]),
        header_from=f"{authors[0].local_part}@{authors[0].domain}" if authors else "",
        subject=facts.subject if facts else "",
        message_id=facts.message_id if facts else "",
        queue_id=transaction.macros.get("i", ""),
        size=transaction.size,
        sha256=digest,
        symbols=tuple([f"{symbol.finding.symbol}={symbol.weight:g}" for symbol in verdict.symbols]),
        ms=round(seconds * 1000, 1),
        observed=verdict.observed.value if verdict.observed else "",
        policy=verdict.policy,
        note=transaction.state.get(NOTE, ""),
    )


def log_message(
    transaction: Transaction, row: JournalRow, stages: dict[str, float], shares: Sequence[JournalRow] = ()
) -> None:
    """The one log line of a message; `stages` are milliseconds at end of message by what they were spent on.

    `shares` are the rows of a message that was shared out by policies.
    """
    fields = message_event(
        row,
        trust=transaction.trust.value,
        stages=stages,
        asked=len(transaction.lookups.answers),
        wire=transaction.lookups.wire,
        addresses=transaction.parts.log_addresses,
        shares=shares,
    )
    _log.info(Event.MESSAGE, **fields)


def evidence_of(
    transaction: Transaction, verdict: Verdict, digest: str, identifier: str = "", held_for: tuple[str, ...] = ()
) -> Evidence:
    """All that this verdict was made from; with another id, and whom it is for where that is not all."""
    parts, facts, relay = transaction.parts, transaction.inspection, transaction.relay
    reports = list(transaction.reports.values())
    return Evidence(
        id=identifier or transaction.id,
        received=transaction.now,
        sha256=digest,
        size=transaction.size,
        client=transaction.client,
        helo=transaction.helo,
        envelope=transaction.envelope,
        trust=transaction.trust.value,
        macros=dict(transaction.macros),
        answers=open_to_others(transaction.lookups.answers.values()),
        inspection=facts,
        reports=tuple([replace(report, read=()) for report in reports]),  # it stands in the state
        verdict=verdict,
        config_id=parts.config_id,
        model_id=facts.classified.model if facts and facts.classified else "",
        rule_set=f"{parts.rules_id}+{facts.rule_set}" if facts else parts.rules_id,
        state=transaction.state | read_of(reports) | layout_note(tuple(transaction.fields)),
        held_for=held_for,
        queue_id=transaction.macros.get("i", ""),
        relay=None if relay is None else relay.client,
        relay_helo="" if relay is None else relay.helo,
    )

"""What can be said of a message that is not held here: its journal's row has points by symbol, and no more."""

import math
from contextlib import suppress
from typing import Final

from filterd.model.custody import Evidence, JournalRow
from filterd.model.report import Finding
from filterd.model.session import Client, Envelope, Recipient
from filterd.model.verdict import Action, ScoredSymbol, Verdict

UNKNOWN: Final = "(not recorded)"
_ALL: Final = "only the journal's row is left of it"
_THERE: Final = "the MTA holds it; only the journal's row is left here"


def evidence_of_row(row: JournalRow) -> Evidence | None:
    """As much of the evidence as the row has; None where it was written by a release that knew other actions."""
    if row.action not in list(Action):
        return None
    observed = Action(row.observed) if row.observed in list(Action) else None
    symbols = tuple([_symbol(text) for text in row.symbols])
    text = _THERE if row.place else _ALL
    verdict = Verdict(Action(row.action), row.code, text, row.score, symbols, None, observed, row.policy)
    return Evidence(
        id=row.id,
        received=row.received,
        sha256=row.sha256,
        size=row.size,
        client=Client(row.client),
        helo=row.helo,
        envelope=Envelope(row.sender, tuple([Recipient(one, f"<{one}>") for one in row.recipients])),
        trust=UNKNOWN,
        macros={},
        answers=(),
        inspection=None,
        reports=(),
        verdict=verdict,
        config_id=UNKNOWN,
        rule_set=UNKNOWN,
        queue_id=row.queue_id,
    )


def _symbol(text: str) -> ScoredSymbol:
    """From name=weight."""
    name, _, number = text.rpartition("=")
    weight = math.nan
    with suppress(ValueError):
        weight = float(number)
    return ScoredSymbol(Finding(name or text), "", weight if math.isfinite(weight) else 0.0)

"""Which held messages a command is about: by their ids, or by what they have in common."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from filterd.cli.common import fail, safe
from filterd.model.ids import is_public_id
from filterd.quarantine import Entry, EntryFilter, Quarantine, State
from filterd.quarantine.entries import WAITING

MAX_AT_ONCE: Final = 10_000  # entries that one command acts on: more are another command's
PAGE: Final = 1_000
_OPTIONS: Final = "--from, --recipient, --subject, --reason, --rule, --since, --score, --campaign"
_AGE: Final = re.compile(r"(\d{1,6})([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Ids that list shows, or that a sender was told.")
]
Sender = Annotated[str | None, typer.Option("--from", help="Part of the envelope sender.")]
Recipient = Annotated[str | None, typer.Option("--recipient", help="Part of a recipient.")]
Subject = Annotated[str | None, typer.Option(help="Part of the subject.")]
Reason = Annotated[str | None, typer.Option(help="The reason's code, as list shows it.")]
Rule = Annotated[str | None, typer.Option(help="A symbol that counted, such as YARA_EICAR.")]
Since = Annotated[str | None, typer.Option(help="Received since then: 7d, 12h or 2026-11-25 or 2026-11-25T14:00.")]
Score = Annotated[float | None, typer.Option(help="With this score or more.")]


def moment(text: str | None) -> float | None:
    """Epoch seconds of an age or a date in UTC; the command ends where it is neither."""
    if text is None:
        return None
    age = _AGE.fullmatch(text)
    if age is not None:
        return time.time() - int(age[1]) * _UNITS[age[2]]
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"expected 7d, 12h or a date such as 2026-11-25, got {safe(text[:40])!r}") from None


def filter_of(
    sender: str | None,
    recipient: str | None,
    subject: str | None,
    reason: str | None,
    rule: str | None,
    since: str | None,
    score: float | None,
    states: tuple[State, ...] = WAITING,
) -> EntryFilter:
    """What the options ask for; the command ends where `since` is no time."""
    return EntryFilter(
        states=states,
        sender=sender,
        recipient=recipient,
        subject=subject,
        code=reason,
        symbol=rule,
        since=moment(since),
        min_score=score,
    )


def chosen(
    quarantine: Quarantine,
    identifiers: Sequence[str] | None,
    wanted: EntryFilter,
    within: Sequence[Entry] | None = None,
) -> list[Entry]:
    """The entries of these ids, else all that the filter finds (`within` these), newest first.

    The command ends where neither is given, or both.
    """
    asks = within is not None or wanted != EntryFilter(state=wanted.state, states=wanted.states)
    if bool(identifiers) == asks:
        fail(f"expected either ids or options that say which: {_OPTIONS}")
    if not identifiers:
        return matching(quarantine, wanted) if within is None else among(quarantine, wanted, within)
    return [entry_named(quarantine, identifier) for identifier in identifiers]


def entry_named(quarantine: Quarantine, identifier: str) -> Entry:
    """The entry of an id, or of the part of it that senders and recipients are told; else the command ends."""
    short = identifier.upper()
    ids = quarantine.named(short) if is_public_id(short) else [identifier]
    if len(ids) > 1:
        fail(f"{short} is several entries: {', '.join(ids)}")
    entry = quarantine.entry(ids[0]) if ids else None
    if entry is None:
        fail(
            f"no such entry: {safe(identifier[:40])}; expected an id that `filterd quarantine list` shows,"
            " or the ten letters that the sender or a digest has"
        )
    return entry


def among(quarantine: Quarantine, wanted: EntryFilter, within: Sequence[Entry]) -> list[Entry]:
    """Those of these entries that the filter finds, newest first."""
    left = {entry.id for entry in within}
    found: list[Entry] = []
    before = None
    while left and (page := quarantine.entries(wanted, before=before, limit=PAGE)):
        found += [entry for entry in page if entry.id in left]
        left -= {entry.id for entry in page}
        before = page[-1].id
        left = {identifier for identifier in left if identifier < before}
    return found


def matching(quarantine: Quarantine, wanted: EntryFilter) -> list[Entry]:
    """All that the filter finds; the command ends where they are more than MAX_AT_ONCE."""
    found: list[Entry] = []
    while page := quarantine.entries(wanted, before=found[-1].id if found else None, limit=PAGE):
        found += page
        if len(found) > MAX_AT_ONCE:
            fail(f"more than {MAX_AT_ONCE} messages: narrow it, for instance with --since 1d")
    return found

"""What became of a message, from the journal, and for a held one from the ledger."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from filterd.model.custody import CustodyError, JournalRow
from filterd.model.ids import public_id
from filterd.model.verdict import Action
from filterd.pipeline.hold import PLACE
from filterd.quarantine import Entry, State

UNREADABLE: Final = "unknown"  # the state of a held message whose ledger cannot be read
GONE: Final = "gone"  # of one that the ledger does not know
ELSEWHERE: Final = "mta"  # of one that the MTA keeps
_BECAME: Final = {
    Action.ACCEPT: "handed on",
    Action.ADD_HEADER: "handed on with a tag",
    Action.GREYLIST: "told to come again",
    Action.DEFER: "told to come again",
    Action.REJECT: "refused",
    Action.DISCARD: "thrown away",
}
_HELD: Final = {
    State.HELD: "held",
    State.RELEASING: "held, being released",
    State.DELIVERED: "held, then released",
    State.FAILED: "held, and refused by the MTA when it was released",
    State.DELETED: "held, then deleted",
    State.EXPIRED: "held until its time was over",
    ELSEWHERE: "held by the MTA",
    GONE: "held, and in the ledger no more",
    UNREADABLE: "held; the ledger cannot be read",
}
_WIDTH: Final = 12  # columns of the words in front


def traced(row: JournalRow, entry: Callable[[str], Entry | None]) -> dict[str, Any]:
    """A row as plain values, with what became of the message; `entry` looks into the ledger (CustodyError)."""
    plain: dict[str, Any] = msgspec.to_builtins(row)
    plain["public_id"] = public_id(row.id)
    plain["state"], plain["release"] = None, None
    if row.action == Action.QUARANTINE:
        _look(plain, entry)
        plain["became"] = _HELD[plain["state"]]
    else:
        plain["became"] = _BECAME.get(Action(row.action), row.action) if row.action in list(Action) else row.action
    if row.observed:
        plain["became"] += f" (observed only; would be {row.observed})"
    return plain


def _look(plain: dict[str, Any], entry: Callable[[str], Entry | None]) -> None:
    if plain["place"] == PLACE:
        plain["state"] = ELSEWHERE
        return
    try:
        found = entry(plain["id"])
    except CustodyError:
        plain["state"] = UNREADABLE
        return
    if found is None:
        plain["state"] = GONE
        return
    plain["state"] = found.state.value
    if found.targets:
        plain["release"] = {"to": list(found.targets), "attempts": found.attempts, "outcome": found.outcome}


def lines(found: dict[str, Any]) -> Iterator[str]:
    """One message for a person. Texts are hostile: the caller makes them safe for a terminal."""
    release = found["release"]
    rows = [
        ("id", f"{found['id']}  (in replies and digests {found['public_id']})"),
        ("received", time_of(found)),
        ("became", found["became"]),
        *([("kept", where_held(found["queue_id"]))] if found["state"] == ELSEWHERE else []),
        *([("released", f"to {', '.join(release['to'])}: {release['outcome']}")] if release else []),
        ("reason", found["code"]),
        *([("note", found["note"])] if found["note"] else []),
        *([("policy", found["policy"])] if found["policy"] else []),
        ("score", f"{found['score']:.2f}"),
        ("client", f"{found['client'] or 'unknown'}  helo {found['helo'] or '-'}"),
        ("sender", found["sender"] or "<>"),
        *[("recipient", one) for one in found["recipients"]],
        ("author", found["header_from"]),
        ("subject", found["subject"]),
        ("message id", found["message_id"]),
        ("queue id", found["queue_id"]),
        ("size", f"{found['size']} bytes, sha256 {found['sha256']}"),
        ("symbols", " ".join(found["symbols"])),
    ]
    yield from (f"{name:<{_WIDTH}}{text}" for name, text in rows)


def where_held(queue_id: str) -> str:
    """What to do about a message that the MTA holds."""
    name = queue_id or "ID (its log has it)"
    return f"postqueue -p shows whether it still is; postsuper -H {name} lets it go, postsuper -d {name} deletes it"


def time_of(found: dict[str, Any]) -> str:
    """When the message came."""
    return datetime.fromtimestamp(found["received"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

"""What may become of an entry, each step with its audit row in one transaction.

    held, failed -> releasing -> delivered | failed        delivered -> releasing, where that is asked for
    held, failed, delivered -> deleted | expired           deleted, expired -> held, while the files are there

All functions take a connection inside a write transaction (Ledger.changing), and KeyError means that there is no such
entry.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from filterd.quarantine.chain import AuditRow, ChainState, link, verify
from filterd.quarantine.database import Connection, in_statements, placeholders
from filterd.quarantine.entries import WAITING, Actor, State

DAEMON: Final = Actor("filterd")
# Seconds: twice the longest lease or pause between two attempts (operations/release.py). What is due later than that
# was put off by a clock that was ahead, and would wait for as long as that was wrong.
AHEAD: Final = 7_200.0
_DUE: Final = "state = 'releasing' AND (due <= ? OR due > ?)"
CHAIN_PAGE: Final = 10_000  # audit rows read at once
ADDRESS: Final = re.compile(r"[^\s<>()\[\]:;,\"@]+@[^\s<>()\[\]:;,\"@]+")  # as MTAs write them into what they say
_ROW: Final = "seq, time, actor, origin, action, id, result, link"


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody does something with an entry, at a time in epoch seconds."""

    id: str
    who: Actor
    now: float

    def row(self, action: str, result: str = "done", identifier: str = "") -> AuditRow:
        """The audit row of it, still to be appended."""
        return AuditRow(0, self.now, self.who.name, self.who.origin, action, identifier or self.id, result)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to release an entry, until then (epoch seconds)."""

    token: str
    until: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt to release came to: the state that follows, what the MTA said, when the next is due."""

    to: State
    outcome: str
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What retention looks at of an entry that waits for somebody."""

    id: str
    changed: float
    size: int
    code: str


def without_addresses(text: str) -> str:
    """What an MTA said, with a word for each address."""
    return ADDRESS.sub("(an address)", text)


def append(connection: Connection, *rows: AuditRow) -> None:
    """Put rows at the end of the chain."""
    seq, end = connection.execute("SELECT seq, link FROM head").fetchone()
    for some in in_statements(rows):
        values: list[object] = []
        for row in some:
            seq += 1
            end = link(end, row, seq)
            values += (seq, row.time, row.actor, row.origin, row.action, row.id, row.result, end)
        connection.execute(f"INSERT INTO audit ({_ROW}) VALUES {placeholders(len(some), 8)}", values)  # noqa: S608  # constants
    connection.execute("UPDATE head SET seq = ?, link = ?", (seq, end))


def audit(connection: Connection, identifier: str) -> Iterator[AuditRow]:
    """The rows of an entry, oldest first."""
    for row in connection.execute(f"SELECT {_ROW} FROM audit WHERE id = ? ORDER BY seq", (identifier,)):  # noqa: S608  # constants
        yield AuditRow(*row)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows of the audit, of all entries: None asks nothing; `before` is a row's number."""

    since: float | None = None
    actor: str | None = None
    action: str | None = None
    before: int | None = None


def newest_audit(connection: Connection, wanted: AuditFilter, limit: int) -> list[AuditRow]:
    """Rows of all entries and of none, newest first."""
    asked = (("seq < ?", wanted.before), ("time >= ?", wanted.since), ("actor = ?", wanted.actor))
    found = [*asked, ("action = ?", wanted.action)]
    where = " AND ".join([text for text, value in found if value is not None]) or "seq > 0"
    query = f"SELECT {_ROW} FROM audit WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608  # constants
    values = [value for _, value in found if value is not None]
    return [AuditRow(*row) for row in connection.execute(query, (*values, limit))]


def verify_audit(connection: Connection) -> ChainState:
    """Look over the whole chain, as it is now: what comes meanwhile is left for the next time."""
    seq, end = connection.execute("SELECT seq, link FROM head").fetchone()
    beyond = "SELECT count(*) FROM audit WHERE seq > (SELECT seq FROM head)"
    found = verify(_chain(connection, seq), seq, end)
    if found.broken is None and connection.execute(beyond).fetchone()[0]:
        return replace(found, broken=seq + 1, cause="rows stand behind the last that was written")
    return found


def _chain(connection: Connection, most: int) -> Iterator[AuditRow]:
    """The rows up to that number, oldest first, some at a time: a database may hand over all that is asked for."""
    after = -1
    while True:
        query = f"SELECT {_ROW} FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608  # constants
        rows = connection.execute(query, (after, most, CHAIN_PAGE)).fetchall()
        if not rows:
            return
        for row in rows:
            yield AuditRow(*row)
        after = rows[-1][0]


def begin_release(
    connection: Connection, act: Act, targets: tuple[str, ...], lease: Lease, *, again: bool = False
) -> State | None:
    """Take an entry for a release: None where it is ours until then, else the state that forbids it.

    The copies that retries left are put aside with it, for one message is delivered once.
    """
    state, digest, *_ = _read(connection, act.id)
    if state not in WAITING and not (again and state is State.DELIVERED):
        append(connection, act.row("release", f"was {state}"))
        return state
    connection.execute(
        "UPDATE entries SET state = ?, changed = ?, attempts = 1, due = ?, lease = ?, targets = ?, outcome = ''"
        " WHERE id = ?",
        (State.RELEASING, act.now, lease.until, lease.token, msgspec.json.encode(targets).decode(), act.id),
    )
    append(connection, act.row("release", f"to {len(targets)} recipients"))
    for copy in _copies(connection, act.id, digest, WAITING):
        _set(connection, copy, State.DELETED, act.now, f"a copy of {act.id}")
        append(connection, act.row("merge", f"a copy of {act.id}", copy))
    return None


def due_release(connection: Connection, now: float, lease: Lease) -> str | None:
    """Take the release that has been due for longest: nobody works on it, or who did has gone."""
    row = connection.execute(f"SELECT id FROM entries WHERE {_DUE} ORDER BY due LIMIT 1", (now, now + AHEAD)).fetchone()  # noqa: S608  # a constant
    if row is None:
        return None
    connection.execute(
        "UPDATE entries SET lease = ?, due = ?, attempts = attempts + 1 WHERE id = ?",
        (lease.token, lease.until, row[0]),
    )
    append(connection, Act(row[0], DAEMON, now).row("release", "tried again"))
    return str(row[0])


def releases_due(connection: Connection, now: float) -> int:
    """How many releases are due."""
    query = f"SELECT count(*) FROM entries WHERE {_DUE}"  # noqa: S608  # a constant
    return int(connection.execute(query, (now, now + AHEAD)).fetchone()[0])


def totals(connection: Connection) -> dict[str, tuple[int, int]]:
    """How many entries wait for somebody, and the bytes of their messages, by the reason they are held for."""
    query = (
        "SELECT code, count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM entries"
        " WHERE state IN ('held', 'failed') GROUP BY code"
    )
    return {code: (int(count), int(size)) for code, count, size in connection.execute(query)}


def oldest(
    connection: Connection, codes: Collection[str], before: float, after: tuple[float, str], most: int
) -> list[Waiting]:
    """What has waited since before then for these reasons and is not kept, oldest first, behind `after` (time, id)."""
    if not codes:
        return []
    states, reasons = ", ".join("?" * len(WAITING)), ", ".join("?" * len(codes))
    # Put together, columns are looked up in no index: that of times finds the oldest at once, those of reasons all.
    rows = connection.execute(
        f"SELECT id, changed, size, code FROM entries WHERE files AND NOT kept AND (state || '') IN ({states})"  # noqa: S608  # marks
        f" AND changed < ? AND (changed, id) > (?, ?) AND (code || '') IN ({reasons}) ORDER BY changed, id LIMIT ?",
        (*WAITING, before, *after, *codes, most),
    )
    return [Waiting(*row) for row in rows]


def expire(connection: Connection, act: Act, why: str) -> bool:
    """Expire an entry that waits and is not kept; False where it does not any more, or is."""
    states = ", ".join("?" * len(WAITING))
    done = connection.execute(
        f"UPDATE entries SET state = ?, changed = ?, outcome = '' WHERE id = ? AND NOT kept AND state IN ({states})",  # noqa: S608  # marks
        (State.EXPIRED, act.now, act.id, *WAITING),
    ).rowcount
    if done:
        append(connection, act.row("expire", why))
    return bool(done)


def end_attempt(connection: Connection, act: Act, lease: Lease, attempt: Attempt) -> bool:
    """Write down what an attempt came to; False where its lease was over and another has taken the entry."""
    changed = connection.execute(
        "UPDATE entries SET changed = CASE WHEN state = ? THEN changed ELSE ? END, state = ?, due = ?, lease = '',"
        " outcome = ? WHERE id = ? AND state = 'releasing' AND lease = ?",
        (attempt.to, act.now, attempt.to, attempt.due, attempt.outcome, act.id, lease.token),
    ).rowcount
    # The audit outlives what is purged by address.
    result = f"{'later' if attempt.to is State.RELEASING else attempt.to}: {without_addresses(attempt.outcome)}"
    append(connection, act.row("release", result if changed else f"too late, {result}"))
    return bool(changed)


def end(connection: Connection, act: Act, to: State, action: str) -> str | None:
    """Delete an entry and its copies: None where that is done, else why not, in words."""
    state, digest, kept, _ = _read(connection, act.id)
    if kept or state not in (*WAITING, State.DELIVERED):
        why = "under legal hold" if kept else f"was {state}"
        append(connection, act.row(action, why))
        return why
    for one in (act.id, *_copies(connection, act.id, digest, (state,))):
        _set(connection, one, to, act.now, "")
        append(connection, act.row(action, identifier=one))
    return None


def restore(connection: Connection, act: Act) -> str | None:
    """Hold again what was deleted or has expired: None where that is done, else why not, in words."""
    state, _, _, files = _read(connection, act.id)
    if state not in (State.DELETED, State.EXPIRED) or not files:
        why = f"was {state}" if files else "its files are gone"
        append(connection, act.row("restore", why))
        return why
    _set(connection, act.id, State.HELD, act.now, "")
    append(connection, act.row("restore"))
    return None


def keep(connection: Connection, act: Act, *, on: bool) -> None:
    """Put an entry under legal hold, or end that."""
    _read(connection, act.id)
    connection.execute("UPDATE entries SET kept = ? WHERE id = ?", (on, act.id))
    append(connection, act.row("keep" if on else "unkeep"))


def forget_files(connection: Connection, act: Act, why: str) -> bool:
    """Say that an entry's files go now; False where it is under legal hold or waits for somebody again."""
    gone = connection.execute(
        "UPDATE entries SET files = FALSE WHERE id = ? AND files AND NOT kept"
        " AND state IN ('deleted', 'expired', 'delivered')",
        (act.id,),
    ).rowcount
    if gone:
        append(connection, act.row("remove", why))
    return bool(gone)


def remove(connection: Connection, act: Act, why: str) -> bool:
    """Take an entry out of the index for good; its audit stays. False under legal hold, or while it is released."""
    gone = connection.execute(
        "DELETE FROM entries WHERE id = ? AND NOT kept AND state <> 'releasing'", (act.id,)
    ).rowcount
    append(connection, act.row("purge", why if gone else "under legal hold, or being released"))
    return bool(gone)


def old(connection: Connection, states: Collection[State], before: float, most: int) -> list[str]:
    """Ids of entries with files that came into one of these states before then, and are not kept, oldest first."""
    marks = ", ".join("?" * len(states))
    rows = connection.execute(
        f"SELECT id FROM entries WHERE files AND NOT kept AND state IN ({marks}) AND changed < ?"  # noqa: S608  # marks
        " ORDER BY changed LIMIT ?",
        (*states, before, most),
    )
    return [row[0] for row in rows]


def _read(connection: Connection, identifier: str) -> tuple[State, str, bool, bool]:
    """State, digest, whether it is kept and whether it has its files; KeyError where there is no such entry."""
    row = connection.execute("SELECT state, digest, kept, files FROM entries WHERE id = ?", (identifier,)).fetchone()
    if row is None:
        raise KeyError(identifier)
    return State(row[0]), row[1], bool(row[2]), bool(row[3])


def _copies(connection: Connection, identifier: str, digest: str, states: Collection[State]) -> list[str]:
    """The other entries of one message that are in one of these states and not kept."""
    marks = ", ".join("?" * len(states))
    rows = connection.execute(
        f"SELECT id FROM entries WHERE digest = ? AND state IN ({marks}) AND id <> ? AND NOT kept",  # noqa: S608  # marks
        (digest, *states, identifier),
    )
    return [row[0] for row in rows]


def _set(connection: Connection, identifier: str, to: State, now: float, outcome: str) -> None:
    connection.execute(
        "UPDATE entries SET state = ?, changed = ?, outcome = ? WHERE id = ?", (to, now, outcome, identifier)
    )

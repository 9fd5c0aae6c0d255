"""Who has been told what is held: a row for each round of digests, and one for each mail of it, in the ledger.

A round covers the holds that were committed since the round before: `since` and `upto` are numbers of audit rows, whose
order is that of the commits, so that no message is left out that came in slowly. Two nodes share a round: each mail is
taken by one of them, with a lease, before it is handed to the MTA. Who dies between the MTA's 250 and our commit leaves
it to be sent again when the lease is over: at least once, with the same Message-ID.

Somebody whom the MTA put off until one round was over is told of its messages in the next, those of the last CARRIED
seconds; whom it refused for good is not. Names are hashes of addresses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from filterd.quarantine.chain import AuditRow
from filterd.quarantine.changes import Lease, append
from filterd.quarantine.database import Connection
from filterd.quarantine.entries import WAITING, Actor, Entry
from filterd.quarantine.ledger import Ledger
from filterd.quarantine.rows import COLUMNS, NEWEST, entry_in

PAGE: Final = 500  # holds read at once
KEPT: Final = 30 * 86_400  # seconds that rows of old rounds stay
CARRIED: Final = 7 * 86_400  # seconds that a round reaches back for somebody who could not be told
_ROUND: Final = "until, since, upto, done"


class Told(StrEnum):
    """What became of one mail."""

    SENDING = "sending"  # somebody is at it, or it was put off
    SENT = "sent"  # the MTA has said 250
    FAILED = "failed"  # the MTA has refused it for good
    GIVEN_UP = "given up"  # the MTA has put it off too often: the next round tells of the same
    VOID = "void"  # it was put off, and nothing of it waits any more


@dataclass(frozen=True, slots=True)
class Round:
    """One round, named by when it was due (epoch seconds); holds numbered above `since`, up to `upto`."""

    until: int
    since: int
    upto: int
    done: bool = False


class Digests:
    """The rounds and mails of one quarantine. CustodyError where the ledger cannot be used."""

    def __init__(self, ledger: Ledger) -> None:
        """`ledger` is where they are written."""
        self._ledger = ledger

    def newest(self) -> Round | None:
        """The newest round, if there ever was one."""
        if not self._ledger.exists():
            return None
        with self._ledger.reading() as connection:
            return _newest(connection.execute(_NEWEST).fetchone())

    def next_round(self, until: int) -> Round | None:
        """What a round that is due then would cover now; nothing is written. None: nothing was ever held."""
        if not self._ledger.exists():
            return None
        with self._ledger.reading() as connection:
            last = _newest(connection.execute(_NEWEST).fetchone())
            return _following(connection, last, until)

    def begin(self, until: int) -> Round | None:
        """The round that is due then: begun now, or by another node before. None: nothing was ever held."""
        if not self._ledger.exists():
            return None
        with self._ledger.changing() as connection:
            last = _newest(connection.execute(_NEWEST).fetchone())
            if last is not None and last.until >= until:
                return last
            made = _following(connection, last, until)
            connection.execute(
                f"INSERT INTO digest_rounds ({_ROUND}) VALUES (?, ?, ?, 0)",  # noqa: S608  # constants
                (made.until, made.since, made.upto),
            )
            for table in ("digests", "digest_rounds"):
                connection.execute(f"DELETE FROM {table} WHERE until < ?", (until - KEPT,))  # noqa: S608  # constants
            return made

    def finish(self, over: Round, who: Actor, now: float) -> None:
        """Nothing of this round is left to be sent; once, and the audit has it."""
        with self._ledger.changing() as connection:
            end = "UPDATE digest_rounds SET done = 1 WHERE until = ? AND done = 0"
            if connection.execute(end, (over.until,)).rowcount:
                query = "SELECT state, count(*) FROM digests WHERE until = ? GROUP BY state ORDER BY state"
                counts = [f"{count} {state}" for state, count in connection.execute(query, (over.until,))]
                append(connection, AuditRow(0, now, who.name, who.origin, "digest", "", ", ".join(counts) or "none"))

    def held(self, covered: Round) -> Iterator[tuple[int, Entry]]:
        """What was held in a round and still waits, oldest first, with the number of the hold; a retry counts once."""
        after = covered.since
        marks = ", ".join("?" * len(WAITING))
        while True:
            with self._ledger.reading() as connection:
                found = connection.execute(
                    "SELECT seq, id FROM audit WHERE seq > ? AND seq <= ? AND action = 'hold' ORDER BY seq LIMIT ?",
                    (after, covered.upto, PAGE),
                ).fetchall()
                if not found:
                    return
                ids = [row[1] for row in found]
                rows = connection.execute(
                    f"SELECT {COLUMNS}, 1 FROM entries e WHERE id IN ({', '.join('?' * len(ids))})"  # noqa: S608  # marks
                    f" AND state IN ({marks}) AND {NEWEST}",
                    (*ids, *WAITING),
                ).fetchall()
            entries = {entry.id: entry for entry in map(entry_in, rows)}
            yield from ((seq, entries[name]) for seq, name in found if name in entries)
            after = found[-1][0]

    def told(self, covered: Round) -> dict[str, int]:
        """Up to which hold each was told who was told of some of this round's holds already."""
        with self._ledger.reading() as connection:
            query = (
                "SELECT name, max(upto) FROM digests WHERE upto > ? AND state NOT IN ('sending', 'given up')"
                " GROUP BY name"
            )
            return {str(name): int(upto) for name, upto in connection.execute(query, (covered.since,))}

    def take(self, covered: Round, name: str, lease: Lease, now: float) -> int:
        """Take a mail to send it: which attempt it is, 0 where another is at it, or it is not due, or over."""
        with self._ledger.changing() as connection:
            row = connection.execute(
                "SELECT state, due, attempts FROM digests WHERE until = ? AND name = ?", (covered.until, name)
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO digests (until, name, state, upto, due, lease, attempts) VALUES (?, ?, ?, ?, ?, ?, 1)",
                    (covered.until, name, Told.SENDING, covered.upto, lease.until, lease.token),
                )
                return 1
            if row[0] != Told.SENDING or row[1] > now:
                return 0
            connection.execute(
                "UPDATE digests SET due = ?, lease = ?, attempts = attempts + 1 WHERE until = ? AND name = ?",
                (lease.until, lease.token, covered.until, name),
            )
            return int(row[2]) + 1

    def end(self, covered: Round, name: str, lease: Lease, state: Told, due: float = 0.0) -> bool:
        """Write down what became of it; False where the lease was over and another has taken it."""
        with self._ledger.changing() as connection:
            changed = connection.execute(
                "UPDATE digests SET state = ?, due = ?, lease = '' WHERE until = ? AND name = ? AND lease = ?",
                (state, due, covered.until, name, lease.token),
            )
            return bool(changed.rowcount)

    def drop(self, covered: Round, before: float) -> None:
        """Mails that were due before then and that nobody has taken since: there is nothing left to tell in them."""
        with self._ledger.changing() as connection:
            connection.execute(
                "UPDATE digests SET state = ? WHERE until = ? AND state = 'sending' AND due <= ?",
                (Told.VOID, covered.until, before),
            )

    def open(self, covered: Round) -> tuple[int, float]:
        """How many mails of this round are under way or put off, and when the next of them is due."""
        with self._ledger.reading() as connection:
            query = "SELECT count(*), coalesce(min(due), 0) FROM digests WHERE until = ? AND state = 'sending'"
            count, due = connection.execute(query, (covered.until,)).fetchone()
        return int(count), float(due)


_NEWEST: Final = f"SELECT {_ROUND} FROM digest_rounds ORDER BY until DESC LIMIT 1"  # noqa: S608  # constants


def _newest(row: tuple[int, int, int, int] | None) -> Round | None:
    return None if row is None else Round(row[0], row[1], row[2], bool(row[3]))


def _following(connection: Connection, last: Round | None, until: int) -> Round:
    """What one round has not told somebody is told by the next one; the first tells of all that waits."""
    upto = connection.execute("SELECT seq FROM head").fetchone()[0]
    if last is None:
        return Round(until, 0, upto)
    query = "SELECT count(*) FROM digests WHERE until = ? AND state = 'given up'"
    if last.done and not connection.execute(query, (last.until,)).fetchone()[0]:
        return Round(until, last.upto, upto)
    query = "SELECT coalesce(max(upto), 0) FROM digest_rounds WHERE until <= ?"
    longest = connection.execute(query, (until - CARRIED,)).fetchone()[0]
    return Round(until, max(last.since, int(longest)), upto)

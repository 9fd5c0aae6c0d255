"""What was learnt, in the order it was learnt: the model can be made anew from it, without what was forgotten.

A SQLite file beside the model. Of each lesson it keeps the digest, the label, where and when it came from, and the
features, compressed. Features older than the limit become part of the *base*: a model that has learnt them and that
every rebuilding starts with. They cannot be forgotten any more; their digests stay, so that nothing is learnt twice.

`revision` grows whenever something is taken out: a model of another revision holds what it should not, and must be made
anew. What is added needs no such thing: the model learns from the number on that it has come to.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

from filterd.classifier.lesson import AUTO, Lesson, spread, squeeze
from filterd.classifier.order import Entry
from filterd.classifier.writing import like_folder
from filterd.store.embedded import ConnectionPool, Schema, open_database, transaction

NAME: Final = "lessons.sqlite"
BUSY: Final = 10.0  # seconds to wait for another process that writes; each writes for milliseconds
MAX_ROWS: Final = 1_000_000  # lessons whose digests are known, some 120 bytes each; the oldest go first
PAGE: Final = 500  # rows fetched at once

REVISION: Final = "revision"
BASE: Final = "base"  # number of the last lesson that the base holds
UNDO: Final = "undo"  # how to take back the last lesson
FEATURES: Final = "features"  # format of the features that are remembered
HELD: Final = "held"  # bytes of all features that are remembered
MANY: Final = "many"  # lessons whose features are remembered

Row: TypeAlias = tuple[int, bytes, str, bool, bytes]  # number, digest, domain, whether spam, squeezed features

_SCHEMA: Final = Schema(
    1,
    (
        (
            "CREATE TABLE lessons (seq INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL, domain TEXT NOT NULL,"
            " spam INTEGER NOT NULL, source TEXT NOT NULL, at REAL NOT NULL, features BLOB, UNIQUE (digest, domain))"
        ),
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    ),
)
SCHEMA_VERSION: Final = _SCHEMA.version


class MemoryLostError(Exception):
    """What was learnt cannot be read or written; the text says why."""


class Became(StrEnum):
    """What became of a lesson, or of one that was to be forgotten."""

    LEARNT = "learnt"
    KNOWN = "known"  # it had been learnt as the same, or a person has said what it is
    CHANGED = "changed"  # it had been learnt as the other: that is forgotten
    FORGOTTEN = "forgotten"
    UNKNOWN = "unknown"  # it had not been learnt
    TOO_OLD = "too_old"  # it is part of the base


class Change:
    """Inside one transaction: lessons come and go."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Made by `LessonMemory.changing`."""
        self._connection = connection

    def add(self, lesson: Lesson) -> Became:
        """Take a lesson."""
        key = (lesson.digest, lesson.domain)
        row = self._connection.execute(
            "SELECT spam, source, features IS NOT NULL FROM lessons WHERE digest = ? AND domain = ?", key
        ).fetchone()
        became = Became.LEARNT
        if row is not None:
            if bool(row[0]) == lesson.spam:
                if lesson.source != row[1] and row[1] == AUTO:  # a person has confirmed it
                    self._connection.execute(
                        "UPDATE lessons SET source = ? WHERE digest = ? AND domain = ?", (lesson.source, *key)
                    )
                return Became.KNOWN
            if lesson.source == AUTO:
                return Became.KNOWN
            self._remove(key, remembered=bool(row[2]))
            became = Became.CHANGED
        features = squeeze(lesson.features)
        self._connection.execute(
            "INSERT INTO lessons (digest, domain, spam, source, at, features) VALUES (?, ?, ?, ?, ?, ?)",
            (*key, lesson.spam, lesson.source, lesson.at, features),
        )
        self.put(HELD, self.number(HELD) + len(features))
        self.put(MANY, self.number(MANY) + 1)
        return became

    def forget(self, digest: bytes) -> Became:
        """Take out what was learnt of a message, for whichever domains."""
        rows = self._connection.execute(
            "SELECT domain, features IS NOT NULL FROM lessons WHERE digest = ?", (digest,)
        ).fetchall()
        if not rows:
            return Became.UNKNOWN
        if not all(remembered for _, remembered in rows):
            return Became.TOO_OLD
        for domain, _ in rows:
            self._remove((digest, domain), remembered=True)
        return Became.FORGOTTEN

    def _remove(self, key: tuple[bytes, str], *, remembered: bool) -> None:
        held = self._connection.execute(
            "DELETE FROM lessons WHERE digest = ? AND domain = ? RETURNING length(features)", key
        ).fetchone()
        if remembered:
            self.put(HELD, self.number(HELD) - held[0])
            self.put(MANY, self.number(MANY) - 1)
            self.put(REVISION, self.number(REVISION) + 1)

    def clear(self) -> None:
        """Forget everything."""
        revision = self.number(REVISION)
        self._connection.execute("DELETE FROM lessons")
        self._connection.execute("DELETE FROM facts WHERE name <> ?", (FEATURES,))
        self.put(REVISION, revision + 1)

    def settle(self, last: int) -> None:
        """Lessons up to that number are in the base now: drop their features, and the digests of the oldest.

        What is left is mixed anew, so that the model must be too.
        """
        self._connection.execute("UPDATE lessons SET features = NULL WHERE seq <= ?", (last,))
        self.put(BASE, last)
        held, left = self._connection.execute(
            "SELECT coalesce(sum(length(features)), 0), count(features) FROM lessons"
        ).fetchone()
        self.put(HELD, held)
        self.put(MANY, left)
        self.put(REVISION, self.number(REVISION) + 1)
        many = self._connection.execute("SELECT count(*) FROM lessons").fetchone()[0]
        self._connection.execute(
            "DELETE FROM lessons WHERE seq IN (SELECT seq FROM lessons WHERE features IS NULL ORDER BY seq LIMIT ?)",
            (max(many - MAX_ROWS, 0),),
        )

    def number(self, name: str) -> int:
        """A fact that is a number, 0 where it was never written."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row is not None else 0

    def text(self, name: str) -> str:
        """A fact that is a text, empty where it was never written."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row is not None else ""

    def blob(self, name: str) -> bytes:
        """A fact that is bytes, empty where it was never written."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row is not None else b""

    def put(self, name: str, value: int | str | bytes) -> None:
        """Write a fact."""
        self._connection.execute(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    def last(self) -> int:
        """The number of the last lesson, 0 where there is none."""
        return int(self._connection.execute("SELECT coalesce(max(seq), 0) FROM lessons").fetchone()[0])

    def after(self, number: int, limit: int = PAGE) -> list[Row]:
        """The next lessons behind that number whose features are remembered, in order."""
        rows = self._connection.execute(
            "SELECT seq, digest, domain, spam, features FROM lessons"
            " WHERE seq > ? AND features IS NOT NULL ORDER BY seq LIMIT ?",
            (number, limit),
        ).fetchall()
        return [(seq, digest, domain, bool(spam), features) for seq, digest, domain, spam, features in rows]

    def all(self) -> list[Lesson]:
        """Every lesson whose features are remembered, in order."""
        rows = self._connection.execute(
            "SELECT digest, spam, features, domain, source, at FROM lessons WHERE features IS NOT NULL ORDER BY seq"
        ).fetchall()
        return [Lesson(digest, bool(spam), spread(kept), *others) for digest, spam, kept, *others in rows]

    def oldest(self, many: int) -> list[Entry]:
        """The oldest lessons whose features are remembered."""
        rows = self._connection.execute(
            "SELECT seq, digest, spam FROM lessons WHERE features IS NOT NULL ORDER BY seq LIMIT ?", (many,)
        ).fetchall()
        return [(seq, digest, bool(spam)) for seq, digest, spam in rows]

    def named(self, numbers: Sequence[int]) -> list[Row]:
        """These lessons, at most PAGE of them, in this order."""
        marks = ",".join("?" * len(numbers))
        rows = self._connection.execute(
            f"SELECT seq, digest, domain, spam, features FROM lessons WHERE seq IN ({marks})",  # noqa: S608  # question marks only
            tuple(numbers),
        ).fetchall()
        found = {row[0]: (row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows}
        return [found[number] for number in numbers if number in found]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many lessons of each label and source there are, as counts["spam"]["user"]."""
        found: dict[str, dict[str, int]] = {"spam": {}, "ham": {}}
        for spam, source, many in self._connection.execute(
            "SELECT spam, source, count(*) FROM lessons GROUP BY spam, source"
        ):
            found["spam" if spam else "ham"][source] = many
        return found


class LessonMemory:
    """The file. Opened at the first call, in the process that makes it; any thread may call."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that model and memory share."""
        self.path = folder / NAME
        self._pool = ConnectionPool(self._open)

    def _open(self) -> sqlite3.Connection:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            like_folder(fd, self.path.parent)
        finally:
            os.close(fd)
        return open_database(self.path, _SCHEMA, synchronous="FULL", busy=BUSY)

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """One transaction, kept where nothing is raised. MemoryLostError."""
        with self._bounded() as connection, transaction(connection):
            yield Change(connection)

    @contextmanager
    def looking(self) -> Iterator[Change]:
        """For reading; each statement sees what is there then. MemoryLostError."""
        with self._bounded() as connection:
            yield Change(connection)

    @contextmanager
    def _bounded(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise MemoryLostError(f"{self.path}: {error}") from error

    def chosen(self, numbers: Sequence[int]) -> Iterator[Row]:
        """These lessons in this order; what was forgotten meanwhile is left out. MemoryLostError."""
        for start in range(0, len(numbers), PAGE):
            with self.looking() as look:
                rows = look.named(numbers[start : start + PAGE])
            yield from rows

    def lessons(self, number: int, batch: int = PAGE) -> Iterator[Sequence[Row]]:
        """All lessons behind that number, in batches, each read when it is wanted. MemoryLostError."""
        while True:
            with self.looking() as look:
                rows = look.after(number, batch)
            if not rows:
                return
            yield rows
            number = rows[-1][0]

    def close(self) -> None:
        """Close the file."""
        self._pool.close()

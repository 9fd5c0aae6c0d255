"""`filterd learn spam|ham|forget`: messages from files are read in inspectors, and what they teach goes to the model.

The model and its memory never see the mail: an inspector gives numbers for it and a name, the digest. What was learnt
before is known by that name, so that a run that was ended can be started again.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from filterd.classifier.lesson import Lesson, usable
from filterd.classifier.memory import Became
from filterd.inspectors import InspectorFailure
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from filterd.operations.rules_backtest import Labelled, mailbox
from filterd.pipeline.body import Body
from filterd.pipeline.parts import Inspect

SECONDS: Final = 60.0  # an inspector may take for one message: nobody waits for a reply here
BATCH: Final = 200  # messages that are read, and then learnt as one: what a run that is killed has to do again
# What stands beside messages in a Maildir, and is none.
_BESIDE: Final = ("dovecot", "courier", "maildirfolder", "subscriptions", ".")
_UNFINISHED: Final = "tmp"  # folder of a Maildir where mail is that is just being delivered


class Teach(Protocol):
    """Where lessons go: the file of this host, or what all nodes share."""

    def learn(self, lessons: Sequence[Lesson]) -> list[Became]:
        """Learn these; what became of each."""

    def forget(self, digests: Sequence[bytes]) -> list[Became]:
        """Forget these; what became of each."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one message; `problem` says why nothing did."""

    file: str
    became: str
    problem: str = ""


@dataclass(slots=True)
class Summary:
    """What became of all of them."""

    messages: int = 0
    problems: int = 0
    became: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        """Count one message."""
        self.messages += 1
        self.problems += bool(row.problem)
        if row.became:
            self.became[row.became] += 1

    def as_json(self) -> dict[str, object]:
        """The last line of --json."""
        return {"messages": self.messages, "problems": self.problems, **dict(sorted(self.became.items()))}


@dataclass(frozen=True, slots=True)
class _Read:
    """A message as an inspector gives it."""

    file: str
    digest: bytes = b""
    features: bytes = b""
    problem: str = ""


def messages(paths: Sequence[Path]) -> Iterator[Labelled]:
    """The messages of files, mailboxes, Maildirs and folders, in order of their names. OSError."""
    for path in paths:
        if path.is_dir():
            for entry in sorted(path.rglob("*")):
                hidden = entry.name.startswith(_BESIDE) or entry.parent.name == _UNFINISHED
                if entry.is_file() and not hidden:
                    yield from mailbox(entry) or [Labelled(entry)]
        else:
            yield from mailbox(path) or [Labelled(path)]


@dataclass(frozen=True)
class School:
    """What teaching works with: inspectors, how many there are, where lessons go, and the clock."""

    inspect: Inspect
    workers: int
    teach: Teach
    clock: Callable[[], float] = time.time

    def learn(
        self, mail: Sequence[Labelled], *, spam: bool, domain: str = "", raw: bytes | None = None
    ) -> Iterator[Row]:
        """Have all of it learnt, batch after batch; `raw` is the one message where it came from nowhere."""
        for batch in self._batches(mail, raw):
            lessons = [
                Lesson(one.digest, spam, one.features, domain, at=self.clock()) for one in batch if not one.problem
            ]
            yield from _rows(batch, self.teach.learn(lessons) if lessons else [])

    def forget(self, mail: Sequence[Labelled], *, raw: bytes | None = None) -> Iterator[Row]:
        """Have all of it forgotten, batch after batch."""
        for batch in self._batches(mail, raw):
            digests = [one.digest for one in batch if not one.problem]
            yield from _rows(batch, self.teach.forget(digests) if digests else [])

    def _batches(self, mail: Sequence[Labelled], raw: bytes | None) -> Iterator[list[_Read]]:
        with ThreadPoolExecutor(self.workers) as pool:
            for start in range(0, len(mail), BATCH):
                yield list(pool.map(lambda one: self._read(one, raw), mail[start : start + BATCH]))

    def _read(self, message: Labelled, raw: bytes | None) -> _Read:
        try:
            return self._inspected(message.name, _bytes(message) if raw is None else raw)
        except OSError as error:
            return _Read(message.name, problem=f"cannot be read: {error.strerror or error}")

    def _inspected(self, name: str, raw: bytes) -> _Read:
        if raw.count(b"\n") != raw.count(b"\r\n"):  # files on disk; an MTA would make CRLF of them too
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        fields, offset = split(raw)
        if not fields:
            return _Read(name, problem="is no message: it has no header")
        with contextlib.closing(Body()) as body:
            body.append(raw[offset:])
            job = InspectionJob(name, fields, body.size, SECONDS, self.clock(), features=True)
            try:
                facts = self.inspect.inspect(job, body.fd, time.monotonic() + SECONDS + 1)
            except InspectorFailure as error:
                return _Read(name, problem=str(error))
        if not facts.digest:
            return _Read(name, problem="; ".join(facts.problems) or "has no features")
        if not usable(facts.features):
            return _Read(name, problem="has features that cannot be learnt")
        return _Read(name, facts.digest, facts.features)


def _rows(batch: Sequence[_Read], became: Sequence[Became]) -> Iterator[Row]:
    left = iter(became)
    for one in batch:
        yield Row(one.file, "" if one.problem else next(left).value, one.problem)


def _bytes(message: Labelled) -> bytes:
    raw = message.read()
    # In a mailbox lines that begin with "From " are quoted.
    return raw.replace(b"\n>From ", b"\nFrom ") if message.number else raw

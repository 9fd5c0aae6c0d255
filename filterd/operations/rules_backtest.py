"""`filterd rules backtest` and `profile`: rules over messages that are there already, in inspectors, nothing kept.

What has been done can be written to a state file, one JSON line for each message, so that a run that was ended goes on
where it was.
"""

import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from filterd.inspectors import InspectorFailure
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob
from filterd.operations.scan import MAX_FILE, messages_in
from filterd.pipeline.body import Body
from filterd.pipeline.parts import Inspect

SECONDS: Final = 60.0  # an inspector may take for one message: patience costs nobody a reply here
WINDOW: Final = 4  # messages per worker that are in memory at the same time
COST: Final = "file:"  # before the name of a rule file in an inspection's times, where a profile was wanted
_INDEX: Final = ".tsv"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message's file and what an index says it is, empty where nothing says so.

    Of a mailbox it is the message with that number, at `start` and `size` bytes long; else the number is 0. What lies
    in no file of its own is read by `source`, and `path` is its name.
    """

    path: Path
    label: str = ""
    number: int = 0
    start: int = 0
    size: int = MAX_FILE
    source: Callable[[], bytes] | None = None  # OSError

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.path}:{self.number}" if self.number else str(self.path)

    def read(self) -> bytes:
        """Its bytes. OSError."""
        if self.source is not None:
            return self.source()
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


class Row(msgspec.Struct, frozen=True):
    """One message: the rules that matched with the parts they matched in, and milliseconds of all rules together.

    `problem` says why not everything was asked; `costs` are milliseconds by rule file where they were measured.
    """

    file: str
    label: str
    rules: dict[str, list[str]]
    ms: float
    problem: str = ""
    costs: dict[str, float] = {}


class StateError(ValueError):
    """The state file belongs to something else; the text says to what."""


class _Head(msgspec.Struct, frozen=True):
    """The first line of a state file: what was asked of it."""

    asked: str


@dataclass(slots=True)
class Summary:
    """What a run found, all messages together."""

    messages: int = 0
    hit: int = 0
    problems: int = 0
    labels: Counter[str] = field(default_factory=Counter)  # messages
    hits: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # rule -> label -> messages
    hit_labels: Counter[str] = field(default_factory=Counter)  # messages that anything hit
    costs: Counter[str] = field(default_factory=Counter)  # milliseconds by rule file
    times: list[float] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count one message."""
        self.messages += 1
        self.labels[row.label] += 1
        self.problems += bool(row.problem)
        self.times.append(row.ms)
        self.costs.update(row.costs)
        if row.rules:
            self.hit += 1
            self.hit_labels[row.label] += 1
        for rule in row.rules:
            self.hits[rule][row.label] += 1

    def ms(self) -> dict[str, float]:
        """Milliseconds of the rules: all, mean, 99th percentile, worst message."""
        times = sorted(self.times) or [0.0]
        return {
            "total": round(sum(times), 1),
            "mean": round(sum(times) / len(times), 3),
            "p99": round(times[int(0.99 * (len(times) - 1))], 3),
            "max": round(times[-1], 3),
        }

    def as_json(self) -> dict[str, object]:
        """The last line of --json."""
        return {
            "messages": self.messages,
            "hit": self.hit,
            "problems": self.problems,
            "labels": {
                label: {"messages": count, "hit": self.hit_labels[label]}
                for label, count in sorted(self.labels.items())
            },
            "rules": {rule: dict(sorted(found.items())) for rule, found in sorted(self.hits.items())},
            "ms": self.ms(),
        }


def corpus(path: Path) -> list[Labelled]:
    """The messages of a folder, a file, a mailbox, or an index: `label ... path` a line, parted by tabs or a blank.

    Paths in an index are relative to it. OSError; ValueError names a line that is none.
    """
    if path.is_dir():
        return [Labelled(entry) for entry in messages_in([path]) if entry.suffix != _INDEX]
    if path.suffix != _INDEX and path.name != "index":
        return mailbox(path) or [Labelled(path)]
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("\t") if "\t" in line else line.split(" ", 1)
        if not line.strip():
            continue
        if len(words) < 2 or not words[0]:  # noqa: PLR2004  # a label and a path
            raise ValueError(f"{path}:{number}: expected a label and a path, got {line!r}")
        found.append(Labelled(path.parent / words[-1], words[0]))
    return found


def mailbox(path: Path) -> list[Labelled]:
    """The messages of a mailbox in mbox format; none where the file is none."""
    found: list[Labelled] = []
    blank, at, start = True, 0, 0
    with path.open("rb") as file:
        for line in file:
            if blank and line.startswith(b"From "):
                if start:
                    found.append(Labelled(path, "", len(found) + 1, start, at - start))
                start = at + len(line)
            elif not start:
                return []
            blank = not line.strip(b"\r\n")
            at += len(line)
    return [*found, Labelled(path, "", len(found) + 1, start, at - start)] if start else []


def run(inspect: Inspect, messages: Sequence[Labelled], workers: int) -> Iterator[Row]:
    """Have every message read; rows come in the order of the messages."""
    with ThreadPoolExecutor(workers) as pool:
        window = workers * WINDOW
        for start in range(0, len(messages), window):
            yield from pool.map(lambda one: _one(inspect, one), messages[start : start + window])


def _one(inspect: Inspect, message: Labelled) -> Row:
    try:
        raw = message.read()
    except OSError as error:
        return Row(message.name, message.label, {}, 0.0, f"cannot be read: {error.strerror or error}")
    if raw.count(b"\n") != raw.count(b"\r\n"):  # files on disk; an MTA would make CRLF of them too
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    fields, offset = split(raw)
    with contextlib.closing(Body()) as body:
        body.append(raw[offset:])
        job = InspectionJob(message.name, fields, body.size, SECONDS, time.time())
        try:
            facts = inspect.inspect(job, body.fd, time.monotonic() + SECONDS + 1)
        except InspectorFailure as error:
            return Row(message.name, message.label, {}, 0.0, str(error))
    return _row(message, facts)


def _row(message: Labelled, facts: Inspection) -> Row:
    rules: dict[str, list[str]] = {}
    for hit in facts.hits:
        rules.setdefault(hit.rule, []).append(hit.part)
    costs = {name.removeprefix(COST): ms for name, ms in facts.ms.items() if name.startswith(COST)}
    cut = next((problem for problem in facts.problems if problem.startswith(("yara:", "regex:"))), "")
    ms = facts.ms.get("yara", 0.0) + facts.ms.get("regex", 0.0)
    return Row(message.name, message.label, rules, ms, cut, costs)


class State:
    """The state file of one run; `done` are the rows that an earlier one left behind."""

    def __init__(self, path: Path, asked: str) -> None:
        """Open or begin it; `asked` names rules and messages. StateError where it is of others; OSError."""
        self.done: dict[str, Row] = {}
        self._file = path.open("r+b" if path.exists() else "x+b")
        try:
            end = self._read(path, asked)
            self._file.truncate(end)  # a line that was being written when the run ended
            self._file.seek(end)
            if not end:
                self._write(_Head(asked))
        except BaseException:
            self._file.close()
            raise

    def keep(self, row: Row) -> None:
        """Write a row."""
        self._write(row)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, path: Path, asked: str) -> int:
        """Take what is there; the offset behind the last whole line."""
        end = 0
        for number, line in enumerate(_whole_lines(self._file)):
            try:
                if not number:
                    if msgspec.json.decode(line, type=_Head).asked != asked:
                        raise StateError(f"{path}: is of other rules or messages; name another file or remove it")
                else:
                    row = msgspec.json.decode(line, type=Row)
                    self.done[row.file] = row
            except msgspec.DecodeError as error:
                raise StateError(f"{path}:{number + 1}: is no state of a backtest: {error}") from None
            end += len(line)
        return end

    def _write(self, value: msgspec.Struct) -> None:
        self._file.write(msgspec.json.encode(value) + b"\n")
        self._file.flush()


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        if not line.endswith(b"\n"):
            return
        yield line


def resumed(inspect: Inspect, messages: Sequence[Labelled], workers: int, state: State | None) -> Iterator[Row]:
    """As `run`, but what the state holds is taken from it and the rest is written there.

    A label is always today's: what was held when a run was ended may have been released since.
    """
    done: Mapping[str, Row] = state.done if state is not None else {}
    left = [message for message in messages if message.name not in done]
    known = [message for message in messages if message.name in done]
    yield from [msgspec.structs.replace(done[message.name], label=message.label) for message in known]
    for row in run(inspect, left, workers):
        if state is not None:
            state.keep(row)
        yield row

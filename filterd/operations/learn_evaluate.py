"""`filterd learn evaluate`: the filter over mail whose kind is known, as it would have learnt it one by one.

Messages are read in inspectors; what comes back are the classifier's features and what the rules found. Nothing is
looked up, nothing kept, and the daemon's own model has no part in it.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from filterd.checks.classifier import graded
from filterd.classifier.calibration import probability
from filterd.classifier.evaluation import Measures, Online, Point, curve, errors, measures
from filterd.classifier.features import FeatureError, Features
from filterd.inspectors import InspectorFailure
from filterd.mime.header import split
from filterd.model.inspection import Classified, Inspection, InspectionJob
from filterd.model.report import CheckReport, Outcome
from filterd.operations.rules_backtest import Labelled
from filterd.pipeline.body import Body
from filterd.pipeline.parts import Inspect
from filterd.score import ScoreRules, score

SECONDS: Final = 60.0  # an inspector may take for one message: nobody waits for a reply here
WINDOW: Final = 16  # messages per worker that are in memory at the same time
_KINDS: Final = {"spam": True, "ham": False}
_TIE: Final = (
    1e-6  # points for each unit of the margin: the order of messages that the rules make no difference between
)


class Layers(StrEnum):
    """Whose opinion is measured."""

    CLASSIFIER = "classifier"  # the margin of what has been learnt
    RULES = "rules"  # the score of heuristics, YARA and regex rules, which ask nothing of the network
    ALL = "all"  # the score of both


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is done. `delay` messages pass before a kind is told; None: it never is, behind the first `train`."""

    layers: Layers = Layers.CLASSIFIER
    delay: int | None = 0
    train: int = 0
    least: int = 0  # messages of each kind before the classifier counts in `all`


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it; times are milliseconds a message."""

    measures: Measures
    curve: tuple[Point, ...]
    thresholds: dict[str, tuple[float, float]]  # action -> percent of ham that gets it, percent of spam that does not
    seconds: float
    ms: dict[str, float]
    unread: int = 0

    def as_json(self) -> dict[str, Any]:
        """The line of --json."""
        named = {
            action: {"ham_percent": ham, "missed_spam_percent": missed}
            for action, (ham, missed) in self.thresholds.items()
        }
        return {
            **asdict(self.measures),
            "seconds": round(self.seconds, 3),
            "ms": self.ms,
            "thresholds": named,
            "unread": self.unread,
            "curve": [asdict(point) for point in self.curve],
        }


@dataclass(slots=True)
class Evaluation:
    """One run: takes messages in their order. `actions` are the configured thresholds in points."""

    plan: Plan
    scores: ScoreRules
    actions: dict[str, float]
    clock: Callable[[], float] = time.perf_counter
    _said: list[float] = field(default_factory=list)
    _points: list[float] = field(default_factory=list)
    _truth: list[bool] = field(default_factory=list)
    _ms: dict[str, float] = field(default_factory=dict)
    _learnt: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    _seen: int = 0
    _unread: int = 0

    def run(self, inspect: Inspect, messages: Sequence[Labelled], workers: int) -> Iterator[Labelled]:
        """Read, judge and learn; gives each message when it is done."""
        online = Online(self.plan.delay)
        with ThreadPoolExecutor(workers) as pool:
            for start in range(0, len(messages), workers * WINDOW):
                window = messages[start : start + workers * WINDOW]
                for message, facts in zip(window, pool.map(lambda one: _inspected(inspect, one), window), strict=True):
                    self._one(online, facts, spam=_KINDS[message.label])
                    yield message

    def result(self, seconds: float) -> Result:
        """What it comes to so far."""
        thresholds = {name: errors(self._points, self._truth, points) for name, points in self.actions.items()}
        if self.plan.layers is Layers.CLASSIFIER:
            thresholds = {"even_odds": errors(self._said, self._truth, 0.0)}
        ms = {name: round(spent / max(self._seen, 1), 4) for name, spent in self._ms.items()}
        found = measures(self._said, self._truth)
        return Result(found, tuple(curve(self._said, self._truth)), thresholds, seconds, ms, self._unread)

    def _one(self, online: Online, facts: Inspection | None, *, spam: bool) -> None:
        self._seen += 1
        if facts is None:
            self._unread += 1
            return
        try:
            features = Features.unpack(facts.features)
        except FeatureError:
            self._unread += 1
            return
        self._ms["features"] = self._ms.get("features", 0.0) + facts.ms.get("classifier", 0.0)
        self._ms["inspector"] = self._ms.get("inspector", 0.0) + sum(facts.ms.values())
        if self._seen <= self.plan.train:
            online.teach(features, spam=spam)
            self._learnt[spam] += 1
            return
        start = self.clock()
        margin = online.judge(features)
        judged = self.clock()
        points = self._points_of(facts, margin)
        self._points.append(points)
        self._said.append(margin if self.plan.layers is Layers.CLASSIFIER else points + margin * _TIE)
        self._truth.append(spam)
        told = self.clock()
        online.told(features, spam=spam)
        self._learnt[spam] += self.plan.delay is not None
        self._ms["judging"] = self._ms.get("judging", 0.0) + 1000 * (judged - start)
        self._ms["learning"] = self._ms.get("learning", 0.0) + 1000 * (self.clock() - told)

    def _points_of(self, facts: Inspection, margin: float) -> float:
        """The score of the layers that are measured."""
        reports = []
        if self.plan.layers is not Layers.RULES and min(self._learnt.values()) >= self.plan.least:
            reports.append(CheckReport("classifier", Outcome.OK, graded(Classified(margin, probability(margin)), ())))
        if self.plan.layers is Layers.CLASSIFIER:
            return 0.0
        return score([CheckReport("content", Outcome.OK, facts.findings), *reports], self.scores, facts.hits).total


def read_index(path: Path) -> list[Labelled]:
    """The messages of a TREC style index: `spam|ham PATH` a line, paths relative to it. OSError; ValueError.

    Fields parted by tabs may have others between the two.
    """
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        words = line.split("\t") if "\t" in line else line.split(maxsplit=1)
        if len(words) < 2 or words[0].lower() not in _KINDS:  # noqa: PLR2004  # a kind and a path
            raise ValueError(f"{path}:{number}: expected spam or ham and a path, got {line!r}")
        found.append(Labelled(path.parent / words[-1].strip(), words[0].lower()))
    return found


def shuffled(messages: Sequence[Labelled], seed: int) -> list[Labelled]:
    """The same in another order, the same for each seed."""
    return random.Random(seed).sample(messages, len(messages))  # noqa: S311  # an order that can be had again


def _inspected(inspect: Inspect, message: Labelled) -> Inspection | None:
    """What an inspector makes of a file; None where it cannot be read, or not be inspected."""
    try:
        raw = message.path.read_bytes()
    except OSError:
        return None
    if raw.count(b"\n") != raw.count(b"\r\n"):  # files on disk; an MTA would make CRLF of them too
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    fields, offset = split(raw)
    with contextlib.closing(Body()) as body:
        body.append(raw[offset:])
        job = InspectionJob(message.name, fields, body.size, SECONDS, time.time(), features=True)
        try:
            return inspect.inspect(job, body.fd, time.monotonic() + SECONDS + 1)
        except InspectorFailure:
            return None

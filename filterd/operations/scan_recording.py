"""The DNS answers that scanned messages used, in a file: the same scan again, without a network, as of then.

The file is JSON as evidence is: `answers` and `received` (epoch seconds) of an object, whose other keys do not matter.
So an evidence file is a recording too, and so is what `filterd quarantine show --json` prints.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from filterd.dns.lookups import BUDGET, Lookups
from filterd.dns.recording import NOT_RECORDED, ReplayResolver, from_plain, open_to_others, to_plain
from filterd.model.custody import EVIDENCE_VERSION
from filterd.model.dns import Answer, Question
from filterd.pipeline.parts import Parts
from filterd.pipeline.transaction import Transaction
from filterd.quarantine.evidence import from_json, to_json

MAX_RECORDING: Final = 256 << 20  # bytes read of a file; a message uses some dozens of answers of some hundred bytes
LATEST: Final = 32_503_680_000.0  # epoch seconds; the year 3000, far beyond any clock that is merely wrong


class RecordingError(ValueError):
    """This is no recording; the text names the key and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """When messages were judged (epoch seconds), and the answers they used."""

    received: float
    answers: tuple[Answer, ...]


class Recorder:
    """Collects what messages used. One thread."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._received: float | None = None
        self._answers: dict[Question, Answer] = {}

    def add(self, transaction: Transaction) -> None:
        """Take one more message; where two were answered differently, the first counts, unless it was not answered."""
        self._received = min(self._received or transaction.now, transaction.now)
        for answer in transaction.lookups.answers.values():
            known = self._answers.get(answer.question)
            if answer.cause != NOT_RECORDED and (known is None or known.cause == BUDGET):
                self._answers[answer.question] = answer

    def recording(self) -> Recording:
        """All of it."""
        return Recording(self._received or 0.0, tuple(self._answers.values()))


def dump(recording: Recording) -> bytes:
    """The file."""
    answers = to_plain(open_to_others(recording.answers))
    return to_json({"version": EVIDENCE_VERSION, "received": recording.received, "answers": answers})


def load(data: bytes) -> Recording:
    """The recording in a file's bytes. RecordingError."""
    try:
        plain = from_json(data)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"no JSON: {error}") from error
    if isinstance(plain, dict) and isinstance(plain.get("evidence"), dict):
        plain = plain["evidence"]
    if not isinstance(plain, dict):
        raise RecordingError("expected an object with the keys `received` and `answers`")
    return Recording(_received(plain), _answers(plain))


def _received(plain: dict[str, Any]) -> float:
    if plain.get("version") != EVIDENCE_VERSION:
        raise RecordingError(f"version: expected {EVIDENCE_VERSION}")
    received = plain.get("received")
    # A bool is an int, but no time; JSON has no infinity and no NaN.
    if isinstance(received, int | float) and not isinstance(received, bool) and 0 <= received < LATEST:
        return float(received)
    raise RecordingError("received: expected a time in seconds since 1970")


def _answers(plain: dict[str, Any]) -> tuple[Answer, ...]:
    if "answers" not in plain:
        raise RecordingError("answers: missing")
    try:
        return from_plain(plain["answers"])
    except ValueError as error:
        raise RecordingError(f"answers{error}") from error


class Offline:
    """Parts that judge from a recording: every question is answered from it, and it is then."""

    def __init__(self, parts: Parts, recording: Recording) -> None:
        """`parts` are a scanner's; what they ask with is left out."""
        self._resolver = ReplayResolver(recording.answers)
        # The replay answers every question at once, so nothing is ever handed to a loop; a closed one takes nothing.
        self._loop = asyncio.new_event_loop()
        self._loop.close()
        self.parts = replace(
            parts,
            lookups=lambda: Lookups(self._resolver, self._loop, clock=lambda: recording.received),
            clock=lambda: recording.received,
        )

    @property
    def missing(self) -> Iterable[Question]:
        """Questions that the recording does not answer, in the order of asking."""
        return tuple(self._resolver.missing)

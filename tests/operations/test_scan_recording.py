"""Recordings of scans: the same answers and the same moment again, and what is no recording is named."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from filterd.dns.lookups import BUDGET
from filterd.dns.recording import NOT_RECORDED
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.operations.scan import Scanned, Session, scan
from filterd.operations.scan_recording import Offline, Recorder, Recording, RecordingError, dump, load
from filterd.pipeline.records import evidence_of
from filterd.quarantine.evidence import encode
from tests.pipeline.fakes import NOW, FakeCheck, Front

RAW = b"Subject: x\r\nFrom: anna@sender.test\r\n\r\nHello\r\n"
SESSION = Session("198.51.100.7", mail_from="anna@sender.test")
TEXT = Answer(Question("sender.test", RRType.TXT), AnswerStatus.NOERROR, ("v=spf1 \0beef\xff -all",), 60, received=NOW)
# Its NUL and the digits behind it are what evidence escapes with.
FAILED = Answer(Question("a.test", RRType.A), AnswerStatus.TEMPFAIL, rcode=2, received=NOW, cause="servfail")


def _answers(front: Front, *used: Answer) -> Scanned:
    """A scanned message that used these answers."""
    outcome = scan(front.parts(), "x", RAW, SESSION)
    outcome.transaction.lookups.answers.update({answer.question: answer for answer in used})
    return outcome


def test_what_is_saved_is_what_was_used(front: Front) -> None:
    """Every answer with every byte, and the moment."""
    recorder = Recorder()
    recorder.add(_answers(front, TEXT, FAILED).transaction)
    assert load(dump(recorder.recording())) == Recording(NOW, (TEXT, FAILED))


def test_the_first_answer_counts_unless_it_was_none(front: Front) -> None:
    """Of several messages: a question that one of them could not ask is answered by the next."""
    spent = replace(TEXT, status=AnswerStatus.TEMPFAIL, records=(), cause=BUDGET)
    unknown = replace(TEXT, status=AnswerStatus.TEMPFAIL, records=(), cause=NOT_RECORDED)
    recorder = Recorder()
    for answer in (unknown, spent, TEXT, replace(TEXT, ttl=1)):
        recorder.add(_answers(front, answer).transaction)
    assert recorder.recording().answers == (TEXT,)


def test_evidence_is_a_recording(front: Front) -> None:
    """As the quarantine keeps it, and as `quarantine show --json` prints it."""
    outcome = _answers(front, TEXT)
    evidence = encode(evidence_of(outcome.transaction, outcome.verdict, "ff"))
    assert load(evidence) == Recording(NOW, (TEXT,))
    shown = json.dumps({"id": "1", "evidence": json.loads(evidence) | {"answers": []}}).encode()
    assert load(shown) == Recording(NOW, ())


def test_offline_it_is_then_and_only_the_recording_answers(front: Front) -> None:
    """No question reaches a resolver; what is missing is TEMPFAIL with its cause, and named."""
    other = Question("other.test", RRType.A)
    seen: list[tuple[float, tuple[Answer, ...]]] = []

    class Asking(FakeCheck):
        """Asks for what is recorded and for what is not."""

        def run(self, view: Any) -> Plan[CheckReport]:
            seen.append((view.now, (yield (TEXT.question, other))))
            return CheckReport(self.name, Outcome.OK)

    then = Recording(1_000.0, (TEXT,))
    offline = Offline(replace(front, checks=(Asking("spf", Stage.MAIL),)).parts(), then)
    scan(offline.parts, "x", RAW, SESSION)
    missing = Answer(other, AnswerStatus.TEMPFAIL, cause=NOT_RECORDED)
    assert seen == [(1_000.0, (TEXT, missing))]
    assert list(offline.missing) == [other]
    assert front.resolver.asked == []


def _broken() -> Iterator[tuple[bytes, str]]:
    good: dict[str, Any] = json.loads(dump(Recording(NOW, (TEXT,))))
    yield b"", "no JSON: "
    yield b"\xff", "no JSON: "
    yield b"[" * 100_000, "no JSON: "
    yield b"[]", "expected an object with the keys `received` and `answers`"
    yield b"{}", "version: expected 1"
    for change, text in (
        ({"version": 2}, "version: expected 1"),
        ({"version": None}, "version: expected 1"),
        ({"received": "now"}, "received: expected a time in seconds since 1970"),
        ({"received": -1}, "received: expected a time in seconds since 1970"),
        ({"received": 1e300}, "received: expected a time in seconds since 1970"),
        ({"received": True}, "received: expected a time in seconds since 1970"),
        ({"answers": {}}, "answers: expected a list"),
        ({"answers": [{}]}, "answers[0]: Object missing required field `question`"),
        ({"answers": [good["answers"][0] | {"ttl": []}]}, "answers[0].ttl: Expected `int`, got `array`"),
    ):
        yield json.dumps(good | change).encode(), text
    del good["answers"]
    yield json.dumps(good).encode(), "answers: missing"


@pytest.mark.parametrize(("data", "text"), [*_broken()])
def test_what_is_no_recording_is_named(data: bytes, text: str) -> None:
    """One error that says which key is wrong, whatever the bytes."""
    with pytest.raises(RecordingError) as caught:
        load(data)
    assert str(caught.value).startswith(text)

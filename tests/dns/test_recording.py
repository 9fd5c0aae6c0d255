"""Recordings: answers survive the round trip, and the replay knows what it does not know."""

import asyncio

import pytest

from filterd.dns.plans import complete
from filterd.dns.recording import ReplayResolver, load, save
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType

ANSWERS = (
    Answer(
        Question("a.test", RRType.TXT), AnswerStatus.NOERROR, ("v=spf1 \xff\x00\u2028".replace("\u2028", "\x85"),), 60
    ),
    Answer(
        Question("a.test", RRType.MX),
        AnswerStatus.NOERROR,
        ("m.test", "n.test"),
        5,
        0,
        authenticated=True,
        received=1.5,
    ),
    Answer(Question("b.test", RRType.A), AnswerStatus.NXDOMAIN, ttl=7, rcode=3),
    Answer(Question("c.test", RRType.A), AnswerStatus.TEMPFAIL, rcode=2, cause="servfail"),
)


def test_answers_survive_the_round_trip() -> None:
    """All fields, every byte of a TXT record, one line each."""
    text = save(ANSWERS)
    assert load(text) == ANSWERS
    assert text.count("\n") == len(ANSWERS)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "{}",
        '{"name":"a","type":"A","status":"maybe"}',
        '{"name":"a","type":"A","status":"noerror","records":"x"}',
        '{"name":1,"type":"A","status":"noerror"}',
        '{"name":"a","type":"A","status":"noerror","ttl":"1"}',
        '{"name":"a","type":"A","status":"noerror","more":1}',
        "[" * 100_000,
    ],
)
def test_a_bad_line_is_named(line: str) -> None:
    """ValueError with the line's number, whatever is wrong with it."""
    with pytest.raises(ValueError, match=r"^line 2: "):
        load("\n" + line)


def test_an_unknown_question_is_unknown() -> None:
    """TEMPFAIL "not recorded", and the replay lists it."""
    replay = ReplayResolver(ANSWERS)
    question = Question("z.test", RRType.A)
    answer = asyncio.run(replay.resolve(question))
    assert (answer.status, answer.cause) == (AnswerStatus.TEMPFAIL, "not recorded")
    assert list(replay.missing) == [question]


def test_a_plan_runs_on_a_recording() -> None:
    """Every question is answered as it was, without a loop."""

    def plan() -> Plan[tuple[Answer, ...]]:
        first = yield ANSWERS[0].question, ANSWERS[1].question
        second = yield (ANSWERS[3].question,)
        return first + second

    assert complete(plan(), ReplayResolver(ANSWERS).peek) == (ANSWERS[0], ANSWERS[1], ANSWERS[3])

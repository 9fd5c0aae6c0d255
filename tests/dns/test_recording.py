"""Recordings: answers survive the round trip, and the replay knows what it does not know."""

import asyncio
import json
import re
from typing import Any

import pytest

from filterd.dns.plans import complete
from filterd.dns.recording import ReplayResolver, from_plain, to_plain
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


GOOD: dict[str, Any] = {"question": ["a", "A"], "status": "noerror", "records": ["192.0.2.1"]}


def test_answers_survive_the_round_trip() -> None:
    """All fields, every byte of a TXT record."""
    assert from_plain(json.loads(json.dumps(to_plain(ANSWERS)))) == ANSWERS


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"status": "maybe"}, "[1].status: Invalid enum value 'maybe'"),
        ({"records": "x"}, "[1].records: Expected `array`, got `str`"),
        ({"records": []}, "[1].records: noerror has records, every other status has none"),
        ({"status": "nxdomain"}, "[1].records: noerror has records, every other status has none"),
        ({"records": ["192.0.2.1", "192.0.2.256"]}, "[1].records[1]: Octet 256"),
        ({"question": ["a", "AAAA"]}, "[1].records[0]: "),
        ({"question": ["a", "TXT"], "records": ["\u0100"]}, "[1].records[0]: "),
        ({"question": ["a", "SRV"]}, "[1].question[1]: Invalid enum value 'SRV'"),
        ({"question": "a A"}, "[1].question: Expected `array`, got `str`"),
        ({"question": None}, "[1].question: Expected `array`, got `null`"),
        ({"ttl": "1"}, "[1].ttl: Expected `int`, got `str`"),
        ({"records_": []}, "[1].records_: unknown key"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], text: str) -> None:
    """ValueError with the place of the key, whatever is wrong with it."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        from_plain([GOOD, GOOD | change])


@pytest.mark.parametrize("plain", [None, "[]", {}, 1, [None], ["x"], [[]], [{}]])
def test_what_is_no_list_of_answers(plain: Any) -> None:
    """ValueError, whatever stands there."""
    with pytest.raises(ValueError, match=r"^(\[0\])?: "):
        from_plain(plain)


def test_an_unknown_question_is_unknown() -> None:
    """TEMPFAIL "not in the recording", and the replay lists it."""
    replay = ReplayResolver(ANSWERS)
    question = Question("z.test", RRType.A)
    answer = asyncio.run(replay.resolve(question))
    assert (answer.status, answer.cause) == (AnswerStatus.TEMPFAIL, "not in the recording")
    assert list(replay.missing) == [question]


def test_a_plan_runs_on_a_recording() -> None:
    """Every question is answered as it was, without a loop."""

    def plan() -> Plan[tuple[Answer, ...]]:
        first = yield ANSWERS[0].question, ANSWERS[1].question
        second = yield (ANSWERS[3].question,)
        return first + second

    assert complete(plan(), ReplayResolver(ANSWERS).peek) == (ANSWERS[0], ANSWERS[1], ANSWERS[3])

"""Keys of paid block lists in recorded answers."""

from filterd.config.secrets import remember_label
from filterd.dns.recording import ReplayResolver, open_to_others
from filterd.model.dns import Answer, AnswerStatus, Question, RRType


def _answer(name: str) -> Answer:
    return Answer(Question(name, RRType.A), AnswerStatus.NOERROR, ("127.0.0.2",))


def test_a_recording_has_no_key_and_answers_whoever_has_one() -> None:
    """The question is kept without it, and asked with the same key or the next the answer is found."""
    remember_label("oldkey1")
    kept = open_to_others([_answer("2.0.0.127.oldkey1.zen.dq.test"), _answer("example.org")])
    assert [answer.question.name for answer in kept] == ["2.0.0.127.[secret].zen.dq.test", "example.org"]
    remember_label("newkey2")
    resolver = ReplayResolver(kept)
    for key in ("oldkey1", "newkey2"):
        asked = Question(f"2.0.0.127.{key}.zen.dq.test", RRType.A)
        found = resolver.peek(asked)
        assert (found.question, found.records) == (asked, ("127.0.0.2",))
    assert resolver.missing == {}


def test_what_is_missing_is_named_without_the_key() -> None:
    """`filterd replay` shows it."""
    remember_label("oldkey1")
    resolver = ReplayResolver([])
    resolver.peek(Question("9.9.9.9.oldkey1.zen.dq.test", RRType.A))
    assert [question.name for question in resolver.missing] == ["9.9.9.9.[secret].zen.dq.test"]

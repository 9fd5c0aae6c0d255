"""Answers kept as text, and a resolver that gives them again: the same message without a network."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from filterd.model.dns import Answer, AnswerStatus, Question, RRType

NOT_RECORDED = "not recorded"


class ReplayResolver:
    """Gives recorded answers, and TEMPFAIL "not recorded" for everything else; `missing` keeps those questions."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        """Where a question was answered twice, the later answer counts."""
        self._answers = {answer.question: answer for answer in answers}
        self.missing: dict[Question, None] = {}  # in the order of asking

    def peek(self, question: Question) -> Answer:
        """The recorded answer, always at once."""
        answer = self._answers.get(question)
        if answer is None:
            self.missing[question] = None
            return Answer(question, AnswerStatus.TEMPFAIL, cause=NOT_RECORDED)
        return answer

    def ask(self, question: Question, done: Callable[[Answer], None]) -> None:
        """The same through a callback."""
        done(self.peek(question))

    async def resolve(self, question: Question) -> Answer:
        """The same as a coroutine."""
        return self.peek(question)


def to_dict(answer: Answer) -> dict[str, Any]:
    """An answer as plain values; what has its default value is left out."""
    plain: dict[str, Any] = {
        "name": answer.question.name,
        "type": answer.question.rtype.value,
        "status": answer.status.value,
    }
    optional = {
        "records": list(answer.records),
        "ttl": answer.ttl,
        "rcode": answer.rcode,
        "authenticated": answer.authenticated,
        "received": answer.received,
        "cause": answer.cause,
    }
    plain.update({key: value for key, value in optional.items() if value})
    return plain


def from_dict(plain: dict[str, Any]) -> Answer:
    """The answer again. ValueError where the values are not those of one."""
    known = {"name", "type", "status", "records", "ttl", "rcode", "authenticated", "received", "cause"}
    if unknown := plain.keys() - known:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    records = plain.get("records", [])
    texts = [plain.get("name"), plain.get("cause", ""), *(records if isinstance(records, list) else [None])]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("name, cause and records are texts")
    numbers = [plain.get("ttl", 0), plain.get("rcode", 0)]
    if not all(type(number) is int for number in numbers) or not isinstance(plain.get("received", 0.0), int | float):
        raise ValueError("ttl, rcode and received are numbers")
    return Answer(
        Question(plain["name"], RRType(str(plain.get("type")))),
        AnswerStatus(str(plain.get("status"))),
        tuple(records),
        plain.get("ttl", 0),
        plain.get("rcode", 0),
        authenticated=plain.get("authenticated", False) is True,
        received=float(plain.get("received", 0.0)),
        cause=plain.get("cause", ""),
    )


def save(answers: Iterable[Answer]) -> str:
    """One JSON object per line."""
    return "".join([json.dumps(to_dict(answer), ensure_ascii=True) + "\n" for answer in answers])


def load(text: str) -> tuple[Answer, ...]:
    """The answers again; empty lines are skipped. ValueError names the line that is not one."""
    answers = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            plain = json.loads(line)
            if not isinstance(plain, dict):
                raise ValueError("not an object")  # noqa: TRY004, TRY301  # one kind of error for the whole file
            answers.append(from_dict(plain))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: {error}") from error
    return tuple(answers)

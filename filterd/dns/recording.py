"""Answers kept as plain values, and a resolver that gives them again: the same message without a network."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

import msgspec

from filterd.config.secrets import masked_name
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

NOT_RECORDED: Final = "not in the recording"
_KEYS: Final = frozenset(field.name for field in fields(Answer))
_ADDRESSES: Final[Mapping[RRType, type]] = {RRType.A: IPv4Address, RRType.AAAA: IPv6Address}


class ReplayResolver:
    """Gives recorded answers; for everything else TEMPFAIL "not in the recording", and `missing` keeps the question."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        """Where a question was answered twice, the later answer counts. Keys of lists in names are not compared."""
        self._answers = {_open(answer.question): answer for answer in answers}
        self.missing: dict[Question, None] = {}  # in the order of asking

    def peek(self, question: Question) -> Answer:
        """The recorded answer, always at once."""
        asked = _open(question)
        answer = self._answers.get(asked)
        if answer is None:
            self.missing[asked] = None
            return Answer(question, AnswerStatus.TEMPFAIL, cause=NOT_RECORDED)
        return answer if answer.question == question else replace(answer, question=question)

    def ask(self, question: Question, done: Callable[[Answer], None]) -> None:
        """The same through a callback."""
        done(self.peek(question))

    async def resolve(self, question: Question) -> Answer:
        """The same as a coroutine."""
        return self.peek(question)


def open_to_others(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """The same answers to names without keys of paid lists, as they may be kept and shown.

    Replayed they answer whoever has another key by now.
    """
    return tuple([_opened(answer) for answer in answers])


def _opened(answer: Answer) -> Answer:
    question = _open(answer.question)
    return answer if question is answer.question else replace(answer, question=question)


def _open(question: Question) -> Question:
    name = masked_name(question.name)
    return question if name is question.name else question._replace(name=name)


def to_plain(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Answers as evidence holds them: an object each, the question as [name, type]."""
    plain: list[dict[str, Any]] = msgspec.to_builtins(tuple(answers))
    return plain


def from_plain(plain: Any) -> tuple[Answer, ...]:
    """The reverse of `to_plain`. ValueError says which key is wrong, and how: "[3].ttl: Expected `int`, got `str`"."""
    if not isinstance(plain, Sequence) or isinstance(plain, str):
        raise ValueError(": expected a list")  # noqa: TRY004  # one kind of error for all that is wrong
    return tuple([_answer(value, f"[{number}]") for number, value in enumerate(plain)])


def _answer(plain: Any, place: str) -> Answer:
    """One answer, with what the rest of filterd relies on made sure of."""
    if isinstance(plain, Mapping) and (unknown := plain.keys() - _KEYS):
        raise ValueError(f"{place}.{min(unknown)}: unknown key")
    try:
        answer = msgspec.convert(plain, Answer)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        raise ValueError(f"{place}{path.removesuffix('`')}: {text}") from error
    if (answer.status is AnswerStatus.NOERROR) != bool(answer.records):
        raise ValueError(f"{place}.records: noerror has records, every other status has none")
    for number, record in enumerate(answer.records):
        try:
            _check(answer.question.rtype, record)
        except ValueError as error:
            raise ValueError(f"{place}.records[{number}]: {error}") from error
    return answer


def _check(rtype: RRType, record: str) -> None:
    """ValueError where the decoder of packets cannot have given this record."""
    address = _ADDRESSES.get(rtype)
    if address is not None:
        address(record)
    record.encode("latin-1")  # UnicodeEncodeError is a ValueError

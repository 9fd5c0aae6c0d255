"""Which lookups will probably follow: guessed from the records at hand, so that a record costs one round trip.

Guesses follow the order of evaluation and its limits, but decide nothing: an answer counts only once the order has
come to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from filterd.model.authentication import SpfStatus
from filterd.model.dns import Answer, Question, RRType
from filterd.spf.macros import MacroString, as_name
from filterd.spf.record import Kind, Mechanism, Networks, Record, parse, select
from filterd.spf.values import Values, is_askable

MAX_NAMES: Final = 10  # names of one mx or one ptr; RFC 7208, section 4.6.4


@dataclass(slots=True)
class Frame:
    """A record under evaluation: the steps before `index` have been judged, the one at `index` is being judged."""

    record: Record
    domain: str
    index: int = 0


def ahead(
    frames: Iterable[Frame], values: Values, answers: Mapping[Question, Answer], *, terms: int, most: int
) -> list[Question]:
    """At most `most` questions of the next `terms` terms, innermost frame first, that have no answer yet."""
    guess = _Guess(values, answers, terms, most)
    start = 0  # the innermost frame's current term is asking; the outer frames' current term is what asks there
    for frame in frames:
        ends = guess.visit(frame.record, frame.domain, frame.index + start, free=not start)
        if guess.done or ends is SpfStatus.PASS:
            break
        start = 1
    return guess.wanted


class _Guess:
    def __init__(self, values: Values, answers: Mapping[Question, Answer], terms: int, most: int) -> None:
        self.values = values
        self.answers = answers
        self.terms = terms
        self.most = most
        self.wanted: list[Question] = []

    @property
    def done(self) -> bool:
        return self.terms < 0 or len(self.wanted) >= self.most

    def visit(self, record: Record, domain: str, start: int, *, free: bool) -> SpfStatus | None:
        """Take the terms from `start` on; `free` where the first of them has been counted already.

        The result is that of the record where the order cannot get past a term known to match; an include that
        matches ends the outer record too.
        """
        for term in record.steps[start:]:
            if isinstance(term, Networks):
                if (match := term.first(self.values.version, self.values.number)) is not None:
                    return match.qualifier
                continue
            self.terms -= not free
            free = False
            if self.done:
                return None
            if self.add(term, domain) is SpfStatus.PASS:
                return term.qualifier
        if record.redirect is not None and start <= len(record.steps):
            self.terms -= not free
            if not self.done and "p" not in record.redirect.letters:
                return self.add_record(self.named(record.redirect, domain))
        return None

    def named(self, target: MacroString, domain: str) -> str:
        """The name of a target that does not ask for %{p}."""
        return target.name if target.name is not None else target.expand_name(self.values.macros(domain, ""))

    def add(self, term: Mechanism, domain: str) -> SpfStatus | None:
        """Take one term; the result is that of an included record, as far as it is known.

        Names that only ptr lookups tell are left out: those are slow, rare and not ours to start.
        """
        if term.kind is Kind.PTR or (term.target is not None and "p" in term.target.letters):
            return None
        name = domain if term.target is None else self.named(term.target, domain)
        if term.kind is Kind.INCLUDE:
            return self.add_record(name)
        if term.kind is Kind.MX:
            answer = self.want(name, RRType.MX)
            if answer is not None and len(answer.records) <= MAX_NAMES:
                for host in answer.records:
                    self.want(as_name(host), self.values.rtype)
        else:
            self.want(name, self.values.rtype if term.kind is Kind.A else RRType.A)
        return None

    def add_record(self, name: str) -> SpfStatus | None:
        """Take a record's name, and where it is known already the record itself."""
        answer = self.want(name, RRType.TXT)
        found = [] if answer is None else select(answer.records)
        if len(found) == 1:
            record = parse(found[0])
            if isinstance(record, Record):
                return self.visit(record, name, 0, free=False)
        return None

    def want(self, name: str, rtype: RRType) -> Answer | None:
        """The answer if there is one; else the question is noted."""
        if not is_askable(name):
            return None
        question = Question(name, rtype)
        answer = self.answers.get(question)
        if answer is None and question not in self.wanted and len(self.wanted) < self.most:
            self.wanted.append(question)
        return answer

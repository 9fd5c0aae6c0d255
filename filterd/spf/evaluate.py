"""check_host (RFC 7208, section 4) as a lookup plan: asked ahead, judged in order."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from filterd.domains import normalise, normalise_address, reverse_name
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.spf.ahead import MAX_NAMES, Frame, ahead
from filterd.spf.macros import MacroString, as_name, parse_macro_string
from filterd.spf.record import Kind, Mechanism, Networks, Record, RecordError, parse, select
from filterd.spf.values import Values, address_value, is_askable

MAX_TERMS: Final = 10  # terms that ask DNS, in all records of one evaluation; RFC 7208, section 4.6.4
MAX_VOIDS: Final = 2  # lookups that find nothing; the same section
MAX_QUESTIONS: Final = 40  # lookups that the order needs; no honest record comes near, ten mx of ten hosts make 111
MAX_AHEAD: Final = 20  # lookups that are asked before the order has reached them, and may turn out not to be needed
MAX_CAUSE: Final = 200  # characters

_LOCAL: Final = frozenset("ls")  # macros that hold the sender's local part
_ODD: Final = re.compile(r"[^ -~]")


class _Stop(Exception):  # noqa: N818  # not an error: how an evaluation ends from within
    """Ends the evaluation with temperror or permerror."""

    def __init__(self, status: SpfStatus, cause: str) -> None:
        super().__init__(cause)
        self.status = status
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Judgement:
    """How one record's evaluation ended; `record` and `domain` are those whose exp= counts."""

    status: SpfStatus
    cause: str
    domain: str
    record: Record | None = None


def check_host(  # noqa: PLR0913  # RFC 7208, section 4.1 has three arguments, the macros ask for the rest
    address: str,
    domain: str,
    sender: str,
    helo: str,
    *,
    scope: SpfScope,
    receiver: str = "",
    now: float = 0.0,
    explain: bool = False,
) -> Plan[SpfResult]:
    """Whether `address` may send for `domain`: all arguments as the client gave them, `now` in epoch seconds.

    Never raises: whatever is wrong with a name, a record or a lookup is in the result's status and cause. The
    explanation is looked up on fail only, and only with `explain`.
    """
    name = normalise(domain)
    ip = normalise_address(address)
    # RFC 7208, section 4.3: a malformed or single-label domain has no policy.
    if name is None or "." not in name:
        return SpfResult(SpfStatus.NONE, name or "", scope, "not a fully qualified domain name")
    if not ip:
        return SpfResult(SpfStatus.NONE, name, scope, "no client address")
    evaluation = _Evaluation(Values.of(ip, sender, name, helo, receiver, now))
    try:
        judged = yield from evaluation.judge(name)
    except _Stop as stop:
        return SpfResult(stop.status, name, scope, _printable(stop.cause))
    explanation = ""
    if explain and judged.status is SpfStatus.FAIL:
        try:
            explanation = yield from evaluation.explain(judged)
        except _Stop:
            explanation = ""  # section 6.2: whatever is wrong with it, the result stands
    return SpfResult(judged.status, name, scope, _printable(judged.cause), explanation)


def _printable(cause: str) -> str:
    """A cause fit for a header field or a log: it may quote the record or names made from the sender's address."""
    cause = cause[:MAX_CAUSE]
    return cause if cause.isascii() and cause.isprintable() else _ODD.sub("?", cause)


class _Evaluation:
    """One run of check_host: what has been answered, and what has been used of each limit."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.answers: dict[Question, Answer] = {}
        self.needed: set[Question] = set()
        self.frames: list[Frame] = []
        self.terms = 0
        self.voids = 0
        self.ahead = MAX_AHEAD

    # Judging, in the order of the record

    def judge(self, domain: str) -> Plan[_Judgement]:
        """Evaluate the domain's record and what it redirects to."""
        record = yield from self.record(domain)
        if record is None:
            return _Judgement(SpfStatus.NONE, "no record", domain)
        frame = Frame(record, domain)
        self.frames.append(frame)
        matched = yield from self.first_match(frame)
        while matched is None and frame.record.redirect is not None:
            self.count_term()
            target = yield from self.expand(frame.record.redirect, frame.domain)
            record = yield from self.record(target)
            if record is None:
                self.permerror(f"redirect to {target}, which has no record")  # section 6.1
            # Section 6.1: from here on the other domain's record is evaluated as if it were asked for, exp= included.
            frame.record, frame.domain, frame.index = record, target, 0
            matched = yield from self.first_match(frame)
        self.frames.pop()
        # Section 4.7: without a match and without redirect the result is neutral.
        return matched or _Judgement(SpfStatus.NEUTRAL, "no term matched", frame.domain, frame.record)

    def first_match(self, frame: Frame) -> Plan[_Judgement | None]:
        """The first term that matches, or None."""
        record, domain = frame.record, frame.domain
        for index, term in enumerate(record.steps):
            if isinstance(term, Networks):
                match = term.first(self.values.version, self.values.number)
                if match is not None:
                    return _Judgement(match.qualifier, match.text, domain, record)
                continue
            frame.index = index
            self.count_term()
            # RFC 8616, section 4: a term that expands a local part beyond ASCII matches nothing; include is no error.
            if not self.values.plain and term.target is not None and not _LOCAL.isdisjoint(term.target.letters):
                continue
            matched = yield from _MATCHERS[term.kind](self, term, domain)
            if matched is not None:
                return _Judgement(term.qualifier, f"{term.text} {matched}".rstrip()[:MAX_CAUSE], domain, record)
        frame.index = len(record.steps)
        return None

    def include(self, term: Mechanism, domain: str) -> Plan[str | None]:
        """Section 5.2: matches where the other domain's result is pass."""
        target = yield from self.expand(term.target, domain)
        judged = yield from self.judge(target)
        if judged.status is SpfStatus.NONE:
            self.permerror(f"{term.text}: no record")
        return judged.cause if judged.status is SpfStatus.PASS else None

    def a(self, term: Mechanism, domain: str) -> Plan[str | None]:
        """Section 5.3."""
        target = yield from self.expand(term.target, domain)
        found = yield from self.has_client(target, term)
        return "" if found else None

    def mx(self, term: Mechanism, domain: str) -> Plan[str | None]:
        """Section 5.4; never falls back to the addresses of the domain itself."""
        target = yield from self.expand(term.target, domain)
        if not is_askable(target):
            return None
        answer = yield from self.need(Question(target, RRType.MX))
        self.count_void(answer)
        if len(answer.records) > MAX_NAMES:
            self.permerror(f"{term.text}: more than {MAX_NAMES} hosts")  # section 4.6.4
        for host in answer.records:
            found = yield from self.has_client(as_name(host), term)
            if found:
                return ""
        return None

    def exists(self, term: Mechanism, domain: str) -> Plan[str | None]:
        """Section 5.7: an A record, whatever the client's own family."""
        target = yield from self.expand(term.target, domain)
        if not is_askable(target):
            return None
        answer = yield from self.need(Question(target, RRType.A))
        self.count_void(answer)
        return "" if answer.records else None

    def ptr(self, term: Mechanism, domain: str) -> Plan[str | None]:
        """Section 5.5."""
        target = yield from self.expand(term.target, domain)
        names = yield from self.reverse_names(void=True)
        below = [name for name in names if name == target or name.endswith("." + target)]
        validated = yield from self.first_validated(below)
        return None if validated is None else ""

    def has_client(self, name: str, term: Mechanism) -> Plan[bool]:
        """Whether an address of the name lies in the client's network, of the size that the term gives."""
        if not is_askable(name):
            return False
        answer = yield from self.need(Question(name, self.values.rtype))
        self.count_void(answer)
        shift = term.shift4 if self.values.version == 4 else term.shift6  # noqa: PLR2004  # IPv4
        client = self.values.number >> shift
        return any(number >> shift == client for number in map(address_value, answer.records) if number is not None)

    # Reverse names, for ptr and %{p}

    def reverse_names(self, *, void: bool) -> Plan[tuple[str, ...]]:
        """The client's PTR names, at most 10; a failed lookup has none (section 5.5)."""
        question = Question(reverse_name(self.values.address), RRType.PTR)
        answer = yield from self.fetch(question)
        if void and not answer.failed:
            self.count_void(answer)
        return tuple(as_name(name) for name in answer.records[:MAX_NAMES])

    def first_validated(self, names: list[str]) -> Plan[str | None]:
        """The first name with the client among its addresses; names whose lookup fails are skipped (section 5.5)."""
        questions = [Question(name, self.values.rtype) for name in names if is_askable(name)]
        missing = tuple(dict.fromkeys(question for question in questions if question not in self.answers))
        if missing:
            self.count_questions(missing)
            answers = yield missing
            self.answers.update(zip(missing, answers, strict=True))
        for question in questions:
            if self.values.number in map(address_value, self.answers[question].records):
                return question.name
        return None

    def validated_name(self, domain: str) -> Plan[str]:
        """%{p} (section 7.3): the domain itself, else a name below it, else any; "unknown" where none is validated."""
        names = yield from self.reverse_names(void=False)
        ranked = sorted(names, key=lambda name: (name != domain, not name.endswith("." + domain)))
        return (yield from self.first_validated(ranked)) or "unknown"

    # Records, macros, limits

    def record(self, domain: str) -> Plan[Record | None]:
        """The domain's record (section 4.4 and 4.5), None where it has none."""
        if "." not in domain or not is_askable(domain):
            return None  # section 4.3: as for a single-label or malformed domain
        answer = yield from self.need(Question(domain, RRType.TXT))
        found = select(answer.records)
        if not found:
            return None
        if len(found) > 1:
            self.permerror(f"{domain} has more than one record")  # section 4.5
        parsed = parse(found[0])
        if isinstance(parsed, RecordError):
            self.permerror(f"{parsed.reason} ({domain})")
        return parsed

    def expand(self, target: MacroString | None, domain: str) -> Plan[str]:
        """The name a term speaks of, which may not be askable."""
        if target is None:
            return domain
        if target.name is not None:
            return target.name
        validated = (yield from self.validated_name(domain)) if "p" in target.letters else ""
        return target.expand_name(self.values.macros(domain, validated))

    def explain(self, judged: _Judgement) -> Plan[str]:
        """The domain's explanation (section 6.2); empty wherever anything about it is wrong."""
        if judged.record is None or judged.record.explanation is None:
            return ""
        name = yield from self.expand(judged.record.explanation, judged.domain)
        if not is_askable(name):
            return ""
        answer = yield from self.fetch(Question(name, RRType.TXT))
        text = parse_macro_string(answer.records[0], explanation=True) if len(answer.records) == 1 else None
        if text is None:
            return ""
        validated = (yield from self.validated_name(judged.domain)) if "p" in text.letters else ""
        explanation = text.expand_text(self.values.macros(judged.domain, validated))
        return explanation if explanation.isascii() and explanation.isprintable() else ""

    def permerror(self, cause: str) -> NoReturn:
        """End here."""
        raise _Stop(SpfStatus.PERMERROR, cause)

    def count_term(self) -> None:
        """Section 4.6.4: the 11th term that asks DNS is a permerror."""
        self.terms += 1
        if self.terms > MAX_TERMS:
            self.permerror(f"more than {MAX_TERMS} terms ask DNS")

    def count_void(self, answer: Answer) -> None:
        """Section 4.6.4: the third lookup that finds nothing is a permerror."""
        if answer.status is not AnswerStatus.NOERROR:
            self.voids += 1
            if self.voids > MAX_VOIDS:
                self.permerror(f"more than {MAX_VOIDS} lookups find nothing")

    def count_questions(self, questions: tuple[Question, ...]) -> None:
        """Count what the order needs, whether or not it had been asked ahead."""
        self.needed.update(questions)
        if len(self.needed) > MAX_QUESTIONS:
            self.permerror(f"more than {MAX_QUESTIONS} lookups")

    # Asking

    def need(self, question: Question) -> Plan[Answer]:
        """The answer that the order has come to; section 2.6.6: a failed lookup is a temperror."""
        answer = yield from self.fetch(question)
        if answer.failed:
            raise _Stop(SpfStatus.TEMPERROR, f"{question.rtype} {question.name}: {answer.cause or 'lookup failed'}")
        return answer

    def fetch(self, question: Question) -> Plan[Answer]:
        """The answer, failed or not; where it must be asked, all that may be needed soon is asked with it."""
        self.count_questions((question,))
        answer = self.answers.get(question)
        if answer is None:
            questions = self.with_ahead(question)
            answers = yield questions
            self.answers.update(zip(questions, answers, strict=True))
            answer = self.answers[question]
        return answer

    def with_ahead(self, question: Question) -> tuple[Question, ...]:
        """The question, and those of the terms behind it: of this record first, then of those that include it."""
        if not self.frames or self.ahead <= 0:
            return (question,)
        left = MAX_TERMS - self.terms
        guessed = ahead(reversed(self.frames), self.values, self.answers, terms=left, most=self.ahead)
        extra = [each for each in guessed if each != question]
        self.ahead -= len(extra)
        return (question, *extra)


_Matcher: TypeAlias = Callable[[_Evaluation, Mechanism, str], Plan[str | None]]

_MATCHERS: Final[dict[Kind, _Matcher]] = {
    Kind.INCLUDE: _Evaluation.include,
    Kind.A: _Evaluation.a,
    Kind.MX: _Evaluation.mx,
    Kind.PTR: _Evaluation.ptr,
    Kind.EXISTS: _Evaluation.exists,
}

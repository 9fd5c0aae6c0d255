"""The DNS tree walk (RFC 9989, section 4.10): which names may hold a record, and which is the organizational domain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from filterd.dmarc.record import Record, select
from filterd.model.dns import Answer, Plan, Question, RRType

MAX_QUERIES: Final = 8  # of one walk; section 4.10
_CACHE: Final = 512  # domains; a message's own is walked three times, and that of known senders again and again


def walk_names(domain: str) -> tuple[str, ...]:
    """The names of a whole walk, longest first. Step 4: above the domain itself come at most seven labels."""
    labels = domain.split(".")
    above = range(max(1, len(labels) - MAX_QUERIES + 1), len(labels))
    return (domain, *[".".join(labels[index:]) for index in above])


@lru_cache(maxsize=_CACHE)
def walk_questions(domain: str) -> tuple[Question, ...]:
    """All lookups that the walk of a normalised name may need."""
    return tuple([_question(name) for name in walk_names(domain)])


def _question(name: str) -> Question:
    return Question(f"_dmarc.{name}", RRType.TXT)


@dataclass(slots=True)
class Walk:
    """One domain's walk as far as it has come: the records found by name, in order, None where a lookup failed."""

    domain: str
    found: dict[str, Record | None] = field(default_factory=dict)
    _names: Iterator[str] = field(init=False)
    question: Question | None = field(init=False)

    def __post_init__(self) -> None:
        """Begin at the domain itself."""
        self._names = iter(walk_names(self.domain))
        self.question = _question(next(self._names))

    def take(self, answer: Answer) -> None:
        """Go on with the answer to `question`, which is None where the walk has ended."""
        name = answer.question.name.partition(".")[2]
        record = None if answer.failed else select(answer.records)
        if record is not None or answer.failed:
            self.found[name] = record
        following = next(self._names, None)
        # Steps 2 and 6: a record with psd=n or psd=y ends the walk.
        stopped = record is not None and record.psd != "u"
        self.question = None if following is None or stopped else _question(following)

    @property
    def failed(self) -> bool:
        """Whether a lookup failed that the walk came to."""
        return None in self.found.values()

    @property
    def organizations(self) -> frozenset[str]:
        """The organizational domain (section 4.10.2): one name, or where lookups failed all that it may be."""
        shortest = {self.domain}
        chosen: set[str] = set()
        for name, record in self.found.items():
            if record is None:
                # Whatever stands there: no record, one that goes on, psd=n, psd=y.
                chosen |= {name, self._below(name)}
                shortest.add(name)
            elif record.psd == "y":
                return frozenset(chosen | {self._below(name)})
            elif record.psd == "n":
                return frozenset(chosen | {name})
            else:
                shortest = {name}
        return frozenset(chosen | shortest)

    def _below(self, name: str) -> str:
        """The name one label below `name` on the way to the domain.

        Rule 2: where the walk started, psd=y moves nothing, so there it is the domain itself.
        """
        if name == self.domain:
            return name
        label = self.domain[: -len(name) - 1].rpartition(".")[2]
        return f"{label}.{name}"


def complete_walks(walks: Iterable[Walk], known: dict[Question, Answer]) -> Plan[None]:
    """Bring walks to their end side by side; answers are taken from and put into `known`."""
    walks = list(walks)
    while going := [(walk, question) for walk in walks if (question := walk.question) is not None]:
        missing = tuple(dict.fromkeys([question for _, question in going if question not in known]))
        if missing:
            answers = yield missing
            known.update(zip(missing, answers, strict=True))
        for walk, question in going:
            walk.take(known[question])

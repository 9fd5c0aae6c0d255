"""A resolver for tests and documentation examples: answers by name, failures by name, no socket."""

from collections.abc import Mapping, Sequence

from filterd.model.dns import Answer, AnswerStatus, Question, RRType

FAKE_TTL = 300  # seconds


class FakeResolver:
    """Answers from mappings name -> records; `fail` holds "txt a.test" style entries that end in TEMPFAIL.

    A name without any record is NXDOMAIN, a name with records of other types NODATA; `asked` keeps every question.
    """

    def __init__(  # one keyword per record type is the point of it
        self,
        *,
        txt: Mapping[str, Sequence[str]] | None = None,
        a: Mapping[str, Sequence[str]] | None = None,
        aaaa: Mapping[str, Sequence[str]] | None = None,
        mx: Mapping[str, Sequence[str]] | None = None,
        ptr: Mapping[str, Sequence[str]] | None = None,
        fail: Sequence[str] = (),
    ) -> None:
        """Take the records; names as in a Question."""
        given = {RRType.TXT: txt, RRType.A: a, RRType.AAAA: aaaa, RRType.MX: mx, RRType.PTR: ptr}
        self._records = {
            Question(name, rtype): tuple(records)
            for rtype, mapping in given.items()
            for name, records in (mapping or {}).items()
        }
        self._names = {question.name for question in self._records}
        self._fail = {Question(name, RRType(rtype.upper())) for rtype, name in (entry.split() for entry in fail)}
        self.asked: list[Question] = []

    def lookup(self, question: Question) -> Answer:
        """The answer, at once."""
        self.asked.append(question)
        if question in self._fail:
            return Answer(question, AnswerStatus.TEMPFAIL, cause="fake failure")
        if records := self._records.get(question):
            return Answer(question, AnswerStatus.NOERROR, records, FAKE_TTL)
        if question.name in self._names or any(name.endswith("." + question.name) for name in self._names):
            return Answer(question, AnswerStatus.NODATA, ttl=FAKE_TTL)
        return Answer(question, AnswerStatus.NXDOMAIN, ttl=FAKE_TTL, rcode=3)

    def peek(self, _question: Question) -> Answer | None:
        """Nothing is cached: every question goes through resolve."""
        return None

    async def resolve(self, question: Question) -> Answer:
        """The same answer as lookup."""
        return self.lookup(question)

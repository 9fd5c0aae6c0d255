"""What filterd itself makes of a domain's records when a message comes, for comparison with checkdmarc's view."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from filterd.dmarc import evaluate
from filterd.model.authentication import DmarcResult, SpfResult, SpfScope
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.model.inspection import Author, Mailbox
from filterd.spf import check_host

T = TypeVar("T")
AskWithin: TypeAlias = Callable[[tuple[Question, ...], float], tuple[Answer, ...]]  # and how many seconds to wait

# Addresses that are nobody's (RFC 5737, RFC 3849): what SPF says of them it says of every stranger.
STRANGERS: Final = ("192.0.2.1", "2001:db8::1")
NO_SUCH_NAME: Final = "no-such-name-filterd"  # a label that nobody has, to see what holds for names that are not there
OUT_OF_TIME: Final = "no time left"


@dataclass(frozen=True, slots=True)
class Own:
    """Asks the configured name servers as the daemon does, until the part's time is over."""

    ask: AskWithin
    deadline: float
    clock: Callable[[], float] = time.monotonic

    def run(self, plan: Plan[T]) -> T:
        """A plan's result; what is asked too late is answered as a failure."""
        try:
            questions = next(plan)
            while True:
                questions = plan.send(self.answers(questions))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration.value is Any; a Plan[T] returns T

    def answers(self, questions: tuple[Question, ...]) -> tuple[Answer, ...]:
        """The answers to questions that may be asked at once."""
        left = self.deadline - self.clock()
        if left <= 0:
            return tuple([Answer(one, AnswerStatus.TEMPFAIL, cause=OUT_OF_TIME) for one in questions])
        return self.ask(questions, left)

    def answer(self, name: str, rtype: RRType) -> Answer:
        """The answer to one question."""
        return self.answers((Question(name, rtype),))[0]

    def strangers(self, domain: str) -> tuple[SpfResult, ...]:
        """What SPF says of mail from addresses that are nobody's, IPv4 and IPv6."""
        sender = f"postmaster@{domain}"
        return tuple(
            [
                self.run(check_host(address, domain, sender, domain, scope=SpfScope.MAILFROM, now=time.time()))
                for address in STRANGERS
            ]
        )

    def unproved(self, domain: str) -> DmarcResult:
        """What DMARC asks for where nothing proves that a message is of this domain."""
        return self.run(evaluate(Author((Mailbox("postmaster", domain),)), (), ()))

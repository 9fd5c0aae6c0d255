"""What was just found of a sender: its next message is judged by it while the DNS still says the same.

Mail comes in bursts: one host, one sender, many messages. The same answers give the same reports, so what is asked
again is only whether the cache still gives them; where it does not, everything is looked up and evaluated as ever.
What hangs on more than answers, as reputation does, is as old as SECONDS at most.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import is_
from typing import Final, TypeAlias

from filterd.dns.lookups import Lookups
from filterd.model.dns import Answer, Plan, Question
from filterd.model.report import Outcome
from filterd.pipeline.early import EarlyCase
from filterd.policy.messages import Asking

SECONDS: Final = 10.0  # a burst; what is not an answer of the DNS is read anew after it
MOST: Final = 1_024  # senders that are remembered, some 2 kB each; the one asked about longest ago falls out

_Who: TypeAlias = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    """One sender's case, and the answers it was made of; `until` in monotonic seconds."""

    case: EarlyCase
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]
    until: float


class Known:
    """The senders of the last seconds. Belongs to the loop's thread; `now` is monotonic seconds."""

    def __init__(self) -> None:
        """None yet."""
        self._found: OrderedDict[_Who, _Found] = OrderedDict()

    def find(self, asking: Asking, lookups: Callable[[], Lookups], now: float) -> EarlyCase | None:
        """An earlier case of the same client and sender, None where it would not be found the same way now."""
        who = _who(asking)
        found = self._found.get(who)
        if found is None:
            return None
        if found.until > now and _holds(found, lookups()):
            self._found.move_to_end(who)
            return found.case
        del self._found[who]
        return None

    def keep(self, asking: Asking, case: EarlyCase, answers: Mapping[Question, Answer], now: float) -> None:
        """Remember a case that was made of these answers, unless something in it is unknown: that is tried again."""
        if any(report.outcome is not Outcome.OK for report in case.reports.values()):
            return
        who = _who(asking)
        self._found[who] = _Found(case, tuple(answers), tuple(answers.values()), now + SECONDS)
        self._found.move_to_end(who)
        while len(self._found) > MOST:
            self._found.popitem(last=False)


def _who(asking: Asking) -> _Who:
    """Whatever checks see of a message before its content: all but its instance and the client's port."""
    client = asking.client
    return client.address, client.name, asking.helo, asking.sender, asking.login, asking.method


def _holds(found: _Found, lookups: Lookups) -> bool:
    """Whether the cache gives the very same answers; what is not there any more is asked for, and not waited for."""
    told: list[bool] = []
    lookups.run([(_again(found), told.append)])
    lookups.cancel()
    return told == [True]


def _again(found: _Found) -> Plan[bool]:
    answers = yield found.questions
    return all(map(is_, answers, found.answers))

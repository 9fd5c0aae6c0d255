"""What was just found of a host and domain: their next message is judged by it while the DNS still says the same.

Mail comes in bursts: one host, one domain, many messages. The same answers give the same reports, so what is asked
again is only whether the cache still gives them; where it does not, everything is looked up and evaluated as ever.
What hangs on more than answers, as reputation does, is as old as SECONDS at most.

Who it is at that domain makes no difference, unless a record asks for the local part by a macro: of the checks before
the content only SPF sees the sender (RFC 7208, section 7.2: s and l).
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from filterd.dns.lookups import Lookups
from filterd.model.dns import Answer, Question, RRType
from filterd.model.report import Outcome
from filterd.pipeline.early import EarlyCase
from filterd.policy.messages import Asking

SECONDS: Final = 10.0  # a burst; what is not an answer of the DNS is read anew after it
MOST: Final = 512  # that are remembered, 10 kB each at worst; the one evaluated longest ago falls out
MAX_TEXT: Final = 4_096  # characters of the answers to one, which the cache may have dropped long ago; more is not kept
_LOCAL_PART: Final = re.compile(r"%\{[sl]", re.IGNORECASE)

_Who: TypeAlias = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    """One case, and the answers it was made of; `until` in monotonic seconds."""

    case: EarlyCase
    answers: tuple[tuple[Question, Answer], ...]
    until: float


class Known:
    """Hosts and domains of the last seconds. Belongs to the loop's thread; `now` is monotonic seconds."""

    def __init__(self) -> None:
        """None yet."""
        self._found: OrderedDict[_Who, _Found] = OrderedDict()  # by their ends

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._found)

    def find(self, asking: Asking, lookups: Callable[[], Lookups], now: float) -> EarlyCase | None:
        """An earlier case that this message's would be like, None where it would not be found the same way now."""
        who = _who(asking, "")
        found = self._found.get(who)
        if found is None:
            who = _who(asking, asking.sender)
            found = self._found.get(who)
        if found is None:
            return None
        if found.until > now and lookups().still(found.answers):
            return found.case
        del self._found[who]
        return None

    def keep(self, asking: Asking, case: EarlyCase, answers: Mapping[Question, Answer], now: float) -> None:
        """Remember a case that was made of these answers, unless something in it is unknown: that is tried again."""
        unknown = any(report.outcome is not Outcome.OK for report in case.reports.values())
        if unknown or sum(len(record) for answer in answers.values() for record in answer.records) > MAX_TEXT:
            return
        who = _who(asking, asking.sender if _personal(answers) else "")
        self._found.pop(who, None)
        self._found[who] = _Found(case, tuple(answers.items()), now + SECONDS)
        while len(self._found) > MOST or next(iter(self._found.values())).until <= now:
            self._found.popitem(last=False)


def _who(asking: Asking, sender: str) -> _Who:
    """Whatever checks see of a message before its content; without a `sender` anybody at the domain of this one."""
    client = asking.client
    _, at, domain = asking.sender.rpartition("@")
    return client.address, client.name, asking.helo, sender or f"{at}{domain}", asking.login, asking.method


def _personal(answers: Mapping[Question, Answer]) -> bool:
    """Whether any record asks for the sender's local part."""
    return any(
        _LOCAL_PART.search(record)
        for question, answer in answers.items()
        if question.rtype is RRType.TXT
        for record in answer.records
    )

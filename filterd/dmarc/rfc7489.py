"""What RFC 7489 would have said: the organizational domain from the public suffix list, no tree walk, no np=, no t=.

For those who ask why another server judged a message otherwise; nothing is decided by it. It asks nothing: both names
it needs lie on the walk that has been made. pct= is not regarded, it made the outcome a matter of chance.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from filterd.dmarc.record import Record, select
from filterd.domains import registrable
from filterd.model.authentication import AuthResult, DmarcPolicy, DmarcResult, DmarcStatus
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.model.identity import Proved


@dataclass(frozen=True, slots=True)
class Formerly:
    """The outcome by RFC 7489."""

    status: DmarcStatus
    policy: DmarcPolicy = DmarcPolicy.NONE
    policy_domain: str = ""


def formerly(
    result: DmarcResult, results: Iterable[AuthResult], answer: Callable[[Question], Answer | None]
) -> Formerly | None:
    """The outcome by RFC 7489 where it differs from `result`; None where it is the same, or cannot be told.

    `answer` gives what was answered to a question while the message was judged.
    """
    if not result.domain or result.status not in {DmarcStatus.PASS, DmarcStatus.FAIL, DmarcStatus.NONE}:
        return None
    organization = registrable(result.domain)
    found = None
    for place in dict.fromkeys((result.domain, organization)):  # RFC 7489, section 6.6.3
        texts = answer(Question(f"_dmarc.{place}", RRType.TXT))
        if texts is None or texts.failed:
            return None
        record = select(texts.records) if texts.status is AnswerStatus.NOERROR else None
        if record is not None:
            found = (record, place)
            break
    old = _judge(result.domain, organization, found, Proved.of(results, ""))
    now = Formerly(result.status, result.policy, result.policy_domain)
    return None if old == now else old


def _judge(domain: str, organization: str, found: tuple[Record, str] | None, proved: Proved) -> Formerly:
    if found is None or not found[0].usable:
        return Formerly(DmarcStatus.NONE)
    record, place = found
    policy = record.policy if place == domain else record.existing_below
    aligned = [
        name == domain if strict else registrable(name) == organization
        for names, strict in ((proved.spf, record.strict_spf), (proved.dkim, record.strict_dkim))
        for name in names
    ]
    return Formerly(DmarcStatus.PASS if any(aligned) else DmarcStatus.FAIL, policy, place)

"""What the sealers that the operator trusts vouch for.

Somebody has to believe a sealer, as a seal says only who made it: the operator lists domains whose servers check what
they receive and say so honestly. What such a server wrote of the message counts where nobody unlisted has touched the
message since: the newest seal is a listed one's, and so is every one between it and the server's own.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from filterd.arc.sets import without_instance
from filterd.arc.verify import Verified
from filterd.authres import read_results
from filterd.model.authentication import ArcFacts, ArcResult, ArcStatus, ArcVoucher, ReportedResult

_ONE_AT_MOST: Final = frozenset({"dmarc", "arc"})  # methods that have one result; with two, one was slipped in


def vouched(verified: Verified, facts: ArcFacts, listed: Collection[str]) -> ArcResult:
    """The result, trusted where a listed sealer stands for the message as it is. Names are compared as they are.

    Not trusted is a chain with a key that its owner only tests, a signature that leaves From or a part of the body
    open, and a seal over a message signature of somebody unlisted, who could publish a key that makes it fit another
    message.
    """
    result = verified.result
    if result.status is not ArcStatus.PASS or verified.testing or not facts.whole or result.domain not in listed:
        return result
    if facts.message is None or facts.message.domain not in {result.domain, *listed}:
        return result
    vouchers: list[ArcVoucher] = []
    for age, (sealer, value) in enumerate(zip(result.sealers, facts.results, strict=True)):
        if sealer not in listed:
            break
        reported = read_results(without_instance(value))
        if reported is not None:
            vouchers.append(ArcVoucher(facts.instance - age, sealer, _unmistakable(reported.results)))
    return replace(result, trusted=True, vouchers=tuple(vouchers))


def _unmistakable(results: Collection[ReportedResult]) -> tuple[ReportedResult, ...]:
    counts = Counter([result.method for result in results])
    return tuple([result for result in results if counts[result.method] == 1 or result.method not in _ONE_AT_MOST])

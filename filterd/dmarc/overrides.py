"""When a message that fails is spared what the author's domain asks for (RFC 9989, section 5.4; RFC 7960).

A forwarder breaks SPF always and signatures often. That a message was forwarded is believed only of those whom the
operator has named, and only where they are proved: a List-Id or an ARC set costs an attacker nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from filterd.domains import is_subdomain
from filterd.model.authentication import ArcResult, DmarcOverride, DmarcPolicy, DmarcResult, DmarcStatus
from filterd.model.identity import Identities, Proved, spellings

MAX_LIST_ID: Final = 998  # bytes of a List-Id field: one line (RFC 5322, section 2.1.1)
# RFC 2919, section 3: the identifier is what stands in the last angle brackets, a phrase may stand before it.
_LIST_ID: Final = re.compile(rb"<[ \t]*([A-Za-z0-9._~!#$%&'*+/=?^`{|}-]{1,255})[ \t]*>\s*\Z")


@dataclass(frozen=True)
class OverridePolicy:
    """Whom the operator believes: forwarders, and domains that run mailing lists (with a dot in front: all below)."""

    forwarders: Identities = field(default_factory=Identities)
    lists: frozenset[str] = frozenset()


def list_id(values: Sequence[bytes]) -> str:
    """The identifier of the one List-Id field in lower case, empty where there is none or it has several readings."""
    if len(values) != 1 or len(values[0]) > MAX_LIST_ID:
        return ""
    found = _LIST_ID.search(values[0])
    return "" if found is None else found[1].decode("ascii").lower().strip(".")


def override(
    result: DmarcResult, proved: Proved, arc: ArcResult | None, identifier: str, policy: OverridePolicy
) -> DmarcResult:
    """The result with the reason why it is spared, where there is one; `identifier` is the List-Id's."""
    if result.status is not DmarcStatus.FAIL or result.policy is DmarcPolicy.NONE:
        return result
    if arc is not None and arc.trusted and (comment := _passed_before(arc, result.domain)):
        return replace(result, override=DmarcOverride.TRUSTED_FORWARDER, override_comment=comment)
    if policy.forwarders and (entry := policy.forwarders.match(proved)) is not None:
        return replace(result, override=DmarcOverride.TRUSTED_FORWARDER, override_comment=str(entry))
    for owner in list_owners(identifier, proved.domains) if policy.lists else ():
        if not policy.lists.isdisjoint(spellings(owner)):
            return replace(result, override=DmarcOverride.MAILING_LIST, override_comment=f"{identifier} by {owner}")
    return result


def list_owners(identifier: str, domains: Collection[str]) -> tuple[str, ...]:
    """The authenticated domains that a list belongs to: its List-Id lies at or below them."""
    return tuple([domain for domain in domains if identifier and is_subdomain(identifier, domain)])


def _passed_before(arc: ArcResult, domain: str) -> str:
    """Which trusted sealer saw DMARC pass for this author domain (RFC 8617, section 7.2.1), empty where none did."""
    for voucher in arc.vouchers:
        for one in voucher.results:
            if one.method == "dmarc" and one.result == "pass" and one.value("header.from").lower() == domain:
                return f"arc=pass as[{voucher.instance}].d={voucher.sealer}"
    return ""

"""One message, several policies: whose mail is decided how, and the one answer that a transaction can have. Pure.

A milter has one word for all recipients, and can take recipients out. So:

- Where one share is to come again, all are: nobody has got anything, so nobody gets it twice.
- A refusal is one only where all recipients are refused; else it is held for those who would not have got it.
- What is held or thrown away for some is delivered to the others, without them.
- Where the MTA may not find one of those (the client has spelt an address oddly), it is held for all.
- Header fields are the message's: those of the strictest share that is delivered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from filterd.model.ids import sibling
from filterd.model.session import Recipient
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.policies import Policies, Policy, is_plain
from filterd.pipeline.reasons import Reason

NOT_YET: Final = frozenset({Action.DEFER, Action.GREYLIST})
DELIVERED: Final = frozenset({Action.ACCEPT, Action.ADD_HEADER})


@dataclass(frozen=True, slots=True)
class Share:
    """The recipients with one policy, and what is decided for them; `id` is that of their entry where it is held."""

    id: str
    recipients: tuple[Recipient, ...]
    verdict: Verdict


def by_policy(
    recipients: Sequence[Recipient], policies: Policies | None
) -> list[tuple[Policy | None, tuple[Recipient, ...]]]:
    """The recipients by their policies, in the order of the first of each; None stands for the site's own."""
    if policies is None or not recipients:
        return [(None, tuple(recipients))]
    groups: dict[str, tuple[Policy | None, list[Recipient]]] = {}
    for recipient in recipients:
        policy = policies.for_recipient(recipient)
        groups.setdefault("" if policy is None else policy.name, (policy, []))[1].append(recipient)
    return [(policy, tuple(those)) for policy, those in groups.values()]


def combined(shares: Sequence[Share]) -> tuple[Verdict, tuple[Share, ...]]:
    """What the MTA is told of the message, and what becomes of each share then."""
    if len(shares) == 1:
        return shares[0].verdict, tuple(shares)
    later = [share.verdict for share in shares if share.verdict.action in NOT_YET]
    if later:
        told = max(later, key=lambda verdict: verdict.action.rank)
        return told, (whole(shares, told),)
    if all(share.verdict.action is Action.REJECT for share in shares):
        return shares[0].verdict, tuple(shares)
    each = [_held_instead(share) for share in shares]
    kept_from = [one for share in each if share.verdict.action not in DELIVERED for one in share.recipients]
    if not all(is_plain(one.exact) for one in kept_from):
        each = [_held_too(share) for share in each]
    named = _named(each)
    delivered = [share.verdict for share in named if share.verdict.action in DELIVERED]
    if delivered:
        # Whoever only observes gets the fields that the others get: they are on the same message.
        return max(delivered, key=lambda one: (one.action.rank, one.observed is None, one.score)), named
    held = [share.verdict for share in named if share.verdict.action is Action.QUARANTINE]
    return (held or [share.verdict for share in named])[0], named


def whole(shares: Sequence[Share], verdict: Verdict) -> Share:
    """One share of everybody."""
    return Share(shares[0].id, tuple([one for share in shares for one in share.recipients]), verdict)


def concerning(shares: Sequence[Share], addresses: Sequence[str]) -> tuple[Share, ...]:
    """The shares with any of these recipients; all where none is named, or nobody has one."""
    wanted = frozenset(addresses)
    return tuple([share for share in shares if any(one.address in wanted for one in share.recipients)]) or tuple(shares)


def severest(shares: Sequence[Share]) -> Verdict:
    """The severest verdict of all."""
    return max([share.verdict for share in shares], key=lambda verdict: verdict.action.rank)


def changed(shares: Sequence[Share], change: Callable[[Verdict], Verdict]) -> tuple[Share, ...]:
    """The shares with other verdicts."""
    return tuple([replace(share, verdict=change(share.verdict)) for share in shares])


def _held_instead(share: Share) -> Share:
    """What is refused for some only: to hold it is what loses nothing and tells the sender nothing false."""
    verdict = share.verdict
    if verdict.action is not Action.REJECT:
        return share
    text = f"held, for not all recipients are refused: {verdict.text}"
    return replace(share, verdict=replace(verdict, action=Action.QUARANTINE, text=text, reply=None))


def _held_too(share: Share) -> Share:
    """What would be delivered if others could be taken out: of two errors a hold is the one that can be undone."""
    verdict = share.verdict
    if verdict.action not in DELIVERED:
        return share
    text = "held, for the MTA may not find a recipient to take out who must not get it; else: "
    text += f"{verdict.observed or verdict.action}, {verdict.text}"
    held = replace(verdict, action=Action.QUARANTINE, code=Reason.RECIPIENT, text=text, observed=None)
    return replace(share, verdict=held)


def _named(shares: Sequence[Share]) -> tuple[Share, ...]:
    """Each held share under an id of its own, the first under the message's."""
    found, number = [], 0
    for share in shares:
        held = share.verdict.action is Action.QUARANTINE
        found.append(replace(share, id=sibling(share.id, number)) if held else share)
        number += held
    return tuple(found)

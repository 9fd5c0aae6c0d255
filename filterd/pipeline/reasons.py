"""The machine reasons of a verdict, as logs, the journal and --json name them.

A floor's reason is its symbol in small letters with hyphens (`unscannable-encrypted`, `dmarc-reject`), that of a check
which could not be made is `<check>-unknown`; the others are here.
"""

from typing import Final

from filterd.model.worded import Worded


class Reason(Worded):
    """Why a message got its action, with its meaning for the operator. A score's reason names what weighed most."""

    CLEAN = "clean", "nothing that counts enough"
    UNFILTERED = "unfiltered", "the recipient's policy is off"
    SCORE = "score", "by points: content, and everything without a reason of its own"
    LISTED = "listed", "by points, of which those of block lists weighed most"
    MALWARE = "malware", "the same of YARA rules"
    AUTHENTICATION = "authentication", "the same of SPF, DKIM, DMARC and ARC"
    CLIENT_NAME = "client-name", "the same of reverse DNS"
    REPUTATION = "reputation", "the same of how mail of this sender has turned out before"
    INSPECTION_FAILED = "inspection-failed", "no inspector, or one that died or overran"
    CHECK_CRASHED = "check-crashed", "our bug in a check"
    POISON = "poison", "it has ended two inspectors and is held unread"
    RELEASED = "released", "given back by us, with a token of ours"
    RELEASE_REFUSED = "release-refused", "with a token of ours that does not fit, and it would be held again"
    RETURNED = "returned", "released before, and forwarded by a host of ours"
    RELEASE_LOOP = "release-loop", "released again and again, and it comes back each time to be held"
    GREYLISTED = "greylisted", "nobody answers for it: it is asked to come again"
    RATE_LIMITED = "rate-limited", "somebody has sent enough for now"
    RECIPIENT = "recipient", "it is held for somebody else, whom the MTA may not find to take out"
    CUSTODY = "custody", "it should be held and could not be stored"
    DEFERRED_TOO_LONG = "deferred-too-long", "it could not be checked for hours and is held instead"


BY_CHECK: Final = {
    "dnsbl": Reason.LISTED,
    "uribl": Reason.LISTED,
    "dkimbl": Reason.LISTED,
    "yara": Reason.MALWARE,
    "spf": Reason.AUTHENTICATION,
    "dkim": Reason.AUTHENTICATION,
    "dmarc": Reason.AUTHENTICATION,
    "arc": Reason.AUTHENTICATION,
    "iprev": Reason.CLIENT_NAME,
    "reputation": Reason.REPUTATION,
}

"""DNS block and allow lists as data: which list to ask about what, and what its answers mean.

An answer is one of four things: a hit, a miss, an error, or the list's refusal to answer. Only an address that the list
declares is a hit; 127.255.255.x, 127.0.0.1 where it is not declared, anything outside 127.0.0.0/8 and any code nobody
declared never is (RFC 5782, section 2.1, and the lists' own pages). One refusal voids the whole answer: whoever gives
it is not the list speaking. Health follows RFC 5782, section 5: test points that must be listed and must not.

What is asked about: addresses in reverse, domain names, and hashes of e-mail addresses and files (`zones.Subject`); how
the name is built is data too (`keys`). One answer may mean different things for different subjects.

A list that cannot be believed is suspended for all fronts and hosts that share a store: after refusals in a row
(`ListHealth`), when its test points fail, or when it lists everybody and its test does not contradict (`ListKeeper`,
which tests at start and every hour, suspended lists every five minutes, and lets them return by themselves).

Everything but these two, which count and remember, is pure; lookups are the caller's. Names of paid lists hold a key:
only `display` is ever shown.
"""

from filterd.dnsbl.answers import Listing, ListStatus, interpret
from filterd.dnsbl.health import Ask, ListHealth, SelfTest, self_test
from filterd.dnsbl.keeper import ListKeeper, Outside
from filterd.dnsbl.loading import load_zones
from filterd.dnsbl.questions import question_about
from filterd.dnsbl.zones import Subject, Zone

__all__ = [
    "Ask",
    "ListHealth",
    "ListKeeper",
    "ListStatus",
    "Listing",
    "Outside",
    "SelfTest",
    "Subject",
    "Zone",
    "interpret",
    "load_zones",
    "question_about",
    "self_test",
]

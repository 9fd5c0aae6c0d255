"""DMARC (RFC 9989): whether the author's domain vouches for a message, and what it asks for otherwise.

    record.py    one policy record: tolerant reading, what to do where p, sp or np are missing or wrong
    walk.py      the DNS tree walk and what it says about the organizational domain
    evaluate.py  author, SPF and DKIM results to a DmarcResult, as a lookup plan
    overrides.py why a failing message is spared: a forwarder or a list that the operator named and that is proved
    rfc7489.py   what the RFC before would have said, for comparison

The walk of the author's domain and those of the identifiers that could align with it go up together, a name that they
share being asked once. A walk that is stopped by psd= asks nothing above; whoever wants all names of a walk at once, to
have them at hand later, takes `walk_questions`.

A walk with a failed lookup leaves several domains that may be the organizational one: the result is temperror only
where they lead to different results (section 5.3.6).

Deviations and choices where the text leaves room:
- A From field with several readings or several domains is a permerror, whatever SPF and DKIM say (section 5.3.1).
- A tag that stands twice counts as it stands first; tag names are read in any case; blanks before v= are an error.
- A record longer than `MAX_RECORD` is discarded.
- A record without a usable policy still counts in the search for the organizational domain.
- A DKIM signature that leaves a part of the body uncovered authenticates nothing.
- The author's domain does not exist where its TXT lookup says NXDOMAIN; asked only where np= differs from sp=.
- Reports are not sent, so fo= and ruf= are not read.
"""

from filterd.dmarc.evaluate import evaluate
from filterd.dmarc.overrides import OverridePolicy, list_id, list_owners, override
from filterd.dmarc.record import MAX_RECORD, Record
from filterd.dmarc.rfc7489 import Formerly, formerly
from filterd.dmarc.walk import MAX_QUERIES, walk_questions

__all__ = [
    "MAX_QUERIES",
    "MAX_RECORD",
    "Formerly",
    "OverridePolicy",
    "Record",
    "evaluate",
    "formerly",
    "list_id",
    "list_owners",
    "override",
    "walk_questions",
]

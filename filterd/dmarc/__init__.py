"""DMARC (RFC 9989): whether the author's domain vouches for a message, and what it asks for otherwise.

    record.py    one policy record: tolerant reading, what to do where p, sp or np are missing or wrong
    walk.py      the DNS tree walk and what it says about the organizational domain
    evaluate.py  author, SPF and DKIM results to a DmarcResult, as a lookup plan
    overrides.py why a failing message is spared: a forwarder or a list that the operator named and that is proved
    rfc7489.py   what the RFC before would have said, for comparison
    reporting.py where a domain wants reports, and whether they are wanted there (RFC 9990)
    feedback.py  an aggregate report as XML

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
- Failure reports (RFC 9991) are not sent: they hold what a user was written. ruf= is not read, fo= only repeated.
"""

from filterd.dmarc.evaluate import evaluate
from filterd.dmarc.feedback import Reported, Reporter, clean, feedback, file_name, is_report_subject, report_id, subject
from filterd.dmarc.overrides import OverridePolicy, list_id, list_owners, override
from filterd.dmarc.record import MAX_RECORD, Record
from filterd.dmarc.reporting import Consent, Destination, consent, destinations
from filterd.dmarc.rfc7489 import Formerly, formerly
from filterd.dmarc.walk import MAX_QUERIES, walk_questions

__all__ = [
    "MAX_QUERIES",
    "MAX_RECORD",
    "Consent",
    "Destination",
    "Formerly",
    "OverridePolicy",
    "Record",
    "Reported",
    "Reporter",
    "clean",
    "consent",
    "destinations",
    "evaluate",
    "feedback",
    "file_name",
    "formerly",
    "is_report_subject",
    "list_id",
    "list_owners",
    "override",
    "report_id",
    "subject",
    "walk_questions",
]

"""Authentication-Results (RFC 8601): which fields speak in our name, our own field, and those of others we trust.

    claims.py   does a received field claim to be ours? Every reading counts, as the field is then removed (section 5)
    render.py   the field's value from the results of a message
    reader.py   the results in a field of another server
    received.py Received-SPF (RFC 7208, section 9.1), which says the same of SPF alone
    quoting.py  hostile values as tokens, quoted strings and mailboxes, so that no value ends where it should not

Deviations: no version number is written (section 2.2 makes "1" the default). Characters outside printable ASCII are
replaced in what we write, names first brought into A-labels: the field stands in messages that are not
internationalised too. Fields under a name below our authserv-id are not ours.
"""

from filterd.authres.claims import claims_us
from filterd.authres.reader import read_results
from filterd.authres.received import received_claims_us, received_spf
from filterd.authres.render import render

__all__ = ["claims_us", "read_results", "received_claims_us", "received_spf", "render"]

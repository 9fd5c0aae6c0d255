"""SPF (RFC 7208): whether this host may send for that domain.

`record` reads a published record once, `macros` its macro strings, `evaluate` runs check_host as a lookup plan: it
asks for all names of a record at once and then judges in the order of the record, so that answers which the order
never reaches count for nothing. HELO and MAIL FROM are two calls with two results (sections 2.3 and 2.4); a local part
outside ASCII matches no term that expands it (RFC 8616, section 4).

Deviations: an evaluation that needs more than `MAX_QUESTIONS` lookups is a permerror, where the RFC's own limits would
allow 111; a name that cannot be asked (an empty or overlong label after expansion) matches nothing and is no void
lookup; addresses of names that do not lie below the target of ptr are not looked up; of a sender or HELO name longer
than any mail address only the end is expanded.
"""

from filterd.spf.evaluate import MAX_QUESTIONS, MAX_TERMS, MAX_VOIDS, check_host

__all__ = ["MAX_QUESTIONS", "MAX_TERMS", "MAX_VOIDS", "check_host"]

"""What hops before us say of SPF, read to believe less and never more: who forges such a line harms himself.

A domain whose SPF record names a shared service lets every customer of that service pass: mail that failed when it came
in there passes when it goes out (the "SPF upgrade").
"""

import re
from collections.abc import Iterator
from typing import Final

from filterd.arc import without_instance
from filterd.authres import read_results
from filterd.checks.contract import View
from filterd.domains import is_subdomain, normalise

MAX_READ: Final = 16  # fields of each kind, from the top; a message that passes five servers has some ten
MAX_FIELD: Final = 2_048  # bytes of a Received-SPF field
# RFC 7208, section 9.1: the result is the first word; the identity stands as a key-value pair.
_FAILED: Final = re.compile(rb"\s*fail(?=[\s(;]|\Z)", re.IGNORECASE)
_ENVELOPE: Final = re.compile(rb"\benvelope-from=\s*\"?<?[^\s@\"<>;]{0,320}@([A-Za-z0-9._-]{1,255})", re.IGNORECASE)


def saw_spf_fail(view: View, organization: str) -> str:
    """The name, at or below the author's organization, for which a hop before us saw SPF fail; empty where none did."""
    for name in _failures(view):
        domain = normalise(name.rpartition("@")[2])
        if domain is not None and is_subdomain(domain, organization):
            return domain
    return ""


def _failures(view: View) -> Iterator[str]:
    reported = list(view.values(b"authentication-results")[:MAX_READ])
    reported += [without_instance(value) for value in view.values(b"arc-authentication-results")[:MAX_READ]]
    for value in reported:
        field = read_results(value)
        for result in field.results if field is not None else ():
            if result.method == "spf" and result.result == "fail":
                yield result.value("smtp.mailfrom")
    for value in view.values(b"received-spf")[:MAX_READ]:
        if _FAILED.match(value) and (found := _ENVELOPE.search(value[:MAX_FIELD])) is not None:
            yield found[1].decode("ascii")

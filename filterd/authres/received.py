"""Received-SPF (RFC 7208, section 9.1): our own field from a result, and whether a received one speaks for us."""

import re
from typing import Final

from filterd.authres.claims import mentions
from filterd.authres.quoting import dot_atom, mailbox
from filterd.authres.render import folded
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus

NAME: Final = "Received-SPF"
_PROBLEMS: Final = frozenset({SpfStatus.TEMPERROR, SpfStatus.PERMERROR})
_MATCHED: Final = frozenset({SpfStatus.PASS, SpfStatus.FAIL, SpfStatus.SOFTFAIL})  # a term did
_RECEIVER: Final = re.compile(rb"receiver\s*=", re.IGNORECASE)


def received_spf(result: SpfResult, receiver: str, *, client: str, sender: str, helo: str) -> str:
    """The field's value, folded. `client`, `sender` and `helo` may be hostile: each ends where we end it."""
    pairs = [("receiver", receiver), ("identity", result.scope), ("client-ip", client)]
    if result.scope is SpfScope.MAILFROM:
        # RFC 7208, section 2.4: the null sender is the postmaster of the HELO name.
        pairs.append(("envelope-from", mailbox(sender or f"postmaster@{helo}")))
    pairs.append(("helo", helo))
    if result.status in _PROBLEMS:
        pairs.append(("problem", result.cause))
    elif result.status in _MATCHED or (result.status is SpfStatus.NEUTRAL and result.cause.startswith("?")):
        pairs.append(("mechanism", result.cause.partition(" ")[0]))
    elif result.status is SpfStatus.NEUTRAL:
        pairs.append(("mechanism", "default"))
    written = [f"{key}={dot_atom(text)}" for key, text in pairs if text]
    return folded([str(result.status), *[f"{pair};" for pair in written[:-1]], written[-1]], field=NAME, apart=False)


def received_claims_us(value: bytes, receiver: str, *, writing: bool) -> bool:
    """Whether a reader could take a received field for ours: it names us or, where we write such fields, nobody.

    RFC 7208, section 9.1 has `receiver` say whose field it is. What is plainly another server's stays.
    """
    return mentions(value.decode(errors="ignore"), receiver) or (writing and _RECEIVER.search(value) is None)

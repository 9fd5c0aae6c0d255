"""Which header edits a verdict asks for: forged results out, ours in. Pure.

ARC fields that name us stay: taking one out would break a chain that others may trust, and we believe only sealers that
the operator lists, whatever the field says.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from filterd.authres import claims_us, received_claims_us, received_spf, render
from filterd.model.authentication import AuthResult, SpfResult
from filterd.model.message import HeaderField
from filterd.model.report import CheckReport
from filterd.model.session import Envelope, Recipient
from filterd.model.verdict import Action, DeleteHeader, DeleteRecipient, Edit, InsertHeader, Verdict
from filterd.quarantine.tokens import FIELD

OWN_PREFIX: Final = b"x-filterd-"
SPAM_FLAG: Final = b"x-spam-flag"
TOKEN: Final = FIELD.lower().encode()
MAX_SYMBOLS: Final = 40  # named in X-Filterd-Score; the journal has them all
RECEIVED_SPF: Final = "Received-SPF"
_FIRST_LETTERS: Final = frozenset({b"x", b"X", b"a", b"A", b"r", b"R"})  # of all names that speak in our name
_FOLD: Final = 78  # RFC 5322, section 2.1.1: characters a line should not exceed


def forged(
    fields: Sequence[HeaderField], authserv_id: str, *, writes_received_spf: bool = False
) -> tuple[DeleteHeader, ...]:
    """Deletions of every field that speaks in our name, highest index first: MTAs renumber after each one."""
    seen: Counter[bytes] = Counter()
    found = []
    for name, value in fields:
        if name.lstrip()[:1] not in _FIRST_LETTERS:
            continue  # most fields are nobody's business here: dozens in every message
        lower = name.strip().lower()
        seen[lower] += 1
        if (
            lower.startswith(OWN_PREFIX)
            or lower == SPAM_FLAG
            or (lower == b"authentication-results" and claims_us(value, authserv_id))
            or (lower == b"received-spf" and received_claims_us(value, authserv_id, writing=writes_received_spf))
        ):
            found.append(DeleteHeader(name.decode("latin-1"), seen[lower]))
    return tuple(reversed(found))


def added(
    verdict: Verdict,
    message_id: str,
    authserv_id: str,
    reports: Mapping[str, CheckReport],
    envelope: Envelope,
    helo: str,
) -> tuple[InsertHeader, ...]:
    """Our own fields in the order they stand at the top of the message, Authentication-Results first."""
    results: list[AuthResult] = [result for report in reports.values() for result in report.auth_results]
    fields = [
        ("Authentication-Results", render(authserv_id, results, sender=envelope.sender, helo=helo)),
        ("X-Filterd-Id", message_id),
        ("X-Filterd-Score", _score_line(verdict)),
    ]
    if verdict.action is not Action.ACCEPT:
        fields.append(("X-Spam-Flag", "YES"))
    return tuple(InsertHeader(index, name, value) for index, (name, value) in enumerate(fields))


def traced(
    ours: Sequence[InsertHeader], spf: CheckReport | None, authserv_id: str, client: str, envelope: Envelope, helo: str
) -> tuple[InsertHeader, ...]:
    """Our own fields and below them Received-SPF, of MAIL FROM first (RFC 7208, section 9.1)."""
    results = [result for result in (spf.auth_results if spf else ()) if isinstance(result, SpfResult)]
    values = [
        received_spf(result, authserv_id, client=client, sender=envelope.sender, helo=helo)
        for result in reversed(results)
    ]
    return (*ours, *[InsertHeader(len(ours) + place, RECEIVED_SPF, value) for place, value in enumerate(values)])


def edits(
    verdict: Verdict,
    fields: Sequence[HeaderField],
    ours: Sequence[InsertHeader],
    authserv_id: str,
    *,
    kept: bool = False,
) -> tuple[Edit, ...]:
    """All edits in the order they must be applied: deletions by index before insertions shift anything.

    A message that is not delivered now is not edited, unless the MTA has it `kept` as it is; in observe-only mode none
    is, but that tokens of releases never pass.
    """
    if verdict.observed is not None:
        return tokens(fields)
    if not kept and verdict.action not in {Action.ACCEPT, Action.ADD_HEADER}:
        return ()
    writes = any(edit.name == RECEIVED_SPF for edit in ours)
    return (*forged(fields, authserv_id, writes_received_spf=writes), *ours)


def unflagged(ours: Sequence[InsertHeader]) -> tuple[InsertHeader, ...]:
    """Our fields of a message that is delivered only when a person has said that it is no spam."""
    return tuple([edit for edit in ours if edit.name.lower().encode() != SPAM_FLAG])


def tokens(fields: Sequence[HeaderField]) -> tuple[DeleteHeader, ...]:
    """Deletions of every field that looks like a token of a release, highest index first."""
    names = [name for name, _ in fields if name.strip().lower() == TOKEN]
    return tuple([DeleteHeader(name.decode("latin-1"), number) for number, name in enumerate(names, 1)][::-1])


def removed(recipients: Iterable[Recipient]) -> tuple[DeleteRecipient, ...]:
    """Those who do not get the message, in the MTA's own spelling: by any other it would find nobody to remove."""
    return tuple([DeleteRecipient(exact) for exact in dict.fromkeys([one.exact for one in recipients])])


def _score_line(verdict: Verdict) -> str:
    line, lines = f"{verdict.score:.2f} {verdict.action}", []
    for symbol in verdict.symbols[:MAX_SYMBOLS]:
        name = symbol.finding.symbol
        if not (
            name.isascii() and name.isidentifier()
        ):  # no symbol, whatever the inspector says: it could end the line
            continue
        word = f"{name}={symbol.weight:g}"
        if len(line) + len(word) + 1 > _FOLD - len("X-Filterd-Score: "):
            lines.append(line)
            line = word
        else:
            line += " " + word
    return "\r\n\t".join([*lines, line])

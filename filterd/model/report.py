"""What a check says: findings without numbers, and whether it could look at all."""

from dataclasses import dataclass
from enum import StrEnum

from filterd.model.authentication import AuthResult


class Stage(StrEnum):
    """The moments of an SMTP transaction, in order: at each one more is known."""

    CONNECT = "connect"
    HELO = "helo"
    MAIL = "mail"
    RCPT = "rcpt"
    HEADERS = "headers"
    EOM = "eom"


class Outcome(StrEnum):
    """Whether a check did its work. Only `ok` says anything about the message."""

    OK = "ok"
    SKIPPED = "skipped"  # not for this message: no address, trusted client
    UNKNOWN = "unknown"  # could not be checked: DNS failed, deadline, inspector died
    CRASHED = "crashed"  # our bug; never reads as clean


@dataclass(frozen=True, slots=True)
class Finding:
    """A symbol of rules/scores.toml and what was seen; `evidence` may be hostile text, up to 200 characters each."""

    symbol: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One check's report on one message; `ms` is wall time from its start, `cause` says why it is not `ok`.

    `read` is what it was told by shared state, as keys and texts that evidence keeps: a replay is told the same.
    """

    check: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    auth_results: tuple[AuthResult, ...] = ()
    cause: str = ""
    ms: float = 0.0
    read: tuple[tuple[str, str], ...] = ()

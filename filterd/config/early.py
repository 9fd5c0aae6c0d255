"""The tables [policy] and [early]: how Postfix asks about recipients, and what they are refused for before DATA."""

import re

from pydantic import field_validator, model_validator

from filterd.config.fields import Section, key
from filterd.config.listen import Listen, parse_listen

_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
_LOCAL_PART = re.compile(r"[!-?A-~]{1,64}")  # printable ASCII without @ and blank
_TEMPORARY = frozenset({"SPF_TEMPERROR", "IPREV_TEMPERROR"})


class PolicyService(Section):
    """Postfix' policy service (check_policy_service), which is asked about each recipient; see docs/postfix.md."""

    listen: str = key(
        "",
        "Where Postfix asks: unix:PATH, inet:PORT@HOST or inet6:PORT@HOST, another one than `[milter] listen`; empty:"
        " nowhere.",
    )
    socket_mode: str = key("0660", "Permissions of the unix socket, octal.")
    socket_group: str = key(
        "", "Group of the unix socket (Postfix's, so that it may connect); empty: the daemon's own."
    )
    timeout: float = key(
        5.0,
        "How long a recipient may wait for lookups; then it is judged by what is known. Half a second where Postfix"
        " says that it is under stress.",
        "s",
        gt=0,
        le=60,
    )

    @field_validator("listen")
    @classmethod
    def _known(cls, value: str) -> str:
        if value:
            parse_listen(value)
        return value

    @field_validator("socket_mode")
    @classmethod
    def _octal(cls, value: str) -> str:
        if re.fullmatch(r"0?[0-7]{3}", value) is None:
            raise ValueError('expected an octal mode such as "0660"')
        return value

    @property
    def address(self) -> Listen | None:
        """`listen`, parsed; None where it is off."""
        return parse_listen(self.listen) if self.listen else None

    @property
    def mode(self) -> int:
        """`socket_mode` as a number."""
        return int(self.socket_mode, 8)


class Early(Section):
    """What strangers' recipients are refused for before the content is sent, by policy service and milter alike.

    As shipped nothing is: a message that only its content shows to be wanted could not speak for itself. What is
    refused here is seen by no content check and never held. Whoever is on `[trust] allow` by `spf:` or `ip:` is spared.
    """

    milter: bool = key(
        False,
        "Judge recipients in the milter, too: for Sendmail, and for Postfix without the policy service. Not both, or"
        " rate limits count each recipient twice. Clients on loopback are not judged there: programs of this host"
        " cannot be told to come again.",
    )
    wait: float = key(
        0.0,
        "How long the milter may wait for lookups at a recipient. 0: it uses what has arrived. Waiting holds up other"
        " sessions of the same front.",
        "s",
        ge=0,
        le=5,
    )
    reject: tuple[str, ...] = key(
        (),
        "Symbols that a recipient is refused for (5xx): those of spf, iprev, dnsbl, REPUTATION_NETWORK_* and HELO_*,"
        ' for example ["DNSBL_SPAMHAUS_SBL", "SPF_FAIL"]. The null sender is refused for no SPF_* symbol.',
    )
    defer: tuple[str, ...] = key((), "Symbols that a recipient is told to come again for (4xx).")
    reject_score: float = key(
        0.0, "Score of the early checks from which a recipient is refused; 0: none is.", "points", ge=0
    )
    defer_score: float = key(
        0.0, "The same for being told to come again; not above reject_score. 0: nobody is.", "points", ge=0
    )
    spare: tuple[str, ...] = key(
        ("postmaster", "abuse"),
        "Local parts of recipients that are refused nothing for what checks find before the content (RFC 5321, section"
        " 4.5.1): whoever is on a DNS block list by mistake must be able to say so. Your own lists, greylisting and"
        " rate limits hold for them, too.",
    )

    @field_validator("reject", "defer")
    @classmethod
    def _symbols(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if _SYMBOL.fullmatch(name) is None:
                raise ValueError(f'expected names of symbols such as "SPF_FAIL", got {name!r}')
        return value

    @field_validator("spare")
    @classmethod
    def _local_parts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if _LOCAL_PART.fullmatch(name) is None:
                raise ValueError(f'expected what stands before the @, such as "postmaster", got {name!r}')
        return tuple([name.lower() for name in value])

    @model_validator(mode="after")
    def _sensible(self) -> "Early":
        if passing := sorted(_TEMPORARY.intersection(self.reject)):
            # What could not be checked just now is no reason to refuse for good.
            raise ValueError(f"reject: expected no temporary failure, got {passing[0]!r}: put it under defer")
        if self.reject_score and self.defer_score > self.reject_score:
            raise ValueError("expected defer_score <= reject_score")
        return self

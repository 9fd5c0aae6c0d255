"""The tables of filterd.toml that say where things are and how they are reached."""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal

from pydantic import field_validator

from filterd.config.fields import IdentityField, ListenField, NetworkField, PathField, Section, key
from filterd.config.listen import Listen, parse_listen, parse_nameserver
from filterd.model.identity import DOMAIN
from filterd.model.session import TrustClass

MAX_WORKERS: Final = 256  # processes; more than any machine this is meant for has cores
AUTHSERV_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,255}")  # RFC 8601, section 2.5: a token; a host name in practice
CHECK_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# Mail of our own users has no DKIM signature yet and comes from addresses that no SPF record names.
SKIPPED: Final = ("spf", "iprev", "dmarc", "dnsbl", "replay")


class Milter(Section):
    """The milter socket and the processes behind it."""

    listen: ListenField = key(
        "unix:var/milter.sock",
        "Where the MTA connects: unix:PATH, inet:PORT@HOST or inet6:PORT@HOST. A unix socket is faster by 40 ms and"
        " more per message.",
    )
    socket_mode: str = key(
        "0660", "Permissions of the unix socket, octal. Write permission is what lets an MTA connect."
    )
    socket_group: str = key(
        "", "Group of the unix socket (Postfix's, so that it may connect); empty: the daemon's own."
    )
    workers: int = key(
        0, "Front processes that speak with the MTA; 0: one per core.", "processes", ge=0, le=MAX_WORKERS
    )
    deadline: float = key(
        60.0,
        "How long the end of a message may take before it is deferred. Keep the MTA's milter_content_timeout above it.",
        "s",
        ge=5,
        le=3600,
    )
    authserv_id: str = key("", "The name in our Authentication-Results fields; empty: the host name.")
    recipient_delimiter: str = key(
        "+",
        "Characters behind which a recipient's name is only an extension (user+shop@), as the MTA's"
        " recipient_delimiter: such mail has the policy of the name. Empty: none.",
    )

    @field_validator("socket_mode")
    @classmethod
    def _octal(cls, value: str) -> str:
        if re.fullmatch(r"0?[0-7]{3}", value) is None:
            raise ValueError('expected an octal mode such as "0660"')
        return value

    @field_validator("authserv_id")
    @classmethod
    def _token(cls, value: str) -> str:
        if value and AUTHSERV_ID.fullmatch(value) is None:
            raise ValueError("expected a host name")
        return value

    @property
    def address(self) -> Listen:
        """`listen`, parsed."""
        return parse_listen(self.listen)

    @property
    def mode(self) -> int:
        """`socket_mode` as a number."""
        return int(self.socket_mode, 8)

    @property
    def fronts(self) -> int:
        """`workers`, with 0 replaced by the number of cores this process may use."""
        return self.workers or len(os.sched_getaffinity(0))


class Dns(Section):
    """The resolver."""

    nameservers: tuple[str, ...] = key(
        (),
        "Resolvers to ask, as ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; empty: those of /etc/resolv.conf. Block lists"
        " refuse public resolvers: run your own on loopback.",
    )
    timeout: float = key(5.0, "How long all lookups of one message may take together.", "s", gt=0, le=60)
    try_timeout: float = key(1.5, "How long one query waits before it is sent again.", "s", gt=0, le=60)

    @field_validator("nameservers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            parse_nameserver(entry)
        return value

    @property
    def servers(self) -> tuple[tuple[str, int], ...]:
        """`nameservers` as (address, port)."""
        return tuple(parse_nameserver(entry) for entry in self.nameservers)


class Paths(Section):
    """Directories. Relative ones are taken from the working directory: an installed daemon names absolute ones."""

    state: PathField = key(Path("var"), "What must survive: held mail, journal, embedded state.")
    runtime: PathField | None = key(None, "Sockets and the pid file; absent: the same as state.")
    user: str = key(
        "",
        "User the daemon becomes where root starts it, before it opens anything: both folders are made for that user,"
        " or belong to it already. Empty: it stays who it is, and the log warns of root. Only a start looks at it.",
    )


class Inspectors(Section):
    """The processes that read hostile content."""

    per_front: int = key(
        2, "Inspectors of each front: that many messages are read at the same time.", "processes", ge=1, le=64
    )
    recycle: int = key(500, "Messages after which an inspector is replaced by a fresh one.", "messages", ge=1)
    seconds: float = key(
        30.0, "How long an inspector may take for one message before it is killed.", "s", gt=0, le=3600
    )
    memory: int = key(1 << 30, "Address space of an inspector.", "bytes", ge=256 << 20)
    sandbox: Literal["best", "required", "off"] = key(
        "best",
        "best: every confinement this machine offers, the level reached is logged; required: refuse to start without"
        " all of them; off: resource limits only.",
    )
    passwords: bool = key(
        True, 'Try words of a mail that stand near "password" (in many languages) on the encrypted zips in it.'
    )
    user: str = key("", "User the inspectors run as where the daemon is started by root; empty: the daemon's own.")


def _domain_names(value: tuple[str, ...]) -> tuple[str, ...]:
    domains = [name.lower().removesuffix(".") for name in value]
    for name, domain in zip(value, domains, strict=True):
        if DOMAIN.fullmatch(domain) is None:
            raise ValueError(f"expected domain names such as example.org (xn--... for others), got {name!r}")
    return tuple(dict.fromkeys(domains))


class Clamd(Section):
    """ClamAV's daemon beside the inspectors; `[actions.on_unknown] clamd` is for messages that it has not scanned."""

    address: str = key(
        "",
        "Where clamd listens: unix:/run/clamav/clamd.ctl, or inet:3310@127.0.0.1 (mail goes there as it is: loopback or"
        " a network of your own); empty: it is not asked.",
    )
    timeout: float = key(
        10.0, "How long it may take for one message; it works while the inspector does.", "s", ge=0.1, le=300
    )
    max_size: int = key(
        25_000_000,
        "Larger messages are not sent and stay unknown to this check. Not above clamd's StreamMaxLength.",
        "bytes",
        ge=1_000,
        le=4_000_000_000,
    )

    @field_validator("address")
    @classmethod
    def _known(cls, value: str) -> str:
        if value:
            parse_listen(value)
        return value

    @property
    def listen(self) -> Listen | None:
        """`address`, parsed."""
        return parse_listen(self.address) if self.address else None


class Trust(Section):
    """Whom we believe, and which checks are left out for whom."""

    networks: tuple[NetworkField, ...] = key(LOOPBACK, "Clients of our own: trust class local.")
    relays: tuple[NetworkField, ...] = key(
        (), "Gateways of ours in front of this MTA: the client that is judged is the host that spoke to them."
    )
    arc_sealers: tuple[str, ...] = key(
        (),
        "Domains (the d= of an ARC-Seal, subdomains not included) whose forwarders you believe when they say what they"
        " found: a chain that passes and was sealed by them counts, all other chains are only reported.",
    )
    allow: tuple[IdentityField, ...] = key(
        (),
        "Senders whose mail gets ALLOWED_SENDER (scores.toml): `dkim:example.org` (a signature that verifies),"
        " `spf:example.org` (the envelope sender's domain), `ip:192.0.2.0/24` (the client); `.example.org` means all"
        " below too. A From field alone proves nothing and cannot be named. Entries that come and go, with a reason, an"
        " owner and a last day, are made without a reload by `filterd list allow add` (docs/lists.md).",
    )
    skip: dict[TrustClass, tuple[str, ...]] = key(
        {TrustClass.AUTHENTICATED: SKIPPED, TrustClass.LOCAL: SKIPPED},
        "Checks left out, by trust class (authenticated, local, relay, stranger).",
    )

    @field_validator("arc_sealers")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _domain_names(value)

    @field_validator("skip")
    @classmethod
    def _names(cls, value: dict[TrustClass, tuple[str, ...]]) -> dict[TrustClass, tuple[str, ...]]:
        for names in value.values():
            for name in names:
                if CHECK_NAME.fullmatch(name) is None:
                    raise ValueError(f"expected names of checks, got {name!r}")
        return value

    def skips(self, trust: TrustClass) -> tuple[str, ...]:
        """Names of the checks that are left out for this class."""
        return self.skip.get(trust, ())


class Spf(Section):
    """What is written down of SPF besides its result in Authentication-Results."""

    received_header: bool = key(
        False,
        "Also add Received-SPF (RFC 7208, section 9.1) to what is delivered, one field for MAIL FROM and one for HELO,"
        " for software that reads only that; fields of that name which do not say whose they are then go.",
    )
    explain: bool = key(
        False,
        "Where a domain's record fails the client, look its explanation (exp=) up and show it as evidence. It is the"
        " domain's own text and costs a lookup.",
    )


class Dmarc(Section):
    """Whom to believe where DMARC fails. Entries are what was proved, never a From field: see `[trust] allow`."""

    forwarders: tuple[IdentityField, ...] = key(
        (),
        "Forwarders (a company's other mail system, alumni addresses) whose mail is spared the policy of the author's"
        " domain: `dkim:forwarder.example`, `spf:forwarder.example`, `ip:192.0.2.0/24`.",
    )
    mailing_lists: tuple[str, ...] = key(
        (),
        "Domains that run mailing lists, with a dot in front: all below too. A message is spared where its List-Id lies"
        " at or below such a domain and DKIM or SPF has proved that it is of that domain.",
    )
    known_lists: bool = key(
        False,
        "Spare mail of proved lists that are not named too, where their domain has a good standing here: it is tagged."
        " Whoever has earned a good name could then send in anybody's.",
    )
    spf_upgrade: bool = key(
        False,
        "Where SPF alone lets DMARC pass, look whether an earlier hop has recorded that SPF failed, and then do not"
        " count it: for domains whose SPF record names services that anybody can rent.",
    )

    @field_validator("mailing_lists")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        dots = ["." if name.startswith(".") else "" for name in value]
        domains = _domain_names(tuple([name.removeprefix(".") for name in value]))
        return tuple(dict.fromkeys([dot + domain for dot, domain in zip(dots, domains, strict=True)]))


class Reputation(Section):
    """What is remembered of senders and used beside everything else: a hint that alone decides nothing."""

    enabled: bool = key(
        True,
        "Count how mail of a network and of an authenticated domain turns out, and remember who knows whom (as hashes,"
        " for half a year at most), in the shared state. What the symbols weigh stands in scores.toml.",
    )


class Metrics(Section):
    """Prometheus metrics over HTTP."""

    listen: ListenField | None = key(
        None, "Where metrics are served: unix:PATH, or inet:PORT@HOST for a trusted network; absent: not served."
    )

    @property
    def address(self) -> Listen | None:
        """`listen`, parsed."""
        return parse_listen(self.listen) if self.listen else None


class Log(Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = key("info", "The least severe event that is written.")
    format: Literal["auto", "json", "console"] = key(
        "auto", "json: one object per line; console: for people; auto: console on a terminal, json elsewhere."
    )
    addresses: Literal["full", "domains"] = key(
        "full", "domains: the message line names domains only, without the local parts of sender and recipients."
    )

"""The table of filterd.toml that says what is counted for DMARC reports, and how they are sent."""

import re
from typing import Final, Self

from pydantic import field_validator, model_validator

from filterd.config.digest import plain_address
from filterd.config.fields import PathField, Section, key
from filterd.config.listen import Listen, ListenKind, parse_listen

DAYS: Final = 60  # that rows may be kept at most: as the journal
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")


class DmarcReports(Section):
    """Aggregate reports (RFC 9990) to domains that ask for them: what DMARC found of their mail. Off as shipped."""

    enabled: bool = key(
        False,
        "Count, for domains whose DMARC record has rua=, what was found of mail in their name: client address, domains,"
        " results, by day. `filterd dmarc report` writes a report, `filterd dmarc send` sends them; nothing is sent by"
        " itself (docs/dmarc-reports.md).",
    )
    organization: str = key("", "Who reports, as a name; empty: the domain of `sender`.", max_length=100)
    sender: str = key("", "The address in From, which is also who may be asked. Its domain is the reporter's.")
    contact: str = key("", "More to reach you by, such as the address of a page.", max_length=200)
    bounces: str = key("", "The envelope sender; empty: the null sender, and nothing comes back.")
    relay: str = key(
        "",
        "The MTA's listener that takes reports and sends them out, inet:PORT@HOST; empty: as released mail, by"
        " [quarantine] release.",
    )
    dkim_selector: str = key("", "The selector of the key that signs reports, below _domainkey of `dkim_domain`.")
    dkim_domain: str = key("", "The domain that signs; empty: that of `sender`. Receivers want it to be aligned.")
    dkim_key_file: PathField | None = key(
        None,
        "The private key, RSA in PEM, which others must not be able to read (mode 0600 or 0640). `filterd dmarc send`"
        " reads it, and nothing else does: the daemon's user needs no right to it.",
    )
    max_size: int = key(
        10_000_000,
        "A larger mail is not sent. Domains may ask for less (rua=mailto:...!5m).",
        "bytes",
        ge=10_000,
        le=100_000_000,
    )
    most: int = key(
        1_000,
        "Reports that `filterd dmarc send` sends of one day at most: those on domains with most mail.",
        "reports",
        ge=1,
        le=100_000,
    )
    keep: float = key(14.0, "How long what was counted is kept.", "d", ge=2, le=DAYS)

    @field_validator("sender", "bounces")
    @classmethod
    def _addresses(cls, value: str) -> str:
        return plain_address(value) if value else value

    @field_validator("organization", "contact")
    @classmethod
    def _words(cls, value: str) -> str:
        if not (value.isascii() and value.isprintable()) and value:
            raise ValueError("expected one line of printable ASCII")
        return value

    @field_validator("dkim_domain", "dkim_selector")
    @classmethod
    def _names(cls, value: str) -> str:
        if value and _NAME.fullmatch(value) is None:
            raise ValueError("expected a name such as example.org, a selector such as reports2026")
        return value.lower()

    @field_validator("relay")
    @classmethod
    def _by_tcp(cls, value: str) -> str:
        if value and parse_listen(value).kind is ListenKind.UNIX:
            raise ValueError("expected inet:PORT@HOST or inet6:PORT@HOST: mail is handed over by SMTP over TCP")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.dkim_selector) != (self.dkim_key_file is not None):
            raise ValueError("dkim_selector and dkim_key_file belong together")
        return self

    @property
    def listener(self) -> Listen | None:
        """`relay`, parsed."""
        return parse_listen(self.relay) if self.relay else None

    @property
    def domain(self) -> str:
        """The reporter's domain, empty where there is no `sender`."""
        return self.sender.rpartition("@")[2].lower()

"""The table of filterd.toml that says who is told what is held, when, and how."""

import re
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

from pydantic import field_validator, model_validator

from filterd.config.fields import PathField, Section, key
from filterd.config.listen import Listen, ListenKind, parse_listen

MAX_LISTED: Final = 1_000  # messages in one mail: beyond that nobody reads on
DAYS: Final = 7
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_ADDRESS: Final = re.compile(r"[^\s<>@\"(),:;\\]{1,64}@[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]*\*?")
# What is held for its sender or its text. Malware, what cannot be read and what is on your own lists are not for
# recipients to ask for.
REASONS: Final = (
    "score",
    "listed",
    "authentication",
    "client-name",
    "reputation",
    "dmarc-*",
    "spf-*",
    "dkim-*",
    "iprev-*",
)
NEVER: Final = ("YARA_*", "CLAMD_*", "ICAP_*", "INDICATOR_*", "UNSCANNABLE_*", "AMBIGUOUS_*")


def plain_address(value: str) -> str:
    """The same address; ValueError where it is no plain one."""
    if _ADDRESS.fullmatch(value) is None:
        raise ValueError(f"expected a plain address such as postmaster@example.org, got {value!r}")
    return value


class Digest(Section):
    """A mail now and then that says what is held. Nobody gets one as shipped."""

    reviewers: tuple[str, ...] = key((), "Addresses that are told of everything that was held.")
    domains: tuple[str, ...] = key(
        (), "Each recipient in these domains is told what is held for him; `.example.org`: in all below it, too."
    )
    at: str = key("07:00", "When a day's digest is sent, HH:MM in `timezone`.")
    every: int = key(
        0, "Send one every so many hours instead, counted from midnight UTC; 0: once a day.", "h", ge=0, le=24 * DAYS
    )
    timezone: str = key("UTC", "The zone of `at`, and of the times in a digest, such as Europe/Berlin.")
    reasons: tuple[str, ...] = key(
        REASONS,
        "Recipients are told of what is held for these reasons alone (`filterd quarantine list` shows them; `*` at the"
        " end stands for anything). Reviewers are told of all.",
    )
    never: tuple[str, ...] = key(
        NEVER, "And never of a message with one of these symbols, whatever the reason; `*` as above."
    )
    sender: str = key("", "The address in From; needed where anybody is told.")
    bounces: str = key("", "The envelope sender; empty: the null sender, and nothing comes back.")
    most: int = key(100, "Messages listed in one digest at most: the newest.", "messages", ge=1, le=MAX_LISTED)
    templates: PathField | None = key(
        None,
        "Folder with templates of your own; what is not in it is as shipped. `filterd quarantine digest --templates"
        " DIR` writes the shipped ones.",
    )
    relay: str = key(
        "",
        "Where digests are handed over, inet:PORT@HOST; empty: as released mail. There they carry a token, as with"
        " [quarantine] release_by.",
    )

    @field_validator("reviewers", "sender", "bounces")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for one in [value] if isinstance(value, str) else value:
            if one or not isinstance(value, str):
                plain_address(one)
        return value

    @field_validator("domains")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if _DOMAIN.fullmatch(one) is None:
                raise ValueError(f"expected domains such as example.org or .example.org (xn--...), got {one!r}")
        return value

    @field_validator("reasons", "never")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not one or _PATTERN.fullmatch(one) is None:
                raise ValueError(f"expected a name, or the beginning of names and *, got {one!r}")
        return value

    @field_validator("at")
    @classmethod
    def _clock(cls, value: str) -> str:
        if _CLOCK.fullmatch(value) is None:
            raise ValueError("expected HH:MM, from 00:00 to 23:59")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            raise ValueError("expected a zone that this machine knows, such as UTC or Europe/Berlin") from None
        return value

    @field_validator("relay")
    @classmethod
    def _by_tcp(cls, value: str) -> str:
        if value and parse_listen(value).kind is ListenKind.UNIX:
            raise ValueError("expected inet:PORT@HOST or inet6:PORT@HOST: mail is handed over by SMTP over TCP")
        return value

    @field_validator("templates")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("expected a folder")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.wanted and not self.sender:
            raise ValueError("somebody is to be told: `sender` must say who tells")
        return self

    @property
    def wanted(self) -> bool:
        """Whether anybody is told."""
        return bool(self.reviewers or self.domains)

    @property
    def hour_and_minute(self) -> tuple[int, int]:
        """`at`, parsed."""
        hour, _, minute = self.at.partition(":")
        return int(hour), int(minute)

    @property
    def listener(self) -> Listen | None:
        """`relay`, parsed."""
        return parse_listen(self.relay) if self.relay else None

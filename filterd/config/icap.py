"""The table of filterd.toml for a scanner that speaks ICAP."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import field_validator

from filterd.config.fields import Section, key
from filterd.config.listen import MAX_PORT, Listen, ListenKind

PORT: Final = 1_344  # RFC 3507, 4.2
_URL: Final = re.compile(
    r"icap://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?(?P<path>/[\x21-\x7e]{1,1000})"
)


@dataclass(frozen=True, slots=True)
class IcapService:
    """Where a service is reached: `host` and `path` as they stand in its URL, `address` to connect to."""

    host: str
    path: str
    address: Listen

    @property
    def url(self) -> str:
        """The service's own name for itself (RFC 3507, 4.2)."""
        return f"icap://{self.host}:{self.address.port}{self.path}"


def parse_service(text: str) -> IcapService:
    """Read icap://HOST[:PORT]/SERVICE. ValueError otherwise."""
    found = _URL.fullmatch(text)
    port = int(found["port"] or PORT) if found else 0
    if found is None or not 0 < port <= MAX_PORT:
        raise ValueError("expected icap://HOST:PORT/SERVICE, such as icap://127.0.0.1:1344/avscan")
    host = found["host"].strip("[]")
    kind = ListenKind.INET6 if ":" in host else ListenKind.INET
    return IcapService(found["host"], found["path"], Listen(kind, host=host, port=port))


class Icap(Section):
    """An ICAP scanner (RFC 3507) beside the inspectors; `[actions.on_unknown] icap` is for what it left unscanned."""

    url: str = key(
        "",
        "The service: icap://127.0.0.1:1344/avscan (mail goes there as it is: loopback or a network of your own);"
        " empty: it is not asked.",
    )
    method: Literal["RESPMOD", "REQMOD"] = key(
        "RESPMOD", "What the service is made for: RESPMOD scans downloads, REQMOD uploads; most offer both."
    )
    timeout: float = key(
        10.0, "How long it may take for one message; it works while the inspector does.", "s", ge=0.1, le=300
    )
    max_size: int = key(
        5_000_000,
        "Larger messages are not sent and stay unknown to this check. Not above the service's own limit, beyond which"
        " many call clean what they have not read (c-icap: virus_scan.MaxObjectSize).",
        "bytes",
        ge=1_000,
        le=4_000_000_000,
    )

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if value:
            parse_service(value)
        return value

    @property
    def service(self) -> IcapService | None:
        """`url`, parsed."""
        return parse_service(self.url) if self.url else None

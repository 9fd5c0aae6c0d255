"""What a sendmail.cf says of filters, of the ports it listens on, and of limits."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.operations.doctor_values import is_loopback, seconds

MAIN: Final = Path("/etc/mail/sendmail.cf")
MAX_FILE: Final = 4 << 20  # bytes; Debian's has 60 kB
# What Sendmail waits where T= does not say: connect, send, read, end of message (its documentation, "T=").
WAITS: Final = {"C": 300.0, "S": 10.0, "R": 10.0, "E": 300.0}
_OPTION: Final = re.compile(r"O\s+([A-Za-z0-9.]+)\s*=\s*(.*)")
_PARTS: Final = re.compile(r"[;\s]+")


class SendmailError(Exception):
    """The file cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A milter: its name, where it is, what becomes of mail without it (T, R, 4 or nothing), and seconds by letter."""

    name: str
    socket: str
    flags: str
    waits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Daemon:
    """A port that is listened on; `filters` is None where those of all are asked."""

    name: str
    host: str
    port: str
    filters: tuple[str, ...] | None

    @property
    def private(self) -> bool:
        """Whether only this host reaches it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class SendmailCf:
    """The file."""

    filters: tuple[Filter, ...]
    daemons: tuple[Daemon, ...]
    options: Mapping[str, str]

    @property
    def asked(self) -> tuple[str, ...]:
        """The filters that mail passes, by name, where a port has none of its own."""
        return _names(self.options.get("InputMailFilters", ""))


def read_file(path: Path) -> SendmailCf:
    """Of a file, or of sendmail.cf in a folder. SendmailError."""
    place = path / "sendmail.cf" if path.is_dir() else path
    try:
        with place.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_FILE)
    except OSError as error:
        raise SendmailError(f"{place}: {error.strerror or error}") from None
    if not re.search(r"^O\s", text, re.MULTILINE):
        raise SendmailError(f"{place}: expected a sendmail.cf (what m4 makes of sendmail.mc)")
    return read_cf(text)


def read_cf(text: str) -> SendmailCf:
    """Of its text; lines that say something else are passed over."""
    filters, daemons, options = [], [], dict[str, str]()
    for line in _lines(text):
        if line.startswith("X"):
            filters.append(_filter(line[1:]))
        elif found := _OPTION.fullmatch(line):
            if found[1] == "DaemonPortOptions":
                daemons.append(_daemon(found[2]))
            else:
                options[found[1]] = found[2].strip()
    return SendmailCf(tuple(filters), tuple(daemons) or (_daemon(""),), options)


def _lines(text: str) -> Iterator[str]:
    """With those that go on (they begin with a blank) in one."""
    kept = ""
    for line in text.splitlines():
        if line[:1] in {" ", "\t"}:
            kept += line
            continue
        if kept:
            yield kept.rstrip()
        kept = "" if line.startswith("#") else line
    if kept:
        yield kept.rstrip()


def _filter(text: str) -> Filter:
    name, *fields = [one.strip() for one in text.split(",")]
    found = {key.strip(): value.strip() for key, _, value in (one.partition("=") for one in fields)}
    waits = dict(WAITS)
    for part in _PARTS.split(found.get("T", "")):
        letter, _, time = part.partition(":")
        waits[letter] = seconds(time) or waits.get(letter, 0.0)
    return Filter(name, found.get("S", ""), found.get("F", ""), {one: waits[one] for one in WAITS})


def _daemon(text: str) -> Daemon:
    """Of what a name means its first letter counts, as Sendmail has it."""
    found = {key.strip()[:1]: value.strip() for key, _, value in (one.partition("=") for one in text.split(","))}
    filters = _names(found["I"]) if "I" in found else None
    return Daemon(found.get("N", "MTA"), found.get("A", ""), found.get("P", "smtp"), filters)


def _names(text: str) -> tuple[str, ...]:
    return tuple([one for one in re.split(r"[\s,;]+", text) if one])

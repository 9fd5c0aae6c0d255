"""What is brought along from another filter: entries of lists, settings, and what has no counterpart, each with why.

Nothing is taken that would weaken what filterd promises: an allow entry counts only for mail that has proved its
sender, and what another filter gave a few points for or against is no reason here to let mail pass or to refuse it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from filterd.ownlists import Which, parse_name

MAX_FILE: Final = 32 << 20  # bytes of one file; a list of a million domains has 20 MB
MAX_LINE: Final = 4_096  # characters of a line that are looked at
SHOWN: Final = 120  # characters of a line that are repeated
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")  # [trust] networks as shipped, in the place of which a list comes
PROVED: Final = "counts only where the mail proves it (DKIM, SPF, DMARC)"


class Fate(StrEnum):
    """What becomes of a line."""

    ENTRY = "entry"  # of the allow or the block list
    SETTING = "setting"  # for filterd.toml
    UNSAFE = "unsafe"  # could be said here, and should not be
    WITHOUT = "without"  # has no counterpart here


@dataclass(frozen=True, slots=True)
class Origin:
    """A line of a file."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was read; `why` says what is to be known of it."""

    origin: Origin
    fate: Fate
    why: str
    which: Which | None = None
    entry: str = ""  # kind:name
    setting: tuple[str, ...] = ()  # the key's path
    value: Any = None

    @property
    def here(self) -> str:
        """What it is here, in words."""
        if self.fate is Fate.ENTRY and self.which is not None:
            return f"{self.which} {self.entry}"
        return f"{'.'.join(self.setting)} = {self.value}" if self.fate is Fate.SETTING else "-"


class ImportFailedError(Exception):
    """There is nothing to read; the text says what was expected."""


@dataclass(slots=True)
class Context:
    """What is known here: domains where anybody gets an address, symbols with their weights, and those with a floor."""

    freemail: frozenset[str] = frozenset()
    symbols: Mapping[str, float] = field(default_factory=dict)
    floors: frozenset[str] = frozenset()


def without(origin: Origin, why: str) -> Found:
    """What has no counterpart."""
    return Found(origin, Fate.WITHOUT, why)


def unsafe(origin: Origin, why: str) -> Found:
    """What is better not said here."""
    return Found(origin, Fate.UNSAFE, why)


def setting(origin: Origin, path: Sequence[str], value: Any, why: str) -> Found:
    """A key of filterd.toml."""
    return Found(origin, Fate.SETTING, why, setting=tuple(path), value=value)


def sender_entry(origin: Origin, which: Which, pattern: str, context: Context, note: str = "") -> Found:
    """What a pattern over senders' addresses means as an entry: an address, a domain, or a domain and all below."""
    text = pattern.strip().lower()
    name = _named(text)
    if name is None:
        if text.strip("*?@.") == "" or text.lstrip("*@.").count(".") == 0:
            return unsafe(origin, "names everybody, or a whole top-level domain")
        return without(origin, "a pattern that is neither an address nor a domain: a rule can say it (docs/rules.md)")
    kind = "domain" if name.startswith(".") or "@" not in name else "sender"
    domain = name.removeprefix(".")
    if kind == "domain" and which is Which.ALLOW and domain in context.freemail:
        return unsafe(origin, f"anybody gets an address at {domain}: name the addresses that you mean")
    why = PROVED if which is Which.ALLOW else "refuses, whether the sender is proved or only claimed"
    return entry(origin, which, f"{kind}:{name}", f"{why}{f'; {note}' if note else ''}")


def recipient_entry(origin: Origin, which: Which, pattern: str, note: str = "") -> Found:
    """The same for recipients."""
    name = _named(pattern.strip().lower())
    if name is None:
        return without(origin, "expected an address or a domain; other patterns have no counterpart")
    why = "counts where all recipients of a message have such an entry (docs/lists.md)"
    return entry(origin, which, f"recipient:{name}", f"{why}{f'; {note}' if note else ''}")


def network_entry(origin: Origin, which: Which, text: str, note: str = "") -> Found:
    """A client's network."""
    return entry(origin, which, f"ip:{text.strip()}", note or "the client's address is in it")


def entry(origin: Origin, which: Which, text: str, why: str) -> Found:
    """An entry, where it can be meant."""
    try:
        kind, name = parse_name(text)
    except ValueError as error:
        return without(origin, str(error))
    return Found(origin, Fate.ENTRY, why, which, f"{kind}:{name}")


def _named(text: str) -> str | None:
    """An address, a domain, or one with a dot before it; None for what is another pattern."""
    text = re.sub(r"^\*@\*\.", "*.", text)
    text = re.sub(r"^(?:\*@|@)", "", text) if "@" in text else text
    if text.startswith("*."):
        text = text[1:]
    return None if not text or set(text) & set("*?[]\\/ \t") or "." not in text.strip(".") else text


def networks(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Networks as they are written here, and those texts that are none: SpamAssassin takes 192.168. for a network."""
    good, bad = [], []
    for text in texts:
        try:
            good.append(str(ip_network(_whole(text), strict=False)))
        except ValueError:
            bad.append(text)
    return good, bad


def _whole(text: str) -> str:
    """With the octets that are left out: 192.168. and 10/8."""
    address, slash, bits = text.partition("/")
    parts = address.rstrip(".").split(".")
    octets = 4
    if ":" in text or len(parts) >= octets or not all(part.isdigit() for part in parts):
        return text
    return ".".join([*parts, *["0"] * (octets - len(parts))]) + (f"/{bits}" if slash else f"/{8 * len(parts)}")


def lines_of(path: Path, shown: str) -> Iterator[Origin]:
    """The lines of a file, cut at a bound; ImportFailedError where it cannot be read."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise ImportFailedError(f"{path} has more than {MAX_FILE} bytes: is it a file of this filter?")
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                yield Origin(shown, number, line.rstrip("\r\n")[:MAX_LINE])
    except OSError as error:
        raise ImportFailedError(f"{path}: {error.strerror}") from None


def weight(origin: Origin, symbol: str, known: Mapping[str, str], points: float, context: Context) -> Found:
    """A symbol's weight, where filterd finds the same; 0 turns it off."""
    name = known.get(symbol, "")
    if name not in context.symbols:
        return without(origin, f"nothing here means just {symbol}: rules/scores.toml names what there is")
    ours = context.symbols[name]
    if points == 0 and name in context.floors:
        return unsafe(
            origin, f"{name} also says what becomes of a message at least: turn it off yourself if you mean that"
        )
    if points == 0:
        return setting(origin, ("rules", "scores", name, "off"), value=True, why=f"weighs {ours:g} as shipped")
    if points * ours < 0:
        return unsafe(origin, f"{name} weighs {ours:g} here: the other way round is no weight of the same thing")
    return setting(origin, ("rules", "scores", name, "weight"), round(points, 2), f"weighs {ours:g} as shipped")


def toml(found: Iterable[Found]) -> list[str]:
    """The settings as tables of filterd.toml; of one that is said twice the last, networks joined."""
    tables: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in found:
        if one.fate is not Fate.SETTING:
            continue
        table = tables.setdefault(one.setting[:-1], {})
        name, value = one.setting[-1], one.value
        if isinstance(value, list):
            value = list(dict.fromkeys([*table.get(name, []), *value]))
        table[name] = value
    lines = []
    for path, keys in tables.items():
        lines += [f"[{'.'.join(path)}]", *[f"{name} = {_toml(value)}" for name, value in keys.items()], ""]
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join([f'"{item}"' for item in value]) + "]"
    return f"{value:g}"

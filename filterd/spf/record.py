"""SPF records (RFC 7208, sections 4.5, 4.6, 5 and 6): text to terms, once per text."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from typing import Final, TypeAlias

from filterd.model.authentication import SpfStatus
from filterd.spf.macros import MacroString, parse_macro_string

# Parsed records are kept, as the names of a day's mail repeat. Hostile ones take up to 27 bytes for each of their own:
# long ones, which are rare, have few places, so that either kind has 14 MB at worst.
MAX_SHORT: Final = 512  # characters
_KEPT_SHORT: Final = 1_024  # records
_KEPT_LONG: Final = 32  # records
MAX_RECORD: Final = 16_384  # characters; the longest records seen are a quarter of that, parsing is linear
MAX_EVIDENCE: Final = 100  # characters of a term that are repeated in a cause


class Kind(StrEnum):
    """The mechanisms of section 5."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


LOCAL: Final = frozenset({Kind.ALL, Kind.IP4, Kind.IP6})  # decided without DNS

_KINDS: Final = {kind.value: kind for kind in Kind}
_QUALIFIERS: Final = {
    "": SpfStatus.PASS,
    "+": SpfStatus.PASS,
    "-": SpfStatus.FAIL,
    "~": SpfStatus.SOFTFAIL,
    "?": SpfStatus.NEUTRAL,
}
_MODIFIER: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_MECHANISM: Final = re.compile(r"([-+?~]?)([A-Za-z][A-Za-z0-9_.-]*)(.*)", re.DOTALL)
_DUAL_CIDR: Final = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_LDH: Final = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?")
# Section 5.6: numbers have no leading zeros.
_OCTET: Final = r"(0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_IP4: Final = re.compile(
    rf"([-+?~]?)ip4:{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}(?:/(0|[1-9]|[12][0-9]|3[0-2]))?",
    re.IGNORECASE | re.ASCII,
)
_LENGTH6: Final = re.compile(r"0|[1-9][0-9]?|1[01][0-9]|12[0-8]")
_IPV4: Final = 4
_BITS4: Final = 32
_BITS6: Final = 128


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism. `target` None means the current domain.

    `network` is an ip4 or ip6 network shifted right by `shift4` or `shift6` bits, by which the client is shifted too;
    for a and mx the shifts are those of their CIDR lengths.
    """

    kind: Kind
    qualifier: SpfStatus
    text: str
    target: MacroString | None = None
    network: int = 0
    shift4: int = 0
    shift6: int = 0


_Table: TypeAlias = tuple[tuple[int, dict[int, int]], ...]


@dataclass(frozen=True, slots=True)
class Networks:
    """Terms in a row that need no DNS: a client is looked up among them, not compared with each.

    The tables hold the places of ip4 and ip6 terms by the bits their networks leave out and by network; `everybody` is
    the place of all, beyond the last where it is not among them.
    """

    terms: tuple[Mechanism, ...]
    v4: _Table
    v6: _Table
    everybody: int

    @classmethod
    def of(cls, terms: Sequence[Mechanism]) -> "Networks":
        """Sort the terms into the tables; of several for one network the first counts."""
        tables: dict[Kind, dict[int, dict[int, int]]] = {Kind.IP4: {}, Kind.IP6: {}}
        everybody = len(terms)
        for place, term in enumerate(terms):
            if term.kind is Kind.ALL:
                everybody = place
                break
            shift = term.shift4 if term.kind is Kind.IP4 else term.shift6
            tables[term.kind].setdefault(shift, {}).setdefault(term.network, place)
        return cls(tuple(terms), tuple(tables[Kind.IP4].items()), tuple(tables[Kind.IP6].items()), everybody)

    def first(self, version: int, number: int) -> Mechanism | None:
        """The first term that matches the address."""
        best = self.everybody
        for shift, places in self.v4 if version == _IPV4 else self.v6:
            place = places.get(number >> shift)
            if place is not None and place < best:
                best = place
        return self.terms[best] if best < len(self.terms) else None


@dataclass(frozen=True, slots=True)
class Record:
    """A record that follows the grammar; `steps` are its terms in order, those that need no DNS gathered."""

    steps: tuple[Mechanism | Networks, ...]
    redirect: MacroString | None = None
    explanation: MacroString | None = None

    @property
    def terms(self) -> tuple[Mechanism, ...]:
        """The terms one by one."""
        return tuple([term for step in self.steps for term in (step.terms if isinstance(step, Networks) else (step,))])


@dataclass(frozen=True, slots=True)
class RecordError:
    """Why the text is no record: a permerror (section 4.6)."""

    reason: str


def select(texts: Sequence[str]) -> list[str]:
    """The TXT records that are SPF records by their version (section 4.5): v=spf1, then a blank or the end."""
    return [text for text in texts if text[:6].lower() == "v=spf1" and text[6:7] in {"", " "}]


def parse(text: str) -> Record | RecordError:
    """Read a whole record; section 4.6: an error anywhere in it is an error at once. What was read before is kept."""
    if len(text) > MAX_RECORD:
        return RecordError(f"record longer than {MAX_RECORD} characters")
    return _short(text) if len(text) <= MAX_SHORT else _long(text)


def read(text: str) -> Record | RecordError:
    """Read a record of bearable length, whether or not it was read before."""
    terms: list[Mechanism] = []
    modifiers: dict[str, MacroString] = {}
    for word in text[6:].split(" "):
        if not word:
            continue
        modifier = _MODIFIER.fullmatch(word)
        if modifier is not None:
            error = _add_modifier(modifiers, modifier[1].lower(), modifier[2])
            if error:
                return RecordError(f"{error}: {word[:MAX_EVIDENCE]}")
            continue
        mechanism = _mechanism(word)
        if mechanism is None:
            return RecordError(f"not a mechanism: {word[:MAX_EVIDENCE]}")
        terms.append(mechanism)
    return _assemble(terms, modifiers)


_short: Final = lru_cache(maxsize=_KEPT_SHORT)(read)
_long: Final = lru_cache(maxsize=_KEPT_LONG)(read)


def _assemble(terms: list[Mechanism], modifiers: dict[str, MacroString]) -> Record:
    redirect = modifiers.get("redirect")
    for index, term in enumerate(terms):
        if term.kind is Kind.ALL:
            # Section 5.1: what stands behind all is never tested, and redirect is ignored, wherever all stands.
            del terms[index + 1 :]
            redirect = None
            break
    steps: list[Mechanism | Networks] = []
    for local, group in groupby(terms, lambda term: term.kind in LOCAL):
        together = list(group)
        steps += [Networks.of(together)] if local else together
    return Record(tuple(steps), redirect, modifiers.get("exp"))


def _add_modifier(modifiers: dict[str, MacroString], name: str, value: str) -> str:
    """Take a modifier in; the text of the error, or nothing."""
    if name not in {"redirect", "exp"}:
        # Section 6: unknown modifiers are ignored, but their value is still a macro-string.
        return "" if parse_macro_string(value) is not None else "malformed modifier"
    if name in modifiers:
        return "modifier appears twice"  # section 6: permerror
    target = _domain_spec(value)
    if target is None:
        return "malformed domain"
    modifiers[name] = target
    return ""


def _domain_spec(text: str) -> MacroString | None:
    """Read a domain-spec (section 7.1): it ends in a macro or in a label that is not all digits."""
    parsed = parse_macro_string(text)
    if parsed is None or parsed.open_end:
        return parsed
    _, dot, top = text.removesuffix(".").rpartition(".")
    return parsed if dot and _LDH.fullmatch(top) and not top.isdigit() else None


def _mechanism(word: str) -> Mechanism | None:
    if (network := _IP4.fullmatch(word)) is not None:
        return _network4(network)
    match = _MECHANISM.fullmatch(word)
    kind = None if match is None else _KINDS.get(match[2].lower())
    if match is None or kind is None or kind is Kind.IP4:
        return None
    qualifier, rest, text = _QUALIFIERS[match[1]], match[3], word[:MAX_EVIDENCE]
    if kind is Kind.ALL:
        return None if rest else Mechanism(kind, qualifier, text)
    if kind is Kind.IP6:
        return _network6(qualifier, rest, text)
    return _lookup(kind, qualifier, rest, text)


def _lookup(kind: Kind, qualifier: SpfStatus, rest: str, text: str) -> Mechanism | None:
    """Read a mechanism that asks DNS: a domain-spec, and for a and mx CIDR lengths behind it (sections 5.2 to 5.7)."""
    shift4 = shift6 = 0
    if kind in {Kind.A, Kind.MX} and "/" in rest:
        cidr = _DUAL_CIDR.search(rest)
        if cidr is None:
            return None
        shift4 = _BITS4 - int(cidr[1] or _BITS4)
        shift6 = _BITS6 - int(cidr[2] or _BITS6)
        rest = rest[: cidr.start()]
        if shift4 < 0 or shift6 < 0:
            return None
    if not rest:
        # Sections 5.2 and 5.7: include and exists always name a domain.
        return (
            None if kind in {Kind.INCLUDE, Kind.EXISTS} else Mechanism(kind, qualifier, text, None, 0, shift4, shift6)
        )
    target = _domain_spec(rest[1:]) if rest.startswith(":") else None
    return None if target is None else Mechanism(kind, qualifier, text, target, 0, shift4, shift6)


def _network4(match: re.Match[str]) -> Mechanism:
    """What an ip4 term says (section 5.6); host bits that are set do not matter."""
    sign, *octets, length = match.groups()
    shift = _BITS4 - int(length) if length else 0
    network = int.from_bytes(bytes(map(int, octets)), "big") >> shift
    return Mechanism(Kind.IP4, _QUALIFIERS[sign], match[0], None, network, shift, shift)


def _network6(qualifier: SpfStatus, rest: str, text: str) -> Mechanism | None:
    """Read what stands behind ip6 (section 5.6)."""
    address, slash, length = rest[1:].partition("/")
    if not rest.startswith(":") or "%" in address or (slash and _LENGTH6.fullmatch(length) is None):
        return None
    shift = _BITS6 - int(length) if slash else 0
    try:
        network = int(ipaddress.IPv6Address(address)) >> shift
    except ValueError:
        return None
    return Mechanism(Kind.IP6, qualifier, text, None, network, shift, shift)

"""Which decisions apply to which recipient. Pure.

An entry names an address (`user@example.org`), a name at any domain (`postmaster@`), a domain (`example.org`) or all
domains below one (`.example.org`); of those that fit a recipient the most specific counts, in this order. Letters' case
does not matter, in local parts neither: no MTA of today gives User and user to different people. A name with an
extension (`user+shop`) is looked for as it stands first, then without.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from filterd.domains import MAX_NAME, normalise
from filterd.model.session import Recipient
from filterd.pipeline.decide import DecisionPolicy
from filterd.score import ScoreRules

_ATOM: Final = r'[^\x00-\x20\x7f\ud800-\udfff"<>()\[\]:;,\\@%!]+'
_LOCAL: Final = rf'(?:{_ATOM}|"(?:[^\x00-\x1f\x7f\ud800-\udfff"\\@%!:]|\\[\x20-\x7e])*")'
_PLAIN: Final = re.compile(rf"<{_LOCAL}@{_ATOM}>|{_LOCAL}@{_ATOM}")
_EXPECTED: Final = "expected user@example.org, user@, example.org or .example.org"


@dataclass(frozen=True, slots=True)
class Policy:
    """How to decide for some recipients; its name stands in `decision`. `entries` are as the operator wrote them."""

    decision: DecisionPolicy
    scores: ScoreRules
    entries: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the operator calls it."""
        return self.decision.name


def is_plain(exact: str) -> bool:
    """Whether a recipient is spelt as an address alone, in brackets or not: no MTA reads anything else from it.

    Postfix takes `<@relay:user@example.org>`, `<<user@example.org>>` and `<user@example.org;>` for that user, and
    does not find them again when they are to be removed.
    """
    return _PLAIN.fullmatch(exact) is not None


class EntryError(ValueError):
    """No recipient is named so; the text says what was expected."""


class Policies:
    """The policies of a site by their entries, in normal form (`entry_key`)."""

    def __init__(self, by_entry: Mapping[str, Policy], delimiter: str) -> None:
        """`delimiter`: the characters behind which a name is only an extension."""
        self._by_entry = dict(by_entry)
        self._delimiter = delimiter

    def for_recipient(self, recipient: Recipient) -> Policy | None:
        """The policy for a recipient; of one that is spelt oddly the mailbox counts that the MTA takes it for."""
        return self.of(recipient.resolved if "@" in recipient.resolved else recipient.address)

    def of(self, address: str) -> Policy | None:
        """The policy for mail to an address; None where the site's own decisions apply."""
        for key in self._keys(address):
            if (found := self._by_entry.get(key)) is not None:
                return found
        return None

    def named(self, name: str) -> Policy | None:
        """The policy that the operator calls so."""
        return next((policy for policy in self._by_entry.values() if policy.name == name), None)

    def entry_of(self, address: str) -> str:
        """The entry, in normal form, that gives an address its policy; empty where none does."""
        return next((key for key in self._keys(address) if key in self._by_entry), "")

    def _keys(self, address: str) -> Iterator[str]:
        """All entries that an address could have, the most specific first."""
        local, domain = parted(address)
        bare = without_extension(local, self._delimiter)
        names = [local] if bare == local else [local, bare]
        if domain:
            yield from (f"{name}@{domain}" for name in names)
        yield from (f"{name}@" for name in names)
        yield domain
        at = domain.find(".") if len(domain) <= MAX_NAME else -1  # what is longer is no domain, and has many dots
        while at >= 0:
            yield domain[at:]
            at = domain.find(".", at + 1)


def parted(address: str) -> tuple[str, str]:
    """Local part and domain in normal form; the domain is empty where there is none."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    # RFC 5321 4.1.2, appendix C: a source route before the address is to be ignored.
    if local.startswith("@") and ":" in local:
        local = local.partition(":")[2]
    # RFC 5321 4.1.2: a quoted local part is the same mailbox as the plain one.
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = _unquoted(local[1:-1])
    return local.lower(), normalise(domain) or domain.lower().rstrip(".") if domain else ""


def without_extension(local: str, delimiter: str) -> str:
    """A local part without what stands behind the first delimiter; one that begins with it has no name to go by."""
    places = [place for place in (local.find(character) for character in delimiter) if place >= 0]
    return local[: min(places)] if places and min(places) > 0 else local


def entry_key(entry: str) -> str:
    """An entry in normal form. EntryError."""
    local, at, domain = entry.rpartition("@")
    if at and not local:
        raise EntryError(f"{_EXPECTED}; a domain stands without @")
    if entry != entry.strip() or not entry.isprintable() or entry.startswith("*"):
        raise EntryError(_EXPECTED)
    if at:
        if domain and normalise(domain) is None:
            raise EntryError(f"{_EXPECTED}; {domain} is no domain")
        return "@".join(parted(entry))
    name = normalise(entry.removeprefix("."))
    if name is None:
        raise EntryError(_EXPECTED)
    return f".{name}" if entry.startswith(".") else name


def _unquoted(text: str) -> str:
    """The content of a quoted string, each quoted pair as its character."""
    if "\\" not in text:
        return text
    found, at = [], 0
    while at < len(text):
        at += text[at] == "\\" and at + 1 < len(text)
        found.append(text[at])
        at += 1
    return "".join(found)

"""DMARC policy records (RFC 9989, sections 4.7 and 4.8), and how they degrade (section 4.10.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from filterd.model.authentication import DmarcPolicy

MAX_RECORD: Final = 4_096  # characters; the longest records seen have some 500
_CACHE: Final = 2_048  # parsed records, 8 MB where each is as long as it may be

# Section 4.7, v: the first tag, its value case-sensitive. The grammar of 4.8 has no blanks before it.
_VERSION: Final = re.compile(r"[Vv][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_BLANKS: Final = " \t"  # WSP: other white space is no white space here
_POLICIES: Final = {policy.value: policy for policy in DmarcPolicy}
_MILDER: Final = {
    DmarcPolicy.REJECT: DmarcPolicy.QUARANTINE,
    DmarcPolicy.QUARANTINE: DmarcPolicy.NONE,
    DmarcPolicy.NONE: DmarcPolicy.NONE,
}
# RFC 3986, less what must be percent-encoded in a list of URIs (section 4.8).
_URI: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):((?:[A-Za-z0-9._~:/?#\[\]@$&'()*+=-]|%[0-9A-Fa-f]{2})+)")
_OLD_SIZE: Final = re.compile(r"![0-9]+[kmgt]?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """What a domain publishes. `policy` is p=, the others are sp= and np=, None where absent.

    `usable` is False where no policy can be taken from the record, which then only marks a level of the name space.
    """

    policy: DmarcPolicy = DmarcPolicy.NONE
    subdomain_policy: DmarcPolicy | None = None
    missing_policy: DmarcPolicy | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"
    testing: bool = False
    reports: tuple[str, ...] = ()
    usable: bool = True

    @property
    def existing_below(self) -> DmarcPolicy:
        """What applies to subdomains that exist."""
        return self.policy if self.subdomain_policy is None else self.subdomain_policy

    @property
    def missing_below(self) -> DmarcPolicy:
        """What applies to subdomains that do not exist."""
        return self.existing_below if self.missing_policy is None else self.missing_policy

    def asked(self, policy: DmarcPolicy) -> DmarcPolicy:
        """The policy to apply: section 4.7, t=y: one level below."""
        return _MILDER[policy] if self.testing else policy


def select(texts: Sequence[str]) -> Record | None:
    """The one record among a name's TXT records; None where there is none, or more than one.

    Section 4.10, steps 2 and 6: strings of another version are discarded, several records all of them.
    """
    found = [text for text in texts if len(text) <= MAX_RECORD and is_record(text)]
    return parse(found[0]) if len(found) == 1 else None


@lru_cache(maxsize=_CACHE)
def parse(text: str) -> Record:
    """Read a record that begins with its version. Whatever else is wrong in it is left out (section 4.8)."""
    tags = tags_of(text)
    reports = _uris(tags.get("rua", ""))
    requests = {name: _POLICIES.get(tags[name].lower()) for name in ("p", "sp", "np") if name in tags}
    # Section 4.10.1: without a valid p, or with an sp or np that is not valid, the record says p=none to whom it gives
    # an address for reports, and otherwise nothing.
    broken = requests.get("p") is None or None in requests.values()
    if broken:
        requests = {}
    return Record(
        policy=requests.get("p") or DmarcPolicy.NONE,
        subdomain_policy=requests.get("sp"),
        missing_policy=requests.get("np"),
        strict_dkim=tags.get("adkim", "").lower() == "s",
        strict_spf=tags.get("aspf", "").lower() == "s",
        psd=_one_of("ynu", tags.get("psd", ""), "u"),
        testing=tags.get("t", "").lower() == "y",
        reports=reports,
        usable=not broken or bool(reports),
    )


def is_record(text: str) -> bool:
    """Whether a text begins as a record does."""
    return _VERSION.match(text) is not None


def tags_of(text: str) -> dict[str, str]:
    """Values by name, the first of each; pieces that are no tag are left out."""
    tags: dict[str, str] = {}
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if equals:
            tags.setdefault(name.strip(_BLANKS).lower(), value.strip(_BLANKS))
    return tags


def _one_of(allowed: str, value: str, default: str) -> str:
    value = value.lower()
    return value if len(value) == 1 and value in allowed else default


def _uris(text: str) -> tuple[str, ...]:
    """The valid URIs of a list, without the obsolete size limits."""
    pieces = [_OLD_SIZE.sub("", piece.strip(_BLANKS)) for piece in text.split(",")]
    return tuple([piece for piece in pieces if _is_uri(piece)])


def _is_uri(text: str) -> bool:
    match = _URI.fullmatch(text)
    if match is None:
        return False
    # RFC 6068, section 2: a mailto URI without an address could not be reported to.
    return match[1].lower() != "mailto" or "@" in match[2].strip("@")

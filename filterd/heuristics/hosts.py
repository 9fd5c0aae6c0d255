"""Signs in the hosts that URLs lead to: what kind of place it is, and whose name it bears."""

import re
from typing import Final

from filterd.domains import registrable
from filterd.heuristics.brands import owns
from filterd.heuristics.subject import Evidence, Heuristic, Subject

_INNER: Final = re.compile(r"https?(?::|%3a)(?:/|%2f){1,2}([a-z0-9.-]{4,253})", re.IGNORECASE)
_AMP: Final = re.compile(r"/amp/(?:s/)?((?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})", re.IGNORECASE)
_PIECE: Final = re.compile(r"[a-z]+")
_RANDOM: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{7}|(?:[a-z]{1,3}\d{1,3}){3}|(?:\d+[a-z]+){4}")
_LABEL: Final = 8  # letters of a name before it can be called random
# fmt: off
_LURES: Final = frozenset(
    {
        "login", "logon", "signin", "verify", "verification", "secure", "security", "account", "accounts", "update",
        "confirm", "validate", "validation", "recovery", "unlock", "webmail", "billing", "invoice", "payment",
        "wallet", "support", "service", "services", "customer", "client", "auth", "authentication", "id", "online",
        "alert", "alerts", "reward", "rewards", "prize", "gift", "bonus", "claim", "track", "tracking", "delivery",
        "parcel", "package", "refund", "tax", "banking", "bank", "password",
    }
)
# fmt: on
_ENDINGS: Final = frozenset({"com", "net", "org"})
_LOOKED: Final = 200  # URLs whose text is searched
_LONG: Final = 2_000  # characters of a URL looked at


def _place(kind: str) -> Heuristic:
    """A URL leads to a host of this kind."""

    def found(subject: Subject) -> Evidence:
        host = subject.places.get(kind)
        return (host,) if host else None

    return found


def url_redirector(subject: Subject) -> Evidence:
    """A URL goes through a large site that sends on to the address in it."""
    if "redirectors" not in subject.places:
        return None
    for url in subject.urls[:_LOOKED]:
        rest = url.text[len(url.scheme) + 3 : _LONG]
        if len(rest) < len(url.host) or "redirectors" not in subject.phrases.hosts.kinds(url.host):
            continue
        match = _INNER.search(rest) or _AMP.search(rest)
        if match is not None and registrable(match[1].lower()) != registrable(url.host):
            return (url.host, match[1])
    return None


def url_in_url(subject: Subject) -> Evidence:
    """A URL holds another one, to a different domain."""
    for url in subject.urls[:_LOOKED]:
        rest = url.text[len(url.scheme) + 3 : _LONG]
        if "http" not in rest:
            continue
        match = _INNER.search(rest)
        if match is not None and "." in match[1] and registrable(match[1].lower()) != registrable(url.host):
            return (url.host, match[1])
    return None


def url_random_host(subject: Subject) -> Evidence:
    """A URL leads to a domain that is letters and digits at random."""
    for host in subject.hosts:
        label = registrable(host).partition(".")[0]
        if len(label) >= _LABEL and _RANDOM.search(label):
            return (host,)
    return None


def url_lure_host(subject: Subject) -> Evidence:
    """A URL's host holds two words such as secure, login, account, verify."""
    for host in subject.hosts:
        if "-" in host or host.count(".") > 1:
            found = set(_PIECE.findall(host)) & _LURES
            if len(found) > 1:
                return (host,)
    return None


def url_brand(subject: Subject) -> Evidence:
    """A URL's host shows a known brand's name, and is not the brand's."""
    brands = subject.phrases.brands
    for host in subject.hosts if brands else ():
        for use in brands.in_host(host):
            pieces = set(_PIECE.findall(host))
            posing = use.disguised or pieces & _LURES or _ENDINGS & set(host.split(".")[:-1])
            if posing and not (use.brand.common and use.disguised) and not owns(use.brand, host):
                return (use.words, host)
    return None


def links_foreign(subject: Subject) -> Evidence:
    """A message in HTML alone links to others only: not one link or picture is of the author's own domain."""
    if not subject.pages or not subject.hosts or not subject.writers_domain or subject.listed:
        return None
    if any(text.strip() for text in subject.texts) or subject.message.values(b"references"):
        return None
    own = subject.writers_domain
    return (own, subject.hosts[0]) if all(registrable(host) != own for host in subject.hosts) else None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("URL_SHORTENER", _place("shorteners")),
    ("URL_FREE_HOSTING", _place("hosting")),
    ("URL_PICTURE_HOST", _place("pictures")),
    ("URL_CHEAP_ENDING", _place("endings")),
    ("URL_REDIRECTOR", url_redirector),
    ("URL_IN_URL", url_in_url),
    ("URL_RANDOM_HOST", url_random_host),
    ("URL_LURE_HOST", url_lure_host),
    ("URL_BRAND", url_brand),
    ("LINKS_FOREIGN", links_foreign),
)

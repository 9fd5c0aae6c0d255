"""Signs in URLs."""

from typing import Final

from filterd.heuristics.subject import Evidence, Heuristic, Subject
from filterd.heuristics.urls import extract

_MANY_HOSTS: Final = 50  # different hosts in one message
_FEW: Final = 200  # visible characters: "scan the code to see your document" has fewer, a letter has more
_USUAL_PORTS: Final = frozenset({"", "80", "443", "8080", "8443"})


def url_ip_host(subject: Subject) -> Evidence:
    """A URL names its host by address."""
    found = [url.text for url in subject.urls if url.address]
    return tuple(found[:3]) if found else None


def url_userinfo(subject: Subject) -> Evidence:
    """A URL holds text before an @, which looks like the host and is not."""
    found = [url.text for url in subject.urls if url.userinfo and url.scheme != "ftp"]
    return tuple(found[:3]) if found else None


def url_punycode(subject: Subject) -> Evidence:
    """A URL leads to an internationalised domain."""
    found = [url.host for url in subject.urls if "xn--" in url.host]
    return tuple(found[:3]) if found else None


def url_odd_port(subject: Subject) -> Evidence:
    """A URL names a port that public web servers do not use."""
    found = [url.text for url in subject.urls if url.port not in _USUAL_PORTS]
    return tuple(found[:3]) if found else None


def url_shortener(subject: Subject) -> Evidence:
    """A URL goes through a public link shortener."""
    found = [url.text for url in subject.urls if url.host in subject.phrases.shorteners]
    return tuple(found[:3]) if found else None


def url_many(subject: Subject) -> Evidence:
    """The message links to very many hosts."""
    count = len({url.host for url in subject.urls})
    return (str(count),) if count > _MANY_HOSTS else None


def url_limit(subject: Subject) -> Evidence:
    """There are more URLs than are looked at."""
    return () if subject.urls_cut else None


def qr_link(subject: Subject) -> Evidence:
    """A picture holds a code that leads somewhere: it is read by a telephone, past what guards the desk."""
    for text, path in subject.codes:
        if _leads(text):
            return (text, path)
    return None


def qr_link_only(subject: Subject) -> Evidence:
    """Such a code, and hardly a word beside it."""
    return qr_link(subject) if len("".join(subject.visible.split())) < _FEW else None


def _leads(text: str) -> bool:
    """Whether a code's text is or holds a URL."""
    return bool(extract([text], [text])[0])


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("URL_IP_HOST", url_ip_host),
    ("URL_USERINFO", url_userinfo),
    ("URL_PUNYCODE", url_punycode),
    ("URL_ODD_PORT", url_odd_port),
    ("URL_SHORTENER", url_shortener),
    ("URL_MANY", url_many),
    ("URL_LIMIT", url_limit),
    ("QR_LINK", qr_link),
    ("QR_LINK_ONLY", qr_link_only),
)

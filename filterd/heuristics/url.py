"""Signs in URLs: how they are written."""

import re
from typing import Final

from filterd.domains.confusables import readable, scripts
from filterd.heuristics.subject import Evidence, Heuristic, Subject
from filterd.heuristics.urls import extract

_MANY_HOSTS: Final = 50  # different hosts in one message
_MANY_LABELS: Final = 6  # in one host name: content networks have five
_FEW: Final = 200  # visible characters: "scan the code to see your document" has fewer, a letter has more
_USUAL_PORTS: Final = frozenset({"", "80", "443", "8080", "8443"})
_DOTTED: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_ESCAPED: Final = re.compile(r"%(?:4[1-9A-Fa-f]|5[0-9Aa]|6[1-9A-Fa-f]|7[0-9Aa]|3[0-9])")
_NEEDLESS: Final = 3  # letters and digits in hexadecimal, which nobody has to escape
_LONG: Final = 2_000  # characters of a URL looked at
# fmt: off
_PROGRAMS: Final = frozenset(
    {
        "exe", "scr", "msi", "bat", "cmd", "vbs", "js", "jar", "apk", "iso", "img", "hta", "ps1", "lnk", "cab", "rar",
        "7z", "ace",
    }
)
# fmt: on
_ENDING: Final = 3  # characters of these
_SLASHES: Final = 2  # of the scheme: there is a path where there are more
_LOOKED: Final = 1_000  # URLs whose text is searched


def url_ip_host(subject: Subject) -> Evidence:
    """A URL names its host by address."""
    found = [url.text for url in subject.urls if url.address]
    return tuple(found[:3]) if found else None


def url_ip_disguised(subject: Subject) -> Evidence:
    """A URL names its host by an address that is written so that nobody takes it for one."""
    for url in subject.urls:
        if url.address and ":" not in url.host and _DOTTED.search(url.text[:_LONG]) is None:
            return (url.text, url.host)
    return None


def url_userinfo(subject: Subject) -> Evidence:
    """A URL holds text before an @, which looks like the host and is not."""
    found = [url.text for url in subject.urls if url.userinfo and url.scheme != "ftp"]
    return tuple(found[:3]) if found else None


def url_punycode(subject: Subject) -> Evidence:
    """A URL leads to an internationalised domain."""
    found = [host for host in subject.hosts if "xn--" in host]
    return tuple(found[:3]) if found else None


def url_mixed_script(subject: Subject) -> Evidence:
    """A label of a URL's host mixes Latin with Greek or Cyrillic letters."""
    for host in subject.hosts:
        for label in readable(host).split(".") if "xn--" in host else ():
            if len(scripts(label)) > 1:
                return (label, host)
    return None


def url_odd_port(subject: Subject) -> Evidence:
    """A URL names a port that public web servers do not use."""
    found = [url.text for url in subject.urls if url.port and url.port not in _USUAL_PORTS]
    return tuple(found[:3]) if found else None


def url_escaped(subject: Subject) -> Evidence:
    """A URL writes plain letters or digits as escapes before its query (RFC 3986, section 2.3, says not to)."""
    for url in subject.urls[:_LOOKED]:
        if "%" in url.text and len(_ESCAPED.findall(url.text[:_LONG].partition("?")[0])) > _NEEDLESS:
            return (url.text,)
    return None


def url_many_labels(subject: Subject) -> Evidence:
    """A URL's host has very many labels: what is seen of it on a small screen is not who it belongs to."""
    for host in subject.hosts:
        if host.count(".") >= _MANY_LABELS - 1:
            return (host,)
    return None


def url_program(subject: Subject) -> Evidence:
    """A URL leads to a program or an archive of the kind that hides one."""
    for url in subject.urls[:_LOOKED]:
        path = url.text[:_LONG].partition("?")[0].partition("#")[0]
        ending = path.rpartition(".")[2]
        if len(ending) <= _ENDING and ending.lower() in _PROGRAMS and path.count("/") > _SLASHES:
            return (url.text,)
    return None


def url_recipient(subject: Subject) -> Evidence:
    """A URL holds the recipient's address behind a #, where only the page's own script sees it and greets with it."""
    for url in subject.urls[:_LOOKED]:
        behind = url.text[:_LONG].partition("#")[2] if "#" in url.text else ""
        if not behind or ("@" not in behind and "%40" not in behind) or len(subject.to) != 1:
            continue
        if "@".join(subject.to[0]) in behind.lower().replace("%40", "@"):
            return (url.text,)
    return None


def url_many(subject: Subject) -> Evidence:
    """The message links to very many hosts."""
    count = len(subject.hosts)
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
    return qr_link(subject) if subject.codes and len("".join(subject.visible.split())) < _FEW else None


def _leads(text: str) -> bool:
    """Whether a code's text is or holds a URL."""
    return bool(extract([text], [text])[0])


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("URL_IP_HOST", url_ip_host),
    ("URL_IP_DISGUISED", url_ip_disguised),
    ("URL_USERINFO", url_userinfo),
    ("URL_PUNYCODE", url_punycode),
    ("URL_MIXED_SCRIPT", url_mixed_script),
    ("URL_ODD_PORT", url_odd_port),
    ("URL_ESCAPED", url_escaped),
    ("URL_MANY_LABELS", url_many_labels),
    ("URL_PROGRAM", url_program),
    ("URL_RECIPIENT", url_recipient),
    ("URL_MANY", url_many),
    ("URL_LIMIT", url_limit),
    ("QR_LINK", qr_link),
    ("QR_LINK_ONLY", qr_link_only),
)

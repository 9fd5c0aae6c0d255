"""The bench's mail: a seeded set of messages as strangers send them, with what a verifier must find in each.

`build()` is the common set: 20 domains, half of the messages signed, every sixth with an attachment. `build(variant=3)`
is the same mail from senders nobody has met, one domain for each message; another variant has other names. The same
arguments give the same bytes. Broken signatures and strangers' clients occur only where the domain asks for no
enforcement, so that every message is one to be delivered.
"""

import base64
import quopri
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Final

from tests.bench import sites
from tests.bench.attachments import Attachment, attachment, sizes
from tests.bench.sites import Site
from tests.bench.words import Writer
from tests.support.lists import healthy_points
from tests.support.signing import craft

COUNT: Final = 400
SEED: Final = 20_261_124
WITH_ATTACHMENT: Final = 6  # every sixth message
STRAY: Final = 20  # one in so many comes from a client its SPF record does not name
BROKEN: Final = 25  # one in so many signatures is broken
SIGNED: Final = ("from", "to", "subject", "date", "message-id", "mime-version", "content-type")
LINE: Final = 57  # bytes that make a base64 line of 76 characters
EDGE: Final = "=_fdbench"
SIZES: Final = {"plain": (200, 3_000), "html": (400, 3_500), "alternative": (250, 1_800)}  # characters of text


@dataclass(frozen=True, slots=True)
class Message:
    """One message, the client it comes from, and what SPF and DKIM must say about it."""

    number: int
    client: str
    host: str
    sender: str
    recipient: str
    raw: bytes
    kind: str
    links: bool
    signed: bool
    attached: bool
    spf: str
    dkim: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A MIME part: its header lines and its encoded body."""

    fields: str
    body: bytes

    def whole(self) -> bytes:
        """Header and body, as it stands between boundaries."""
        return self.fields.encode() + b"\r\n" + self.body


def build(*, count: int = COUNT, variant: int = 0, seed: int = SEED, now: float | None = None) -> tuple[Message, ...]:
    """The messages; `now` is what their Date says (by default now: old mail is suspicious to some filters)."""
    rng = random.Random(seed)
    writer = Writer(rng)
    senders = sites.own(variant, count) if variant else sites.shared()
    stamp = time.time() if now is None else now
    chosen = [senders[number % len(senders)] for number in range(count)]
    make = partial(_message, rng, writer, stamp, variant)
    files = [attachment(rng, writer, turn, size) for turn, size in enumerate(sizes(rng, count // WITH_ATTACHMENT))]
    files.reverse()
    found = []
    for number, site in enumerate(chosen):
        attached = number % WITH_ATTACHMENT == WITH_ATTACHMENT - 1
        found.append(make(number, site, files.pop() if attached else None))
    return tuple(found)


def zone(variants: Sequence[int] = (), count: int = COUNT) -> sites.Zone:
    """The DNS behind the common set and behind these variants of it; block lists are healthy and list nobody."""
    found = sites.zone(sites.shared()) | healthy_points()
    for variant in variants:
        found |= sites.zone(sites.own(variant, count), variant)
    return found


def _message(  # one message; the random generator is used up in this order
    rng: random.Random,
    writer: Writer,
    stamp: float,
    variant: int,
    number: int,
    site: Site,
    attached: Attachment | None,
) -> Message:
    kind = rng.choices(("plain", "html", "alternative"), (40, 25, 35))[0]
    links = kind != "plain" or rng.random() < 0.3
    signed = (number + number // sites.SHARED) % 2 == 0
    lenient = site.policy == "none"
    stray = lenient and rng.random() < 2 / STRAY
    broken = signed and lenient and not stray and rng.random() < 2 / BROKEN
    which = rng.randrange(2)
    person = writer.name()
    sender = f"{person.replace(' ', '.').lower()}@{site.domain}"
    content = _content(rng, writer, kind, _links(rng, writer, site) if links else [])
    if attached is not None:
        content = _multipart("mixed", [content, _attached(*attached)])
    head = _head(rng, writer, site, person, sender, stamp, number)
    raw = head.encode() + content.whole()
    if signed:
        simple = "relaxed/simple" if rng.random() < 0.25 else "relaxed/relaxed"
        raw = craft(raw, {"d": site.domain, "s": site.selector, "c": simple, "h": ":".join(SIGNED)})
    return Message(
        number,
        sites.foreign(site, variant) if stray else site.addresses[which],
        f"host{site.number}.fdbench-dial{variant}.net" if stray else site.host(which),
        sender,
        f"user{number % 9}@local.test",
        _altered(raw) if broken else raw,
        kind,
        links,
        signed,
        attached is not None,
        ("fail" if site.strict else "softfail") if stray else "pass",
        ("fail" if broken else "pass") if signed else "none",
    )


def _head(  # the fields of one message
    rng: random.Random, writer: Writer, site: Site, person: str, sender: str, stamp: float, number: int
) -> str:
    inside = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    token = rng.getrandbits(64)
    date = formatdate(stamp - rng.randint(5, 240), localtime=False)
    desk = f"from [{inside}] (helo=desk{rng.randrange(99)}.{site.domain})"
    lines = [
        f"Received: {desk}\r\n\tby {site.host(0)} with esmtpsa (TLS1.3)\r\n\tid {token:016x}; {date}",
        f'From: "{person}" <{sender}>',
        f"To: <user{number % 9}@local.test>",
        f"Subject: {writer.subject()}",
        f"Date: {date}",
        f"Message-ID: <{token:016x}.{number}@{site.domain}>",
    ]
    if rng.random() < 0.3:
        lines.append(
            f"References: <{rng.getrandbits(64):016x}@local.test>\r\n\t<{rng.getrandbits(64):016x}@{site.domain}>"
        )
    return "".join(f"{line}\r\n" for line in [*lines, "MIME-Version: 1.0"])


def _links(rng: random.Random, writer: Writer, site: Site) -> list[str]:
    hosts = [f"www.{site.domain}", *site.linked][: rng.randint(1, 3)]
    return [f"https://{host}/{'-'.join(writer.words(2))}?id={rng.randrange(10**6)}" for host in hosts]


def _content(rng: random.Random, writer: Writer, kind: str, links: list[str]) -> _Part:
    least, most = SIZES[kind]
    accents = rng.random() < 0.4
    size = int(least * (most / least) ** rng.random())
    text = [
        f"Hello {writer.name().split()[0]},",
        *writer.paragraphs(size, accents=accents),
        f"Regards\r\n{writer.name()}",
    ]
    plain = _plain("\r\n\r\n".join([*text, *(links if kind != "html" else [])]) + "\r\n")
    page = _encoded("text/html", writer.page(text, links), "quoted-printable" if rng.random() < 0.8 else "base64")
    if kind == "plain":
        return plain
    return page if kind == "html" else _multipart("alternative", [plain, page])


def _plain(text: str) -> _Part:
    if not text.isascii():
        return _encoded("text/plain", text, "quoted-printable")
    wrapped = "".join(f"{line}\r\n" for paragraph in text.splitlines() for line in _wrapped(paragraph))
    return _Part("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n", wrapped.encode())


def _wrapped(paragraph: str) -> Iterator[str]:
    """Lines of at most 72 characters, or one word."""
    line = ""
    for word in paragraph.split(" "):
        if line and len(line) + len(word) >= 72:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def _encoded(kind: str, text: str, encoding: str) -> _Part:
    data = text.encode()
    if encoding == "base64":
        body = _base64(data)
    else:
        body = quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return _Part(f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n", body)


def _attached(name: str, kind: str, data: bytes) -> _Part:
    fields = (
        f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n'
    )
    return _Part(fields, _base64(data))


def _base64(data: bytes) -> bytes:
    lines = [base64.b64encode(data[start : start + LINE]) for start in range(0, len(data), LINE)]
    return b"\r\n".join(lines) + b"\r\n"


def _multipart(kind: str, parts: Sequence[_Part]) -> _Part:
    edge = f"{EDGE}-{kind}"
    body = b"".join([b"--%s\r\n%s\r\n" % (edge.encode(), part.whole()) for part in parts])
    return _Part(f'Content-Type: multipart/{kind};\r\n\tboundary="{edge}"\r\n', body + f"--{edge}--\r\n".encode())


def _altered(raw: bytes) -> bytes:
    """The message with its subject tagged after it was signed, as mailing lists do."""
    return raw.replace(b"\r\nSubject: ", b"\r\nSubject: [list] ", 1)

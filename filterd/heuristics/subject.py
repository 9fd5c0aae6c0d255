"""What heuristics look at: everything read from one message, once."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar, overload

from filterd.domains import registrable
from filterd.domains.urls import Url
from filterd.heuristics.brands import Use
from filterd.heuristics.dates import received_date, written_date
from filterd.heuristics.phrases import Phrases
from filterd.html import Page
from filterd.mime.address import read_mailboxes
from filterd.mime.header import unfold
from filterd.mime.message import Message
from filterd.model.inspection import Author, Mailbox

MAX_HOSTS = 200  # distinct hosts that are looked up in lists; url_many speaks of far fewer
T = TypeVar("T")
_UNCOUNTED = frozenset({"unsubscribe", "coin"})  # kinds
MAX_RECIPIENTS = 10  # of To that are read: with more, none of them is spoken to
_ADDRESS = re.compile(rb"([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}+)@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,20})")


class derived(Generic[T]):  # noqa: N801  # a decorator
    """What is worked out of a Subject when first asked for, and kept; without the lock of functools."""

    def __init__(self, work: Callable[["Subject"], T]) -> None:
        """Take the method."""
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn where the value is kept."""
        self._name = name

    @overload
    def __get__(self, subject: None, owner: type) -> "derived[T]": ...

    @overload
    def __get__(self, subject: "Subject", owner: type) -> T: ...

    def __get__(self, subject: "Subject | None", owner: type) -> "T | derived[T]":
        """Work it out; the next look finds the value before it finds this."""
        if subject is None:
            return self
        value = subject.__dict__[self._name] = self._work(subject)
        return value


@dataclass(frozen=True, slots=True)
class File:
    """An attachment or an unpacked member.

    `names` it may go by, `declared` and detected `types`; `macro`: it has code; `text`: it is shown as text.
    """

    path: str
    names: tuple[str, ...]
    declared: str
    types: tuple[str, ...]
    depth: int
    size: int
    encrypted: bool = False
    macro: bool = False
    text: bool = False


@dataclass(frozen=True)  # no slots: what is derived below is kept in the instance's dictionary
class Subject:
    """One message under examination. Everything in it is hostile text; times are epoch seconds.

    `codes` are the texts of two-dimensional codes in pictures, with the pictures' paths. What several heuristics need
    is derived once, when the first of them asks.
    """

    message: Message
    author: Author = Author()  # noqa: RUF009  # frozen: sharing one default is safe
    subject: str = ""
    texts: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    visible: str = ""
    urls: tuple[Url, ...] = ()
    labels: tuple[tuple[Url, str], ...] = ()
    urls_cut: bool = False
    files: tuple[File, ...] = ()
    now: float = 0.0
    sender: str = ""
    helo: str = ""
    client_address: str = ""
    phrases: Phrases = field(default_factory=Phrases)
    codes: tuple[tuple[str, str], ...] = ()

    @derived
    def writer(self) -> Mailbox | None:
        """The first author."""
        return self.author.mailboxes[0] if self.author.mailboxes else None

    @derived
    def by_machine(self) -> bool:
        """Whether the author is the program that returns mail (RFC 5321, section 4.5.1; RFC 3834)."""
        return self.writer is not None and self.writer.local_part.lower() in ("mailer-daemon", "postmaster")

    @derived
    def writers_domain(self) -> str:
        """The domain one would register to have the first author's; empty where there is none."""
        return registrable(self.writer.domain) if self.writer is not None and self.writer.domain else ""

    def field(self, name: bytes) -> bytes:
        """The first field of that lower-case name, unfolded, without blanks around it; empty where there is none."""
        value = self.fields.get(name)
        if value is None:
            found = self.message.index.get(name)
            value = self.fields[name] = unfold(found[0]).strip() if found else b""
        return value

    @derived
    def fields(self) -> dict[bytes, bytes]:
        """What `field` has been asked for."""
        return {}

    @derived
    def addressed(self) -> int:
        """How many recipients To and Cc may name."""
        index = self.message.index
        return sum([value.count(b"@") for name in (b"to", b"cc") for value in index.get(name, ())])

    @derived
    def to(self) -> tuple[tuple[str, str], ...]:
        """The distinct addresses of the first To field in lower case, as local part and domain; none where many are."""
        value = self.field(b"to")
        if value.count(b"@") > MAX_RECIPIENTS:
            return ()
        found = [(local.decode().lower(), domain.decode().lower()) for local, domain in _ADDRESS.findall(value)]
        return tuple(dict.fromkeys(found))

    @derived
    def borrowed(self) -> tuple[tuple[Use, ...], tuple[Use, ...]]:
        """Uses of brands' names in the first author's display name, and in the address."""
        brands, writer = self.phrases.brands, self.writer
        if writer is None or not brands:
            return (), ()
        address = brands.in_host(writer.local_part[:64].lower()) + brands.in_host(writer.domain)
        return tuple(brands.named_by(writer.display)), tuple(address)

    @derived
    def reply_to(self) -> tuple[Mailbox, ...]:
        """The mailboxes of the first Reply-To field."""
        return read_mailboxes(self.field(b"reply-to"))

    @derived
    def written(self) -> float | None:
        """When the Date field says that the message was written; None where it cannot be read."""
        return written_date(self.field(b"date"))

    @derived
    def received(self) -> float | None:
        """When the newest Received field was written; None where there is none, or none that can be read."""
        found = self.message.values(b"received")
        return received_date(found[0]) if found else None

    @derived
    def listed(self) -> bool:
        """Whether a mailing list has handled the message: its fields may name the list instead of the author."""
        return bool(self.message.values(b"list-id") or self.message.values(b"list-post"))

    @derived
    def hosts(self) -> tuple[str, ...]:
        """The distinct host names in URLs, in order of appearance, without addresses."""
        return tuple(dict.fromkeys([url.host for url in self.urls if not url.address]))[:MAX_HOSTS]

    @derived
    def places(self) -> dict[str, str]:
        """The kinds of places (see Hosts) that URLs lead to, each with the first host of the kind."""
        found: dict[str, str] = {}
        for host in self.hosts:
            for kind in self.phrases.hosts.kinds(host):
                found.setdefault(kind, host)
        return found

    @derived
    def reported(self) -> bool:
        """Whether this is a report of a delivery (RFC 3464): what it quotes are not its author's words."""
        if b"multipart/report" not in self.field(b"content-type").lower():
            return False
        return any(part.content_type == "message/delivery-status" for part in self.message.parts)

    @derived
    def lures(self) -> dict[str, tuple[str, ...]]:
        """The phrases of the list that the text holds, by kind; none where somebody else's text is returned."""
        return {} if self.reported else self.phrases.body.by_kind(self.visible)

    @derived
    def phrases_found(self) -> tuple[str, ...]:
        """All of them but those of kinds that are no sign by themselves."""
        kinds = self.lures.items()
        return (
            tuple([phrase for kind, phrases in kinds if kind not in _UNCOUNTED for phrase in phrases]) if kinds else ()
        )

    @derived
    def exotic(self) -> bool:
        """Whether the text has characters beyond those of Western Europe."""
        if self.visible.isascii():
            return False
        try:
            self.visible.encode("latin-1")
        except UnicodeEncodeError:
            return True
        return False

    @derived
    def called(self) -> tuple[str, ...]:
        """What a reader sees first: the subject and the authors' display names."""
        return (self.subject, *[mailbox.display[:1_000] for mailbox in self.author.mailboxes[:5]])

    @derived
    def plain(self) -> bool:
        """Whether all of `called` is ASCII."""
        return all(text.isascii() for text in self.called)


Evidence: TypeAlias = tuple[str | bytes, ...] | None
Heuristic: TypeAlias = Callable[[Subject], Evidence]

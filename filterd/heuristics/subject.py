"""What heuristics look at: everything read from one message, once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from filterd.domains.urls import Url
from filterd.heuristics.phrases import Phrases
from filterd.html import Page
from filterd.mime.message import Message
from filterd.model.inspection import Author


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


@dataclass(frozen=True, slots=True)
class Subject:
    """One message under examination. Everything in it is hostile text; times are epoch seconds.

    `codes` are the texts of two-dimensional codes in pictures, with the pictures' paths.
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


Evidence: TypeAlias = tuple[str, ...] | None
Heuristic: TypeAlias = Callable[[Subject], Evidence]

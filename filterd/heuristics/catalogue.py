"""All heuristics in one table, and how they are run."""

from collections.abc import Callable
from typing import Final, TypeAlias

from filterd.heuristics import (
    attachment,
    deception,
    header,
    hosts,
    html,
    language,
    mailer,
    path,
    structure,
    text,
    title,
    url,
)
from filterd.heuristics.subject import Heuristic, Subject
from filterd.mime.symbols import finding
from filterd.model.report import Finding

_Table: TypeAlias = tuple[tuple[str, Heuristic], ...]


def _always(subject: Subject) -> bool:  # noqa: ARG001  # one of several with this signature
    return True


def _has_files(subject: Subject) -> bool:
    return any(not file.text or file.names for file in subject.files)


# Tables in the order in which they are reported, and what a message must have for any of a table to apply: half of all
# mail has no HTML, and hardly any a file.
_GROUPS: Final[tuple[tuple[Callable[[Subject], bool], _Table], ...]] = (
    (_always, (*header.TABLE, *path.TABLE, *mailer.TABLE, *title.TABLE)),
    (lambda subject: bool(subject.helo), path.HELO),
    (lambda subject: b"=?" in subject.field(b"subject") or b"=?" in subject.field(b"from"), title.ENCODED),
    (lambda subject: not subject.plain, title.NOT_PLAIN),
    (lambda subject: subject.writer is not None, deception.TABLE),
    (lambda subject: any(subject.borrowed), deception.BRANDS),
    (lambda subject: b"reply-to" in subject.message.index, deception.REPLY_TO),
    (_always, text.TABLE),
    (lambda subject: bool(subject.lures), text.PHRASES),
    (lambda subject: not subject.visible.isascii(), text.NOT_ASCII),
    (lambda subject: bool(subject.phrases.languages), language.TABLE),
    (_always, structure.TABLE),
    (lambda subject: bool(subject.pages), html.TABLE),
    (lambda subject: bool(subject.urls), (*url.TABLE, *hosts.TABLE)),
    (_has_files, attachment.TABLE),
)
ALL: Final[_Table] = tuple([entry for _, table in _GROUPS for entry in table])
SYMBOLS: Final[frozenset[str]] = frozenset([symbol for symbol, _ in ALL])


def run_all(subject: Subject) -> tuple[list[Finding], list[str]]:
    """The findings of all heuristics, and which of them failed by a bug of ours ("SYMBOL: error")."""
    found: list[Finding] = []
    failed: list[str] = []
    for applies, table in _GROUPS:
        for symbol, heuristic in table if applies(subject) else ():
            try:
                evidence = heuristic(subject)
            except Exception as error:  # noqa: BLE001  # one broken heuristic must not silence the others; it is reported
                failed.append(f"{symbol}: {type(error).__name__}: {error}"[:200])
                continue
            if evidence is not None:
                found.append(finding(symbol, *evidence))
    return found, failed

"""`filterd doctor --postfix`: what is wrong with the Postfix in front of us, each with what mends it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_mta import Ours, Reader
from filterd.operations.doctor_postfix_milter import LINE, Line, check_milters
from filterd.operations.doctor_postfix_policy import check_policy
from filterd.operations.doctor_release import check_recipients, check_release
from filterd.operations.postconf import Listener, Postfix

BARE: Final = "smtpd_forbid_bare_newline"
SIZE: Final = "message_size_limit"
MAX_TABLE: Final = 1 << 20  # bytes of a table of header checks that are read
_SAFE: Final = frozenset({"yes", "normalize", "reject"})
# The first of their branches to know the setting; they know it as yes and no only.
_YES_OR_NO: Final = frozenset({"3.5.23", "3.6.13", "3.7.9", "3.8.4"})
_CHECKS: Final = ("header_checks", "mime_header_checks", "nested_header_checks", "body_checks")
_TABLE: Final = re.compile(r"(?:pcre|regexp):(/\S+)")
_ALTERS: Final = re.compile(r"\s(IGNORE|REPLACE|STRIP)(?:\s|$)", re.IGNORECASE)


def examine(postfix: Postfix, ours: Ours, reader: Reader | None) -> Iterator[Diagnosis]:
    """Everything, each finding once, though several listeners may have it."""
    seen = []
    for one in _all(postfix, ours, reader):
        if one not in seen:
            seen.append(one)
            yield one


def _all(postfix: Postfix, ours: Ours, reader: Reader | None) -> Iterator[Diagnosis]:
    yield from check_milters(postfix, ours, reader)
    for listener in postfix.services:
        if listener.filters and Line(listener, LINE).find(ours.milter):
            yield _bare_newlines(listener)
    yield from check_policy(postfix, ours, reader)
    if ours.release:
        yield from check_release(postfix, ours.release, tokens=ours.tokens)
    if ours.policies:
        yield check_recipients(postfix)
    yield _nul(postfix.cleanup)
    yield from _missing_headers(postfix.cleanup)
    yield from _size(postfix, ours)
    yield from _header_checks(postfix.cleanup)


def _bare_newlines(listener: Listener) -> Diagnosis:
    r"""One DATA must be one message: `\n.\n` is an end to some servers and none to others (SMTP smuggling)."""
    subject, value = listener.named(BARE), listener.settings.get(BARE)
    danger = "one message can hide a second one, which nobody filters (SMTP smuggling)"
    if value is None:
        version = listener.settings["mail_version"]
        text = f"is unknown to this Postfix ({version}): {danger}"
        remedy = "update to Postfix 3.5.23, 3.6.13, 3.7.9, 3.8.4, 3.9 or a later one"
        return Diagnosis(Level.FAILED, subject, text, remedy)
    if value in _SAFE:
        return Diagnosis(Level.OK, subject, f"is {value}: no second message hides in one")
    better = "yes" if listener.settings["mail_version"] in _YES_OR_NO else "normalize"
    return Diagnosis(Level.FAILED, subject, f"is {value}: {danger}", listener.change((BARE, better)))


def _nul(cleanup: Listener) -> Diagnosis:
    name = "message_reject_characters"
    if "\\0" in cleanup.settings[name]:
        return Diagnosis(Level.OK, cleanup.named(name), "has \\0: nothing hides from us behind a NUL")
    text = "lacks \\0: a NUL cuts a header field short for the filter, but not for every reader behind it"
    return Diagnosis(Level.WARNING, cleanup.named(name), text, cleanup.change((name, f"{cleanup.settings[name]}\\0")))


def _missing_headers(cleanup: Listener) -> Iterator[Diagnosis]:
    name = "always_add_missing_headers"
    if cleanup.settings[name] == "yes":
        text = "is yes: filterd cannot see that a message has no Date or Message-ID, and what is released is completed"
        yield Diagnosis(Level.WARNING, cleanup.named(name), text, cleanup.change((name, "no")))


def _size(postfix: Postfix, ours: Ours) -> Iterator[Diagnosis]:
    value = postfix.settings[SIZE]
    if not (value.isascii() and value.isdigit()):
        return
    if int(value) and int(value) <= ours.analysed:
        yield Diagnosis(Level.OK, f"Postfix {SIZE}", f"is {value}: every message that is taken is read whole")
        return
    text = f"is {value}{'' if int(value) else ' (none)'}: beyond {ours.analysed} bytes filterd reads no message whole"
    remedy = postfix.main.change((SIZE, str(ours.analysed)))
    yield Diagnosis(Level.WARNING, f"Postfix {SIZE}", f"{text}, and holds it", remedy)


def _header_checks(cleanup: Listener) -> Iterator[Diagnosis]:
    """Postfix applies them before it asks a milter: what they alter is not what was signed."""
    tables: dict[str, str] = {}  # which setting names it first: some are as header_checks where they are not set
    for name in _CHECKS:
        for found in _TABLE.finditer(cleanup.settings[name]):
            tables.setdefault(found[1].rstrip(","), name)
    for table, name in tables.items():
        number = _altering(Path(table))
        if number:
            text = f"line {number} of {table} alters messages before filterd sees them: signatures fail"
            remedy = f"take IGNORE, REPLACE and STRIP out of {table}, or keep them off signed fields"
            yield Diagnosis(Level.WARNING, cleanup.named(name), text, remedy)


def _altering(path: Path) -> int:
    """The first line of a table that alters a message; 0 where none does, or nobody can read it."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_TABLE)
    except OSError:
        return 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("#") and _ALTERS.search(line):
            return number
    return 0

"""What `filterd list` does: adding, removing, checking, and reading what was exported. Pure, over a Document."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from filterd.domains import normalise, normalise_address
from filterd.model.identity import spellings
from filterd.ownlists import Book, Change, Document, Entry, Kind, Which, parse_name
from filterd.ownlists.entries import MAX_OWNER, MAX_REASON, address_form

NEVER: Final = "never"
DAYS: Final = 365  # that an entry counts where nothing else is said
MAX_LINE: Final = 10_000  # characters of one line of an import
MAX_PROBLEMS: Final = 20  # of an import that are told


class ListError(ValueError):
    """An entry that cannot be meant, or cannot be changed so; the text says why."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who changes the lists, from where, and when (epoch seconds)."""

    name: str
    origin: str
    now: float

    def did(self, what: str, entry: Entry) -> Change:
        """What he did, for the record."""
        return Change(self.now, self.name, self.origin, what, entry)


def entry_of(  # one for each thing that a person says of it
    which: Which, text: str, reason: str, owner: str, expires: str, who: Who, *, past: bool = False
) -> Entry:
    """An entry as it is to be added; `past`: it may have expired. ListError."""
    try:
        kind, name = parse_name(text)
    except ValueError as error:
        raise ListError(str(error)) from None
    last = last_day(expires, who.now, past=past)
    return Entry(
        which,
        kind,
        name,
        _line("reason", reason, MAX_REASON),
        _line("owner", owner or who.name, MAX_OWNER),
        last,
        who.now,
        who.name,
    )


def last_day(text: str, now: float, *, past: bool = False) -> date | None:
    """The last day an entry counts, from a day, a number of days such as 30d, or never; empty: in a year. ListError.

    `past`: it may be over.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    if text == NEVER:
        return None
    try:
        if not text or (text.endswith("d") and text[:-1].isascii() and text[:-1].isdigit()):
            last = today + timedelta(days=int(text[:-1]) if text else DAYS)
        else:
            last = date.fromisoformat(text)
    except (ValueError, OverflowError):
        expected = "a day such as 2027-01-31, days such as 30d, or never"
        raise ListError(f"expires: expected {expected}, got {text!r}") from None
    if last < today and not past:
        raise ListError(f"expires: {last} is past")
    return last


def _line(what: str, text: str, most: int) -> str:
    text = text.strip()
    if not text or not text.isprintable() or len(text) > most:
        raise ListError(f"{what}: expected one line of at most {most} characters")
    return text


def added(document: Document, entries: Iterable[Entry], who: Who) -> Document:
    """With these entries in the place of those of the same name."""
    by_key = {entry.key: entry for entry in document.entries}
    changes = []
    for entry in entries:
        changes.append(who.did("replace" if entry.key in by_key else "add", entry))
        by_key.pop(entry.key, None)
        by_key[entry.key] = entry
    return replace(document, entries=tuple(by_key.values()), changes=(*document.changes, *changes))


def removed(document: Document, which: Which, texts: Sequence[str], who: Who) -> Document:
    """Without these entries. ListError where one is not there: nothing is removed then."""
    by_key = {entry.key: entry for entry in document.entries}
    changes = []
    for text in texts:
        try:
            kind, name = parse_name(text)
        except ValueError as error:
            raise ListError(str(error)) from None
        entry = by_key.pop((which, kind, name), None)
        if entry is None:
            raise ListError(f"{kind}:{name} is not on the {which} list")
        changes.append(who.did("remove", entry))
    return replace(document, entries=tuple(by_key.values()), changes=(*document.changes, *changes))


def without_expired(document: Document, who: Who) -> Document:
    """Without the entries that no longer count; the same document where there are none."""
    gone = [entry for entry in document.entries if not entry.counts(who.now)]
    if not gone:
        return document
    left = tuple([entry for entry in document.entries if entry.counts(who.now)])
    return replace(document, entries=left, changes=(*document.changes, *[who.did("expire", one) for one in gone]))


def as_row(entry: Entry, now: float) -> dict[str, Any]:
    """As `show --json` and `export` print it; import reads it."""
    return {
        "list": entry.which.value,
        "entry": str(entry),
        "reason": entry.reason,
        "owner": entry.owner,
        "expires": NEVER if entry.expires is None else entry.expires.isoformat(),
        "added": datetime.fromtimestamp(entry.added, UTC).isoformat(timespec="seconds"),
        "by": entry.by,
        "counts": entry.counts(now),
    }


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    """A line of an import; `added`, `by` and `counts` of an export are read over."""

    list: Which
    entry: str
    reason: str
    owner: str = ""
    expires: str = ""
    added: str = ""
    by: str = ""
    counts: bool = True


def imported(lines: Iterable[bytes], who: Who) -> list[Entry]:
    """Entries from lines as `export` prints them; empty lines are read over. ListError names every bad line."""
    entries, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entries.append(_imported(line, who))
        except ListError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = [f"and {len(problems) - MAX_PROBLEMS} more"] if len(problems) > MAX_PROBLEMS else []
        raise ListError("\n".join([*problems[:MAX_PROBLEMS], *more]))
    return entries


def _imported(line: bytes, who: Who) -> Entry:
    if len(line) > MAX_LINE:
        raise ListError(f"longer than {MAX_LINE} bytes")
    try:
        row = msgspec.json.decode(line, type=_Row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ListError(f"expected an object with list, entry and reason: {error}") from None
    return entry_of(row.list, row.entry, row.reason, row.owner, row.expires, who, past=True)


def naming(document: Document, value: str) -> Iterator[Entry]:
    """The entries that an address of a client, a domain or an e-mail address falls under. ListError."""
    address = normalise_address(value)
    mail = "" if address else address_form(value)
    domain = mail.rpartition("@")[2] if mail else (normalise(value) or "")
    if not (address or mail or domain):
        raise ListError(f"expected an IP address, an e-mail address or a domain, got {value!r}")
    names = set(spellings(domain)) if domain else set()
    for entry in document.entries:
        if entry.kind is Kind.IP:
            if address and _within(address, entry):
                yield entry
        elif entry.name in names or (mail and entry.name == mail):
            yield entry


def _within(address: str, entry: Entry) -> bool:
    return Book([replace(entry, expires=None)]).client(address, 0.0) is not None

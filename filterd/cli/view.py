"""How a held message looks: its tree, where its links lead, its text. Lines for a person, one object for a script."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from filterd.domains.urls import parse_url
from filterd.model.inspection import Inspection, PartFacts, RuleHit, Shown, ShownLink

MAX_LINKS: Final = 100  # that are shown; --json has more
MAX_LINES: Final = 200  # of one text that are shown
MAX_LINE: Final = 500  # characters of one line that are shown
MAX_HITS: Final = 100  # rules that are shown


def as_json(shown: Shown) -> dict[str, Any]:
    """One object."""
    return {
        "containers": [{"path": path, "content_type": kind} for path, kind in shown.containers],
        "texts": [{"part": path, "text": text} for path, text in shown.texts],
        "links": [{**msgspec.to_builtins(link), "host": _host(link.target)} for link in shown.links],
    }


def rules(hits: Sequence[RuleHit]) -> Iterator[str]:
    """Rules that matched, in which part, and the bytes that they matched."""
    for hit in hits[:MAX_HITS]:
        yield f"  {hit.rule} ({hit.namespace}) in {hit.part or 'the message'}, counts as {hit.symbol}"
        yield from (f"    {string}" for string in hit.strings)
    yield from _more(len(hits), MAX_HITS, "rules")


def tree(facts: Inspection, shown: Shown | None) -> Iterator[str]:
    """Parts below what they lie in, in their order; containers where they are known."""
    rows = [(_order(path, 0), path, kind) for path, kind in (shown.containers if shown else ())]
    rows += [(_order(part.path, 1), part.path, _part(part)) for part in facts.parts]
    for (head, inner, _), path, text in sorted(rows, key=lambda row: row[0]):
        yield f"  {'  ' * (len(head) + len(inner))}{path or '-'}  {text}"


def links(shown: Shown) -> Iterator[str]:
    """Where each link leads, spelled out: its host as the network has it, and what a reader sees instead."""
    for link in shown.links[:MAX_LINKS]:
        yield f"  {link.target}{''.join(_notes(link))}"
    yield from _more(len(shown.links), MAX_LINKS, "links")


def texts(shown: Shown) -> Iterator[str]:
    """The texts of the message, each below the number of its part."""
    for path, text in shown.texts:
        yield f"text of part {path}"
        lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        told = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
        yield from (f"  | {line[:MAX_LINE]}" for line in told[:MAX_LINES])
        yield from _more(len(told), MAX_LINES, "lines")


def _notes(link: ShownLink) -> Iterator[str]:
    host = _host(link.target)
    if host and host not in link.target.lower():
        yield f"  (host {host})"
    if link.label and link.label != link.target:
        yield f'  shown as "{link.label}"{", ANOTHER HOST" if _elsewhere(link.label, host) else ""}'


def _elsewhere(label: str, host: str) -> bool:
    """Whether a link's text is an address, and of another host than it leads to."""
    if " " in label or "." not in label or "@" in label:
        return False
    shown = _host(label) or _host(f"http://{label}")
    return "." in shown and bool(host) and shown.removeprefix("www.") != host.removeprefix("www.")


def _host(target: str) -> str:
    url = parse_url(target)
    return url.host if url is not None else ""


def _part(part: PartFacts) -> str:
    kind = part.content_type or part.detected_type
    if part.detected_type not in {"", part.content_type}:
        kind = f"{part.content_type} ({part.detected_type})" if part.content_type else part.detected_type
    closed = "  encrypted" if part.encrypted else ""
    found = f"  rules {', '.join(part.rules)}" if part.rules else ""
    return f"{kind}  {part.filename or '-'}  {part.size} bytes{closed}{found}"


def _order(path: str, rank: int) -> tuple[list[tuple[int, str]], list[str], int]:
    """Where a path stands: 10 behind 9, what is unpacked behind what it was in, a container before what it holds."""
    head, *inner = path.split("/")
    numbers = [(int(piece[:9]), "") if piece.isdecimal() else (0, piece) for piece in head.split(".") if piece]
    return numbers, inner, rank


def _more(count: int, shown: int, what: str) -> Iterator[str]:
    if count > shown:
        yield f"  and {count - shown} more {what}"

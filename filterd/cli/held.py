"""How a held message is shown: as lines for a person, as one JSON object for a script."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from filterd.cli import view
from filterd.model.authentication import AuthResult
from filterd.model.custody import Evidence
from filterd.model.inspection import Inspection, Shown, ShownLink
from filterd.quarantine import AuditRow, Entry
from filterd.quarantine.marks import came_back

Audit: TypeAlias = Sequence[AuditRow]


def as_json(
    entry: Entry, evidence: Evidence | None = None, audit: Audit | None = None, shown: Shown | None = None
) -> dict[str, Any]:
    """One object; all but the entry is there where it was asked for."""
    plain: dict[str, Any] = msgspec.to_builtins(entry)
    plain["public_id"] = entry.public_id
    if evidence is not None:
        plain["evidence"] = msgspec.to_builtins(evidence)
    if shown is not None:
        plain["shown"] = view.as_json(shown)
    if audit is not None:
        plain["audit"] = [
            {"time": row.time, "actor": row.actor, "from": row.origin, "action": row.action, "result": row.result}
            for row in audit
        ]
    return plain


def describe(entry: Entry, evidence: Evidence | None, audit: Audit, shown: Shown | None = None) -> Iterator[str]:
    """Lines for a person; texts are hostile and shown by the caller's escape. `shown` is how the message looks."""
    yield f"id          {entry.id}  (in replies and digests {entry.public_id})"
    yield f"state       {entry.state}{f', {entry.copies} copies' if entry.copies > 1 else ''}{_hold(entry)}"
    if entry.targets:
        yield f"released    to {', '.join(entry.targets)}"
        yield f"attempts    {entry.attempts}, the last one: {entry.outcome or 'no answer yet'}"
    yield f"received    {_time(entry.received)}"
    yield f"client      {entry.client or 'unknown'}  helo {entry.helo}"
    yield f"sender      {entry.sender or '<>'}"
    yield from (f"recipient   {recipient}" for recipient in entry.recipients)
    yield f"author      {entry.header_from}"
    yield f"subject     {entry.subject}"
    yield f"size        {entry.size} bytes, sha256 {entry.sha256}"
    yield f"queue id    {entry.queue_id or '-'}  (of the MTA, which told the sender that it was accepted)"
    yield f"reason      {entry.code}: {entry.text}"
    yield f"score       {entry.score:.2f}"
    if evidence is not None:
        yield from (f"came back   {line}" for line in came_back(evidence.state))
        yield from _evidence(evidence)
        if evidence.inspection is not None:
            yield from _facts(evidence.inspection, shown)
    if shown is not None:
        yield from view.texts(shown)
    yield "audit"
    for row in audit:
        yield f"  {_time(row.time)}  {row.actor}{f' ({row.origin})' if row.origin else ''}  {row.action}  {row.result}"


def _hold(entry: Entry) -> str:
    return ", under legal hold" if entry.kept else "" if entry.files else ", its files are gone"


def _evidence(evidence: Evidence) -> Iterator[str]:
    for symbol in evidence.verdict.symbols:
        cap = f" (capped by {symbol.capped:g})" if symbol.capped else ""
        yield f"  {symbol.weight:+6.2f}  {symbol.finding.symbol}{cap}  {'; '.join(symbol.finding.evidence)}".rstrip()
    for report in evidence.reports:
        yield from (f"  {_result(result)}" for result in report.auth_results)
        if report.cause:
            yield f"  {report.check} {report.outcome}: {report.cause}"
    yield f"  configuration {evidence.config_id}, rules {evidence.rule_set}"


def _facts(found: Inspection, shown: Shown | None) -> Iterator[str]:
    """Rules with what they matched, parts, and links."""
    if found.hits:
        yield "rules"
        yield from view.rules(found.hits)
    if found.parts:
        yield "parts"
        yield from view.tree(found, shown)
    here = shown.links if shown else ()
    known = {text for link in here for text in (link.target, link.label)}
    links = Shown(links=(*here, *[ShownLink(url, "") for url in found.urls if url not in known]))
    if links.links:
        yield "links"
        yield from view.links(links)


def _result(result: AuthResult) -> str:
    kind = type(result).__name__.removesuffix("Result").lower()
    about = getattr(result, "domain", "") or getattr(result, "address", "")
    why = getattr(result, "cause", "") or getattr(result, "reason", "")
    return f"{kind} {result.status} {about} {why}".rstrip()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

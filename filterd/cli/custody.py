"""filterd quarantine verify, audit, stats: whether all is there, who did what, how much there is."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, fail, print_json, print_table, safe
from filterd.cli.quarantine import opened
from filterd.cli.selection import Since, moment
from filterd.quarantine import AuditRow, Quarantine
from filterd.quarantine.changes import AuditFilter
from filterd.quarantine.inventory import Kind, Problem, Survey

ROUNDS: Final = 3  # looks of a repair: what is mended can leave something that nobody needs any more
MAX_ROWS: Final = 10_000  # of the audit printed at once

audit = typer.Typer(help="Who did what with held mail. Example: filterd quarantine audit verify", no_args_is_help=True)


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    contents: Annotated[bool, typer.Option("--contents", help="Read every message and compare its hash.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Compare ledger, messages and evidence: what a crash has left, and what somebody has taken away.

    With --repair what the ledger does not know is held again, as after the loss of the ledger, and left-over files of
    what was purged go. Exit code 1 where something is wrong and was not mended.

    Example: filterd quarantine verify --contents
    """
    wrong: set[Problem] = set()
    with opened(config) as quarantine:
        for number in range(ROUNDS if repair else 1):
            inventory, mended = quarantine.inventory(), 0
            for problem in inventory.problems(contents=contents and not number):
                done = _mended(quarantine, inventory, problem) if repair else ""
                mended += bool(done)
                if done:
                    wrong.discard(problem)
                elif problem in wrong:
                    continue  # that was said before
                else:
                    wrong.add(problem)
                altered = problem.kind is Kind.ALTERED
                _tell(problem, done, quarantine.entries_of(problem.name) if altered else [], json=json)
            if not mended:
                break
    if wrong:
        raise typer.Exit(1)
    if not json:
        typer.echo("all is there")


def _mended(quarantine: Quarantine, inventory: Survey, problem: Problem) -> str:
    """Mend it where that can be done, which is in the audit; what was done, in words."""
    done = inventory.mend(problem, actor(), time.time())
    if done and problem.kind is not Kind.UNLISTED:  # which has a row of its own
        quarantine.note_many(actor(), "repair", f"{problem.kind} {problem.name}: {done}")
    return done


def _tell(problem: Problem, done: str, ids: Sequence[str], *, json: bool) -> None:
    """`ids` are the entries whose message it is."""
    if json:
        found = {"kind": problem.kind.value, "name": problem.name, "text": problem.text, "mended": done}
        print_json(found | {"ids": list(ids)})
        return
    of = f"; the message of {', '.join(ids)}" if ids else ""
    typer.echo(safe(f"{problem.name} {problem.kind}: {problem.text}{of}{f'; {done}' if done else ''}"))


@audit.command("show")
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="An entry's id.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was done with one message, even after a purge.

    Example: filterd quarantine audit show 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    with opened(config) as quarantine:
        names = quarantine.named(identifier.upper()) or [identifier]
        rows = quarantine.audit(names[0] if len(names) == 1 else identifier)
    for row in rows:
        if json:
            print_json(_plain(row))
        else:
            typer.echo(
                safe(f"{row.seq}  {_when(row)} UTC  {row.actor}  {row.origin or '-'}  {row.action}  {row.result}")
            )


@audit.command("list")
def list_(
    since: Annotated[str | None, typer.Option(help="Done since then: 7d, 12h or 2026-11-25.")] = None,
    who: Annotated[str | None, typer.Option("--actor", help="By this account, or by filterd: the daemon.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as view, release, purge, digest.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ROWS, help="Rows at most.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Older than the row of this number.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List who did what with all held mail, newest first, what concerned no message or many of them too.

    Example: filterd quarantine audit list --since 7d --actor alice

    Example: filterd quarantine audit list --action purge --json
    """
    wanted = AuditFilter(moment(since), who, action, before)
    with opened(config) as quarantine:
        rows = quarantine.newest_audit(wanted, limit)
    if json:
        for row in rows:
            print_json(_plain(row))
        return
    print_table(
        ("row", "when (UTC)", "who", "from", "what", "message", "result"),
        [
            (str(row.seq), _when(row), row.actor, row.origin or "-", row.action, row.id or "-", row.result)
            for row in rows
        ],
    )


@audit.command("verify")
def verify_audit(
    head: Annotated[str, typer.Option(help="A head that was printed before: it must still be in the chain.")] = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Look over the audit's hash chain: whether a row was changed or taken out.

    Keep the head that is printed on another machine: who can write the whole file can also forge the whole chain, but
    not one that has this head. Exit code 1 where the chain is broken.

    Example: filterd quarantine audit verify
    """
    with opened(config) as quarantine:
        state = quarantine.verify_audit()
        known = not head or quarantine.audit_has(head)
    if json:
        print_json(
            {"rows": state.rows, "head": state.head, "broken": state.broken, "cause": state.cause, "known": known}
        )
    if state.broken is not None:
        fail(f"row {state.broken}: {state.cause}")
    if not known:
        fail("the head that was given is not in the chain: it was written anew, or rows were taken from its end")
    if not json:
        before = f", {state.uncovered} of them from before there was a chain" if state.uncovered else ""
        typer.echo(f"{state.rows} rows{before}, unbroken; head {state.head or 'none'}")


def stats(since: Since = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Count held mail by state and reason.

    Example: filterd quarantine stats --since 7d
    """
    with opened(config) as quarantine:
        rows = quarantine.stats(moment(since) or 0.0)
    if json:
        for state, code, count, size in rows:
            print_json({"state": state, "reason": code, "entries": count, "bytes": size})
        return
    total: Counter[str] = Counter()
    for state, _, count, _ in rows:
        total[state] += count
    print_table(
        ("state", "reason", "entries", "MB"),
        [(state, code, str(count), f"{size / 1e6:.1f}") for state, code, count, size in rows]
        + [(state, "all", str(count), "") for state, count in sorted(total.items())],
    )


def _when(row: AuditRow) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row.time))


def _plain(row: AuditRow) -> dict[str, str | int | float]:
    return {
        "seq": row.seq,
        "time": row.time,
        "actor": row.actor,
        "from": row.origin,
        "action": row.action,
        "id": row.id,
        "result": row.result,
        "link": row.link,
    }

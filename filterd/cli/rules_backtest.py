"""filterd rules backtest: what rules would hit in mail that is there, by what that mail is known to be."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from filterd.app import Config, StartError, open_inspectors
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.cli.quarantine import opened
from filterd.cli.rules_measure import Jobs, named_corpus, shown
from filterd.cli.selection import moment
from filterd.operations import held_corpus, rules_data
from filterd.operations.rules_backtest import Labelled, Row, State, StateError, Summary, resumed
from filterd.quarantine import Quarantine


def backtest(
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Rule file to try, or a folder.", exists=True)],
    against: Annotated[
        str,
        typer.Option(
            "--against",
            help="Folder of messages, a message, an mbox, an index (.tsv): label, path; or quarantine: held mail.",
        ),
    ],
    since: Annotated[
        str | None, typer.Option("--since", help="Of held mail only what came since then, such as 30d or 2026-11-25.")
    ] = None,
    state: Annotated[Path | None, typer.Option("--state", help="Keep what is done here, and go on from it.")] = None,
    jobs: Jobs = 0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say which messages rules would hit, by label where an index has labels, and what it costs.

    YARA rules (.yar) and regex rules (.toml). The labels of held mail are what became of it: held, deleted, released,
    expired. Hits in what was released are false positives.

    Example: filterd rules backtest new.yar --against mail/index.tsv --state new.state

    Example: filterd rules backtest new.yar --against quarantine --since 30d
    """
    settings = configuration(config)
    held = against == held_corpus.NAME
    if since is not None and not held:
        raise typer.BadParameter("expected with --against quarantine alone", param_hint="--since")
    wrong = rules_data.errors(rules_data.read([file]))
    if wrong:
        fail("\n".join([safe(problem) for problem in wrong]))
    summary = Summary()
    with ExitStack() as stack:
        if held:
            messages, place = _held(stack.enter_context(opened(config)), moment(since)), against
        else:
            messages, place = named_corpus(Path(against)), str(Path(against).absolute())
        kept = _state(state, file, place)
        if kept is not None:
            stack.callback(kept.close)
        for row in _rows(stack, settings, file, messages, kept, jobs):
            summary.add(row)
            if json:
                print_json(msgspec.to_builtins(row))
            elif row.rules or row.problem:
                _print(row)
    if json:
        print_json(summary.as_json())
    elif held:
        _print_held(summary)
    else:
        _print_summary(summary)


def _rows(
    stack: ExitStack, settings: Config, file: Path, messages: list[Labelled], kept: State | None, jobs: int
) -> Iterator[Row]:
    """Ask inspectors that have these rules alone; they end with the stack."""
    folder = file
    if not file.is_dir():
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="filterd-rules-")))
        (folder / file.name).write_bytes(file.read_bytes())
    try:
        inspect, workers = stack.enter_context(open_inspectors(settings, folder, jobs))
    except StartError as error:
        fail(str(error))
    yield from shown(resumed(inspect, messages, workers, kept), len(messages), "backtest")


def _held(quarantine: Quarantine, since: float | None) -> list[Labelled]:
    found = held_corpus.held_corpus(quarantine, since)
    if not found:
        fail("the quarantine holds no messages to try rules on; --against takes a folder, an mbox or an index, too")
    quarantine.note_many(actor(), "backtest", f"{len(found)} messages")
    return found


def _state(path: Path | None, file: Path, against: str) -> State | None:
    """The state file; `against` names the messages."""
    if path is None:
        return None
    digest = hashlib.sha256()
    for one in sorted([*file.rglob("*.yar*"), *file.rglob("*.toml")]) if file.is_dir() else [file]:
        digest.update(one.read_bytes() if one.is_file() else b"")
    try:
        return State(path, f"{digest.hexdigest()} {against}")
    except (OSError, StateError) as error:
        fail(safe(str(error)))


def _print(row: Row) -> None:
    label = f" ({row.label})" if row.label else ""
    typer.echo(safe(f"{row.file}{label}: {', '.join(row.rules)} {row.problem}".rstrip()))


def _print_summary(summary: Summary) -> None:
    for label, count in sorted(summary.labels.items()):
        hit = summary.hit_labels[label]
        typer.echo(safe(f"{label or 'messages'}: {hit} of {count} hit ({100 * hit / count:.2f} %)"))
    for rule, found in sorted(summary.hits.items()):
        typer.echo(safe(f"  {rule}: {', '.join(f'{n} {label}'.rstrip() for label, n in sorted(found.items()))}"))
    _print_cost(summary)


def _print_held(summary: Summary) -> None:
    """A row for each rule with its hits in what became of held mail, the most false positives first."""
    labels = list(held_corpus.MEANINGS)
    rows = [(rule, *[str(found[label]) for label in labels]) for rule, found in summary.hits.items()]
    rows.sort(key=lambda row: (-int(row[1]), row[0]))
    all_hit = ("any rule", *[str(summary.hit_labels[label]) for label in labels])
    there = ("messages", *[str(summary.labels[label]) for label in labels])
    print_table(("hits of", *labels), [*rows, all_hit, there], title="held mail by what became of it")
    if summary.hit_labels[held_corpus.RELEASED]:
        typer.echo(f"{held_corpus.RELEASED}: {held_corpus.MEANINGS[held_corpus.RELEASED]}", err=True)
    _print_cost(summary)


def _print_cost(summary: Summary) -> None:
    ms = summary.ms()
    typer.echo(f"ms per message: mean {ms['mean']}, 99th percentile {ms['p99']}, most {ms['max']}")
    if summary.problems:
        typer.echo(f"{summary.problems} messages were not looked at whole", err=True)

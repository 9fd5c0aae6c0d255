"""filterd rules backtest and profile: what rules would hit in mail that is there, and what they cost."""

import hashlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import track

from filterd.app import Config, StartError, keep_rule_costs, open_inspectors
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.operations import rules_data
from filterd.operations.rules import RulesCommandError, ask
from filterd.operations.rules_backtest import Labelled, Row, State, StateError, Summary, corpus, resumed, run

PROFILER: Final = "filterd.inspection.profiling:make_reader"  # by name: what is here must not import it
SLOWEST: Final = 3  # rule files whose rules are timed one by one
SHOWN: Final = 20  # rows of a profile
Jobs = Annotated[int, typer.Option("--jobs", help="Messages read at the same time; 0: one per core.", min=0)]


def backtest(
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Rule file to try, or a folder.", exists=True)],
    against: Annotated[
        Path, typer.Option("--against", help="Folder of messages, a message, an mbox, or an index (.tsv): label, path.")
    ],
    state: Annotated[Path | None, typer.Option("--state", help="Keep what is done here, and go on from it.")] = None,
    jobs: Jobs = 0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say which messages rules would hit, by label where an index has labels, and what it costs.

    YARA rules (.yar) and regex rules (.toml).

    Example: filterd rules backtest new.yar --against mail/index.tsv --state new.state
    """
    settings = configuration(config)
    messages = _corpus(against)
    summary = Summary()
    wrong = rules_data.errors(rules_data.read([file]))
    if wrong:
        fail("\n".join([safe(problem) for problem in wrong]))
    with ExitStack() as stack:
        kept = _state(state, file, against)
        if kept is not None:
            stack.callback(kept.close)
        folder = file
        if not file.is_dir():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="filterd-rules-")))
            (folder / file.name).write_bytes(file.read_bytes())
        try:
            inspect, workers = stack.enter_context(open_inspectors(settings, folder, jobs))
        except StartError as error:
            fail(str(error))
        for row in _shown(resumed(inspect, messages, workers, kept), len(messages), "backtest"):
            summary.add(row)
            if json:
                print_json(msgspec.to_builtins(row))
            elif row.rules or row.problem:
                _print(row)
    if json:
        print_json(summary.as_json())
    else:
        _print_summary(summary)


def profile(
    messages: Annotated[
        Path | None, typer.Option("--messages", help="Folder of messages or an index; default: one made up.")
    ] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Folder of rules; default: the daemon's.")] = None,
    jobs: Jobs = 0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what each rule file costs over messages, each asked alone, and which rules of the slowest files are slow.

    Of the daemon's rules it is kept: filterd rules list shows it.

    Example: filterd rules profile --messages mail/
    """
    settings = configuration(config)
    folder = rules or settings.rules_directory / "yara"
    with tempfile.TemporaryDirectory(prefix="filterd-rules-") as name:
        work = Path(name)
        wanted = _corpus(messages) if messages is not None else _made_up(work)
        try:
            with open_inspectors(settings, folder, jobs, reader=PROFILER) as (inspect, workers):
                files = _summed(_shown(run(inspect, wanted, workers), len(wanted), "rule files"))
            if not files.costs:
                fail(safe(f"{folder}: no rules, or no message that could be read"))
            slow = _split([_source(folder, name) for name, _ in files.costs.most_common(SLOWEST)], work)
            with open_inspectors(settings, slow, jobs, reader=PROFILER) as (inspect, workers):
                single = _summed(_shown(run(inspect, wanted, workers), len(wanted), "slowest rules"))
        except (StartError, RulesCommandError, OSError) as error:
            fail(safe(str(error)))
    count = max(files.messages, 1)
    if rules is None and not _kept(settings, files, single):
        typer.echo("Not kept for filterd rules list: no state that answers", err=True)
    found = [("file", name, ms) for name, ms in files.costs.most_common()]
    found += [("rule", name, ms) for name, ms in single.costs.most_common()]
    if json:
        for kind, name, ms in found:
            print_json({"kind": kind, "name": name, "ms": round(ms, 3), "ms_per_message": round(ms / count, 4)})
        return
    for kind in ("file", "rule"):
        rows = [(name, f"{ms:.1f}", f"{ms / count:.3f}") for one, name, ms in found if one == kind][:SHOWN]
        print_table((kind, "ms", "ms per message"), rows, title=f"{count} messages")


def _kept(config: Config, files: Summary, single: Summary) -> bool:
    """Keep milliseconds per message for rules list; rules stand in files of their own, which have their names."""
    count = max(files.messages, 1)
    by_file = {name: ms / count for name, ms in files.costs.items()}
    by_rule = {name.rpartition("/")[2]: ms / count for name, ms in single.costs.items()}
    return keep_rule_costs(config, by_file, by_rule)


def _corpus(path: Path) -> list[Labelled]:
    try:
        found = corpus(path)
    except (OSError, ValueError) as error:
        fail(safe(str(error)))
    if not found:
        fail(safe(f"{path}: no messages"))
    return found


def _state(path: Path | None, file: Path, against: Path) -> State | None:
    if path is None:
        return None
    digest = hashlib.sha256()
    for one in sorted([*file.rglob("*.yar*"), *file.rglob("*.toml")]) if file.is_dir() else [file]:
        digest.update(one.read_bytes() if one.is_file() else b"")
    try:
        return State(path, f"{digest.hexdigest()} {against.absolute()}")
    except (OSError, StateError) as error:
        fail(safe(str(error)))


def _shown(rows: Iterable[Row], count: int, what: str) -> Iterator[Row]:
    """The same, with a bar for whoever watches."""
    if not sys.stderr.isatty():
        yield from rows
    else:
        yield from track(rows, what, count, console=Console(stderr=True))


def _summed(rows: Iterable[Row]) -> Summary:
    summary = Summary()
    for row in rows:
        summary.add(row)
    return summary


def _made_up(folder: Path) -> list[Labelled]:
    """A message of some size, where nobody names any."""
    path = folder / "message.eml"
    words = b"The quick brown fox jumps over the lazy dog, and <a href='http://x.test/'>here</a> it goes on.\r\n"
    path.write_bytes(b"From: a@x.test\r\nContent-Type: text/html\r\n\r\n" + words * 5_000)
    return [Labelled(path)]


def _source(folder: Path, namespace: str) -> Path:
    return next(path for path in folder.rglob("*.yar*") if str(path.relative_to(folder).with_suffix("")) == namespace)


def _split(paths: Sequence[Path], work: Path) -> Path:
    """Each rule of these files as a file of its own, in one folder for each."""
    root = work / "rules"
    for number, path in enumerate(paths):
        folder = root / f"{number}" / path.stem
        folder.mkdir(parents=True)
        for _ in ask("split", [str(path.absolute()), str(folder)]):
            pass
    return root


def _print(row: Row) -> None:
    label = f" ({row.label})" if row.label else ""
    typer.echo(safe(f"{row.file}{label}: {', '.join(row.rules)} {row.problem}".rstrip()))


def _print_summary(summary: Summary) -> None:
    for label, count in sorted(summary.labels.items()):
        hit = summary.hit_labels[label]
        typer.echo(safe(f"{label or 'messages'}: {hit} of {count} hit ({100 * hit / count:.2f} %)"))
    for rule, found in sorted(summary.hits.items()):
        typer.echo(safe(f"  {rule}: {', '.join(f'{n} {label}'.rstrip() for label, n in sorted(found.items()))}"))
    ms = summary.ms()
    typer.echo(f"ms per message: mean {ms['mean']}, 99th percentile {ms['p99']}, most {ms['max']}")
    if summary.problems:
        typer.echo(f"{summary.problems} messages were not looked at whole", err=True)

"""filterd rules profile: what rules cost over mail that is there."""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import track

from filterd.app import Config, StartError, keep_rule_costs, open_inspectors
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.operations.rules import RulesCommandError, ask
from filterd.operations.rules_backtest import Labelled, Row, Summary, corpus, run

PROFILER: Final = "filterd.inspection.profiling:make_reader"  # by name: what is here must not import it
SLOWEST: Final = 3  # rule files whose rules are timed one by one
SHOWN: Final = 20  # rows of a profile
Jobs = Annotated[int, typer.Option("--jobs", help="Messages read at the same time; 0: one per core.", min=0)]


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
        wanted = named_corpus(messages) if messages is not None else _made_up(work)
        try:
            with open_inspectors(settings, folder, jobs, reader=PROFILER) as (inspect, workers):
                files = _summed(shown(run(inspect, wanted, workers), len(wanted), "rule files"))
            if not files.costs:
                fail(safe(f"{folder}: no rules, or no message that could be read"))
            slow = _split([_source(folder, name) for name, _ in files.costs.most_common(SLOWEST)], work)
            with open_inspectors(settings, slow, jobs, reader=PROFILER) as (inspect, workers):
                single = _summed(shown(run(inspect, wanted, workers), len(wanted), "slowest rules"))
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


def named_corpus(path: Path) -> list[Labelled]:
    """The messages of a path; the command ends where there are none."""
    try:
        found = corpus(path)
    except (OSError, ValueError) as error:
        fail(safe(str(error)))
    if not found:
        fail(safe(f"{path}: no messages"))
    return found


def shown(rows: Iterable[Row], count: int, what: str) -> Iterator[Row]:
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

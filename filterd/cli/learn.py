"""filterd learn: teach the classifier what is spam here, and what is not."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, track

from filterd.app import Config, StartError
from filterd.cli import learn_evaluate
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, safe
from filterd.domains import normalise
from filterd.model.store import StoreError
from filterd.operations.rules_backtest import Labelled
from filterd.operations.scan import MAX_FILE

if TYPE_CHECKING:
    from filterd.classifier.learning import Learner
    from filterd.operations.learn import Row, School, Summary

STDIN: Final = "-"
SHOWN: Final = 20  # messages that could not be read; --json says them all
app = typer.Typer(help="Teach the classifier. Example: filterd learn spam ~/Maildir/.Junk", no_args_is_help=True)
app.command()(learn_evaluate.evaluate)
Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Messages, folders of messages, Maildirs, mailboxes (mbox), or -."),
]
Domain = Annotated[
    str, typer.Option("--domain", help="Learn it for recipients of this domain above all, and for all others too.")
]
Jobs = Annotated[int, typer.Option("--jobs", help="Messages read at the same time; 0: one per core.", min=0)]


@app.command()
def spam(
    paths: Paths, domain: Domain = "", jobs: Jobs = 0, json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Learn messages as spam. What is known is passed over: an interrupted run can be started again.

    Example: filterd learn spam /var/vmail/*/*/.Junk

    Example: filterd learn spam --domain example.org - < message.eml
    """
    _learn(paths, domain=domain, is_spam=True, jobs=jobs, json=json, config=config)


@app.command()
def ham(
    paths: Paths, domain: Domain = "", jobs: Jobs = 0, json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Learn messages as good mail. One that was learnt as spam is not spam any more.

    Example: filterd learn ham /var/vmail/*/*/cur archive.mbox
    """
    _learn(paths, domain=domain, is_spam=False, jobs=jobs, json=json, config=config)


@app.command()
def forget(paths: Paths, jobs: Jobs = 0, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Forget messages: afterwards the classifier is as if it had never learnt them.

    Example: filterd learn forget message.eml
    """
    _run(configuration(config), paths, jobs, json=json)


def _learn(  # one for each option
    paths: list[str], *, domain: str, is_spam: bool, jobs: int, json: bool, config: Path | None
) -> None:
    name = ""
    if domain:
        name = normalise(domain) or ""
        if "." not in name:
            raise typer.BadParameter(f"expected a domain name, got {safe(domain)!r}", param_hint="--domain")
    _run(configuration(config), paths, jobs, json=json, label=is_spam, domain=name)


def _run(  # one for each thing the three commands differ in
    config: Config, paths: list[str], jobs: int, *, json: bool, label: bool | None = None, domain: str = ""
) -> None:
    # numpy would otherwise start threads for each core, of which nothing here makes use; it is loaded by these imports.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from filterd.app.learning import open_learner, open_school  # noqa: PLC0415  # numpy: no other command pays for it
    from filterd.classifier.memory import MemoryLostError  # noqa: PLC0415  # the same
    from filterd.classifier.stream import StreamMovedError  # noqa: PLC0415  # the same
    from filterd.classifier.writing import WriterBusyError  # noqa: PLC0415  # the same
    from filterd.operations.learn import Summary  # noqa: PLC0415  # the same

    summary = Summary()
    try:
        with ExitStack() as stack:
            learner = open_learner(config)
            stack.callback(learner.close)
            school = stack.enter_context(open_school(config, learner, jobs))
            whole = _take(_rows(school, paths, label=label, domain=domain), summary, json=json)
            stack.pop_all().close()
        _settle(learner)
        learner.close()
    except (StartError, StoreError, OSError, ValueError) as error:
        fail(safe(str(error)))
    except (MemoryLostError, StreamMovedError, WriterBusyError) as error:
        fail(safe(str(error)))
    if json:
        print_json(summary.as_json())
    else:
        said = ", ".join([f"{many} {what.replace('_', ' ')}" for what, many in sorted(summary.became.items())])
        typer.echo(f"{summary.messages} messages{': ' if said else ''}{said}")
    if not whole:
        fail("interrupted: what was learnt stays, the same command goes on where it was")
    if summary.problems:
        fail(f"{summary.problems} of them could not be read")


def _take(rows: Iterable["Row"], summary: "Summary", *, json: bool) -> bool:
    """Show and count what becomes of each message; False where somebody was tired of waiting."""
    try:
        for row in rows:
            summary.add(row)
            if json:
                print_json(msgspec.to_builtins(row))
            elif row.problem and summary.problems <= SHOWN:
                typer.echo(safe(f"{row.file}: {row.problem}"), err=True)
    except KeyboardInterrupt:
        return False  # what has been learnt is still to be mixed
    return True


def _rows(school: "School", paths: list[str], *, label: bool | None, domain: str) -> Iterator["Row"]:
    from filterd.operations.learn import messages  # noqa: PLC0415  # numpy again

    if STDIN in paths:
        if len(paths) > 1:
            raise typer.BadParameter("expected - alone or paths", param_hint="PATH")
        mail, raw = [Labelled(Path(STDIN))], sys.stdin.buffer.read(MAX_FILE)
    else:
        mail, raw = list(messages([Path(path) for path in paths])), None
    if label is None:
        yield from _shown(school.forget(mail, raw=raw), len(mail), "forgetting")
    else:
        yield from _shown(school.learn(mail, spam=label, domain=domain, raw=raw), len(mail), "learning")


def _shown(rows: Iterable["Row"], count: int, what: str) -> Iterator["Row"]:
    """The same, with a bar for whoever watches."""
    if not sys.stderr.isatty():
        yield from rows
    else:
        yield from track(rows, what, count, console=Console(stderr=True))


def _settle(learner: "Learner") -> None:
    """Make the model anew where it must be, with a bar for whoever watches."""
    if not sys.stderr.isatty() or not learner.stale:
        learner.settle()
        return
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("mixing what was learnt")
        learner.settle(lambda done, of: bar.update(task, completed=done, total=of))

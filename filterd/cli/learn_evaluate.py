"""filterd learn evaluate: how good the filter is over mail whose kind is known."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import track

from filterd.app import StartError
from filterd.cli.common import ConfigOption, JsonOption, fail, print_json, safe, site

if TYPE_CHECKING:
    from filterd.operations.learn_evaluate import Result
    from filterd.operations.rules_backtest import Labelled

WIDTH = 40  # characters of a curve's longest bar
_MATPLOTLIB = "drawing a curve needs matplotlib: pip install 'filterd[plot]'"


def evaluate(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help='Lines "spam|ham PATH", paths relative to the file.')],
    delay: Annotated[
        int | None,
        typer.Option(
            "--delay",
            help="Messages between a judgement and its lesson; default 0, or never with --train-first.",
            min=0,
        ),
    ] = None,
    train_first: Annotated[
        int, typer.Option("--train-first", help="Learn so many, then judge the others without learning.", min=0)
    ] = 0,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Take them in another order than the index has.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of that order: the same seed, the same order.")] = 1,
    layers: Annotated[
        Literal["classifier", "rules", "all"],
        typer.Option("--layers", help="What is measured: what it has learnt, the rules alone, or the score of both."),
    ] = "classifier",
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the learning curve as PNG.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Messages read at the same time; 0: one per core.", min=0)] = 0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Judge mail whose kind is known, message after message, as if it came in today, and say how well that went.

    It begins with nothing, keeps nothing and asks nothing of the network. After each judgement the message's kind is
    told, and learnt. (1-AUC) is the share of pairs of a spam and a ham message that get the wrong order.

    Example: filterd learn evaluate corpus/index.tsv --shuffle --seed 7
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in filterd.cli.learn
    from filterd.app.evaluating import open_evaluators  # noqa: PLC0415  # numpy: no other command pays for it
    from filterd.operations.learn_evaluate import Evaluation, Layers, Plan  # noqa: PLC0415  # the same

    drawing = _drawing() if plot is not None else None
    messages = _messages(index, shuffle=shuffle, seed=seed)
    place = site(config)
    actions = place.config.actions
    wait = delay if delay is not None or train_first else 0
    plan = Plan(Layers(layers), wait, train_first, place.config.classifier.least)
    thresholds = {"add_header": actions.add_header, "quarantine": actions.quarantine, "reject": actions.reject}
    evaluation = Evaluation(plan, place.scores, thresholds)
    start = time.perf_counter()
    try:
        with open_evaluators(place.config, jobs, rules=plan.layers is not Layers.CLASSIFIER) as (inspect, workers):
            for _ in _shown(evaluation.run(inspect, messages, workers), len(messages)):
                pass
    except (StartError, OSError) as error:
        fail(safe(str(error)))
    result = evaluation.result(time.perf_counter() - start)
    if json:
        print_json(result.as_json())
    else:
        _print(result)
    if drawing is not None and plot is not None:
        try:
            _draw(drawing, plot, result)
        except (OSError, ValueError) as error:
            fail(safe(f"{plot}: {error}"))
    if result.unread:
        typer.echo(f"{result.unread} messages could not be read", err=True)


def _messages(index: Path, *, shuffle: bool, seed: int) -> "list[Labelled]":
    from filterd.operations.learn_evaluate import read_index, shuffled  # noqa: PLC0415  # numpy again

    try:
        found = read_index(index)
    except (OSError, ValueError) as error:
        fail(safe(str(error)))
    if not found:
        fail(safe(f"{index}: no messages"))
    return shuffled(found, seed) if shuffle else found


def _shown(messages: "Iterable[Labelled]", count: int) -> "Iterator[Labelled]":
    """The same, with a bar for whoever watches."""
    if not sys.stderr.isatty():
        yield from messages
    else:
        yield from track(messages, "judging", count, console=Console(stderr=True))


def _print(result: "Result") -> None:
    found = result.measures
    typer.echo(f"{found.messages} messages judged: {found.ham} ham, {found.spam} spam")
    typer.echo(f"(1-AUC) {found.one_minus_auc_percent:.4f} %")
    typer.echo(f"recall at 0.1 % false positives: {found.recall_at_fpr_0_1_percent:.2f} %")
    typer.echo(f"recall at 1 % false positives: {found.recall_at_fpr_1_percent:.2f} %")
    for name, (ham, missed) in result.thresholds.items():
        typer.echo(f"{name.replace('_', ' ')}: {ham:.2f} % of the ham reach it, {missed:.2f} % of the spam do not")
    times = ", ".join([f"{name} {ms:.3f}" for name, ms in result.ms.items()])
    typer.echo(f"{result.seconds:.1f} s; ms a message: {times}")
    typer.echo("\nerrors since the line before, ham and spam, and (1-AUC) so far, in percent:")
    most = max([point.one_minus_auc_percent for point in result.curve if point.one_minus_auc_percent > 0], default=1.0)
    for point in result.curve:
        share = point.one_minus_auc_percent / most
        bar = "#" * round(WIDTH * share) if share == share else ""  # noqa: PLR0124  # nan is not equal to itself
        errors = f"{point.ham_errors_percent:7.2f} {point.spam_errors_percent:7.2f}"
        typer.echo(f"{point.messages:8d} {errors} {point.one_minus_auc_percent:8.4f} {bar}")


def _drawing() -> Any:
    """What draws: asked for before all the work is done."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  # an extra, and slow to load
    except ImportError:
        fail(_MATPLOTLIB)
    return Figure


def _draw(figure_class: Any, path: Path, result: "Result") -> None:
    figure = figure_class(figsize=(8, 5), dpi=120)
    axes = figure.subplots()
    at = [point.messages for point in result.curve]
    axes.plot(at, [point.one_minus_auc_percent for point in result.curve], "k-", label="(1-AUC) so far")
    axes.plot(at, [point.ham_errors_percent for point in result.curve], "b:", label="ham taken for spam")
    axes.plot(at, [point.spam_errors_percent for point in result.curve], "r:", label="spam taken for ham")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_xlabel("messages judged")
    axes.set_ylabel("percent")
    axes.legend()
    figure.savefig(path, format="png")

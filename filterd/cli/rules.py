"""filterd rules: what rule files hold, whether they are right, and what stage a rule is at."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from filterd.app import ConfigError, around, data_files, rule_costs, rule_uses
from filterd.cli import rules_backtest, rules_measure
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.model.inspection import REGEX_PREFIX
from filterd.operations import rules_data, rules_stage
from filterd.operations.rules import RulesCommandError, ask, next_step

app = typer.Typer(help="Live with rules. Example: filterd rules check rules/", no_args_is_help=True)
Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="[PATH]...", help="Rule files or folders; default: the daemon's rules.")
]
RuleName = Annotated[str, typer.Argument(metavar="RULE", help="The rule's name, as rules list shows it.")]
RulesOption = Annotated[Path | None, typer.Option("--rules", help="Rule file or folder; default: the daemon's rules.")]
app.command()(rules_measure.profile)
app.command()(rules_backtest.backtest)


@app.command()
def check(
    paths: Paths = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what is wrong with rule files, by file and line; exit 1 where there are errors.

    YARA rules, regex rules and composites. Errors: what does not compile, modules that rules may not have, symbols that
    nothing reports, names that two rules share, metadata that cannot be meant. Warnings: patterns that are slow or have
    no bound, metadata that is missing, rules that have expired, and all that yara-x, the successor of YARA, says, where
    it is installed.

    Example: filterd rules check --strict my-rules/
    """
    counts = {"error": 0, "warning": 0}
    looked: dict[str, Any] = {"files": 0, "rules": 0}
    for row in _rows("check", paths, config):
        if "severity" not in row:
            looked |= row | {key: looked[key] + row[key] for key in ("files", "rules")}
            continue
        counts[row["severity"]] += 1
        if json:
            print_json(row)
        else:
            place = f"{row['path']}:{row['line']}" if row["line"] else row["path"]
            typer.echo(safe(f"{place}: {row['severity']}: {row['text']} [{row['kind']}]"))
    if json:
        print_json({**looked, "errors": counts["error"], "warnings": counts["warning"]})
    else:
        found = f"{counts['error']} errors, {counts['warning']} warnings"
        typer.echo(f"{looked['rules']} rules in {looked['files']} files: {found}", err=True)
        if looked.get("missing"):
            typer.echo(f"Not linted by yara-x: {looked['missing']}", err=True)
    if counts["error"] or (strict and counts["warning"]):
        raise typer.Exit(1)


@app.command(name="fmt")
def format_rules(
    paths: Paths = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing: show what would change, and exit 1 where anything would.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Bring rule files into one form: white space alone changes. Needs yara-x.

    Example: filterd rules fmt --check my-rules/
    """
    counts = {"changed": 0, "problem": 0}
    files = 0
    for row in _asked("fmt", ["check" if check_only else "write", *_where(paths, config)]):
        files += 1
        counts["changed"] += row["changed"]
        counts["problem"] += bool(row["problem"])
        if json:
            print_json(row)
        elif row["problem"]:
            typer.echo(safe(row["problem"]), err=True)
        elif row["changed"]:
            for line in row["diff"].splitlines() or [f"formatted {row['path']}"]:
                typer.echo(safe(line))
    if not json:
        word = "would change" if check_only else "changed"
        typer.echo(f"{counts['changed']} of {files} files {word}, {counts['problem']} have no common form", err=True)
    if counts["problem"] or (check_only and counts["changed"]):
        raise typer.Exit(1)


@app.command(name="test")
def try_samples(paths: Paths = None, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Try rules on the samples beside them: FAMILY.samples/hit and miss; exit 1 where they disagree.

    A file in hit is named after the rule that must match it; nothing in miss may be matched by any rule of the family.
    Regex rules and composites have theirs in their own file, as match and no_match.

    Example: filterd rules test rules/yara/eicar.yar
    """
    files = samples = wrong = 0
    for row in _rows("test", paths, config):
        files += 1
        samples += row["samples"]
        wrong += len(row["problems"])
        if json:
            print_json(row)
        else:
            for problem in row["problems"]:
                typer.echo(safe(problem))
    if not json:
        typer.echo(f"{samples} samples of {files} files: {wrong} disagreements", err=True)
    if wrong:
        raise typer.Exit(1)


@app.command(name="list")
def list_rules(paths: Paths = None, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the rules: name, file, stage, symbol, owner, expiry; how often each has hit at this daemon, and when last.

    The cost is what filterd rules profile has measured last, in ms per message: the rule's own where it stands among
    the slowest files, else that of its whole file.

    Example: filterd rules list --json | jq -r 'select(.stage == "shadow") | .rule'
    """
    rows = list(_rows("list", paths, config))
    settings = configuration(config)
    known = rule_uses(settings, [row["rule"] for row in rows]) or {}
    measured = rule_costs(settings, [(row["rule"], row["namespace"]) for row in rows])
    for row in rows:
        cost = measured.get(row["rule"])
        row["cost"] = None if cost is None else msgspec.to_builtins(cost)
        use = known.get(row["rule"]) if row["kind"] != "composite" else None
        row |= {"hits": None, "last_hit": None, "suspended": ""}
        if use is not None:
            row |= {"hits": use.hits, "last_hit": use.last, "suspended": use.suspended}
    if json:
        for row in rows:
            print_json(row)
        return
    columns = ("rule", "file", "stage", "symbol", "owner", "expires", "hits", "last hit", "ms per message")
    print_table(columns, [_cells(row) for row in rows])


@app.command()
def promote(rule: RuleName, rules: RulesOption = None, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Move a rule one stage on in its source file: test, shadow, score, enforce. Nothing else in the file changes.

    Example: filterd rules promote my_rule
    """
    _move("promote", rule, rules, config, json=json)


@app.command()
def demote(rule: RuleName, rules: RulesOption = None, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Move a rule one stage back in its source file: enforce, score, shadow, test. Nothing else in the file changes.

    Example: filterd rules demote my_rule
    """
    _move("demote", rule, rules, config, json=json)


def _move(word: str, rule: str, rules: Path | None, config: Path | None, *, json: bool) -> None:
    if rule.startswith(REGEX_PREFIX):
        moved = _moved(word, rule, rules, config)
    else:
        (moved,) = _asked(word, [rule, *_where([rules] if rules else None, config)])
    if json:
        print_json(moved)
        return
    typer.echo(safe(f"{moved['file']}:{moved['line']}: {moved['rule']}: {moved['before']} -> {moved['after']}"))
    typer.echo(safe(f"{next_step(moved)}."))


def _moved(word: str, rule: str, rules: Path | None, config: Path | None) -> dict[str, Any]:
    """Move a regex rule."""
    try:
        files = data_files(configuration(config), config, [rules] if rules else None)
        return rules_stage.move(files.regexes, rule, word)
    except (ConfigError, rules_stage.StageError, OSError) as error:
        fail(safe(str(error)))


def _where(paths: list[Path] | None, config: Path | None) -> list[str]:
    """The rule files meant: absolute, so that none looks like an option."""
    return [str(path.absolute()) for path in paths or [configuration(config).rules_directory / "yara"]]


def _rows(word: str, paths: list[Path] | None, config: Path | None) -> Iterator[dict[str, Any]]:
    """What the process for YARA says, and then the same of files in TOML."""
    for path in paths or ():
        if not path.exists():
            fail(safe(f"{path}: no such file or directory"))
    yara = paths if paths is None else [path for path in paths if path.suffix != ".toml"]
    if yara is None or yara:
        for row in _asked(word, _where(yara, config)):
            yield {"kind": "yara", **row} if word == "list" else row
    settings = configuration(config)
    try:
        files = data_files(settings, config, paths)
        if word == "list":
            yield from rules_data.rows(files)
            return
        beside = around(settings, config, files)
    except ConfigError as error:
        fail("\n".join([safe(problem) for problem in error.problems]))
    yield from (rules_data.check if word == "check" else rules_data.test)(files, beside)


def _asked(word: str, arguments: list[str]) -> Iterator[dict[str, Any]]:
    try:
        yield from ask(word, arguments)
    except RulesCommandError as error:
        fail(safe(str(error)))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    why = "expired" if row["expired"] else f"suspended: {row['suspended']}" if row["suspended"] else ""
    stage = f"{row['stage']} ({why})" if why else row["stage"]
    place = f"{row['namespace']}:{row['line']}"
    hits = "" if row["hits"] is None else str(row["hits"])
    last = "" if row["last_hit"] is None else f"{datetime.fromtimestamp(row['last_hit'], UTC):%Y-%m-%d %H:%M:%S UTC}"
    return (row["rule"], place, stage, row["symbol"], row["owner"], row["expires"], hits, last, _cost(row["cost"]))


def _cost(cost: dict[str, Any] | None) -> str:
    return "" if cost is None else f"{cost['ms']:.3f}{' (file)' if cost['whole_file'] else ''}"

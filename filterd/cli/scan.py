"""filterd scan: judge messages from files."""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import track

from filterd.app import StartError, open_scanner
from filterd.cli.common import ConfigOption, JsonOption, fail, print_json, safe, site
from filterd.cli.session import ClientIp, ClientName, Helo, MailFrom, NameServer, Rcpt, session
from filterd.model.verdict import Action
from filterd.operations.replay_report import OWN
from filterd.operations.scan import MAX_FILE, Scanned, Session, messages_in
from filterd.operations.scan import scan as scan_one
from filterd.operations.scan_json import as_json
from filterd.operations.scan_recording import (
    MAX_RECORDING,
    Offline,
    Recorder,
    Recording,
    RecordingError,
    dump,
    load,
)
from filterd.pipeline.parts import Parts

REACHED = 3  # exit status of --fail-on, as documented
SHOWN = 5  # questions without a recorded answer that are named; all of them are counted


def scan(
    files: Annotated[list[Path], typer.Argument(help="Message files, folders of them, or - for standard input.")],
    client_ip: ClientIp = "",
    client_name: ClientName = "",
    helo: Helo = "",
    mail_from: MailFrom = "",
    rcpt: Rcpt = None,
    nameserver: NameServer = "",
    dns_recording: Annotated[
        Path | None,
        typer.Option(help="Ask nobody: take DNS answers and the time from this file (a saved recording, or evidence)."),
    ] = None,
    save_dns_recording: Annotated[
        Path | None, typer.Option(help="Write the DNS answers that the messages used into this file.")
    ] = None,
    fail_on: Annotated[
        Action | None, typer.Option(help="Exit with 3 where a file reaches this action or worse.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Messages judged at the same time; 0: two per core.", min=0)] = 0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what filterd would do with messages, as if they came by SMTP. Nothing is stored or sent.

    Example: filterd scan --client-ip 192.0.2.1 --mail-from a@example.org --rcpt me@example.net message.eml

    The same again without a network, as of the same moment:

    filterd scan --save-dns-recording dns.json message.eml; filterd scan --dns-recording dns.json message.eml
    """
    came = session(client_ip, client_name, helo, mail_from, rcpt)
    if nameserver and dns_recording:
        raise typer.BadParameter("nobody is asked where answers come from --dns-recording", param_hint="--nameserver")
    recording = None if dns_recording is None else _recording(dns_recording)
    rules = site(config, nameserver=nameserver)
    paths = list(messages_in(files))
    try:
        with _saving(save_dns_recording) as recorder, open_scanner(rules, jobs) as (parts, workers):
            offline = None if recording is None else Offline(parts, recording)
            outcomes = _scan_all(parts if offline is None else offline.parts, paths, came, workers)
            worst = _show(_noted(outcomes, recorder), len(paths), json=json)
    except StartError as error:
        fail(str(error))
    if offline is not None:
        _say_missing([f"{question.name} {question.rtype}" for question in offline.missing])
    if fail_on is not None and worst >= fail_on.rank:
        raise typer.Exit(REACHED)


def _show(outcomes: Iterator[Scanned], count: int, *, json: bool) -> int:
    """Print them as they come; the rank of the worst action, -1 for none."""
    worst = -1
    shown: Iterable[Scanned] = outcomes
    if count > 1 and sys.stderr.isatty():
        shown = track(outcomes, "scanning", count, console=Console(stderr=True))
    for outcome in shown:
        worst = max(worst, outcome.worst.action.rank)
        if json:
            print_json(as_json(outcome))
        else:
            _print(outcome)
    return worst


def _scan_all(parts: Parts, paths: list[Path], came: Session, workers: int) -> Iterator[Scanned]:
    def one(path: Path) -> Scanned:
        return scan_one(parts, str(path), _read(path), came)

    if len(paths) == 1:
        yield one(paths[0])
        return
    with ThreadPoolExecutor(workers) as pool:
        window = workers * 4  # files in memory at the same time
        for start in range(0, len(paths), window):
            yield from pool.map(one, paths[start : start + window])


def _noted(outcomes: Iterable[Scanned], recorder: Recorder) -> Iterator[Scanned]:
    """The same, and the answers they used."""
    for outcome in outcomes:
        recorder.add(outcome.transaction)
        yield outcome


def _recording(path: Path) -> Recording:
    """A recording from a file, or the end of this command with the key that is wrong."""
    try:
        with path.open("rb") as file:
            return load(file.read(MAX_RECORDING))
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except RecordingError as error:
        fail(f"{path}: {safe(str(error))}")


@contextmanager
def _saving(path: Path | None) -> Iterator[Recorder]:
    """Collects answers, and writes them where a file is wanted: also those of a scan that is ended early."""
    recorder = Recorder()
    if path is None:
        yield recorder
        return
    file = _open(path)  # before the work: that it cannot be written must not be said after an hour
    with file:
        try:
            yield recorder
        finally:
            file.write(dump(recorder.recording()))


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        fail(f"{path}: {error.strerror}")


def _say_missing(questions: list[str]) -> None:
    """Say for what the recording had no answer: what hangs on it is unknown, neither good nor bad."""
    if questions:
        named = ", ".join(safe(question) for question in questions[:SHOWN])
        more = ", ..." if len(questions) > SHOWN else ""
        typer.echo(f"{len(questions)} questions are not in the recording: {named}{more}", err=True)


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(MAX_FILE)
        with path.open("rb") as file:
            return file.read(MAX_FILE)
    except OSError as error:
        fail(f"{path}: {error.strerror}")


def _print(outcome: Scanned) -> None:
    verdict = outcome.verdict
    typer.echo(f"{safe(outcome.file)}: {verdict.action} ({verdict.score:.2f}) {verdict.code}: {safe(verdict.text)}")
    for share in outcome.shares if len(outcome.shares) > 1 else ():
        told, people = share.verdict, ", ".join([one.address for one in share.recipients])
        typer.echo(
            safe(f"  {people} ({told.policy or OWN}): {told.action} ({told.score:.2f}) {told.code}: {told.text}")
        )
    for symbol in verdict.symbols:
        evidence = safe("; ".join(symbol.finding.evidence))
        typer.echo(f"  {symbol.weight:+6.2f} {symbol.finding.symbol}  {evidence}".rstrip())

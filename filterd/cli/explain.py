"""filterd explain: why a message got its verdict."""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from filterd.app import Site, StartError, open_journal, open_scanner, scale_of
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, safe, site
from filterd.cli.quarantine import opened
from filterd.cli.selection import entry_named
from filterd.cli.session import ClientIp, ClientName, Helo, MailFrom, NameServer, Rcpt, session
from filterd.inspectors import InspectorFailure
from filterd.model.custody import Evidence
from filterd.model.ids import is_id
from filterd.operations.explain import REASONS, lines, with_reasons
from filterd.operations.explain import explain as explained
from filterd.operations.explain_journal import evidence_of_row
from filterd.operations.scan import MAX_FILE, Session, scan
from filterd.pipeline.records import evidence_of
from filterd.pipeline.shares import Share
from filterd.quarantine import JournalFilter

STDIN: Final = "-"


def explain(  # one option for each thing a session has
    message: Annotated[str, typer.Argument(metavar="ID|FILE", help="Id of a held message, a message file, or -.")],
    client_ip: ClientIp = "",
    client_name: ClientName = "",
    helo: Helo = "",
    mail_from: MailFrom = "",
    rcpt: Rcpt = None,
    nameserver: NameServer = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say in words why a message was, or would be, treated as it is: points, authentication, checks, lookups.

    A held message is explained from what was kept of it; of others, and of what the MTA holds, the journal has the
    points alone. A file is judged now, with the options as its SMTP session.

    Example: filterd explain 01JD3W7Q4Z5S8V1N2M3K4P5R6T

    Example: filterd explain --client-ip 192.0.2.1 --mail-from a@example.org message.eml
    """
    rules = site(config, nameserver=nameserver)
    if is_id(message):
        _say(_held(config, message, rules), rules, json=json)
    else:
        _say_judged(rules, message, session(client_ip, client_name, helo, mail_from, rcpt), json=json)


def explain_held(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The id that list shows, or that a sender was told.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say in words why a message is held; the same as `filterd explain ID`.

    Example: filterd quarantine explain 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    if not is_id(identifier):
        with opened(config) as quarantine:
            identifier = entry_named(quarantine, identifier).id
    rules = site(config)
    _say(_held(config, identifier, rules), rules, json=json)


def _say(evidence: Evidence, rules: Site, *, json: bool, shares: Sequence[Share] = ()) -> None:
    found = explained(evidence, scale_of(rules, evidence.verdict.policy), shares)
    if json:
        print_json(found)
        return
    for line in lines(found):
        typer.echo(safe(line))


def _held(config: Path | None, identifier: str, rules: Site) -> Evidence:
    with opened(config) as quarantine:
        try:
            evidence = quarantine.evidence(identifier)
        except KeyError:
            return _remembered(config, identifier)
        quarantine.note(actor(), "view", identifier)
        if evidence.inspection is None or evidence.inspection.classified is None:
            return evidence
        with quarantine.open_raw(identifier) as source:
            raw = source.read(MAX_FILE)
    try:
        with open_scanner(rules, 1) as (parts, _):
            return with_reasons(evidence, parts.inspectors, raw)
    except (StartError, InspectorFailure) as error:
        typer.echo(safe(f"why the classifier thinks so cannot be said: {error}"), err=True)
        return evidence


def _remembered(config: Path | None, identifier: str) -> Evidence:
    """What the journal has of a message that is not held here, or the end of this command."""
    try:
        with closing(open_journal(configuration(config))) as journal:
            rows = journal.search(JournalFilter(identifier=identifier), limit=1)
    except (OSError, sqlite3.Error) as error:
        fail(f"journal: {error}")
    evidence = evidence_of_row(rows[0]) if rows else None
    if evidence is None:
        fail(f"{identifier} is not held, and the journal does not know it; explain the file instead")
    return evidence


def _say_judged(rules: Site, name: str, came: Session, *, json: bool) -> None:
    """A file: where its recipients have different policies, the severest verdict in full."""
    try:
        with Path(name).open("rb") if name != STDIN else sys.stdin.buffer as file:
            raw = file.read(MAX_FILE)
    except OSError as error:
        fail(f"{safe(name)}: {error.strerror}; expected the id of a held message or a message file")
    try:
        with open_scanner(rules, 1) as (parts, _):
            outcome = scan(replace(parts, reasons=REASONS), name, raw, came)
    except StartError as error:
        fail(str(error))
    several = outcome.shares if len(outcome.shares) > 1 else ()
    verdict = outcome.worst if several else outcome.verdict
    _say(evidence_of(outcome.transaction, verdict, ""), rules, json=json, shares=several)

"""filterd doctor: what is wrong with the set-up, of filterd and of the MTA in front."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from filterd.app import Config, diagnose
from filterd.app.diagnosing import postfix_findings, sendmail_findings
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, site
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_sendmail_cf import SendmailError
from filterd.operations.postconf import PostconfError


def doctor(
    place: Annotated[
        Path | None,
        typer.Argument(
            help="With --postfix: the folder of main.cf; with --sendmail: sendmail.cf, or its folder. Default: those of"
            " this host."
        ),
    ] = None,
    postfix: Annotated[bool, typer.Option("--postfix", help="Look at the Postfix in front, by its postconf.")] = False,
    sendmail: Annotated[bool, typer.Option("--sendmail", help="Look at the Sendmail in front.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Look for what is wrong with the set-up; exit 1 where something is.

    With --postfix or --sendmail only the MTA's configuration is looked at, and what to do is the very command, or the
    very line of sendmail.mc. Example: filterd doctor --postfix /etc/postfix
    """
    if postfix and sendmail:
        raise typer.BadParameter("expected one of --postfix and --sendmail")
    if place is not None and not (postfix or sendmail):
        raise typer.BadParameter(f"expected --postfix or --sendmail before {place}")
    found = _mta(configuration(config), place, sendmail=sendmail) if postfix or sendmail else diagnose(site(config))
    if json:
        for item in found:
            print_json(item)
    else:
        print_table(
            ("state", "what", "finding", "what to do"),
            [(item.level.value, item.subject, item.text, item.remedy) for item in found],
        )
    if any(item.level is Level.FAILED for item in found):
        raise typer.Exit(1)


def _mta(config: Config, place: Path | None, *, sendmail: bool) -> list[Diagnosis]:
    """Of the one in front, or the end of this command where it cannot be asked."""
    look = sendmail_findings if sendmail else postfix_findings
    found: Iterator[Diagnosis] = look(config, place)
    try:
        return list(found)
    except (PostconfError, SendmailError) as error:
        fail(str(error))

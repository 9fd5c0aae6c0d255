"""filterd quarantine digest: tell people what is held, by hand; filterd quarantine rotate."""

from pathlib import Path
from typing import Annotated

import typer

from filterd.app.digests import post_of
from filterd.app.releasing import keys_of
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.cli.quarantine import opened
from filterd.operations.digest import Sent
from filterd.operations.digest_mail import Mail
from filterd.operations.digest_templates import TemplateError, write_templates
from filterd.quarantine.digests import Told
from filterd.quarantine.keys import KeyFileError


def digest(
    send: Annotated[bool, typer.Option("--send", help="Send them now; the next ones begin here.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say who would be told of what, now.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="With --dry-run: the mails themselves.")] = False,
    templates: Annotated[
        Path | None, typer.Option("--templates", help="Write the shipped templates there, to be changed.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Tell those whom the configuration names what was held since the last time, as the daemon does when it is due.

    With --send, exit code 1 where a mail was not taken; what the MTA put off the daemon tries again.

    Example: filterd quarantine digest --dry-run

    Example: filterd quarantine digest --templates /etc/filterd/digest
    """
    if (send, dry_run, templates is not None).count(True) != 1:
        fail("expected one of --dry-run, --send, --templates DIR")
    if templates is not None:
        _write(templates)
        return
    settings = configuration(config)
    with opened(config, upkeep=True) as quarantine:
        try:
            post = post_of(settings, quarantine)
        except TemplateError as error:
            fail(f"[digest] templates: {error}")
        if post is None:
            fail("nobody is to be told: name `reviewers` or `domains` in [digest]")
        if dry_run:
            _preview(post.preview(), raw=raw, json=json)
            return
        done = list(post.now(actor()))
    _tell(done, json=json)
    if any(one.state is not Told.SENT for one in done):
        raise typer.Exit(1)


def rotate_key(config: ConfigOption = None) -> None:
    """Make a new key for the tokens of releases (release_by = "token"); the one before goes on verifying.

    Where several nodes have a copy of the file, copy it again: tokens live for 15 minutes, so twice in that time is too
    often.

    Example: filterd quarantine rotate
    """
    keys = keys_of(configuration(config))
    try:
        made = keys.rotate()
    except KeyFileError as error:
        fail(str(error))
    typer.echo(f"{keys.path}: tokens are signed with key {made.name} now")


def _write(folder: Path) -> None:
    try:
        written = write_templates(folder)
    except OSError as error:
        fail(f"{safe(str(folder))}: {error.strerror}")
    for path in written:
        typer.echo(str(path))
    if not written:
        typer.echo("all of them are there already")


def _preview(mails: list[Mail], *, raw: bool, json: bool) -> None:
    if raw and not json:
        for mail in mails:
            typer.echo(mail.raw.decode("utf-8", "replace").replace("\r\n", "\n"))
        return
    if json:
        for mail in mails:
            listed = {"to": mail.recipient, "subject": mail.subject, "held": mail.count, "ids": list(mail.ids)}
            print_json(listed | ({"raw": mail.raw.decode("utf-8", "replace")} if raw else {}))
        return
    print_table(
        ("to", "held", "listed", "subject"),
        [(mail.recipient, str(mail.count), str(len(mail.ids)), mail.subject) for mail in mails],
    )


def _tell(done: list[Sent], *, json: bool) -> None:
    for one in done:
        if json:
            print_json({"to": one.mail.recipient, "held": one.mail.count, "state": one.state.value, "text": one.text})
        else:
            word = "put off" if one.state is Told.SENDING else one.state.value
            typer.echo(safe(f"{one.mail.recipient} {word}: {one.text}"))
    if not done and not json:
        typer.echo("there is nothing to be told")

"""filterd reviewer: held mail for people who have a role, and no access to the daemon's files."""

import time
from typing import Annotated, Final

import typer

from filterd.cli.asking import SocketOption, asked
from filterd.cli.common import ConfigOption, JsonOption, print_json, print_table, safe
from filterd.control import Command, Request
from filterd.control.wire import MAX_IDS, MAX_LISTED
from filterd.operations.explain import lines

RELEASE_SECONDS: Final = 900.0  # for a hundred messages, where the MTA takes its time
app = typer.Typer(
    help="Held mail of your domains, through the daemon. Example: filterd reviewer list", no_args_is_help=True
)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="Entries at most.", min=1, max=MAX_LISTED)] = 50,
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """List the held messages that your role covers, newest first.

    Example: filterd reviewer list --socket /run/filterd/control.sock
    """
    found = asked(config, socket, Request(Command.HELD, most=limit))["held"]
    if json:
        for one in found:
            print_json(one)
        return
    print_table(
        ("id", "received (UTC)", "from", "to", "reason", "score", "subject"),
        [
            (
                one["id"],
                time.strftime("%Y-%m-%d %H:%M", time.gmtime(one["received"])),
                one["from"],
                ", ".join(one["recipients"]),
                one["reason"],
                f"{one['score']:.1f}",
                one["subject"],
            )
            for one in found
        ],
    )


@app.command()
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="An id that list shows.")],
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Show why a message is held, its parts, its header, and how its body begins.

    The audit has who looked.

    Example: filterd reviewer show 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    found = asked(config, socket, Request(Command.SHOW, ids=(identifier,)))["shown"]
    if json:
        print_json(found)
        return
    for line in (*lines(found["explained"]), *found["lines"]):
        typer.echo(safe(line))


@app.command()
def release(
    identifiers: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids that list shows.")],
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Have the daemon give held messages back to the MTA, to those they were held for.

    The audit has who it was. Exit code 1 where one of them was not delivered now.

    Example: filterd reviewer release 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    done = []
    for first in range(0, len(identifiers), MAX_IDS):
        request = Request(Command.RELEASE, ids=tuple(identifiers[first : first + MAX_IDS]))
        done += asked(config, socket, request, RELEASE_SECONDS)["released"]
    for one in done:
        if json:
            print_json(one)
        else:
            typer.echo(safe(f"{one['id']} {one['state']}: {one['text']}"))
    if any(one["state"] != "delivered" for one in done):
        raise typer.Exit(1)

"""The options that say how a message from a file is taken to have come."""

from typing import Annotated

import typer

from filterd.cli.common import safe
from filterd.domains import normalise_address
from filterd.operations.scan import Session

ClientIp = Annotated[str, typer.Option(help="Address of the SMTP client.")]
ClientName = Annotated[str, typer.Option(help="Its verified reverse name.")]
Helo = Annotated[str, typer.Option(help="What it called itself.")]
MailFrom = Annotated[str, typer.Option(help="Envelope sender.")]
Rcpt = Annotated[list[str] | None, typer.Option(help="Envelope recipient; may be repeated.")]
NameServer = Annotated[str, typer.Option(help="Ask this resolver, HOST:PORT.")]


def session(client_ip: str, client_name: str, helo: str, mail_from: str, rcpt: list[str] | None) -> Session:
    """The session that these options describe, or the end of this command."""
    if client_ip and not normalise_address(client_ip):
        raise typer.BadParameter(f"expected an IP address, got {safe(client_ip)!r}", param_hint="--client-ip")
    return Session(client_ip, client_name, helo, mail_from, tuple(rcpt or ()))

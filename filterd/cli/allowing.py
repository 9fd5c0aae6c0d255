"""--allow of `filterd quarantine release`: whoever sent what is released is let in from now on."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from filterd.app import Config
from filterd.app.ownlists import ChangeError, open_allower
from filterd.cli.acting import actor
from filterd.cli.common import fail, print_json, safe
from filterd.operations.allowing import Allowance, Allower, How
from filterd.operations.ownlists import ListError, Who
from filterd.quarantine import Entry, Quarantine, State
from filterd.quarantine.entries import WAITING

Allow = Annotated[
    bool,
    typer.Option(
        "--allow",
        help="And put on the allow list whoever proved to be its author: the domain, by DKIM or SPF, or the one address"
        " at a freemail provider. Refused where nothing is proved.",
    ),
]
AllowClient = Annotated[
    bool,
    typer.Option("--allow-client", help="The same for the client's address (IPv6: its /64), whatever it sends."),
]
Expires = Annotated[
    str, typer.Option(help="The last day that counts: 2027-01-31, 30d, or never; default: in a year. With --allow.")
]


def wanted(*, allow: bool, client: bool, expires: str) -> How | None:
    """What the options ask for, None where they ask for nothing; the command ends where they contradict each other."""
    if allow and client:
        raise typer.BadParameter("expected one of --allow and --allow-client", param_hint="--allow-client")
    if expires and not (allow or client):
        raise typer.BadParameter("it is of an allow entry: expected --allow too", param_hint="--expires")
    return How(expires, client) if allow or client else None


def allower_of(config: Config, quarantine: Quarantine) -> Allower:
    """What makes the entries, for who is acting now. ListError."""
    acting = actor()
    return open_allower(config, quarantine, Who(acting.name, acting.origin, time.time()))


def planned(config: Config, quarantine: Quarantine, entries: Sequence[Entry], how: How, *, again: bool) -> "Planned":
    """The entries for what will be released; the command ends where one cannot be made, before anything is done."""
    releasable = (*WAITING, State.DELIVERED) if again else WAITING
    try:
        allower = allower_of(config, quarantine)
        return Planned(allower, allower.planned([one.id for one in entries if one.state in releasable], how))
    except ListError as error:
        fail(f"nothing is released, for no allow entry can be made:\n{_words(error)}")


class Planned:
    """Entries that are still to be put on the list."""

    def __init__(self, allower: Allower, allowances: Sequence[Allowance]) -> None:
        """As Allower.planned has made them."""
        self._allower = allower
        self._allowances = allowances

    def put(self, *, json: bool) -> None:
        """Put them there and say so; the command ends where that fails."""
        try:
            self._allower.put(self._allowances)
        except (ChangeError, ListError) as error:
            fail(f"nothing is released, for the allow list was not changed: {_words(error)}")
        self.tell("allowed", json=json)

    def tell(self, word: str, *, json: bool) -> None:
        """Print them."""
        for one in self._allowances:
            if json:
                print_json({"id": one.id, word.replace(" ", "_"): str(one.known or one.entry), "proof": one.proof})
            else:
                typer.echo(safe(f"{one.id} {word}: {one}"))


def allowed(config: Config, quarantine: Quarantine, identifier: str) -> str:
    """Put the author of one message on the list, for the desk; in words. ListError, CustodyError, KeyError."""
    allower = allower_of(config, quarantine)
    found = allower.planned([identifier], How())
    try:
        allower.put(found)
    except ChangeError as error:
        raise ListError(str(error)) from None
    return str(found[0])


def _words(error: Exception) -> str:
    return "\n".join(map(safe, str(error).split("\n")))

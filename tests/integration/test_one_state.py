"""Two daemons with folders of their own for sockets, and one for what must survive: what they hold is held together."""

import json

import pytest
from typer.testing import CliRunner

from filterd.cli import app
from tests.milter.wire import greeted, internet, judged, mail
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder
from tests.support.world import STRANGER, message

pytestmark = [pytest.mark.integration, pytest.mark.threat("OPS-11")]


def command(daemon: Filterd, *arguments: str) -> list[str]:
    """The lines of a command's answer."""
    done = CliRunner().invoke(app, [*arguments, "--config", str(daemon.config)])
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def spoof(daemon: Filterd, subject: str) -> str:
    """Have one held; its id."""
    with greeted(daemon, STRANGER) as session:
        _, event = judged(daemon, session, mail(message("ceo@strict.test", subject), "x@elsewhere.test"))
    assert event["action"] == "quarantine"
    return str(event["id"])


def test_two_daemons_with_one_state() -> None:
    """Each holds and lists what both have; one deletes, and the other knows; verify finds nothing wrong."""
    with open_folder() as first, open_folder() as second, DnsServer(internet()) as dns:
        settings: Settings = {
            "milter": {"workers": 1},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "paths": {"state": str(first / "state")},
        }
        own = {**settings, "paths": {"state": str(first / "state"), "runtime": str(second / "run")}}
        with Filterd(first, settings) as one, Filterd(second, own) as other:
            held = [spoof(daemon, f"Transfer {number}") for number, daemon in enumerate((one, other, one, other))]
            for daemon in (one, other):
                listed = [json.loads(line)["id"] for line in command(daemon, "quarantine", "list", "--json")]
                assert sorted(listed) == sorted(held)
                assert json.loads(command(daemon, "status", "--json")[0])["health"] == "ok"
            command(one, "quarantine", "delete", held[0], "--yes")
            assert held[0] not in "".join(command(other, "quarantine", "list", "--json"))
            command(other, "quarantine", "verify")

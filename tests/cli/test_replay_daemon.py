"""What a running daemon holds replays to the same verdict once everything it asked is gone."""

import json
import time

import pytest
from typer.testing import CliRunner

from filterd.cli import app
from filterd.quarantine import Quarantine
from tests.milter.wire import greeted, internet, judged, mail
from tests.support.daemon import Filterd
from tests.support.dnsserver import DnsServer
from tests.support.miltertalk import ACCEPT, DISCARD
from tests.support.process import open_folder
from tests.support.smtp import Pose
from tests.support.world import GOOD, SPAM, signed, with_attachment

pytestmark = pytest.mark.integration

BOT = Pose("203.0.113.66", "[UNAVAILABLE]", "bot.dialup.test")


def test_held_by_the_daemon_and_replayed_without_it() -> None:
    """Over the wire, with reputation, journal and ledger of its own; then offline, from its folder alone."""
    program = with_attachment("alice@aligned.test", "Invoice", "invoice.exe", b"MZ" + bytes(500))
    proved = signed(program, now=int(time.time()))
    with open_folder() as folder:
        with DnsServer(internet()) as dns:
            settings: dict[str, dict[str, object]] = {
                "milter": {"workers": 1},
                "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
                "actions": {"add_header": 0.01, "quarantine": 0.02, "reject": 90.0},
            }
            with Filterd(folder, settings) as daemon:
                for number, (pose, raw) in enumerate(((BOT, SPAM), (GOOD, proved), (BOT, program), (GOOD, SPAM))):
                    with greeted(daemon, pose) as session:
                        answer, event = judged(daemon, session, mail(raw, f"x{number}@cheap.test"))
                        assert (answer.code in {ACCEPT, DISCARD}, event["action"]) == (True, "quarantine")
        quarantine = Quarantine(folder / "state" / "quarantine")
        ids = [entry.id for entry in quarantine.entries()]
        quarantine.close()
        assert len(ids) == 4
        done = CliRunner().invoke(app, ["replay", "--all", "--json", "--config", str(folder / "filterd.toml")])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 0, done.output
    assert [row["id"] for row in rows] == ids
    for row in rows:
        assert (row["same"], row["before"], row["missing"], row["unrecorded"]) == (True, row["after"], [], []), row
        assert (row["configuration"]["same"], row["rules"]["same"]) == (True, True)

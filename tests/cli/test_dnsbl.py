"""filterd dnsbl against a real name server: what is shown, as text and as JSON, and what the exit says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.app.site import load_config
from filterd.cli import app
from filterd.store import SuspendedLists, open_store
from tests.support.dnsserver import DnsServer
from tests.support.process import free_port
from tests.support.world import zone

pytestmark = pytest.mark.integration

SECRET = "k3yk3yk3y"


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    """The tests' small Internet, with healthy lists."""
    with DnsServer(zone()) as server:
        yield server


class Commands:
    """The commands on a state folder of their own, and on rules with a paid list in them."""

    def __init__(self, folder: Path, dns: DnsServer) -> None:
        """Write configuration, rules and key."""
        rules = folder / "rules"
        (rules / "yara").mkdir(parents=True)
        (rules / "scores.toml").write_bytes((load_config(None).rules_directory / "scores.toml").read_bytes())
        (folder / "key").write_text(SECRET)
        (folder / "key").chmod(0o600)
        (rules / "dnsbl.toml").write_text(
            f"""
[lists.paid]
zone = "{{key}}.paid.test"
display = "paid.test"
key_file = "{folder}/key"
subjects = ["client"]
listed = "127.0.0.2"
unlisted = "127.0.0.1"
[lists.paid.codes]
DNSBL_SPAMCOP = ["127.0.0.2"]
[lists.names]
zone = "names.test"
subjects = ["url_host", "sender_domain"]
[lists.names.codes]
URIBL_DBL_SPAM = ["127.0.1.2"]
"""
        )
        self.folder = folder
        self.config = folder / "filterd.toml"
        self.config.write_text(
            f'[paths]\nstate = "{folder}/state"\n[rules]\npath = "{rules}"\n'
            f'[dns]\nnameservers = ["127.0.0.1:{dns.port}"]\ntimeout = 1.0\n'
        )
        dns.set(f"2.0.0.127.{SECRET}.paid.test", "A", "127.0.0.2")
        dns.set(f"66.113.0.203.{SECRET}.paid.test", "A", "127.0.0.2", ttl=77)
        dns.set("spam.test.names.test", "A", ["127.0.1.2", "127.0.1.99"])

    def run(self, *arguments: str) -> Result:
        """One command; the key is never shown."""
        done = CliRunner().invoke(app, ["dnsbl", *arguments, "--config", str(self.config)])
        assert SECRET not in done.output
        return done


@pytest.fixture
def commands(tmp_path: Path, dns: DnsServer) -> Commands:
    """The commands."""
    return Commands(tmp_path, dns)


def test_lookup_as_lines(commands: Commands) -> None:
    """One line for each subject and list, cells parted by tabs."""
    done = commands.run("lookup", "203.0.113.66", "www.spam.test", "192.168.0.1")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "203.0.113.66\tpaid.test\thit\tDNSBL_SPAMCOP\t127.0.0.2\t77\t",
        "www.spam.test\tnames.test\thit\tURIBL_DBL_SPAM\t127.0.1.2 127.0.1.99\t300\t",
        "192.168.0.1\t\tnot asked\t\t\t\tnot a public address: lists are never asked about it",
    ]


def test_lookup_as_json(commands: Commands) -> None:
    """One object a line; what is listed nowhere is a miss."""
    done = commands.run("lookup", "203.0.113.67", "203.0.113.67", "--json")
    (found,) = map(json.loads, done.stdout.splitlines())
    assert found == {
        "subject": "203.0.113.67",
        "list": "paid.test",
        "status": "miss",
        "symbols": [],
        "answers": [],
        "ttl": 60,
        "cause": "",
    }


def test_a_subject_that_is_none_is_wrong_usage(commands: Commands) -> None:
    """Exit 2, escaped, before anything is asked."""
    done = commands.run("lookup", "192.0.2.1", "no\x1b[2Jname")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "\x1b[2J" not in done.stderr


@pytest.mark.threat("DNS-05")
def test_lookup_without_a_name_server_still_ends_well(commands: Commands) -> None:
    """The status says that nobody answered; the exit is 0 whatever lists say."""
    done = commands.run("lookup", "203.0.113.66", "--json", "--nameserver", f"127.0.0.1:{free_port()}")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["status"] == "failed"


def test_health_of_healthy_lists(commands: Commands) -> None:
    """Exit 0; a list without test points is no failure; looking makes no state."""
    done = commands.run("health")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["paid.test\thealthy\t\tno\t", "names.test\tno test points\t\tno\t"]
    assert not (commands.folder / "state").exists()


@pytest.mark.threat("DNS-01")
@pytest.mark.threat("DNS-03")
@pytest.mark.parametrize("answer", ["127.0.0.2", "127.255.255.254"])
def test_health_of_a_list_that_lists_everything_or_refuses(commands: Commands, dns: DnsServer, answer: str) -> None:
    """Exit 1, with what is wrong; nothing is suspended by looking."""
    dns.set(f"1.0.0.127.{SECRET}.paid.test", "A", answer)
    done = commands.run("health", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout.splitlines()[0])
    assert (found["list"], found["state"], found["suspended"]) == ("paid.test", "unhealthy", False)
    assert found["cause"].startswith("test point 127.0.0.1 is ")
    assert commands.run("health").stdout.splitlines()[0].split("\t")[3] == "no"


def test_health_says_since_when_a_list_is_suspended(commands: Commands) -> None:
    """From the state that all fronts share."""
    (commands.folder / "state").mkdir()
    store = open_store(None, commands.folder / "state")
    SuspendedLists(store, ["paid"]).suspend("paid", "answered 127.255.255.254", 1_795_000_000.0)
    store.close()
    line = commands.run("health").stdout.splitlines()[0]
    assert line == "paid.test\thealthy\t\tsince 2026-11-18 11:06:40 UTC\tanswered 127.255.255.254"


def test_a_dead_name_server_makes_lists_unknown_not_unhealthy(commands: Commands, dns: DnsServer) -> None:
    """Exit 0: nothing was found wrong."""
    dns.fault("servfail")
    done = commands.run("health")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "paid.test\tunknown\tservfail\tno\t"

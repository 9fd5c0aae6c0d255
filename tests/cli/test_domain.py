"""filterd domain against a real name server: what is shown, as text and as JSON, and what the exit says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from tests.support.dnsserver import DnsServer
from tests.support.process import free_port

pytestmark = pytest.mark.integration


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    """One domain in order, one without anything, one that is hostile."""
    zone = {
        "good.test": {"TXT": "v=spf1 -all", "MX": "0 ."},
        "_dmarc.good.test": {"TXT": "v=DMARC1; p=reject"},
        "bare.test": {"A": "203.0.113.1"},
        "evil.test": {"TXT": "v=spf1 \x1b[2J\x07\xc2\x9b -all", "MX": "0 ."},
    }
    with DnsServer(zone) as server:
        yield server


def run(dns: DnsServer, folder: Path, *arguments: str) -> Result:
    """One command, with the name server from the configuration."""
    config = folder / "filterd.toml"
    config.write_text(
        f'[paths]\nstate = "{folder}/state"\n[dns]\nnameservers = ["127.0.0.1:{dns.port}"]\ntimeout = 1.0\n'
    )
    return CliRunner().invoke(app, ["domain", *arguments, "--config", str(config)])


def test_lines(dns: DnsServer, tmp_path: Path) -> None:
    """A line for each thing to be said, cells parted by tabs: domain, part, state, what, what to do."""
    done = run(dns, tmp_path, "good.test", "bare.test.")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "good.test\tspf\tok\tv=spf1 -all\t" in lines
    assert {len(line.split("\t")) for line in lines} == {5}
    assert {line.split("\t")[0] for line in lines} == {"good.test", "bare.test"}
    assert not (tmp_path / "state").exists()


def test_json(dns: DnsServer, tmp_path: Path) -> None:
    """One object for each domain, in the order given, each once."""
    done = run(dns, tmp_path, "--json", "bare.test", "good.test", "BARE.test")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["domain"] for one in found] == ["bare.test", "good.test"]
    assert [part["name"] for part in found[0]["parts"]] == [
        "mx",
        "spf",
        "dmarc",
        "mta-sts",
        "tls-rpt",
        "bimi",
        "dnssec",
    ]
    assert found[0]["complete"] is True
    assert found[0]["nameservers"] == [f"127.0.0.1:{dns.port}"]


@pytest.mark.parametrize(
    ("name", "level", "status"),
    [("bare.test", "error", 3), ("good.test", "error", 0), ("good.test", "warning", 3)],
)
def test_the_exit_says_how_bad_it_is(dns: DnsServer, tmp_path: Path, name: str, level: str, status: int) -> None:
    """3 where it is as bad as asked for; the domain in order has a warning, that no reports are asked for."""
    assert run(dns, tmp_path, name, "--fail-on", level).exit_code == status


def test_the_exit_says_that_something_is_not_known(dns: DnsServer, tmp_path: Path) -> None:
    """1; and a remark that is certain outdoes it."""
    dns.fault("servfail", "good.test", "TXT")
    assert run(dns, tmp_path, "good.test").exit_code == 1
    assert run(dns, tmp_path, "good.test", "bare.test", "--fail-on", "error").exit_code == 3


def test_without_a_name_server(dns: DnsServer, tmp_path: Path) -> None:
    """--nameserver goes before the configuration; where nobody answers all is unknown, and nobody else is asked."""
    done = run(dns, tmp_path, "good.test", "--json", "--timeout", "10", "--nameserver", f"127.0.0.1:{free_port()}")
    assert done.exit_code == 1
    assert {part["state"] for part in json.loads(done.stdout)["parts"]} == {"unknown"}
    assert dns.asked == []


@pytest.mark.threat("OPS-09")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_hostile_records_are_escaped(dns: DnsServer, tmp_path: Path, form: tuple[str, ...]) -> None:
    """No control byte of a record reaches the terminal."""
    done = run(dns, tmp_path, "evil.test", *form)
    assert done.exit_code == 0
    assert all(character.isprintable() or character in "\t\n" for character in done.output)


@pytest.mark.parametrize("name", ["localhost", "", "a..test", "x\x1b[2J.test", "192.0.2.1"])
def test_what_is_no_domain_is_wrong_usage(dns: DnsServer, tmp_path: Path, name: str) -> None:
    """Exit 2 before anything is asked."""
    done = run(dns, tmp_path, name)
    assert (done.exit_code, dns.asked) == (2, [])
    assert "\x1b[2J" not in done.output

"""A canary in every secret, a daemon and its commands driven into errors, and nothing that they leave shows one."""

import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import pytest
from typer.testing import CliRunner

from filterd.cli import app
from filterd.config import Config
from filterd.config.fields import Section
from filterd.config.reference import model_of
from filterd.config.root import shipped_rules
from tests.milter.wire import greeted, internet, judged, mail
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import free_port, open_folder, wait_until
from tests.support.redis import RedisServer, redis_server
from tests.support.world import STRANGER, message

pytestmark = pytest.mark.integration

# One for each key of a configuration that names a secret; the list's key is a label of the names that are asked.
FIELDS: Final = {
    "redis.password_file": "canary-redis-4f1d",
    "redis.sentinel_password_file": "canary-sentinel-a2e9",
    "redis.key_file": "canary-tls-6c81",
    "quarantine.password_file": "canary-ledger-91ab",
    "quarantine.upkeep_password_file": "canary-upkeep-77c0",
    "quarantine.secret_file": "canary-store-3e5f",
    "dmarc_reports.dkim_key_file": "canary-dkim-0b2c",
    "lists.key_file": "canarylistkey8d6a",
}
MADE: Final = ("quarantine.token_file",)  # made by the daemon, and looked for as it was made
KEYS: Final = re.compile(rb"\b[0-9a-f]{64}\b")
COMMANDS: Final = (
    ("config", "check"),
    ("config", "show"),
    ("config", "show", "--json"),
    ("status",),
    ("status", "--json"),
    ("doctor",),
    ("doctor", "--json"),
    ("reload",),
    ("limits", "show", "--json"),
    ("list", "allow", "show", "--json"),
    ("dnsbl", "health", "--json"),
    ("dnsbl", "lookup", "203.0.113.67", "--json"),
    ("quarantine", "list", "--json"),
    ("quarantine", "stats"),
    ("quarantine", "verify"),
    ("quarantine", "audit", "list", "--json"),
)
OF_A_MESSAGE: Final = (
    ("explain",),
    ("explain", "--json"),
    ("replay", "--json"),
    ("quarantine", "show", "--json"),
    ("quarantine", "explain"),
    ("trace", "--json", "--id"),
)


@dataclass
class Planted:
    """A folder with a file for each secret, and what was seen of the daemon and of commands."""

    folder: Path
    seen: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the files."""
        self.secrets.mkdir()
        for name, canary in FIELDS.items():
            self.file(name).write_text(f"{canary}\n")
            self.file(name).chmod(0o600)

    @property
    def secrets(self) -> Path:
        """Where they are, and nothing else."""
        return self.folder / "secrets"

    def file(self, name: str) -> Path:
        """One of them."""
        return self.secrets / name.replace(".", "-")

    def run(self, daemon: Filterd, *arguments: str) -> None:
        """A command; its output is kept, whatever it ends with."""
        done = CliRunner().invoke(app, [*arguments, "--config", str(daemon.config)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        assert "Usage: " not in done.stderr, done.stderr
        self.seen[" ".join(arguments)] = done.stdout_bytes + done.stderr_bytes

    def leaks(self) -> list[tuple[str, str]]:
        """Which secret was seen where."""
        canaries = [canary.encode() for canary in FIELDS.values()]
        made = self.folder / "state" / "release.key"
        canaries += KEYS.findall(made.read_bytes()) if made.exists() else []
        return [
            (where, canary.decode())
            for where, data in self.seen.items()
            for canary in canaries
            if canary in data or canary.upper() in data
        ]


@pytest.fixture
def planted() -> Iterator[Planted]:
    """A folder with all secrets."""
    with open_folder() as folder:
        yield Planted(folder)


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    """The tests' small Internet; the paid list has the stranger, whoever asks with the key."""
    zone = dict(internet())
    zone[f"77.100.51.198.{FIELDS['lists.key_file']}.zen.dq.spamhaus.net"] = {"A": ["127.0.0.4"]}
    with DnsServer(zone) as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A server that knows another password."""
    with redis_server() as server:
        with server.client() as client:
            client.config_set("requirepass", "quite another one")
        yield server


def rules(planted: Planted) -> Path:
    """The shipped rules with the paid list."""
    folder = planted.folder / "rules"
    shutil.copytree(shipped_rules(), folder)
    text = (folder / "dnsbl.toml").read_text()
    head, found, rest = text.partition("[lists.spamhaus-zen-dqs]")
    assert found
    rest = rest.replace("enabled = false", "enabled = true", 1)
    rest = re.sub(r'key_file = "[^"]*"', f'key_file = "{planted.file("lists.key_file")}"', rest, count=1)
    (folder / "dnsbl.toml").write_text(head + found + rest)
    return folder


def secret_fields() -> Iterator[str]:
    """Every key of the configuration that names a file with a secret in it."""
    for name, entry in Config.model_fields.items():
        model: type[Section] = model_of(entry)
        for key in model.model_fields:
            if key.endswith(("password_file", "secret_file", "key_file", "token_file")):
                yield f"{name}.{key}"


@pytest.mark.threat("OPS-05")
def test_every_secret_of_the_configuration_has_a_canary() -> None:
    """A key that is added needs one here; and none holds a secret itself."""
    assert {*secret_fields()} == {*FIELDS, *MADE} - {"lists.key_file"}
    plain = [
        f"{name}.{key}"
        for name, entry in Config.model_fields.items()
        for key in model_of(entry).model_fields
        if re.search(r"password|secret|token|passphrase", key) and not key.endswith("_file")
    ]
    assert plain == ["inspectors.passwords"]  # a switch


@pytest.mark.threat("OPS-05")
def test_a_daemon_and_its_commands_show_no_secret(planted: Planted, dns: DnsServer, redis: RedisServer) -> None:
    """Redis refuses, the paid list answers, mail is held: neither output, log, page, process nor file has one."""
    folder = planted.folder
    settings: Settings = {
        "milter": {"workers": 1},
        "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
        "redis": {"url": redis.url, "password_file": str(planted.file("redis.password_file"))},
        "rules": {"path": str(rules(planted))},
        "metrics": {"listen": f"unix:{folder}/metrics.sock"},
        "quarantine": {"release_by": "token"},
        "log": {"format": "json", "level": "debug"},
    }
    with Filterd(folder, settings) as daemon:
        with greeted(daemon, STRANGER) as session:
            spoof = mail(message("ceo@strict.test", "Urgent transfer"), "x@elsewhere.test")
            _, event = judged(daemon, session, spoof)
        assert event["action"] == "quarantine"
        wait_until(lambda: daemon.events("store_unavailable"), "Redis left alone")
        for command in COMMANDS:
            planted.run(daemon, *command)
        for command in OF_A_MESSAGE:
            planted.run(daemon, *command, str(event["id"]))
        planted.run(daemon, "quarantine", "release", str(event["id"]))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "metrics.sock"))
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            planted.seen["metrics"] = b"".join(iter(lambda: client.recv(65_536), b""))
        for process in [
            psutil.Process(daemon.process.pid),
            *psutil.Process(daemon.process.pid).children(recursive=True),
        ]:
            shown = " ".join(process.cmdline()) + str(process.environ())
            planted.seen[f"process {process.pid}"] = shown.encode()
    planted.seen["log"] = daemon.log.read_bytes()
    for path in (folder / "state").rglob("*"):
        if path.is_file() and path.name != "release.key":
            planted.seen[str(path.relative_to(folder))] = path.read_bytes()
    assert planted.leaks() == []
    assert b'77.100.51.198.[secret].zen.dq.spamhaus.net"' in planted.seen[f"quarantine show --json {event['id']}"]


@pytest.mark.threat("OPS-05")
def test_a_ledger_and_a_store_that_refuse_show_no_secret(planted: Planted, dns: DnsServer) -> None:
    """PostgreSQL, S3, Sentinels that do not answer: what was to be held is deferred, commands fail and say why."""
    nobody = free_port()
    settings: Settings = {
        "milter": {"workers": 1},
        "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
        "redis": {
            "url": f"rediss+sentinel://127.0.0.1:{nobody}/mail",
            "password_file": str(planted.file("redis.password_file")),
            "sentinel_password_file": str(planted.file("redis.sentinel_password_file")),
            "certificate_file": "/etc/hostname",
            "key_file": str(planted.file("redis.key_file")),
        },
        "quarantine": {
            "url": f"postgresql://filterd@127.0.0.1:{nobody}/filterd",
            "password_file": str(planted.file("quarantine.password_file")),
            "upkeep_url": f"postgresql://upkeep@127.0.0.1:{nobody}/filterd",
            "upkeep_password_file": str(planted.file("quarantine.upkeep_password_file")),
            "blobs": "s3://held/mail",
            "endpoint": f"http://127.0.0.1:{nobody}",
            "access_key": "mx1",
            "secret_file": str(planted.file("quarantine.secret_file")),
        },
        "dmarc_reports": {
            "sender": "postmaster@example.org",
            "dkim_selector": "s1",
            "dkim_key_file": str(planted.file("dmarc_reports.dkim_key_file")),
        },
    }
    with Filterd(planted.folder, settings) as daemon:
        with greeted(daemon, STRANGER) as session:
            spoof = mail(message("ceo@strict.test", "Urgent transfer"), "x@elsewhere.test")
            _, event = judged(daemon, session, spoof)
        assert event["action"] == "defer"
        assert daemon.events("custody_failed")
        for command in COMMANDS:
            planted.run(daemon, *command)
    planted.seen["log"] = daemon.log.read_bytes()
    assert b"held mail cannot be looked at" in planted.seen["status"]
    assert planted.leaks() == []


@pytest.mark.threat("OPS-05")
@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {"lists.key_file", "dmarc_reports.dkim_key_file"}))
def test_a_secret_that_others_may_read_keeps_the_configuration_from_loading(planted: Planted, name: str) -> None:
    """File, key and what was expected are named; not its content."""
    table, key = name.split(".")
    planted.file(name).chmod(0o644)
    daemon = Filterd(planted.folder, {table: {key: str(planted.file(name))}})
    planted.run(daemon, "config", "check")
    said = planted.seen["config check"].decode()
    assert f"[{table}] {key}: {planted.file(name)}: other users may read or write it; expected mode 0600" in said
    assert planted.leaks() == []


@pytest.mark.threat("OPS-05")
def test_passwords_in_addresses_are_refused_and_not_repeated(planted: Planted) -> None:
    """Each address that a library would take one in."""
    for table, key, value in (
        ("redis", "url", "redis://:canary-redis-4f1d@127.0.0.1/0"),
        ("redis", "url", "redis+sentinel://127.0.0.1/mail?sentinel_password=canary-sentinel-a2e9"),
        ("quarantine", "url", "postgresql://filterd:canary-ledger-91ab@127.0.0.1/filterd"),
        ("quarantine", "upkeep_url", "postgresql://filterd:canary-upkeep-77c0@127.0.0.1/filterd"),
        ("quarantine", "endpoint", "https://mx1:canary-store-3e5f@127.0.0.1"),
    ):
        daemon = Filterd(planted.folder, {table: {key: value}})
        planted.run(daemon, "config", "check")
        assert f"[{table}] {key}: expected no " in planted.seen["config check"].decode()
        assert planted.leaks() == []

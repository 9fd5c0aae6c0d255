"""docs/postfix.md is true: its configurations, loaded as they stand there, filter, ask, refuse, hold and release."""

import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import pytest

from filterd.app.diagnosing import postfix_findings
from filterd.app.site import load_config
from filterd.operations.doctor import Diagnosis, Level
from tests.support.daemon import COMMAND, Filterd
from tests.support.dnsserver import DnsServer
from tests.support.postfix import LONG_AGO, Postfix
from tests.support.process import free_port, open_folder, require_program, wait_until
from tests.support.sink import Sink
from tests.support.smtp import SmtpClient
from tests.support.stack import Stack
from tests.support.world import GOOD, STRANGER, message, with_attachment, zone

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs" / "postfix.md"
SHIPPED: Final = ROOT / "deploy" / "postfix"
RUN: Final = "/run/filterd"
PLAIN: Final = message("alice@aligned.test", "Minutes")
# What a test must have otherwise than an operator: folders, ports, a sink for mail, clients that are posed.
BED: Final = frozenset(
    {
        "queue_directory",
        "data_directory",
        "maillog_file",
        "maillog_file_prefixes",
        "inet_interfaces",
        "inet_protocols",
        "relay_domains",
        "relay_transport",
        "default_transport",
        "smtp_connection_cache_on_demand",
        "smtp_line_length_limit",
        "message_drop_headers",
        "smtpd_peername_lookup",
        "smtpd_authorized_xclient_hosts",
        "smtpd_error_sleep_time",
        "smtpd_client_connection_count_limit",
        "minimal_backoff_time",
        "maximal_backoff_time",
        "queue_run_delay",
    }
)


def block(heading: str) -> str:
    """The first block of code below that heading."""
    found = re.search(
        rf"^## {re.escape(heading)}\n.*?^```\w*\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"no block below {heading!r}"
    return found[1]


def settings(text: str) -> dict[str, str]:
    """A main.cf by name; lines that begin with a blank go on, none is set twice."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(" "):
            found[name] = f"{found[name]} {line.strip()}".strip()
        elif line and not line.startswith("#"):
            name, _, value = line.partition(" =")
            assert name not in found, f"{name} is set twice"
            found[name] = value.strip()
    return found


class Documented(Postfix):
    """An instance of what the document says."""

    def __init__(self, folder: Path, run: Path, sink_port: int) -> None:
        """Nothing is started yet."""
        super().__init__(folder, sink_port=sink_port)
        self._run = run
        kept = {name: value for name, value in self._settings.items() if name in BED}
        self._settings = settings(block("main.cf").replace(RUN, str(run))) | kept

    def _write(self) -> None:
        super()._write()
        text = block("master.cf").replace(RUN, str(self._run))
        for old, new in (
            ("smtp      inet", f"127.0.0.1:{self.port} inet"),
            ("submission inet", f"127.0.0.1:{free_port()} inet"),
            ("127.0.0.1:10026 inet", f"127.0.0.1:{self.release_port} inet"),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        self.rewrite("master.cf", text)

    def rewrite(self, name: str, text: str) -> None:
        """One of its files, as old as Postfix wants them."""
        path = self.config / name
        path.write_text(text)
        self.age()

    def age(self) -> None:
        """Programs of Postfix wait where a file was changed within the last seconds."""
        for name in ("main.cf", "master.cf"):
            if (self.config / name).exists():
                subprocess.run(["touch", "-d", f"@{LONG_AGO[0]}", str(self.config / name)], check=True)

    def restart(self) -> None:
        """With files that are old enough."""
        self.age()
        super().restart()


class Site(Stack):
    """The documented Postfix and the documented filterd.toml, with a refusal to see who is asked."""

    def __enter__(self) -> Self:
        """Start mailbox, DNS, filterd and Postfix."""
        with ExitStack() as running:
            self.folder: Path = running.enter_context(open_folder())
            self.sink = running.enter_context(Sink())
            self.dns = running.enter_context(DnsServer(zone()))
            run = self.folder / "run"
            run.mkdir()
            self.documented = Documented(self.folder / "postfix", run, self.sink.port)
            self.filterd = self.make_filterd(self.folder, self._toml(run))
            running.enter_context(self.filterd)
            self.postfix = running.enter_context(self.documented)
            self._running = running.pop_all()
        return self

    def make_filterd(self, folder: Path, settings: Mapping[str, Mapping[str, object]]) -> Filterd:
        """The daemon, whose sockets have the documented rights."""
        made = super().make_filterd(folder, settings)
        made.settings["milter"].pop("socket_mode")
        made.write()
        return made

    def _toml(self, run: Path) -> dict[str, dict[str, Any]]:
        found = tomllib.loads(block("filterd.toml").replace(RUN, str(run)))
        found["paths"]["state"] = str(self.folder / "state")
        found["quarantine"]["release"] = f"inet:{self.documented.release_port}@127.0.0.1"
        found["dns"] = {"nameservers": [f"127.0.0.1:{self.dns.port}"]}
        found["early"] = {"reject": ["SPF_FAIL"]}
        return found

    def wrong(self) -> list[Diagnosis]:
        """What doctor finds."""
        self.documented.age()
        found = postfix_findings(load_config(self.filterd.config), self.postfix.config)
        return [one for one in found if one.level is not Level.OK]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """It runs."""
    with Site() as running:
        yield running


def test_the_document_as_it_stands(tmp_path: Path) -> None:
    """Doctor finds nothing wrong with it, but that filterd does not run here."""
    require_program("postconf")
    for name in ("main.cf", "master.cf"):
        (tmp_path / name).write_text(block(name))
        subprocess.run(["touch", "-d", f"@{LONG_AGO[0]}", str(tmp_path / name)], check=True)
    (tmp_path / "filterd.toml").write_text(block("filterd.toml"))
    found = postfix_findings(load_config(tmp_path / "filterd.toml"), tmp_path)
    assert [one for one in found if one.level is not Level.OK and "listen" not in one.subject] == []


def test_what_is_shipped_is_what_is_documented() -> None:
    """The lines of deploy/postfix stand in the document with the same values."""
    documented, shipped = settings(block("main.cf")), settings((SHIPPED / "main.cf").read_text())
    assert {name: documented.get(name) for name in shipped} == shipped
    lines = [line for line in (SHIPPED / "master.cf").read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r" +", " ", block("master.cf"))
    assert re.sub(r" +", " ", "\n".join(lines[1:])) in text


def test_doctor_finds_nothing(site: Site) -> None:
    """The running instance, with sockets that are there."""
    assert site.wrong() == []


def test_mail_is_filtered(site: Site) -> None:
    """It arrives with what we found, and nothing else was changed."""
    outcome = site.send(PLAIN)
    assert (outcome.code, outcome.action) == (250, "accept")
    arrived = site.arrived(outcome)
    assert arrived.rest == PLAIN
    assert b"dmarc=pass" in arrived.value("Authentication-Results")


def test_recipients_are_asked_about(site: Site) -> None:
    """The policy service refuses before the content."""
    outcome = site.send(message("x@hard.test", "Hello"), STRANGER, "x@hard.test")
    assert (outcome.code, outcome.sent.stage) == (550, "RCPT")
    assert outcome.sent.last.text.startswith("5.7.23 ")
    asked = [one for one in site.filterd.events("recipient") if one["recipients"] == list(outcome.recipients)]
    assert [one["by"] for one in asked] == ["policy"]


@pytest.mark.threat("POL-05")
def test_nobody_is_asked_about_other_peoples_recipients(site: Site) -> None:
    """Who looks for an open relay hears Postfix' own refusal, and we are not asked at all."""
    outcome = site.send(PLAIN, STRANGER, "x@hard.test", recipients=["u@elsewhere.test"])
    assert (outcome.code, outcome.sent.stage) == (554, "RCPT")
    assert [one for one in site.filterd.events("recipient") if one["recipients"] == ["u@elsewhere.test"]] == []


@pytest.mark.threat("QUA-03", "QUA-05")
def test_held_and_released(site: Site) -> None:
    """The command gives it back through the documented listener, unfiltered, byte for byte."""
    mail = with_attachment("alice@aligned.test", "Invoice", "i.zip", b"PK\x03\x04" + bytes(range(100)))
    outcome = site.send(mail)
    (entry,) = site.held(outcome)
    argv = [*COMMAND, "quarantine", "release", entry.id, "--config", str(site.filterd.config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, f"{entry.id} delivered"), done.stderr
    assert site.delivered(outcome).data.endswith(b"\r\n" + mail)
    assert len([one for one in site.filterd.events("message") if one["recipients"] == list(outcome.recipients)]) == 1


FAULTS: Final = {
    "milter_default_action": ("smtpd_milters={MILTER}", "milter_default_action=accept"),
    "smtpd_forbid_bare_newline": ("smtpd_forbid_bare_newline=no",),
    "message_reject_characters": ("message_reject_characters=",),
    "message_size_limit": ("message_size_limit=0",),
    "smtpd_policy_service_default_action": ("smtpd_policy_service_default_action=OK",),
    "milter_content_timeout": ("smtpd_milters={MILTER}", "milter_content_timeout=20s"),
}


@pytest.mark.threat("MTA-06", "MTA-25")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_running_one(site: Site, name: str) -> None:
    """Planted, it is found by its name; its command mends it, and mail goes on."""
    before = (site.postfix.config / "main.cf").read_text()
    planted = [one.replace("{MILTER}", site.filterd.milter) for one in FAULTS[name]]
    fixed = [] if name.startswith("milter_c") else ["milter_content_timeout=120s"]
    try:
        site.postfix.tool(
            "postconf", "-e", *planted, *fixed, *([] if "action" in name else ["milter_default_action=tempfail"])
        )
        (found,) = site.wrong()
        assert found.subject == f"Postfix {name}"
        subprocess.run(["sh", "-c", found.remedy], check=True)
        assert site.wrong() == []
        site.documented.restart()
        assert site.send(PLAIN).action == "accept"
    finally:
        site.documented.rewrite("main.cf", before)
        site.documented.restart()


@pytest.mark.threat("MTA-06")
def test_what_accept_would_do(site: Site) -> None:
    """Why it is a failure: with it, mail is taken and delivered while nobody answers at the socket."""
    before = (site.postfix.config / "main.cf").read_text()
    passed: list[str] = []

    def passes() -> bool:
        """Whether one is taken that we know nothing of: processes of before the reload may serve one more client."""
        (recipient,) = site.recipients()
        if _told(site, recipient) == 250 and site.event([recipient]) == {}:
            passed.append(recipient)
        return bool(passed)

    try:
        site.postfix.tool("postconf", "-e", "smtpd_milters=unix:/nowhere/filterd.sock", "milter_default_action=accept")
        site.documented.restart()
        wait_until(passes, "an unfiltered message")
        wait_until(lambda: site.copies(passed), "the unfiltered copy")
        assert "default_action" in " ".join(one.remedy for one in site.wrong())
    finally:
        site.documented.rewrite("main.cf", before)
        site.documented.restart()
        wait_until(lambda: site.send(PLAIN).action == "accept", "the old settings")


def _told(site: Site, recipient: str) -> int:
    with SmtpClient(site.postfix.port, GOOD) as client:
        return client.mail(PLAIN, "alice@aligned.test", [recipient]).last.code

"""docs/sendmail.md is true: its sendmail.mc, loaded as it stands there, filters, asks, refuses, holds and releases."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import run
from typing import Any, Final

import pytest

from filterd.app.diagnosing import sendmail_findings
from filterd.app.site import load_config
from filterd.operations.doctor import Diagnosis, Level
from tests.support.daemon import COMMAND
from tests.support.process import wait_until
from tests.support.sendmail import HOST, PORT, RELEASE_PORT, UNPACKED, Network, Sendmail, run_folder
from tests.support.sendmail_stack import SendmailStack
from tests.support.world import STRANGER, message, with_attachment

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "sendmail.md"
SHIPPED: Final = Path(__file__).resolve().parents[2] / "deploy" / "sendmail" / "filterd.m4"
RUN: Final = "/run/filterd"
PLAIN: Final = message("alice@aligned.test", "Minutes")


def block(heading: str) -> str:
    """The block of code below that heading."""
    found = re.search(
        rf"^## {re.escape(heading)}\n.*?^```\w*\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"no block below {heading!r}"
    return found[1]


def bed(folder: Path, sink_port: int) -> str:
    """What a test must have otherwise than an operator: folders, no waits, no DNS, no local delivery."""
    return f"""define(`confSERVICE_SWITCH_FILE', `{folder}/etc/switch')undefine(`PROCMAIL_MAILER_PATH')dnl
define(`QUEUE_DIR', `{folder}/queue')define(`confPID_FILE', `{folder}/sendmail.pid')define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')define(`HELP_FILE', `')define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confTO_IDENT', `0')define(`confMIN_QUEUE_AGE', `0')dnl
define(`confQUEUE_LA', `999')define(`confREFUSE_LA', `999')dnl
define(`confDELIVERY_MODE', `background')define(`confLOG_LEVEL', `0')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {sink_port}')dnl
FEATURE(`accept_unresolvable_domains')FEATURE(`nocanonify')dnl
"""


class Documented(Sendmail):
    """An instance of what the document says; `changes` are faults, made in its text."""

    def __init__(
        self, folder: Path, network: Network, *, sink_port: int, milter: Path, changes: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Nothing is started yet."""
        super().__init__(folder, network, sink_port=sink_port, milter=milter)
        text = block("sendmail.mc")
        for old, new in (
            ("/usr/share/sendmail/cf/", f"{UNPACKED}/usr/share/sendmail/cf/"),
            ("/etc/mail/", f"{folder}/etc/"),
            ("mx.example.org", HOST),
            ("`example.org'", "`local.test'"),
            ("[mail.example.org]", "[127.0.0.1]"),
            (f"{RUN}/milter.sock", str(milter)),
            ("MAILER(`smtp')dnl\n", f"{bed(folder, sink_port)}MAILER(`smtp')dnl\n"),
            *changes,
        ):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self._mc = text


class Site(SendmailStack):
    """The documented Sendmail and the documented filterd.toml, with a refusal to see who is asked."""

    def __init__(self, settings: dict[str, dict[str, Any]], **more: Any) -> None:
        """`settings` beside those of the document."""
        found = tomllib.loads(block("filterd.toml"))
        del found["paths"]  # the test's own
        found["milter"] = {"socket_mode": "0660"}  # and its own socket, which only root may write to
        for table, keys in settings.items():
            found[table] = {**found.get(table, {}), **keys}
        super().__init__(found, **more)

    def make_sendmail(self, milter: Path) -> Sendmail:
        """As the document has it."""
        return Documented(
            self.folder / "sendmail",
            self.network,
            sink_port=self.sink.port,
            milter=milter,
            changes=self._changes,
        )

    def wrong(self) -> list[Diagnosis]:
        """What doctor finds."""
        found = sendmail_findings(load_config(self.filterd.config), self.sendmail.cf)
        return [one for one in found if one.level is not Level.OK]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """It runs."""
    with Site({"early": {"reject": ["SPF_FAIL"], "wait": 1.0}}) as running:
        yield running


def test_what_is_shipped_is_what_is_documented() -> None:
    """The lines of deploy/sendmail stand in the document."""
    lines = [line for line in SHIPPED.read_text().splitlines() if not line.startswith("dnl")]
    documented = block("sendmail.mc").splitlines()
    assert [line for line in lines if line not in documented] == []


def test_doctor_finds_nothing(site: Site) -> None:
    """The running instance, with a socket that is there."""
    assert site.wrong() == []


def test_mail_is_filtered(site: Site) -> None:
    """It arrives with what we found, and nothing else was changed."""
    outcome = site.send(PLAIN)
    assert (outcome.code, outcome.action) == (250, "accept")
    arrived = site.arrived(outcome)
    assert arrived.rest == PLAIN
    assert b"dmarc=pass" in arrived.value("Authentication-Results")


def test_recipients_are_asked_about(site: Site) -> None:
    """The milter refuses before the content, with the code that RFC 7372 has for it."""
    outcome = site.send(message("x@hard.test", "Hello"), STRANGER, "x@hard.test")
    assert (outcome.code, outcome.sent.stage) == (550, "RCPT")
    assert f"5.7.23 <{outcome.recipients[0]}>... " in outcome.sent.last.text
    asked = [one for one in site.filterd.events("recipient") if one["recipients"] == list(outcome.recipients)]
    assert [one["by"] for one in asked] == ["milter"]


@pytest.mark.threat("QUA-03", "QUA-05")
def test_held_and_released(site: Site) -> None:
    """The command gives it back through the documented port, unfiltered, byte for byte."""
    mail = with_attachment("alice@aligned.test", "Invoice", "i.zip", b"PK\x03\x04" + bytes(range(100)))
    outcome = site.send(mail)
    (entry,) = site.held(outcome)
    argv = site.network.argv(*COMMAND, "quarantine", "release", entry.id, "--config", str(site.filterd.config))
    done = run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, f"{entry.id} delivered"), done.stderr
    assert site.delivered(outcome).data.endswith(b"\r\n" + mail)
    assert len([one for one in site.filterd.events("message") if one["recipients"] == list(outcome.recipients)]) == 1


def test_left_with_sendmail() -> None:
    """What stays in Sendmail's queue is listed there, and let go by the documented command."""
    with Site({"quarantine": {"mode": "mta-hold"}}) as site:
        outcome = site.send(
            with_attachment("alice@aligned.test", "Invoice", "i.zip", b"PK\x03\x04" + bytes(range(100)))
        )
        assert (outcome.code, outcome.action) == (250, "quarantine")
        (name,) = [one for one in site.sendmail.queue() if one.startswith("hf")]
        tool = [str(site.sendmail.binary), "-C", str(site.sendmail.cf)]
        listed = run(site.network.argv(*tool, "-bp", "-qQ"), capture_output=True, text=True, check=True).stdout
        assert name.removeprefix("hf") in listed
        assert site.copies(outcome.recipients) == []
        run(site.network.argv(*tool, "-Q", f"-qI{outcome.event['queue_id']}", "-qQ"), capture_output=True, check=True)
        wait_until(lambda: site.copies(outcome.recipients), "the message")


# --- doctor


FAULTS: Final = {
    "unfiltered": (("F=T, ", ""), "Sendmail filter filterd"),
    "read": (("R:90s;", ""), "Sendmail filter filterd T=R"),
    "headers": (("define(`confMAX_HEADERS_LENGTH', `60000')dnl\n", ""), "Sendmail MaxHeadersLength"),
    "size": (("define(`confMAX_MESSAGE_SIZE', `50000000')dnl\n", ""), "Sendmail MaxMessageSize"),
    "not asked": (("INPUT_MAIL_FILTER(", "MAIL_FILTER("), "Sendmail filters"),
    "release filters": ((", InputMailFilters=')", "')"), "Sendmail port filterd-release (10026)"),
    "release open": ((", Addr=127.0.0.1, Port=10026", ", Port=10026"), "Sendmail port filterd-release (10026)"),
}


@pytest.mark.threat("MTA-06")
@pytest.mark.parametrize("name", FAULTS)
def test_fault(site: Site, name: str) -> None:
    """Planted in sendmail.mc, it is found in what m4 makes of it; with the line that doctor names it is gone."""
    change, subject = FAULTS[name]
    folder = site.folder / name.replace(" ", "-")
    folder.mkdir()
    milter = Path(site.filterd.listen.removeprefix("unix:"))
    planted = Documented(site.folder / "sendmail", site.network, sink_port=1, milter=milter, changes=[change])._mc
    (found,) = wrong(site, planted)
    assert found.subject == subject
    _, _, line = found.remedy.partition("in sendmail.mc: ")
    start = line.partition("'")[0]  # INPUT_MAIL_FILTER(`filterd, define(`confX, DAEMON_OPTIONS(`Name=filterd-release...
    key = re.split(r"[,=]", start)[0] if not start.startswith("DAEMON") else "DAEMON_OPTIONS(`Name=filterd-release"
    kept = [
        one for one in planted.splitlines() if not one.removeprefix("INPUT_").startswith(key.removeprefix("INPUT_"))
    ]
    place = kept.index("dnl filterd")
    assert wrong(site, "\n".join([*kept[: place + 1], line, *kept[place + 1 :], ""])) == []


def wrong(site: Site, mc: str) -> list[Diagnosis]:
    """What doctor finds in that sendmail.mc."""
    made = run(["m4"], input=mc, capture_output=True, text=True, check=True).stdout
    path = site.folder / "looked-at.cf"
    path.write_text(made)
    found = sendmail_findings(load_config(site.filterd.config), path)
    return [one for one in found if one.level is not Level.OK]


def test_a_socket_in_an_open_folder() -> None:
    """Doctor says what Sendmail would do, and Sendmail does it."""
    with run_folder() as folder, Network(folder) as network, network.sink() as sink:
        folder.chmod(0o777)
        (folder / "filterd.toml").write_text(f'[milter]\nlisten = "unix:{folder}/m.sock"\n')
        milter = folder / "m.sock"
        made = Documented(folder / "s", network, sink_port=sink.port, milter=milter)
        (folder / "a.cf").write_text(run(["m4"], input=made._mc, capture_output=True, text=True, check=True).stdout)
        found = list(sendmail_findings(load_config(folder / "filterd.toml"), folder / "a.cf"))
        assert [one.remedy for one in found if one.level is Level.FAILED] == [f"chmod go-w {folder}"]
    assert (PORT, RELEASE_PORT) == (25, 10_026)  # as the document has them

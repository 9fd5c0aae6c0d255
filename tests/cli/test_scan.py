"""filterd scan and doctor with everything live: a nursery, a resolver, real checks."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.checks.registry import ALL
from filterd.cli import app
from filterd.model.verdict import Action
from tests.support.dnsserver import DnsServer
from tests.support.process import free_port
from tests.support.world import SPAM, eicar_zip, message, signed, with_attachment, zone

pytestmark = pytest.mark.integration

KEYS = {"file", "action", "score", "reason", "reply", "symbols", "auth", "checks", "parts", "recipients"}
KEYS |= {"policy", "shares"}
CHECKS = set(ALL)
SESSION = ("--client-ip", "192.0.2.10", "--helo", "mail.aligned.test", "--mail-from", "alice@aligned.test")


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    """The tests' small Internet."""
    with DnsServer(zone()) as server:
        yield server


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of messages."""
    folder = tmp_path_factory.mktemp("mail")
    clean = signed(message("alice@aligned.test", "Minutes"), now=int(time.time()))
    eicar = with_attachment("alice@aligned.test", "Invoice", "invoice.zip", eicar_zip(), "application/zip")
    files = {
        "clean.eml": clean,
        "clean-lf.eml": clean.replace(b"\r\n", b"\n"),
        "eicar.eml": eicar,
        "spam.eml": SPAM,
        "sub/empty": b"",
        "sub/\x1b]0;pwned\x07.eml": message("a@\x9b2J.test", "x\x1b[2J"),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _scan(dns: DnsServer, *arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["scan", "--nameserver", f"127.0.0.1:{dns.port}", *arguments], input=stdin)


def test_a_folder_as_json(dns: DnsServer, mail: Path) -> None:
    """One object a line with the pinned names, in the order of the files; the worst action is what --fail-on reads."""
    done = _scan(dns, "--json", "--rcpt", "user@local.test", "--fail-on", "quarantine", *SESSION, str(mail))
    found = {Path(one["file"]).name: one for one in map(json.loads, done.stdout.splitlines())}
    assert (len(found), done.exit_code) == (6, 3), (done.stderr, found)
    for one in found.values():
        assert one.keys() == KEYS
        assert {check["name"] for check in one["checks"]} == CHECKS
        assert one["recipients"] == {"user@local.test": one["action"]}
        assert one["auth"].keys() == {"spf", "dkim", "dmarc", "arc"}
    for name in ("clean.eml", "clean-lf.eml"):
        assert found[name]["action"] == "accept"
        assert found[name]["auth"]["spf"] == {"result": "pass", "domain": "aligned.test", "scope": "mailfrom"}
        assert [(one["result"], one["key_bits"]) for one in found[name]["auth"]["dkim"]] == [("pass", 2048)]
        assert found[name]["auth"]["dmarc"]["result"] == "pass"
    assert Action(found["eicar.eml"]["action"]).rank >= Action.QUARANTINE.rank
    assert "invoice.com" in {part["path"].rpartition("/")[2] for part in found["eicar.eml"]["parts"] if part["rules"]}
    assert "URIBL_DBL_SPAM" in {symbol["name"] for symbol in found["spam.eml"]["symbols"]}


@pytest.mark.threat("QUA-08")
def test_standard_input_as_text(dns: DnsServer, mail: Path) -> None:
    """`-` is a message; text is for people, hostile bytes in it are escaped; without --fail-on the exit is 0."""
    done = _scan(dns, *SESSION, "-", str(mail / "sub"), stdin=(mail / "eicar.eml").read_bytes())
    assert done.exit_code == 0
    first = done.stdout.splitlines()[0]
    assert first.startswith(("-: quarantine (", "-: reject ("))
    assert "\\x1b]0;pwned\\x07.eml: " in done.stdout
    assert not any(c in "\x1b\x07\x9b\r" for c in done.stdout)


def test_a_file_that_is_not_there_is_exit_1(dns: DnsServer, mail: Path) -> None:
    """What could be judged is printed, the missing file is named."""
    done = _scan(dns, str(mail / "clean.eml"), str(mail / "missing.eml"))
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{mail}/clean.eml: ")
    assert done.stderr == f"{mail}/missing.eml: No such file or directory\n"


def test_below_the_action_the_exit_is_0(dns: DnsServer, mail: Path) -> None:
    """--fail-on reject lets a clean file pass; nothing is left in the working directory."""
    before = set(Path.cwd().iterdir())
    assert _scan(dns, "--fail-on", "add_header", *SESSION, str(mail / "clean.eml")).exit_code == 0
    assert set(Path.cwd().iterdir()) == before


@pytest.mark.parametrize("arguments", [["--nameserver", "not an address"], ["--config", "/nonexistent.toml"]])
def test_what_cannot_work_is_said_before_anything_starts(arguments: list[str], mail: Path) -> None:
    """Exit 1 with what was expected."""
    done = CliRunner().invoke(app, ["scan", *arguments, str(mail / "clean.eml")])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "expected an IP address" in done.stderr or "cannot be read" in done.stderr


def test_doctor_on_a_broken_set_up(tmp_path: Path) -> None:
    """Each thing that is wrong has a line with what to do, and the exit says that something is."""
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[paths]\nstate = "{tmp_path}/none"\n[milter]\nlisten = "unix:{tmp_path}/m.sock"\n'
        f'[dns]\nnameservers = ["127.0.0.1:{free_port()}"]\ntimeout = 0.2\n'
    )
    done = CliRunner().invoke(app, ["doctor", "--config", str(config), "--json"])
    assert done.exit_code == 1
    found = {one["subject"]: one for one in map(json.loads, done.stdout.splitlines())}
    for subject in (f"folder {tmp_path}/none", f"milter socket unix:{tmp_path}/m.sock", "resolver"):
        assert found[subject]["level"] == "failed"
        assert found[subject]["remedy"]
    assert found["inspector"]["level"] in {"ok", "warning"}

"""filterd scan from recorded DNS answers: the same verdict from the same reports, without a network."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from tests.support.dnsserver import DnsServer
from tests.support.signing import craft
from tests.support.world import GOOD, SPAM, message, zone

pytestmark = pytest.mark.integration

SESSION = ("--client-ip", GOOD.address, "--helo", GOOD.helo, "--mail-from", "alice@aligned.test")
HOUR = 3_600
NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")

_offline = [False]


def _no_internet(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: inspectors are reached over unix sockets, everything else would be the network."""
    if _offline[0]:
        if event == "socket.__new__" and arguments[1] not in {1, -1}:  # AF_UNIX, or a descriptor taken over
            raise RuntimeError(f"a socket of family {arguments[1]} in an offline scan")
        if event in NETWORK and not isinstance(arguments[1], str | bytes):
            raise RuntimeError(f"{event} {arguments[1:]!r} in an offline scan")


sys.addaudithook(_no_internet)


@pytest.fixture
def offline() -> Iterator[None]:
    """No socket but those to inspectors."""
    _offline[0] = True
    yield
    _offline[0] = False


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A folder with mail and the recording of a scan of it, and what that scan said."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "mail").mkdir()
    now = int(time.time())
    tags = {"d": "aligned.test", "s": "s1", "t": str(now), "x": str(now + HOUR)}
    (folder / "mail" / "clean.eml").write_bytes(craft(message("alice@aligned.test", "Minutes"), tags))
    (folder / "mail" / "spam.eml").write_bytes(SPAM)
    with DnsServer(zone()) as dns:
        dns.fault("servfail", "10.2.0.192.zen.spamhaus.org")
        server = ("--nameserver", f"127.0.0.1:{dns.port}")
        done = _scan(*server, "--save-dns-recording", str(folder / "dns.json"), str(folder / "mail"))
        assert (done.exit_code, done.stderr) == (0, "")
        assert dns.asked
    return folder, _without_times(done)


def _scan(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["scan", "--json", *SESSION, *arguments])


def _without_times(done: Result) -> list[dict[str, Any]]:
    """What was said, without what differs from run to run: durations, ids, the order in which checks got done."""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for one in found:
        one["checks"] = sorted((check["name"], check["outcome"]) for check in one["checks"])
        one["symbols"].sort(key=lambda symbol: (symbol["name"], symbol["evidence"]))
        one["reply"] = None  # names the message by an id of its own
    return found


@pytest.mark.usefixtures("offline")
def test_the_same_verdict_from_the_same_reports(recorded: tuple[Path, list[dict[str, Any]]]) -> None:
    """Nobody is asked, nothing is missing, and all that is said is what was said then."""
    folder, then = recorded
    done = _scan("--dns-recording", str(folder / "dns.json"), str(folder / "mail"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert _without_times(done) == then
    assert [one["auth"]["dkim"][0]["result"] for one in then] == ["pass", "none"]


@pytest.mark.usefixtures("offline")
def test_it_is_then(recorded: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    """A signature that expired an hour after the recording is good as of it, and expired as of two hours later."""
    folder, _ = recorded
    plain = json.loads((folder / "dns.json").read_bytes())
    later = tmp_path / "later.json"
    later.write_text(json.dumps(plain | {"received": plain["received"] + 2 * HOUR}))
    done = _scan("--dns-recording", str(later), str(folder / "mail" / "clean.eml"))
    assert json.loads(done.stdout)["auth"]["dkim"][0]["result"] != "pass"


@pytest.mark.usefixtures("offline")
def test_what_is_not_recorded_is_unknown(recorded: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    """Without answers nothing passes and nothing fails, and the questions are named."""
    folder, _ = recorded
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({"version": 1, "received": time.time(), "answers": []}))
    done = _scan("--dns-recording", str(empty), str(folder / "mail" / "clean.eml"))
    auth = json.loads(done.stdout)["auth"]
    assert auth["spf"]["result"] == "temperror"
    assert [one["result"] for one in auth["dkim"]] == ["temperror"]
    assert auth["dmarc"]["result"] == "temperror"
    assert " questions are not in the recording: " in done.stderr
    assert done.stderr.endswith(", ...\n")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            b'{"version": 1, "received": 1, "answers": [{"question": ["a", "A"], "status": "no"}]}',
            "answers[0].status: ",
        ),
        (b"\x9b2J", "no JSON: "),
        (None, "No such file or directory"),
    ],
)
def test_what_is_no_recording(recorded: tuple[Path, Any], tmp_path: Path, content: bytes | None, text: str) -> None:
    """Exit 1 and one line with file and key, before anything starts."""
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    done = _scan("--dns-recording", str(path), str(recorded[0] / "mail" / "clean.eml"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{path}: {text}")
    assert done.stderr.count("\n") == 1


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Exit 1 before anything starts."""
    done = _scan("--save-dns-recording", str(tmp_path / "none" / "dns.json"), str(tmp_path))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path}/none/dns.json: No such file or directory\n"


def test_a_recording_asks_nobody(tmp_path: Path) -> None:
    """A name server beside it is wrong usage."""
    done = _scan("--dns-recording", str(tmp_path / "dns.json"), "--nameserver", "192.0.2.1", str(tmp_path))
    assert done.exit_code == 2
    assert "nobody is asked" in done.output

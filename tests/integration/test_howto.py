"""The quick start and the how-tos are right: their files are written and their commands run, one after the other.

Of a page's blocks `console` is run, line by line behind "$ ", and must end well and say what the page shows; a block
that begins with the name of a file below /etc/filterd is written there. Ids, addresses, ports and folders are put into
the place of the page's own. What a page shows is compared by its words, those with digits left out.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.support.daemon import COMMAND, Filterd
from tests.support.dnsserver import DnsServer, ZoneData
from tests.support.postfix import Postfix
from tests.support.process import open_folder, require_program, wait_until
from tests.support.sink import Sink
from tests.support.smtp import Pose, send
from tests.support.world import GOOD, SPAM, STRANGER, message, signed, zone

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = [DOCS / "index.md", *sorted((DOCS / "howto").glob("*.md"))]
READER: Final = "user@local.test"  # who is anna@example.org on the pages
OBSERVE: Final = "\n[actions]\nobserve = true\n"  # as the package's own configuration has it
PATIENCE: Final = 20.0  # seconds until rows are in the journal
_BLOCK: Final = re.compile(r"^(?P<blank> *)```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"(?:#|//) (?P<path>/etc/filterd/[\w./-]+)(?P<end>, at its end)?\n")
_ID: Final = re.compile(r"\b01[0-9A-Z]{24}\b")
_WRAPPER: Final = """#!/bin/sh
# Commands as on a host where filterd.toml is in /etc.
case "$1 $* " in version*|*" --config "*) exec {command} "$@" ;; *) exec {command} "$@" --config {config} ;; esac
"""


@dataclass
class Host:
    """Where a page is tried: a daemon, a Postfix in front, a folder for what is below /etc/filterd."""

    folder: Path
    filterd: Filterd
    postfix: Postfix
    ids: list[str] = field(default_factory=list)

    @property
    def etc(self) -> Path:
        """What the pages call /etc/filterd."""
        return self.filterd.config.parent

    def command(self, text: str) -> str:
        """A page's command for this host, with the id of what is held here."""
        return _ID.sub(lambda _: self.held(), self.here(text))

    def here(self, text: str) -> str:
        """A page's text with the folders, addresses and ports of this host."""
        for there, on_this_host in (
            ("/etc/filterd", str(self.etc)),
            ("/usr/lib/filterd/share/filterd/rules", str(ROOT / "rules")),
            ("/srv/", f"{self.folder}/srv/"),
            ("smtp://127.0.0.1", f"smtp://127.0.0.1:{self.postfix.port}"),
            ("anna@example.org", READER),
        ):
            text = text.replace(there, on_this_host)
        return text

    def held(self) -> str:
        """The id of the newest held message, as of when the page first names one."""
        if not self.ids:
            listed = self.run("filterd quarantine list --json | head -1")[1]
            self.ids += _ID.findall(listed)[:1]
        return self.ids[0]

    def run(self, line: str) -> tuple[int, str]:
        """Status and words of a line for the shell."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder / "work",
            env={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout + done.stderr

    def deliver(self, mail: bytes, pose: Pose, sender: str) -> None:
        """A message from outside."""
        before = len(self.filterd.events("message"))
        send(self.postfix.port, mail, sender, [READER], pose)
        wait_until(lambda: len(self.filterd.events("message")) > before, "its line in the log")


@pytest.fixture(scope="module")
def running() -> Iterator[Host]:
    """One for all pages."""
    require_program("curl")
    listed = {"A": "127.0.0.2"}
    names: ZoneData = {**zone(), "2.0.0.127.bl.example.net": listed, "66.113.0.203.bl.example.net": listed}
    with open_folder() as folder, Sink() as sink, DnsServer(names) as dns:
        for name in ("etc", "bin", "work", "srv/backup"):
            (folder / name).mkdir(parents=True)
        filterd = Filterd(folder, {"dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}, "log": {"format": "json"}})
        filterd.config = folder / "etc" / "filterd.toml"
        with Postfix(folder / "postfix", sink_port=sink.port, milter=filterd.milter) as postfix:
            filterd.settings["quarantine"] = {"release": f"inet:{postfix.release_port}@127.0.0.1"}
            filterd.write()
            wrapper = folder / "bin" / "filterd"
            wrapper.write_text(
                _WRAPPER.format(command=f"env PYTHONPATH={ROOT} {' '.join(COMMAND)}", config=filterd.config)
            )
            wrapper.chmod(0o755)
            (folder / "work" / "spam.eml").write_bytes(SPAM)
            with filterd:
                yield Host(folder, filterd, postfix)


@pytest.fixture
def host(running: Host) -> Iterator[Host]:
    """With two messages of its own held, and the configuration as it was afterwards."""
    before = running.filterd.config.read_text()
    running.ids.clear()
    yield running
    shutil.rmtree(running.etc)
    running.etc.mkdir()
    running.filterd.config.write_text(before)
    assert running.run("filterd reload")[0] == 0


@pytest.mark.timeout(400)  # seconds; a page has up to fifteen commands, each of which starts an interpreter
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_does_what_it_says(page: Path, host: Host) -> None:
    """Every command ends well, and says what is shown."""
    if page.name == "index.md" and page.parent == DOCS:
        host.filterd.config.write_text(host.filterd.config.read_text() + OBSERVE)
        assert host.run("filterd reload")[0] == 0
    else:
        host.deliver(*_mail(page))
    for kind, text in _blocks(page):
        found = _FILE.match(text)
        if kind == "console":
            for command, shown in _commands(text):
                _try(host, command, shown)
        elif found is not None:
            path = Path(host.here(found["path"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text() if found["end"] else ""
            path.write_text(before + host.here(text[found.end() :]))


def _mail(page: Path) -> tuple[bytes, Pose, str]:
    """What a page is about: spam, or the newsletter of somebody who has proved who he is."""
    if page.stem != "wrongly-held":
        return SPAM, STRANGER, "winner@cheap.test"
    subject = "CONGRATULATIONS!!! You have WON $$$ 1,000,000"
    text = SPAM.partition(b"\r\n\r\n")[2].decode()
    return signed(message("alice@aligned.test", subject, text), now=int(time.time())), GOOD, "alice@aligned.test"


def _try(host: Host, command: str, shown: Sequence[str]) -> None:
    """Run it; what only looks is run again while rows may be on their way."""
    line = host.command(command)
    looks = line.startswith(("filterd trace", "filterd quarantine list", "filterd report"))
    ends = time.monotonic() + PATIENCE
    while True:
        status, told = host.run(line)
        missing = [one for one in shown if not _said(host.here(one), told)]
        if (status == 0 and not missing) or not looks or time.monotonic() > ends:
            break
        time.sleep(0.2)
    assert status == 0, f"$ {line}\n{told}"
    assert missing == [], f"$ {line}\n{told}"


def _said(shown: str, told: str) -> bool:
    """Whether the words of a line stand in one line of what was said, in their order."""
    words = [re.escape(word) for word in shown.split() if not re.search(r"[\d/]", word)]
    pattern = re.compile(".*?".join(words))
    return any(pattern.search(line) for line in told.splitlines())


def _blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Kind and text of a page's blocks, in their order."""
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield match["kind"], dedent(match["text"])


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Commands, and the lines that are shown below each."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield command, [line for line in shown if line.strip() not in {"", "..."}]


def test_every_page_has_commands() -> None:
    """Nothing above is empty."""
    without = [page.name for page in PAGES if not any(kind == "console" for kind, _ in _blocks(page))]
    assert without == ["index.md"]  # of the how-tos: a list of them

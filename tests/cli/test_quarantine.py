"""filterd quarantine: found, shown, exported and deleted, whatever the held mail says."""

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import sys
import time
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import libarchive
import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app, export
from filterd.cli import quarantine as command
from filterd.cli.acting import actor
from filterd.cli.listing import COLUMNS, Sort
from filterd.model.custody import Evidence
from filterd.model.ids import new_id, public_id, sibling
from filterd.operations.export import PASSWORD, packed
from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.evidence import decode
from tests.quarantine.samples import BODY, FIELDS, evidence, identifier, raw, whole

UNKNOWN = identifier(99)
HOSTILE = (
    "\x1b]0;pwned\x07 \x1b[2J \x1b]8;;http://evil.test\x1b\\ \x1b]52;c;cHdu\x07 \x9b2J a\rb \u202egpj.exe"
    " [bold]x[/bold] \udcff"
)


class Site:
    """A state folder with held mail, and the commands on it."""

    def __init__(self, folder: Path) -> None:
        """Empty."""
        self.folder = folder
        self.config = folder / "filterd.toml"
        self.config.write_text(f'[paths]\nstate = "{folder}/state"\n')
        self.quarantine = Quarantine(folder / "state" / "quarantine")

    def hold(self, held: Evidence) -> str:
        """Hold one message."""
        with raw() as message:
            return self.quarantine.hold(held, message)

    def run(self, *arguments: str) -> Result:
        """A quarantine command. No inspector is started: that is for test_quarantine_views.py."""
        if arguments[0] == "show":
            arguments = (*arguments, "--brief")
        return CliRunner().invoke(app, ["quarantine", *arguments, "--config", str(self.config)])

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """The ledger itself, for what no command does."""
        with closing(sqlite3.connect(self.folder / "state" / "quarantine" / "ledger.sqlite")) as connection, connection:
            yield connection

    def audit(self, identifier: str) -> list[tuple[str, str]]:
        """What was done with an entry: action and result."""
        return [(row.action, row.result) for row in self.quarantine.audit(identifier)][1:]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with three messages: holding them costs fsyncs, copying them none."""
    found = Site(tmp_path_factory.mktemp("template"))
    for number, sender in enumerate(("anna@a.test", "bob@b.test", "eve@evil.test")):
        found.hold(evidence(number, sender=sender, subject=f"Invoice {number}"))
    found.quarantine.close()
    return found.folder / "state"


@pytest.fixture
def site(tmp_path: Path, template: Path) -> Iterator[Site]:
    """With three messages."""
    shutil.copytree(template, tmp_path / "state")
    found = Site(tmp_path)
    yield found
    found.quarantine.close()


# --- list


def test_the_list_is_newest_first_and_can_be_cut_up(site: Site) -> None:
    """In a pipe: one line for each message, cells parted by tabs."""
    done = site.run("list")
    assert done.exit_code == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[2] for row in rows] == ["eve@evil.test", "bob@b.test", "anna@a.test"]
    assert rows[0][0] == identifier(2)
    assert rows[0][-1] == "Invoice 2"


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--from", "b.test"], [1]),
        (["--from", "EVIL"], [2]),
        (["--subject", "Invoice 0"], [0]),
        (["--to", "nobody"], []),
        (["--to", "to@b.test"], [2, 1, 0]),
        (["--limit", "2"], [2, 1]),
        (["--state", "deleted"], []),
        (["--from", "%"], []),
        (["--subject", "_nvoice"], []),
    ],
)
@pytest.mark.threat("QUA-07")
def test_the_list_can_be_narrowed(site: Site, options: list[str], numbers: list[int]) -> None:
    """By parts of texts, case ignored; SQL's wildcards are letters like others."""
    done = site.run("list", "--json", *options)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [identifier(number) for number in numbers]


def test_a_retried_message_is_one_line(site: Site) -> None:
    """The copies of one message count as one, with their number."""
    site.hold(evidence(7, sender="anna@a.test"))
    rows = [line.split("\t") for line in site.run("list", "--from", "anna").stdout.splitlines()]
    assert [(row[0], row[6]) for row in rows] == [(identifier(7), "2")]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--sort", "score"], [1, 0, 2]),
        (["--sort", "score", "--reverse"], [2, 0, 1]),
        (["--sort", "from"], [0, 1, 2]),
        (["--sort", "subject", "-r"], [2, 1, 0]),
        (["--sort", "score", "--limit", "2", "--page", "2"], [2]),
        (["--limit", "1", "--page", "2"], [1]),
        (["--limit", "2", "--page", "3"], []),
        (["--before", identifier(2), "--limit", "1"], [1]),
        (["--reverse", "--limit", "1"], [0]),
        (["--until", "2023-11-14T22:13:22"], [1, 0]),
        (["--recipient", "to@b.test"], [2, 1, 0]),
    ],
)
def test_the_list_is_sorted_and_paged(site: Site, options: list[str], numbers: list[int]) -> None:
    """Numbers and times from the highest, texts by the alphabet; pages of what was sorted."""
    with site.changing() as ledger:
        ledger.execute("UPDATE entries SET score = ? WHERE id = ?", (30.0, identifier(1)))
        ledger.execute("UPDATE entries SET score = ? WHERE id = ?", (2.0, identifier(2)))
    done = site.run("list", "--json", *options)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [identifier(number) for number in numbers]


def test_the_list_has_the_columns_that_are_asked_for(site: Site) -> None:
    """In that order; a wrong one is wrong usage, and the error names those there are."""
    done = site.run("list", "--columns", "id, state,rules,size", "--from", "anna")
    assert done.stdout == f"{identifier(0)}\theld\tSPF_FAIL\t{len(whole())}\n"
    done = site.run("list", "--columns", "id,nonsense")
    assert (done.exit_code, "sha256" in done.output) == (2, True)


def test_the_list_takes_states(site: Site) -> None:
    """Several, or all."""
    site.run("delete", identifier(0))
    found = [
        site.run("list", "--columns", "id,state", *more).stdout.split() for more in (["--state", "deleted"], ["--all"])
    ]
    assert found[0] == [identifier(0), "deleted"]
    assert len(found[1]) == 6


def test_every_column_can_be_shown_and_every_order_taken(site: Site) -> None:
    """None of them is forgotten."""
    done = site.run("list", "--columns", ",".join(COLUMNS))
    assert {len(line.split("\t")) for line in done.stdout.splitlines()} == {len(COLUMNS)}
    assert all(len(site.run("list", "--sort", sort).stdout.splitlines()) == 3 for sort in Sort)


def test_nothing_held_is_nothing_listed_and_nothing_made(tmp_path: Path) -> None:
    """Looking creates no files."""
    empty = Site(tmp_path)
    done = empty.run("list")
    assert (done.exit_code, done.output) == (0, "")
    assert not (tmp_path / "state").exists()


# --- show


def test_show_tells_why(site: Site) -> None:
    """Envelope, reason, symbols, parts, and the audit; the view itself is in it."""
    done = site.run("show", identifier(0))
    assert done.exit_code == 0
    for words in ("anna@a.test", "to@b.test", "192.0.2.7", "Invoice 0", "score       12.50", "view"):
        assert words in done.stdout
    assert site.audit(identifier(0)) == [("view", "done")]


def test_show_as_json_has_everything(site: Site) -> None:
    """Entry, evidence and audit in one object."""
    found = json.loads(site.run("show", identifier(0), "--json").stdout)
    assert (found["id"], found["public_id"]) == (identifier(0), identifier(0)[-10:])
    assert found["evidence"]["envelope"]["sender"] == "anna@a.test"
    assert [row["action"] for row in found["audit"]] == ["hold", "view"]


def test_a_deleted_entry_is_still_shown(site: Site) -> None:
    """What it was and who deleted it remains; its evidence is gone."""
    site.run("delete", identifier(0))
    site.quarantine.sweep(time.time() + 1)
    done = site.run("show", identifier(0))
    assert done.exit_code == 0
    assert "state       deleted, its files are gone" in done.stdout
    assert "evidence" not in json.loads(site.run("show", identifier(0), "--json").stdout)


# --- ids

IDS = [
    "../x",
    "../../etc/passwd",
    "*",
    "",
    "%",
    "_" * 26,
    "A" * 10_000,
    UNKNOWN,
    identifier(0).lower(),
    identifier(0)[:-1],
    identifier(0) + "\n",
    "\u0660" * 26,
    "' OR 1=1 --",
    "\x1b[2J",
    identifier(0)[-11:],
    "1" * 10,
]


@pytest.mark.parametrize("name", ["show", "delete", "export"])
@pytest.mark.parametrize("wrong", IDS, ids=range(len(IDS)))
@pytest.mark.threat("QUA-07")
def test_an_id_that_is_none_finds_nothing(site: Site, tmp_path: Path, name: str, wrong: str) -> None:
    """Paths, wildcards, SQL, digits of other scripts, 10 kB: exit 1 with words, nothing read, nothing deleted."""
    more = ["--output", str(tmp_path / "out"), "--raw"] if name == "export" else []
    done = site.run(name, *more, wrong)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("no such entry: ")
    assert len(done.stderr) < 300
    assert "\x1b" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert len(site.quarantine.entries()) == 3


# --- hostile texts


def _harmless(text: str) -> None:
    """Nothing that moves a cursor, hides or reverses; line ends are ours."""
    bad = [c for c in text if c not in "\n\t" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]
    assert bad == []


def _hostile(site: Site) -> str:
    held = evidence(5, sender=HOSTILE, subject=HOSTILE + "x" * 10_000_000, recipients=(HOSTILE, "to@b.test"))
    verdict = replace(held.verdict, text=HOSTILE)
    return site.hold(replace(held, helo=HOSTILE, verdict=verdict))


@pytest.mark.threat("QUA-08")
def test_hostile_texts_in_a_pipe(site: Site) -> None:
    """List and show: no control, format or undecodable character, lines of bounded length."""
    name = _hostile(site)
    for done in (site.run("list"), site.run("show", name)):
        assert done.exit_code == 0
        _harmless(done.stdout)
        assert max(len(line) for line in done.stdout.splitlines()) < 20_000
    assert len(site.run("list").stdout.splitlines()) == 4


def _on_a_terminal(site: Site, monkeypatch: pytest.MonkeyPatch, kind: str, width: int = 100) -> str:
    """What list prints where somebody looks."""

    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    screen = io.BytesIO()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(sys, "stdout", Terminal(screen, "utf-8", write_through=True))
    command.list_(site.config, every=True)
    return screen.getvalue().decode()


def test_rows_stand_out_on_a_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What scores as high as refused mail in red, what was deleted dim; not where nobody wants colours."""
    site.run("delete", identifier(0))
    with site.changing() as ledger:
        ledger.execute("UPDATE entries SET score = 30 WHERE id = ?", (identifier(1),))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    coloured = _on_a_terminal(site, monkeypatch, "xterm-256color")
    assert ("\x1b[31m" in coloured, "\x1b[2m" in coloured) == (True, True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in _on_a_terminal(site, monkeypatch, "xterm-256color")


@pytest.mark.parametrize(("width", "more"), [(60, False), (80, False), (119, False), (120, True), (160, True)])
def test_ids_are_whole_on_a_terminal(site: Site, monkeypatch: pytest.MonkeyPatch, width: int, *, more: bool) -> None:
    """An id is there to be copied, however narrow the terminal is; what there is no room for is left out."""
    monkeypatch.setenv("NO_COLOR", "1")
    text = re.sub(r"\x1b\[[0-9;]*m", "", _on_a_terminal(site, monkeypatch, "xterm", width))
    assert all(identifier(number) in text for number in range(3))
    assert max(len(line) for line in text.splitlines()) <= width
    assert ("copies" in text) is more


@pytest.mark.threat("QUA-08")
def test_hostile_texts_on_a_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table keeps its width, and what looks like markup or a link stays text."""
    _hostile(site)
    text = _on_a_terminal(site, monkeypatch, "dumb")
    _harmless(text)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "[bold]" in text.replace("\n", "")


@pytest.mark.threat("QUA-08")
def test_hostile_texts_as_json(site: Site) -> None:
    """One valid object on each line, no raw control character; what no Unicode has is written as an escape."""
    name = _hostile(site)
    for done in (site.run("list", "--json"), site.run("show", name, "--json")):
        assert done.exit_code == 0
        assert not any(c < " " and c != "\n" for c in done.stdout)
        for line in done.stdout.splitlines():
            json.loads(line)
    assert json.loads(site.run("show", name, "--json").stdout)["sender"].startswith("\x1b]0;pwned")


# --- export


def test_without_raw_only_the_header_leaves(site: Site, tmp_path: Path) -> None:
    """What lies on somebody's desktop afterwards cannot hurt; and it is in the audit."""
    target = tmp_path / "out.eml"
    done = site.run("export", "--output", str(target), identifier(0))
    assert (done.exit_code, done.output) == (0, "")
    assert target.read_bytes() == whole(b"")
    assert site.audit(identifier(0)) == [("export header", "done")]


@pytest.mark.threat("QUA-09")
def test_raw_is_every_byte_private_and_audited(site: Site, tmp_path: Path) -> None:
    """Only with --raw; 0600 under any umask."""
    target = tmp_path / "out.eml"
    before = os.umask(0)
    try:
        assert site.run("export", "--raw", "--output", str(target), identifier(0)).exit_code == 0
    finally:
        os.umask(before)
    assert target.read_bytes() == whole(BODY, FIELDS)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert site.audit(identifier(0)) == [("export raw", "done")]


def test_raw_to_standard_output(site: Site) -> None:
    """For a pipe into another tool, byte for byte."""
    done = site.run("export", "--raw", "-o", "-", identifier(0))
    assert done.stdout_bytes == whole(BODY, FIELDS)


def _unpacked(archive: Path, password: str) -> dict[str, bytes]:
    """The files of a zip, as another program reads them."""
    with libarchive.file_reader(str(archive), "zip", passphrase=password) as found:
        return {entry.pathname: b"".join(entry.get_blocks()) for entry in found}


@pytest.mark.threat("QUA-09")
def test_a_zip_is_encrypted_and_opens_nothing(site: Site, tmp_path: Path) -> None:
    """Every byte of the message under a name that no mail program opens, its evidence, and what both are; AES alone."""
    target = tmp_path / "out.zip"
    done = site.run("export", "--zip", "--output", str(target), identifier(0), identifier(1))
    assert (done.exit_code, done.output) == (0, "")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    files = _unpacked(target, PASSWORD)
    assert files[f"{identifier(0)}.eml.txt"] == whole()
    assert decode(files[f"{identifier(1)}.evidence.json"]) == site.quarantine.evidence(identifier(1))
    manifest = json.loads(files["manifest.json"])
    assert [row["id"] for row in manifest["messages"]] == [identifier(0), identifier(1)]
    for row in manifest["messages"]:
        for part in (row["message"], row["evidence"]):
            assert hashlib.sha256(files[part["name"]]).hexdigest() == part["sha256"]
        assert row["intact"] is True
    assert set(files) == {
        part["name"] for row in manifest["messages"] for part in (row["message"], row["evidence"])
    } | {"manifest.json"}
    with zipfile.ZipFile(target) as archive:
        assert {(one.compress_type, one.flag_bits & 1) for one in archive.infolist()} == {(99, 1)}  # AES, encrypted
        assert {one.filename.rpartition(".")[2] for one in archive.infolist()} == {"txt", "json"}
    assert b"invoice" not in target.read_bytes().lower()
    assert site.audit(identifier(0)) == [("export zip", "done")]


@pytest.mark.threat("QUA-09")
def test_a_zip_has_the_password_that_was_given(site: Site, tmp_path: Path) -> None:
    """From a file or the terminal, where it is asked for twice; never as an argument. A wrong one opens nothing."""
    secret = tmp_path / "secret"
    secret.write_text("hunter two\nmore\n")
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    options = ["export", "--zip", identifier(0), "--password-file", str(secret), "--output", str(first)]
    assert site.run(*options).exit_code == 0
    asked = ["quarantine", "export", "--zip", identifier(0), "--ask-password", "--output", str(second)]
    done = CliRunner().invoke(app, [*asked, "--config", str(site.config)], input="hunter two\nhunter two\n")
    assert (done.exit_code, "hunter" in done.output) == (0, False)
    for path in (first, second):
        assert _unpacked(path, "hunter two")[f"{identifier(0)}.eml.txt"] == whole()
        with pytest.raises(libarchive.ArchiveError):
            _unpacked(path, PASSWORD)


def test_a_message_that_was_altered_is_said_in_the_manifest(site: Site, tmp_path: Path) -> None:
    """Whoever reads it elsewhere has nothing to compare with."""
    entry = site.quarantine.entry(identifier(0))
    assert entry is not None
    written = bytearray()

    def write(data: bytes) -> int:
        written.extend(data)
        return len(data)

    other = replace(entry, sha256="0" * 64)
    packed(site.quarantine, [other], write, password="x", who=Actor("me"), now=0.0)
    (tmp_path / "x.zip").write_bytes(written)
    (row,) = json.loads(_unpacked(tmp_path / "x.zip", "x")["manifest.json"])["messages"]
    assert row["intact"] is False


@pytest.mark.parametrize(
    "options",
    [
        ["--raw", "--zip", "-o", "x"],
        ["--raw"],
        ["--raw", "--ask-password", "-o", "x"],
        ["--zip", "--ask-password", "--password-file", "x", "-o", "x"],
    ],
)
def test_an_export_that_cannot_be_meant(site: Site, options: list[str]) -> None:
    """Wrong usage, and nothing is written."""
    assert site.run("export", identifier(0), *options).exit_code == 2
    assert site.audit(identifier(0)) == []


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\n", None])
def test_a_password_file_that_has_none(site: Site, tmp_path: Path, content: bytes | None) -> None:
    """Empty, no text, or not there: said, and nothing leaves under another password."""
    secret, target = tmp_path / "secret", tmp_path / "x.zip"
    if content is not None:
        secret.write_bytes(content)
    done = site.run("export", "--zip", identifier(0), "--password-file", str(secret), "-o", str(target))
    assert (done.exit_code, target.exists(), site.audit(identifier(0))) == (1, False, [])
    assert str(secret) in done.stderr


def test_an_export_that_fails_leaves_nothing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half archive would be taken for a whole one."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("told to fail")

    monkeypatch.setattr(export, "packed", broken)
    done = site.run("export", "--zip", identifier(0), "-o", str(tmp_path / "x.zip"))
    assert (done.exit_code, (tmp_path / "x.zip").exists()) == (1, False)
    assert "told to fail" in done.stderr


@pytest.mark.parametrize("how", ["--raw", "--zip"])
@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
@pytest.mark.threat("QUA-09")
def test_nothing_is_written_over_or_through_a_link(site: Site, tmp_path: Path, kind: str, how: str) -> None:
    """A target that exists in any form is refused, and is as it was."""
    target, other = tmp_path / "out.eml", tmp_path / "other"
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
    else:
        if kind == "link":
            other.write_text("mine")
        target.symlink_to(other)
    done = site.run("export", how, "--output", str(target), identifier(0))
    assert (done.exit_code, done.stderr) == (1, f"{target} exists: name a file that does not\n")
    assert other.exists() == (kind == "link")
    assert not target.is_file() or target.read_text() == "mine"
    assert site.audit(identifier(0)) == []


def test_a_folder_that_is_not_there_is_said(site: Site, tmp_path: Path) -> None:
    """Words, exit 1, no traceback."""
    done = site.run("export", "--raw", "--output", str(tmp_path / "none" / "out"), identifier(0))
    assert done.exit_code == 1
    assert "No such file or directory" in done.stderr


# --- delete


def test_delete_takes_the_message_and_leaves_the_entry(site: Site) -> None:
    """Several at once; a second time says that it was gone; the audit has both with the actor."""
    done = site.run("delete", identifier(0), identifier(1))
    assert done.stdout.splitlines() == [f"{identifier(0)} deleted", f"{identifier(1)} deleted"]
    assert site.run("delete", identifier(0)).stdout == f"{identifier(0)} not deleted: was deleted\n"
    assert [entry.id for entry in site.quarantine.entries()] == [identifier(2)]
    assert site.audit(identifier(0)) == [("delete", "done"), ("delete", "was deleted")]


def test_delete_by_what_is_found(site: Site) -> None:
    """It asks, says what it would do, and takes neither nothing nor both for a choice."""
    assert identifier(0) in site.run("delete", "--from", "anna", "--dry-run").stdout
    asked = CliRunner().invoke(
        app, ["quarantine", "delete", "--from", "anna", "--config", str(site.config)], input="n\n"
    )
    assert "delete 1 messages?" in asked.output
    assert len(site.quarantine.entries()) == 3
    done = [json.loads(line) for line in site.run("delete", "--from", "anna", "--yes", "--json").stdout.splitlines()]
    assert done == [{"id": identifier(0), "deleted": True, "problem": ""}]
    for wrong in ([], [identifier(1), "--from", "bob"]):
        assert site.run("delete", *wrong).exit_code == 1
    assert len(site.quarantine.entries()) == 2


def test_one_wrong_id_among_several_deletes_none(site: Site) -> None:
    """A typing error must not leave half the work done."""
    assert site.run("delete", identifier(0), UNKNOWN).exit_code == 1
    assert len(site.quarantine.entries()) == 3


@pytest.mark.parametrize("arguments", [["list"], ["show", identifier(0)], ["delete", identifier(0)]])
@pytest.mark.threat("RES-05")
def test_a_ledger_that_cannot_be_read_is_said(site: Site, arguments: list[str]) -> None:
    """Words and exit 1, no traceback: the mail is still there."""
    site.quarantine.close()
    ledger = site.folder / "state" / "quarantine" / "ledger.sqlite"
    for path in ledger.parent.glob("ledger.sqlite*"):
        path.unlink()
    ledger.write_bytes(b"this is no database" * 1_000)
    ledger.chmod(0o600)
    done = site.run(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("quarantine: ")


def test_files_that_are_gone_are_said(site: Site, tmp_path: Path) -> None:
    """An entry whose blob somebody removed: words, not a traceback."""
    for path in (site.folder / "state" / "quarantine").rglob("*"):
        if path.is_file() and not path.name.startswith("ledger"):
            path.unlink()
    done = site.run("export", "--raw", "--output", str(tmp_path / "out"), identifier(0))
    assert done.exit_code == 1
    assert done.stderr.startswith("its files are gone: ")


# --- custody


def test_stats_count_by_state_and_reason(site: Site) -> None:
    """Each state with each of its reasons, and all of a state together."""
    site.run("delete", identifier(0))
    rows = [json.loads(line) for line in site.run("stats", "--json").stdout.splitlines()]
    assert sum(row["entries"] for row in rows) == len(site.quarantine.entries(EntryFilter(state=None), limit=100))
    assert {row["state"] for row in rows} == {"held", "deleted"}


def test_audit_is_verified(site: Site) -> None:
    """An unbroken chain gives its head, and knows a head it gave before; a broken one is an error."""
    state = json.loads(site.run("audit", "verify", "--json").stdout)
    assert state["broken"] is None
    site.run("show", identifier(0))
    assert site.run("audit", "verify", "--head", state["head"]).exit_code == 0
    assert site.run("audit", "verify", "--head", "0" * 64).exit_code == 1


def test_audit_of_one_entry(site: Site) -> None:
    """Every act with an entry, its hold first."""
    site.run("show", identifier(0))
    lines = site.run("audit", "show", identifier(0)).stdout.splitlines()
    assert ["hold" in lines[0], "view" in lines[1], len(lines)] == [True, True, 2]


@pytest.mark.threat("QUA-11")
def test_an_account_that_is_no_text(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account's name and a client with undecodable bytes do as others do, and their deeds are in the audit."""
    monkeypatch.setenv("SUDO_USER", "j\udcf6rg")
    monkeypatch.setenv("SSH_CONNECTION", "\udcff 1 2 3")
    for arguments in (["show", identifier(0)], ["delete", identifier(0)], ["restore", identifier(0)]):
        assert site.run(*arguments).exit_code == 0
    rows = site.quarantine.audit(identifier(0))[1:]
    assert [(row.actor, row.action) for row in rows] == [
        ("j\\udcf6rg", "view"),
        ("j\\udcf6rg", "delete"),
        ("j\\udcf6rg", "restore"),
    ]
    assert site.run("audit", "list", "--actor", "j\\udcf6rg", "--json").stdout.count('"seq"') == 3
    assert site.run("audit", "verify").exit_code == 0


@pytest.mark.threat("QUA-11")
def test_audit_of_all(site: Site) -> None:
    """Who did what with any message, newest first, by account, action and time; hostile words are shown escaped."""
    site.run("show", identifier(0))
    site.run("delete", identifier(1))
    hostile = HOSTILE.replace("\udcff", "")
    site.quarantine.note(Actor("eve", hostile), hostile, identifier(2))
    site.quarantine.note_many(Actor("bob"), "replay", "all 3 messages")

    def listed(*options: str) -> list[tuple[str, str]]:
        rows = [json.loads(line) for line in site.run("audit", "list", "--json", *options).stdout.splitlines()]
        assert [row["seq"] for row in rows] == sorted([row["seq"] for row in rows], reverse=True)
        return [(row["action"][:6], row["id"]) for row in rows]

    everything = listed()
    assert everything[0] == ("replay", "")
    assert everything[2:] == [
        ("delete", identifier(1)),
        ("view", identifier(0)),
        *[("hold", identifier(number)) for number in (2, 1, 0)],
    ]
    assert listed("--action", "view") == [("view", identifier(0))]
    assert listed("--actor", "bob") == [("replay", "")]
    assert listed("--limit", "2", "--before", "5") == everything[3:5]
    assert listed("--since", "1h") == everything[:4]  # the samples were held long ago
    assert listed("--since", "2999-01-01") == []
    shown = site.run("audit", "list").stdout
    _harmless(shown)
    assert len(shown.splitlines()) == 7
    assert site.run("audit", "verify").exit_code == 0


def told(site: Site) -> tuple[str, str, str]:
    """A message that is held by itself, and what its sender was told; what two of another are known by."""
    one, several = (new_id(1_800_000_000.0, randomness) for randomness in (b"0123456789", b"9876543210"))
    for name in (one, several, sibling(several, 1)):
        site.hold(replace(evidence(0, whole()), id=name))
    return one, public_id(one), public_id(several)


@pytest.mark.threat("QUA-07")
def test_what_a_sender_was_told_is_an_id(site: Site, tmp_path: Path) -> None:
    """The ten letters of a reply or a digest, in any case, name the message wherever its id does."""
    one, short, _ = told(site)
    assert site.run("show", short.lower()).stdout.startswith(f"id          {one}  ")
    assert site.run("explain", short).stdout.startswith(f"message       {one}")
    assert site.run("export", "-o", str(tmp_path / "header"), short).exit_code == 0
    assert site.run("delete", short).stdout == f"{one} deleted\n"
    assert site.run("restore", short).stdout == f"{one} restored\n"
    assert "  view  " in site.run("audit", "show", short).stdout


@pytest.mark.threat("QUA-07")
def test_several_were_told_the_same(site: Site) -> None:
    """Where recipients have different policies that names several entries: which, is to be said."""
    *_, several = told(site)
    for arguments in (["show"], ["delete"], ["explain"]):
        done = site.run(*arguments, several)
        assert (done.exit_code, f"{several} is several entries" in done.stderr) == (1, True)
    assert site.run("audit", "show", several).exit_code == 1
    assert site.run("show", "0" * 10).exit_code == 1


def test_verify_finds_nothing_wrong(site: Site) -> None:
    """A sound quarantine is said to be one."""
    done = site.run("verify", "--contents")
    assert (done.exit_code, done.stdout) == (0, "all is there\n")


@pytest.mark.threat("QUA-01")
def test_verify_names_whose_message_was_altered(site: Site) -> None:
    """Its digest says nothing to a reviewer: the entries are named, which cannot be released any more."""
    segments = list((site.folder / "state" / "quarantine" / "segments").iterdir())
    for segment in segments:
        segment.write_bytes(segment.read_bytes().replace(BODY, BODY.swapcase()))
    done = site.run("verify", "--contents")
    assert done.exit_code == 1
    assert f"; the message of {', '.join([identifier(number) for number in (2, 1, 0)])}\n" in done.stdout
    (found, *_) = [json.loads(line) for line in site.run("verify", "--contents", "--json").stdout.splitlines()]
    assert (found["kind"], found["ids"][0]) == ("altered", identifier(2))
    assert site.run("verify").exit_code == 0  # what is there is only looked at


@pytest.mark.threat("RES-05", "QUA-11")
def test_verify_makes_a_lost_ledger_again(site: Site) -> None:
    """Without --repair it is said and exit 1; with it all is held again, what nobody needs goes, and both have rows."""
    site.quarantine.close()
    folder = site.folder / "state" / "quarantine"
    for path in folder.glob("ledger.sqlite*"):
        path.unlink()
    blob = folder / "blobs" / ("0" * 64)[:2] / ("0" * 64)
    blob.parent.mkdir(mode=0o700)
    blob.write_bytes(b"of nobody")
    done = site.run("verify")
    assert (done.exit_code, done.stdout.count(" unlisted: the ledger does not know it\n")) == (1, 3)
    assert f"{blob.name} orphan: " in done.stdout
    assert site.run("verify", "--repair").exit_code == 0
    assert site.run("verify", "--contents").stdout == "all is there\n"
    assert [one.id for one in site.quarantine.entries()] == [identifier(number) for number in (2, 1, 0)]
    rows = [json.loads(line) for line in site.run("audit", "list", "--action", "repair", "--json").stdout.splitlines()]
    twice = evidence().sha256  # three times the same bytes: one of them is needed
    assert sorted((row["id"], row["result"]) for row in rows) == [
        ("", f"orphan {blob.name}: removed"),
        *[("", f"orphan {twice}: removed")] * 2,
        *[(identifier(number), "done") for number in range(3)],
    ]
    assert {row["actor"] for row in rows} == {actor().name}


@pytest.mark.threat("QUA-11")
def test_every_act_is_in_the_audit(site: Site, tmp_path: Path) -> None:
    """What was done, by whom and from where, in their order; what does not happen is there too."""
    name = identifier(0)
    for arguments in (
        ["show", name],
        ["export", "-o", str(tmp_path / "1"), name],
        ["export", "--raw", "-o", str(tmp_path / "2"), name],
        ["export", "--zip", "-o", str(tmp_path / "3"), name],
        ["keep", name],
        ["delete", name],
        ["keep", "--off", name],
        ["delete", name],
        ["restore", name],
    ):
        site.run(*arguments)
    rows = site.quarantine.audit(name)[1:]
    assert [(row.action, row.result) for row in rows] == [
        ("view", "done"),
        ("export header", "done"),
        ("export raw", "done"),
        ("export zip", "done"),
        ("keep", "done"),
        ("delete", "under legal hold"),
        ("unkeep", "done"),
        ("delete", "done"),
        ("restore", "done"),
    ]
    assert {(row.actor, row.origin) for row in rows} == {(actor().name, actor().origin)}
    assert site.run("audit", "verify").exit_code == 0


@pytest.mark.threat("QUA-12")
def test_purge_by_address(site: Site) -> None:
    """All that a person has sent or got goes, and only that; the audit has a hash of the address."""
    mine = [one for one in site.quarantine.entries(limit=100) if one.sender == "anna@a.test"]
    others = [one.id for one in site.quarantine.entries(limit=100) if one.sender != "anna@a.test"]
    assert mine
    assert site.run("purge", "ANNA@a.test", "--yes").exit_code == 0
    assert [one.id for one in site.quarantine.entries(limit=100)] == others
    assert site.audit(mine[0].id)[-1][1].startswith("address sha256 ")


def test_restore_and_keep(site: Site) -> None:
    """What was deleted comes back, and what is kept cannot be deleted."""
    site.run("delete", identifier(0))
    assert site.run("restore", identifier(0)).stdout == f"{identifier(0)} restored\n"
    site.run("keep", identifier(0))
    assert site.run("delete", identifier(0)).stdout == f"{identifier(0)} not deleted: under legal hold\n"
    site.run("keep", "--off", identifier(0))
    assert site.run("delete", identifier(0)).stdout == f"{identifier(0)} deleted\n"


def test_release_without_a_choice(site: Site) -> None:
    """Neither ids nor options is no choice: nothing is released."""
    done = site.run("release")
    assert (done.exit_code, "expected either ids or options" in done.output) == (1, True)


@pytest.mark.parametrize("command", ["release", "delete"])
def test_a_dry_run_for_scripts(site: Site, command: str) -> None:
    """With --json what would go is one object per line, as `list` has it."""
    done = site.run(command, "--from", "anna", "--dry-run", "--json")
    assert done.stdout == site.run("list", "--from", "anna", "--json").stdout != ""


def test_what_failed_waits_and_is_listed(site: Site) -> None:
    """What the MTA has refused is in nobody's mailbox: listed beside what was never released; --state asks for less."""
    with site.changing() as ledger:
        ledger.execute("UPDATE entries SET state = 'failed' WHERE id = ?", (identifier(1),))
    site.run("delete", identifier(0))

    def states(*more: str) -> list[str]:
        return [json.loads(line)["state"] for line in site.run("list", "--json", *more).stdout.splitlines()]

    assert (states(), states("--state", "held")) == (["held", "failed"], ["held"])
    assert states("--all") == ["held", "failed", "deleted"]
    assert states("--state", "deleted", "--state", "held", "--limit", "1") == ["held"]


@pytest.mark.parametrize("command", ["release", "delete"])
def test_nothing_is_found(site: Site, command: str) -> None:
    """Silence would leave it open whether anything was done; a script's output has no more lines than objects."""
    for more in ((), ("--dry-run",), ("--json",)):
        done = site.run(command, "--rule", "NOPE", *more)
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "nothing is found\n")


def test_release_dry_run(site: Site) -> None:
    """A dry run shows what would go, and nothing goes."""
    done = site.run("release", "--from", "anna", "--dry-run")
    assert (done.exit_code, identifier(0) in done.stdout) == (0, True)
    assert identifier(0) in [one.id for one in site.quarantine.entries(EntryFilter(state=State.HELD))]

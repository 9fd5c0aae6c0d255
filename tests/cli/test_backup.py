"""filterd backup and restore: what is put back is what was there, and what is no whole backup is refused."""

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner, Result

from filterd.classifier.features import Features
from filterd.classifier.learning import Learner
from filterd.classifier.lesson import Lesson
from filterd.cli import app
from filterd.model.aggregate import Evaluated, Sighting
from filterd.model.store import StoreError
from filterd.operations.backup_manifest import NAME
from filterd.quarantine import Journal, JournalFilter, Quarantine
from filterd.quarantine.aggregate_places import FILE, AggregateFile
from filterd.quarantine.aggregates import Aggregates
from filterd.store.inbox import Inbox
from filterd.store.sqlite import SqliteStore
from tests.quarantine.samples import BODY, NOW, evidence, identifier, journal_row, raw, whole

LARGE = BODY * 10_000
COUNTED = Sighting(20_000, "a.test", "v=DMARC1; p=none", Evaluated("192.0.2.7", "none", dkim=True, spf=True))


class Site:
    """A configuration with a state folder of its own."""

    def __init__(self, folder: Path, more: str = "") -> None:
        """Nothing is in it yet."""
        folder.mkdir()
        self.state = folder / "state"
        self.config = folder / "filterd.toml"
        self.config.write_text(f'[paths]\nstate = "{self.state}"\n{more}')

    def run(self, *arguments: str) -> Result:
        """A command."""
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)])

    def json(self, *arguments: str) -> dict[str, Any]:
        """A command that succeeds, and what it says."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def fill(state: Path) -> None:
    """Held mail, a row of the journal, a value of the state, a count, a lesson, an offer."""
    with closing(Quarantine(state / "quarantine")) as quarantine:
        for number, body in enumerate((BODY, LARGE)):
            with raw(body) as message:
                quarantine.hold(evidence(number, whole(body)), message)
    journal = Journal(state / "journal.sqlite", clock=lambda: NOW)
    journal.record(journal_row(1))
    journal.close()
    with closing(SqliteStore(state / "state.sqlite")) as store:
        store.put("key", b"value", 1_000_000)
    with closing(Aggregates(AggregateFile(state / FILE))) as counted:
        counted.record(COUNTED)
    with closing(Inbox(state / "classifier" / "inbox.sqlite")) as inbox:
        inbox.put([b"offer"])
    (state / "lists.json").write_text("{}")


def teach(state: Path) -> None:
    """One lesson."""
    learner = Learner(state / "classifier")
    learner.ensure()
    learner.learn([Lesson(b"d" * 16, spam=True, features=Features(np.array((1, 2, 3), dtype=np.uint32)).pack())])
    learner.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Full."""
    made = Site(tmp_path / "one")
    fill(made.state)
    return made


@pytest.fixture
def other(tmp_path: Path) -> Site:
    """Empty."""
    return Site(tmp_path / "other")


@pytest.fixture
def made(site: Site, tmp_path: Path) -> Path:
    """A backup."""
    site.json("backup", str(tmp_path / "made"))
    return tmp_path / "made"


def modes(folder: Path) -> set[int]:
    """Of all that is in it."""
    return {path.stat().st_mode & 0o077 for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["made", "made.tar"])
def test_there_and_back(site: Site, other: Site, tmp_path: Path, name: str) -> None:
    """Everything is read again as it was, is private, and verify finds nothing wrong."""
    said = site.json("backup", str(tmp_path / name))
    assert (said["entries"], said["damaged"], said["left_out"]) == (2, [], [])
    restored = other.json("restore", str(tmp_path / name))
    assert (restored["entries"], restored["files"], restored["problems"]) == (2, said["files"], [])
    assert modes(other.state) == {0}
    assert other.run("quarantine", "verify", "--contents").stdout == "all is there\n"
    with closing(Quarantine(other.state / "quarantine")) as quarantine, quarantine.open_raw(identifier(1)) as stored:
        assert stored.read() == whole(LARGE)
    with closing(Journal(other.state / "journal.sqlite")) as journal:
        assert [row.id for row in journal.search(JournalFilter())] == [journal_row(1).id]
    with closing(SqliteStore(other.state / "state.sqlite")) as store:
        assert store.get_many(["key"]) == [b"value"]
    with closing(Aggregates(AggregateFile(other.state / FILE))) as counted:
        assert list(counted.rows(20_000, "a.test")) == [(COUNTED.evaluated, 1)]
    with closing(Inbox(other.state / "classifier" / "inbox.sqlite")) as inbox:
        assert [item for _, item in inbox.first(2)] == [b"offer"]
    assert (other.state / "lists.json").read_text() == "{}"


def test_the_model_needs_no_making_anew(site: Site, other: Site, tmp_path: Path) -> None:
    """Model and memory are of one moment: the restored model is the same, and knows all that is remembered."""
    teach(site.state)
    site.json("backup", str(tmp_path / "made"))
    other.json("restore", str(tmp_path / "made"))
    name = "classifier/model.bin"
    assert (other.state / name).read_bytes() == (site.state / name).read_bytes()
    with closing(Learner(site.state / "classifier")) as before, closing(Learner(other.state / "classifier")) as after:
        assert after.ensure() == ""
        assert after.stale == before.stale


def test_a_backup_is_private_and_is_in_the_audit(site: Site, made: Path) -> None:
    """It is for its owner alone, and who made it is written down, for all held mail left with it."""
    assert made.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in made.rglob("*") if path.is_file()} == {0}
    row = json.loads(site.run("quarantine", "audit", "list", "--json", "--limit", "1").stdout)
    assert (row["action"], row["result"]) == ("backup", f"to {made}")


def test_no_secrets(site: Site, tmp_path: Path) -> None:
    """Keys of release tokens, caches and sockets stay where they are."""
    (site.state / "release.key").write_text("secret")
    (site.state / "cache").mkdir()
    (site.state / "cache" / "rules").write_text("compiled")
    site.json("backup", str(tmp_path / "made"))
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        NAME, "quarantine", "classifier", "journal.sqlite", "state.sqlite", "lists.json", FILE
    }  # fmt: skip


@pytest.mark.parametrize("name", ["there", "there.tar"])
def test_a_target_that_is_there_is_left_alone(site: Site, tmp_path: Path, name: str) -> None:
    """A backup replaces nothing."""
    target = tmp_path / name
    if target.suffix:
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").write_text("mine")
    done = site.run("backup", str(target))
    assert done.exit_code == 1
    assert f"{target} is there: expected" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"one", name})


def test_nothing_to_back_up(other: Site, tmp_path: Path) -> None:
    """Where there is no state, there is no backup, and it says so."""
    done = other.run("backup", str(tmp_path / "made"))
    assert (done.exit_code, done.stderr) == (1, "there is nothing to back up\n")
    assert not list(tmp_path.glob("made*"))


def test_what_was_interrupted_is_made_anew(site: Site, other: Site, tmp_path: Path) -> None:
    """An incomplete folder is no backup; the next one takes its place, unless it is somebody else's."""
    left = tmp_path / "made.incomplete"
    (left / "scratch").mkdir(parents=True)
    (left / "journal.sqlite").write_text("half")
    assert "was never finished" in other.run("restore", str(left)).output
    site.json("backup", str(tmp_path / "made"))
    assert not left.exists()
    shutil.rmtree(tmp_path / "made")
    left.mkdir()
    assert "is in the way" in site.run("backup", str(tmp_path / "made")).output


def test_two_at_once(site: Site, tmp_path: Path) -> None:
    """While one is made there, another is refused and harms nothing."""
    left = tmp_path / "made.incomplete"
    (left / "scratch").mkdir(parents=True)
    descriptor = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert "another backup is being made there" in site.run("backup", str(tmp_path / "made")).output
    finally:
        os.close(descriptor)
    assert (left / "scratch").is_dir()


def test_a_damaged_database_is_told_of(site: Site, tmp_path: Path) -> None:
    """The rest is in the backup, and the exit code says that not all is well."""
    path = site.state / "journal.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    path.write_bytes(data)
    done = site.run("backup", str(tmp_path / "made"))
    assert done.exit_code == 1
    assert f"1 damaged: {path}" in done.output
    assert (tmp_path / "made" / NAME).exists()


def cut(folder: Path) -> None:
    """The last line of the manifest is missing."""
    lines = (folder / NAME).read_text().splitlines(keepends=True)
    (folder / NAME).write_text("".join(lines[:-1]))


def another_size(folder: Path) -> None:
    """A line of the manifest says something else."""
    text = (folder / NAME).read_text()
    (folder / NAME).write_text(text.replace('"size":', '"size":1', 1))


def no_manifest(folder: Path) -> None:
    """As a stream ends that breaks off."""
    (folder / NAME).unlink()


def altered(folder: Path) -> None:
    """One bit of a message."""
    (path,) = (folder / "quarantine" / "blobs").glob("*/*")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def missing(folder: Path) -> None:
    """A file is not there."""
    (folder / "state.sqlite").unlink()


def strange(folder: Path) -> None:
    """A file that no backup has."""
    (folder / "quarantine" / "evil.sh").write_text("#!/bin/sh\n")


def unlisted(folder: Path) -> None:
    """A file that might be in one, and is not in the manifest."""
    (folder / "quarantine" / "evidence" / f"{identifier(9)}.json").write_text("{}")


def linked(folder: Path) -> None:
    """A file that is a link to somewhere."""
    (folder / "state.sqlite").unlink()
    (folder / "state.sqlite").symlink_to("/etc/passwd")


def newer_format(folder: Path) -> None:
    """Of another release."""
    text = (folder / NAME).read_text()
    (folder / NAME).write_text(text.replace('"format":1', '"format":2', 1))


HARMS: dict[Callable[[Path], None], str] = {
    cut: "ends too early",
    another_size: "is not as it was written",
    no_manifest: "was never finished",
    altered: "is not as it was written: the backup is damaged",
    missing: "state.sqlite is missing from the backup",
    strange: "is no file of a backup that this release knows",
    unlisted: f"{identifier(9)}.json is not in MANIFEST",
    linked: "is no file",
    newer_format: "format 2: this release reads 1",
}


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_what_is_no_whole_backup_is_refused(other: Site, made: Path, harm: Callable[[Path], None]) -> None:
    """It says what is wrong, and nothing is there that was not."""
    harm(made)
    done = other.run("restore", str(made))
    assert done.exit_code == 1
    assert HARMS[harm] in done.stderr
    assert not [path for path in other.state.rglob("*") if path.is_file()]


def packed(folder: Path, target: Path, rename: str = "") -> Path:
    """A backup as a tar file, the manifest last; a file of it may have another name."""
    with tarfile.open(target, "w") as archive:
        for path in sorted(folder.rglob("*"), key=lambda one: one.name == NAME):
            if path.is_file():
                name = str(path.relative_to(folder))
                archive.add(path, rename if rename and name == "state.sqlite" else name)
    return target


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "quarantine/../../evil", "quarantine/segments/../../x", "x" * 300]
)
def test_names_that_lead_elsewhere(other: Site, made: Path, tmp_path: Path, name: str) -> None:
    """A tar file writes nothing but files of a backup, wherever its names lead."""
    done = other.run("restore", str(packed(made, tmp_path / "evil.tar", name)))
    assert done.exit_code == 1
    assert "is no file of a backup" in done.stderr
    assert not list(tmp_path.rglob("evil"))


def test_half_a_tar_file(other: Site, made: Path, tmp_path: Path) -> None:
    """What a broken connection leaves is refused."""
    path = packed(made, tmp_path / "made.tar")
    data = path.read_bytes()
    for part in (0, 100, len(data) // 2, len(data) - 12_000):
        path.write_bytes(data[:part])
        assert other.run("restore", str(path)).exit_code == 1
        assert not [one for one in other.state.rglob("*") if one.is_file()]


@pytest.mark.threat("QUA-15")
@pytest.mark.parametrize(
    "name", ["quarantine/ledger.sqlite", "journal.sqlite", "state.sqlite", FILE, "classifier/lessons.sqlite"]
)
def test_a_newer_schema_is_refused(site: Site, other: Site, tmp_path: Path, name: str) -> None:
    """A backup of a later release's state: nothing is put back that the daemon could not read."""
    teach(site.state)
    site.json("backup", str(tmp_path / "made"))
    path = tmp_path / "made" / name
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    lines = (tmp_path / "made" / NAME).read_bytes().splitlines()
    _sign(tmp_path / "made", [_resized(orjson.loads(line), name, path) for line in lines])
    done = other.run("restore", str(tmp_path / "made"))
    assert done.exit_code == 1
    assert f"{name} has schema 99, and this release reads up to" in done.stderr
    assert not [one for one in other.state.rglob("*") if one.is_file()]


def _resized(line: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    changed = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return line | changed if line.get("name") == name else line


def _sign(folder: Path, lines: list[dict[str, Any]]) -> None:
    """Write a manifest whose last line is right."""
    body = b"".join([orjson.dumps(line) + b"\n" for line in lines[:-1]])
    end = lines[-1] | {"sha256": hashlib.sha256(body).hexdigest()}
    (folder / NAME).write_bytes(body + orjson.dumps(end) + b"\n")


@pytest.mark.parametrize("there", ["journal.sqlite", "journal.sqlite-wal", "quarantine/ledger.sqlite", "lists.json"])
def test_only_into_an_empty_place(other: Site, made: Path, there: str) -> None:
    """What is there is never written over, and nothing is mixed with it."""
    path = other.state / there
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    done = other.run("restore", str(made))
    assert done.exit_code == 1
    assert "a backup is restored into an empty place only" in done.stderr
    assert [one.name for one in other.state.rglob("*") if one.is_file()] == [path.name]


def test_an_interrupted_restore_is_begun_anew(other: Site, made: Path) -> None:
    """What one that was killed has left goes, and is never taken for anything."""
    left = other.state / ".quarantine.restoring" / "segments"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    (other.state / ".journal.sqlite.restoring").write_text("half")
    other.json("restore", str(made))
    assert not [path for path in other.state.iterdir() if path.name.startswith(".")]


def test_held_mail_elsewhere(site: Site, made: Path, tmp_path: Path) -> None:
    """With PostgreSQL, the rest is backed up, and it is said where held mail is; a local ledger has no place there."""
    more = '[quarantine]\nurl = "postgresql://a@127.0.0.1:1/b"\n'
    shared = Site(tmp_path / "shared", more)
    with closing(SqliteStore(shared.state / "state.sqlite")) as store:
        store.put("key", b"value", 1_000)
    said = shared.json("backup", str(tmp_path / "second"))
    assert said["elsewhere"].keys() == {"ledger", "messages"}
    assert "pg_dump" in said["elsewhere"]["ledger"]
    refused = Site(tmp_path / "third", more).run("restore", str(made))
    assert "the configuration has no place for it" in refused.stderr
    assert site.state.is_dir()


def test_a_store_that_cannot_be_read_ends_it(site: Site, tmp_path: Path) -> None:
    """Where a database is no database, there is no backup, and nothing is left that looks like one."""
    for path in site.state.glob("state.sqlite*"):
        path.unlink()
    (site.state / "state.sqlite").write_bytes(b"no database" * 1_000)
    (site.state / "state.sqlite").chmod(0o600)
    done = site.run("backup", str(tmp_path / "made"))
    assert done.exit_code == 1
    assert "state.sqlite: file is not a database" in done.stderr
    assert not list(tmp_path.glob("made*"))
    with pytest.raises(StoreError):
        SqliteStore(site.state / "state.sqlite").get_many(["key"])

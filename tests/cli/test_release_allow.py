"""filterd quarantine release --allow: the entry before the release, or neither."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.app.ownlists import freemail_domains
from filterd.cli import release
from filterd.config import Config
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.inspection import Author, Mailbox
from filterd.model.report import CheckReport, Outcome
from filterd.operations.ownlists import ListError
from filterd.operations.release import Releaser
from filterd.ownlists import Document
from filterd.ownlists.changing import LOCK
from filterd.ownlists.keeper import write_copy
from filterd.quarantine import Quarantine, State
from filterd.quarantine.relay import Answer, Fate
from filterd.store import open_store
from tests.cli.test_lists import Commands
from tests.cli.test_quarantine import Site
from tests.quarantine.samples import evidence, identifier

PROVED, UNPROVED = identifier(0), identifier(1)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """One message whose author SPF has proved, one whose author nothing proves; an MTA that takes everything."""
    found = Site(tmp_path)
    spf = SpfResult(SpfStatus.PASS, "a.test", SpfScope.MAILFROM)
    for number, results in enumerate([(spf,), ()]):
        reports = (CheckReport("spf", Outcome.OK, auth_results=results),)
        found.hold(replace(evidence(number, sender=f"anna{number}@a.test"), reports=reports))

    def deliver(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        del sender, recipients, message
        return Answer(Fate.DELIVERED, "250 ok")

    def releaser_of(_: Config, quarantine: Quarantine) -> Releaser:
        return Releaser(quarantine, deliver, "mx.test")

    monkeypatch.setattr(release, "releaser_of", releaser_of)
    yield found
    found.quarantine.close()


def listed(site: Site) -> list[dict[str, object]]:
    """The allow list."""
    return Commands(site.folder).shown("allow", "show")


def state(site: Site, name: str) -> State:
    """What has become of it."""
    entry = site.quarantine.entry(name)
    assert entry is not None
    return entry.state


def test_released_and_allowed(site: Site) -> None:
    """Both are done and said, and the audit has the entry before the release."""
    done = site.run("release", PROVED, "--allow", "--expires", "never")
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [f"{PROVED} allowed: domain:a.test for ever (SPF of a.test)", f"{PROVED} delivered: 250 ok"],
    )
    (row,) = listed(site)
    assert (row["entry"], row["reason"], row["expires"]) == ("domain:a.test", f"released {PROVED}", "never")
    assert [action for action, _ in site.audit(PROVED)] == ["allow", "release", "release"]


@pytest.mark.threat("QUA-12")
def test_nobody_is_left_in_the_audit(site: Site) -> None:
    """An address that was allowed is a hash there, as in the row of its purge: rows cannot be taken out."""
    spf = SpfResult(SpfStatus.PASS, "gmail.com", SpfScope.MAILFROM)
    reports = (CheckReport("spf", Outcome.OK, auth_results=(spf,)),)
    held = evidence(2, sender="anna@gmail.com")
    assert held.inspection is not None
    wrote = replace(held.inspection, author=Author((Mailbox("anna", "gmail.com"),)))
    site.hold(replace(held, reports=reports, inspection=wrote))
    done = site.run("release", identifier(2), "--allow")
    assert done.exit_code == 0, done.output
    assert [row["entry"] for row in listed(site)] == ["sender:anna@gmail.com"]
    assert site.run("purge", "anna@gmail.com", "--yes").exit_code == 0
    rows = site.audit(identifier(2))
    hashed = hashlib.sha256(b"anna@gmail.com").hexdigest()
    assert [(action, hashed in result) for action, result in rows if action in ("allow", "purge")] == [
        ("allow", True),
        ("purge", True),
    ]
    assert not any("anna" in result for _, result in rows)


def test_dry_run(site: Site) -> None:
    """It is shown what would be allowed, and neither is done."""
    done = site.run("release", "--from", "anna0", "--allow", "--dry-run")
    assert (done.exit_code, f"{PROVED} would allow: domain:a.test until " in done.stdout) == (0, True)
    assert (listed(site), state(site, PROVED), site.audit(PROVED)) == ([], State.HELD, [])


def test_nothing_proved(site: Site) -> None:
    """Of several messages one without proof: it says which, and none is released."""
    done = site.run("release", PROVED, UNPROVED, "--allow")
    assert done.exit_code == 1
    assert f"{UNPROVED}: nothing proves that" in done.stderr
    assert (listed(site), state(site, PROVED), state(site, UNPROVED)) == ([], State.HELD, State.HELD)


def test_the_client(site: Site) -> None:
    """Asked for by its own word the client's address is allowed; for scripts a line of JSON says so."""
    done = site.run("release", UNPROVED, "--allow-client", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[0] == {"id": UNPROVED, "allowed": "ip:192.0.2.7/32", "proof": "whatever it sends"}
    assert (rows[1]["state"], [row["entry"] for row in listed(site)]) == ("delivered", ["ip:192.0.2.7/32"])


def test_what_is_not_released_is_not_allowed(site: Site) -> None:
    """What was delivered before is not released, and its sender not allowed; with --again both."""
    site.run("release", PROVED)
    assert "was delivered" in site.run("release", PROVED, "--allow").stdout
    assert listed(site) == []
    assert site.run("release", PROVED, "--allow", "--again").exit_code == 0
    assert len(listed(site)) == 1


@pytest.mark.parametrize(
    "options", [["--allow", "--allow-client"], ["--expires", "30d"]], ids=["both", "expires without an entry"]
)
def test_options_that_cannot_be_meant(site: Site, options: list[str]) -> None:
    """Wrong usage, and nothing is released."""
    assert site.run("release", PROVED, *options).exit_code == 2
    assert state(site, PROVED) is State.HELD


@pytest.mark.threat("RES-03")
def test_lists_that_cannot_be_changed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else has the lists, or the shared state has lost them: it is said, and nothing is released."""
    monkeypatch.setattr("filterd.ownlists.changing.WAIT", 0.1)
    store = open_store(None, site.folder / "state")
    store.put(LOCK, b"1", 60)
    done = site.run("release", PROVED, "--allow")
    assert (done.exit_code, "the allow list was not changed: somebody else" in done.stderr) == (1, True)
    store.delete(LOCK)
    store.close()
    write_copy(site.folder / "state" / "lists.json", Document(7))
    done = site.run("release", PROVED, "--allow")
    assert (done.exit_code, "has lost the lists" in done.stderr) == (1, True)
    assert state(site, PROVED) is State.HELD


@pytest.mark.parametrize("content", [None, "domains = 3", "x", "other = []"])
def test_freemail_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    """Without the list of freemail domains no entry is made: one address would become a million."""
    shutil.copytree(Config().rules_directory, tmp_path / "rules")
    path = tmp_path / "rules" / "freemail.toml"
    path.unlink() if content is None else path.write_text(content)
    config = Config.model_validate({"rules": {"path": tmp_path / "rules"}})
    with pytest.raises(ListError, match=r"freemail\.toml"):
        freemail_domains(config)
    assert "gmail.com" in freemail_domains(Config())

"""filterd quarantine expire: what would go under which settings, and that only that goes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.cli.acting import actor
from filterd.quarantine import Actor, State
from tests.cli.test_quarantine import Site, template
from tests.quarantine.samples import identifier

__all__ = ["template"]


@pytest.fixture
def site(tmp_path: Path, template: Path) -> Iterator[Site]:  # the fixture itself
    """With three messages, of which two may stay."""
    shutil.copytree(template, tmp_path / "state")
    found = Site(tmp_path)
    text = '[quarantine]\nkeep = 3650\n[quarantine.classes.spam]\nreasons = ["score"]\nkeep = 3650\nmost_messages = 2\n'
    found.config.write_text(f"{found.config.read_text()}{text}")
    yield found
    found.quarantine.close()


def test_dry_run(site: Site) -> None:
    """It says what would go and why, and nothing goes."""
    done = site.run("expire", "--dry-run")
    assert done.exit_code == 0
    (row,) = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0], row[1], row[2], row[4]] == [identifier(0), "spam", "score", "more than 2 messages"]
    assert "spam: 1 more than 2 messages" in done.stderr
    (shown,) = [json.loads(line) for line in site.run("expire", "--dry-run", "--json").stdout.splitlines()]
    assert (shown["id"], shown["class"], shown["why"]) == (identifier(0), "spam", "more than 2 messages")
    assert site.audit(identifier(0)) == []


@pytest.mark.threat("QUA-12")
def test_expired(site: Site) -> None:
    """The audit has who let it expire, and why; what is under legal hold stays, and a younger one goes instead."""
    site.quarantine.keep(identifier(0), Actor("me"), on=True)
    done = site.run("expire", "--yes")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "1 of 1 expired")
    states = [entry.state for number in range(3) if (entry := site.quarantine.entry(identifier(number)))]
    assert states == [State.HELD, State.EXPIRED, State.HELD]
    row = site.quarantine.audit(identifier(1))[-1]
    assert (row.actor, row.action, row.result) == (actor().name, "expire", "spam: more than 2 messages")
    assert site.run("expire", "--yes").stdout == ""
    assert site.run("restore", identifier(1)).exit_code == 0


def test_asked(site: Site) -> None:
    """Without --yes it asks, and no is no."""
    assert site.run("expire").exit_code == 1
    assert site.audit(identifier(0)) == []

"""The reviewer's desk, driven key by key."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from filterd.cli.desk import Desk
from filterd.model.custody import Evidence
from filterd.operations.release import Releaser
from filterd.operations.review import Reviewer
from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.relay import Answer, Fate
from tests.quarantine.samples import evidence, identifier, raw, whole

SIZE = (160, 50)
PATIENCE = 20.0  # seconds until a thread of the desk has done what a key asked for


def words(found: Evidence) -> Iterator[str]:
    """Stands for the explanation."""
    yield f"reason {found.verdict.code}"


@dataclass
class Site:
    """A quarantine with three messages, and what was handed over and learnt."""

    quarantine: Quarantine
    handed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    learnt: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    unproved: bool = False

    def deliver(self, sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        """Stands for the MTA."""
        assert message
        self.handed.append((sender, recipients))
        return Answer(Fate.DELIVERED, "250 ok")

    def learn(self, label: str, message: bytes) -> str:
        """Stands for the classifier."""
        self.learnt.append((label, message))
        return "learnt"

    def allow(self, identifier: str) -> str:
        """Stands for the allow list."""
        self.asked.append(identifier)
        if self.unproved:
            raise ValueError("nothing proves it")
        return "domain:a.test"

    def desk(self) -> Desk:
        """The desk."""
        releaser = Releaser(self.quarantine, self.deliver, "mx.local.test")
        return Desk(Reviewer(self.quarantine, releaser, words, self.learn, Actor("me"), self.allow))

    def state(self, number: int) -> State:
        """What has become of a message."""
        entry = self.quarantine.entry(identifier(number))
        assert entry is not None
        return entry.state


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three messages are held."""
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        for number in range(3):
            body = b"body %d \x1b[2J" % number
            with raw(body) as message:
                quarantine.hold(evidence(number, whole(body), subject=f"Invoice {number} \x1b]0;x\x07[bold]"), message)
        yield Site(quarantine)


def drive(site: Site, steps: Callable[[Pilot[None], Desk], Awaitable[None]]) -> None:
    """Open the desk and do these steps, once its list is there."""

    async def run() -> None:
        desk = site.desk()
        async with desk.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: desk.query_one(DataTable).row_count == 3)
            await steps(pilot, desk)

    asyncio.run(run())


async def until(pilot: Pilot[None], found: Callable[[], bool]) -> None:
    """Wait for the desk's threads."""
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end
        await pilot.pause(0.02)


def preview(desk: Desk) -> str:
    """The text beside the list."""
    return str(desk.query_one("#text", Static).render())


@pytest.mark.threat("QUA-08")
def test_shows_what_is_held(site: Site) -> None:
    """The newest message is previewed: reason, header, body; no control byte of it reaches the screen."""

    async def steps(pilot: Pilot[None], desk: Desk) -> None:
        await until(pilot, lambda: "body 2" in preview(desk))
        assert "reason score" in preview(desk)
        assert "Your invoice" in preview(desk)
        assert "\x1b" not in preview(desk)
        cells = desk.query_one(DataTable).get_row_at(0)
        assert "Invoice 2" in str(cells[3])
        assert "[bold]" in str(cells[3])
        assert "\x1b" not in str(cells[4])

    drive(site, steps)


@pytest.mark.parametrize(("key", "state"), [("r", State.DELIVERED), ("d", State.DELETED)])
def test_decides(site: Site, key: str, state: State) -> None:
    """A key decides about the message under the cursor, which then leaves the list; no other is touched."""

    async def steps(pilot: Pilot[None], desk: Desk) -> None:
        await pilot.press("down", key)
        await until(pilot, lambda: desk.query_one(DataTable).row_count == 2)

    drive(site, steps)
    assert [site.state(number) for number in range(3)] == [State.HELD, state, State.HELD]
    assert len(site.handed) == (key == "r")
    assert site.quarantine.audit(identifier(1))[-1].actor == "me"


@pytest.mark.parametrize("unproved", [False, True])
def test_allows(site: Site, unproved: bool) -> None:  # noqa: FBT001  # a case
    """One key releases and lets the sender in; where nothing proves him neither is done."""
    site.unproved = unproved

    async def steps(pilot: Pilot[None], desk: Desk) -> None:
        await pilot.press("w")
        await until(pilot, lambda: bool(site.asked) and desk.query_one(DataTable).row_count == 2 + unproved)

    drive(site, steps)
    assert site.state(2) is (State.HELD if unproved else State.DELIVERED)
    assert site.asked == [identifier(2)]


def test_undoes(site: Site) -> None:
    """What was deleted is found among all, and taken back."""
    site.quarantine.delete(identifier(2), Actor("me"))
    site.quarantine.restore(identifier(2), Actor("me"))

    async def steps(pilot: Pilot[None], desk: Desk) -> None:
        await pilot.press("d")
        await until(pilot, lambda: desk.query_one(DataTable).row_count == 2)
        await pilot.press("a")
        await until(pilot, lambda: desk.query_one(DataTable).row_count == 3)
        await pilot.press("u")
        await until(pilot, lambda: site.state(2) is State.HELD)

    drive(site, steps)


def test_searches(site: Site) -> None:
    """A slash opens a line to search with; what it finds is listed alone."""

    async def steps(pilot: Pilot[None], desk: Desk) -> None:
        await pilot.press("slash", *"Invoice 1", "enter")
        await until(pilot, lambda: desk.query_one(DataTable).row_count == 1)
        assert not desk.query_one("#sought", Input).has_class("open")

    drive(site, steps)


def test_teaches(site: Site) -> None:
    """A key has the classifier learn the message as it was received."""

    async def steps(pilot: Pilot[None], desk: Desk) -> None:
        await pilot.press("s")
        await until(pilot, lambda: bool(site.learnt))
        assert desk.query_one(DataTable).row_count == 3

    drive(site, steps)
    assert site.learnt == [("spam", whole(b"body 2 \x1b[2J"))]
    rows = [(row.actor, row.action, row.result) for row in site.quarantine.audit(identifier(2))]
    assert ("me", "learn spam", "learnt") in rows


def test_legal_hold(site: Site) -> None:
    """What is kept cannot be deleted, and the desk goes on."""

    async def steps(pilot: Pilot[None], desk: Desk) -> None:
        await pilot.press("k")
        await until(pilot, lambda: bool(site.quarantine.entry(identifier(2)).kept))  # type: ignore[union-attr]  # it is there
        await pilot.press("d")
        await until(pilot, lambda: "under legal hold" in [row.result for row in site.quarantine.audit(identifier(2))])
        assert desk.is_running

    drive(site, steps)
    assert len(site.quarantine.entries(EntryFilter())) == 3


def test_the_picture_in_the_documents_is_whole() -> None:
    """It has the list, the message and the keys, which are drawn last."""
    picture = (Path(__file__).parents[2] / "docs" / "quarantine-desk.svg").read_text().replace("&#160;", " ")
    for words in ("Invoice 4711", "body, as it came", ">Release <", ">Undo delete <", ">Search <"):
        assert words in picture

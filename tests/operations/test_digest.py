"""Rounds of digests: each message is told of once, whoever was down, put off, refused or at it at the same time."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC
from email import message_from_bytes
from pathlib import Path

import pytest

from filterd.operations.digest import GIVE_UP, Post, Sent
from filterd.operations.digest_mail import Letterhead
from filterd.operations.digest_sheets import Audience, Schedule
from filterd.operations.digest_templates import load_templates
from filterd.operations.release import LEASE
from filterd.quarantine import Actor, Quarantine
from filterd.quarantine.digests import CARRIED, KEPT, Told
from filterd.quarantine.relay import Answer, Fate
from tests.quarantine.samples import evidence, identifier, raw, whole

ME = Actor("me", "tty1")
DAY = 86_400
NOON = 20_000 * DAY + DAY // 2  # epoch seconds; digests are due at seven
DUE = 20_000 * DAY + 7 * 3_600
ANNA, BOB = "anna@a.test", "bob@b.test"
TAKEN = Answer(Fate.DELIVERED, "250 ok")
LATER = Answer(Fate.LATER, "451 not now")
REFUSED = Answer(Fate.REFUSED, "550 no such user")


@dataclass
class Site:
    """A quarantine, whom it tells, and an MTA that answers as `answers` says, 250 where that is silent."""

    quarantine: Quarantine
    now: float = NOON
    answers: dict[str, Answer] = field(default_factory=dict)
    got: list[tuple[str, bytes]] = field(default_factory=list)

    def post(self) -> Post:
        """What tells, as one more process."""
        return Post(
            self.quarantine,
            self.deliver,
            Audience((ANNA, BOB)),
            Letterhead("filterd@local.test", "", "mx.test", UTC, load_templates(None)),
            Schedule(0, 7, 0, UTC),
            lambda: self.now,
        )

    def deliver(self, sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        """The MTA. Nothing may come back: the sender is the null one."""
        (one,) = recipients
        assert sender == ""
        answer = self.answers.get(one, TAKEN)
        if answer.fate is Fate.DELIVERED:
            self.got.append((one, message))
        return answer

    def hold(self, *numbers: int) -> None:
        """Hold these."""
        for number in numbers:
            body = b"body %d" % number
            with raw(body) as message:
                self.quarantine.hold(evidence(number, whole(body)), message)

    def due(self, at: float = 0.0) -> list[Sent]:
        """One round of the upkeep, then."""
        self.now = at or self.now
        return list(self.post().due(ME))

    def told(self, address: str) -> list[list[int]]:
        """Numbers of the messages in each mail that somebody has got."""
        return [
            [number for number in range(10) if identifier(number).encode() in message]
            for one, message in self.got
            if one == address
        ]

    def ids(self, address: str) -> list[str]:
        """Message-IDs of what somebody has got."""
        return [message_from_bytes(message)["Message-ID"] for one, message in self.got if one == address]

    def done(self) -> list[str]:
        """What the audit has about rounds."""
        with self.quarantine._ledger.reading() as connection:
            query = "SELECT result FROM audit WHERE action = 'digest' ORDER BY seq"
            return [str(row[0]) for row in connection.execute(query)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """With nothing held."""
    with closing(Quarantine(tmp_path / "quarantine", fsync=lambda _: None)) as quarantine:
        yield Site(quarantine)


def test_nothing_was_ever_held(site: Site, tmp_path: Path) -> None:
    """Then nobody is told of anything, and no file is made."""
    assert (site.due(), site.post().preview()) == ([], [])
    assert not (tmp_path / "quarantine").exists()


def test_once_a_day(site: Site) -> None:
    """When it is due, each message once, and nothing where there is nothing new."""
    site.hold(0, 1)
    assert {one.state for one in site.due()} == {Told.SENT}
    assert site.due(NOON + 600) == []
    site.hold(2)
    assert site.due(NOON + 3_600) == []
    site.due(NOON + DAY)
    site.due(NOON + 2 * DAY)
    assert site.told(ANNA) == site.told(BOB) == [[0, 1], [2]]
    assert site.done() == ["2 sent", "2 sent", "none"]


def test_the_hour_before(site: Site) -> None:
    """Nothing is sent a second before it is due, and at that second it is."""
    site.hold(0)
    site.due()
    site.hold(1)
    assert site.due(DUE + DAY - 1) == []
    assert len(site.due(DUE + DAY)) == 2


def test_a_daemon_that_was_down(site: Site) -> None:
    """A week without it is one mail, about all of that week, not seven."""
    site.hold(0)
    site.due()
    site.hold(1, 2)
    site.due(NOON + 7 * DAY)
    site.due(NOON + 7 * DAY + 60)
    assert site.told(ANNA) == [[0], [1, 2]]


def test_by_hand(site: Site) -> None:
    """What was told by hand is not told again when the next round is due, and a look at it changes nothing."""
    site.hold(0)
    assert [mail.ids for mail in site.post().preview()] == [(identifier(0),)] * 2
    assert [one.state for one in site.post().now(ME)] == [Told.SENT] * 2
    assert list(site.post().now(ME)) == []
    site.hold(1)
    site.due(NOON + DAY)
    assert site.told(ANNA) == [[0], [1]]


def test_by_hand_twice_in_a_second(site: Site) -> None:
    """What came between two digests that are sent within one second is in the second; the next round goes on there."""
    for number in range(3):
        site.hold(number)
        assert [one.state for one in site.post().now(ME)] == [Told.SENT] * 2
    site.now -= 3_600  # and a clock that was put back keeps nobody from asking
    site.hold(3)
    assert [one.state for one in site.post().now(ME)] == [Told.SENT] * 2
    site.hold(4)
    site.due(NOON + DAY)
    assert site.told(ANNA) == site.told(BOB) == [[0], [1], [2], [3], [4]]
    assert len(set(site.ids(ANNA))) == 5


def test_put_off(site: Site) -> None:
    """A 4xx is tried again after a minute, the same mail under the same name, and nobody else gets a second one."""
    site.hold(0)
    site.answers = {ANNA: LATER}
    assert {one.mail.recipient: one.state for one in site.due()} == {ANNA: Told.SENDING, BOB: Told.SENT}
    assert site.due(NOON + 59) == []
    site.answers = {}
    assert [one.state for one in site.due(NOON + 61)] == [Told.SENT]
    assert (site.told(ANNA), site.told(BOB), site.done()) == ([[0]], [[0]], ["2 sent"])


def test_killed_behind_the_dot(site: Site) -> None:
    """Who died between the MTA's 250 and the commit: sent again when the lease is over, under the same Message-ID."""
    site.hold(0)

    def dies(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        site.deliver(sender, recipients, message)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(replace(site.post(), deliver=dies).due(ME))
    ((first, _),) = site.got
    site.due(NOON + 1)
    assert len(site.ids(first)) == 1  # its lease runs
    site.due(NOON + LEASE + 1)
    assert len(site.ids(first)) == 2
    assert len(set(site.ids(first))) == 1
    assert (len(site.got), site.done()) == (3, ["2 sent"])


def test_refused(site: Site) -> None:
    """A 5xx is the end of that mail: nobody knocks again, not in the next round either."""
    site.hold(0)
    site.answers = {BOB: REFUSED}
    site.due()
    assert site.done() == ["1 failed, 1 sent"]
    site.answers = {}
    site.hold(1)
    site.due(NOON + DAY)
    assert (site.told(ANNA), site.told(BOB)) == ([[0], [1]], [[1]])


def test_given_up(site: Site) -> None:
    """Whom the MTA puts off for hours is told of those messages in the next round, and of each once."""
    site.hold(0)
    site.answers = {BOB: LATER}
    states = [one.state for hour in range(GIVE_UP + 2) for one in site.due(NOON + 4_000 * hour)]
    assert states.count(Told.SENDING) == GIVE_UP - 1
    assert (states[-1], site.done()) == (Told.GIVEN_UP, ["1 given up, 1 sent"])
    site.answers = {}
    site.hold(1)
    site.due(NOON + DAY)
    site.hold(2)
    site.due(NOON + 2 * DAY)
    assert (site.told(ANNA), site.told(BOB)) == ([[0], [1], [2]], [[0, 1], [2]])


def test_given_up_for_ever(site: Site) -> None:
    """An address that is always put off does not have every round look at all there ever was: a week, and no more."""
    site.answers = {BOB: LATER}
    for number in range(10):
        site.hold(number)
        for hour in range(GIVE_UP + 1):
            site.due(NOON + number * DAY + 4_000 * hour)
    covered = site.quarantine.digests.newest()
    assert covered is not None
    ids = [entry.id for _, entry in site.quarantine.digests.held(covered)]
    assert ids == [identifier(number) for number in range(10 - CARRIED // DAY, 10)]
    assert site.told(ANNA) == [[number] for number in range(10)]


def test_a_round_that_was_not_done(site: Site) -> None:
    """What was put off until the next round was due is told in that one, once."""
    site.hold(0)
    site.answers = {BOB: LATER}
    site.due(DUE + DAY - 30)
    site.answers = {}
    site.hold(1)
    site.due(DUE + DAY)
    site.due(DUE + DAY + 3_600)
    assert (site.told(ANNA), site.told(BOB)) == ([[0], [1]], [[0, 1]])


def test_decided_meanwhile(site: Site) -> None:
    """What was deleted before the next attempt is not told any more, and the round ends nevertheless."""
    site.hold(0)
    site.answers = {BOB: LATER}
    site.due()
    site.quarantine.delete(identifier(0), ME)
    assert site.due(NOON + 61) == []
    assert (site.told(BOB), site.done()) == ([], ["1 sent, 1 void"])


def test_retries_count_once(site: Site) -> None:
    """A client that sent one message three times is one line."""
    for number in range(3):
        with raw() as message:
            site.quarantine.hold(evidence(number), message)
    (mail, _) = site.post().preview()
    assert (mail.count, mail.ids) == (1, (identifier(2),))


def test_many_in_one_round(site: Site) -> None:
    """More than a page of holds: all are counted, the newest are listed."""
    site.hold(*range(7))
    audience = replace(site.post().audience, most=3)
    (mail, _) = replace(site.post(), audience=audience).preview()
    assert (mail.count, mail.ids) == (7, tuple(map(identifier, (6, 5, 4))))


def test_old_rounds_go(site: Site) -> None:
    """Who was told a month ago is forgotten."""
    site.hold(0)
    site.due()
    site.hold(1)
    site.due(NOON + KEPT + 2 * DAY)
    with site.quarantine._ledger.reading() as connection:
        assert connection.execute("SELECT count(*) FROM digest_rounds").fetchone()[0] == 1
        assert connection.execute("SELECT count(DISTINCT until) FROM digests").fetchone()[0] == 1
    assert site.told(ANNA) == [[0], [1]]


def test_another_is_at_it(site: Site) -> None:
    """A second process that begins the same round sends nothing that the first one sends."""
    site.hold(0)
    first, second = site.post().due(ME), site.post().due(ME)
    found = [next(first), next(second), *first, *second]
    assert sorted(one.mail.recipient for one in found) == [ANNA, BOB]
    assert site.done() == ["2 sent"]


def test_names_are_no_addresses(site: Site) -> None:
    """The ledger keeps a hash of who was told."""
    site.hold(0)
    site.due()
    with site.quarantine._ledger.reading() as connection:
        kept = str(connection.execute("SELECT * FROM digests").fetchall())
    assert "anna" not in kept

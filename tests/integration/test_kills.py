"""kill -9 at random moments under load: nothing that was answered 250 is lost, nothing arrives twice, nothing unread.

Held mail is in SQLite and segments, or in PostgreSQL, whose own processes are killed too, and files. FILTERD_KILLS says
how many (`make soak`: 1,000 of each), FILTERD_SEED repeats a run's choices.
"""

import os
import random
import select
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Place, Quarantine, open_quarantine
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.load import account, load, wait_for_load
from tests.support.miltertalk import ACCEPT, DISCARD, Mail, MilterGoneError, Offer, Session, split_message
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.process import READY_WITHIN, open_folder, wait_until
from tests.support.processes import fronts, inspectors, nurseries, send_signal, stopped
from tests.support.stack import Stack
from tests.support.world import STRANGER, message, zone

KILLS = int(os.environ.get("FILTERD_KILLS", "50"))
SENDERS = 12
PAUSE = 0.02  # seconds between two messages of a sender: as many in all as Postfix takes
GAPS = (0.05, 0.6)  # seconds between two kills
Victims = dict[str, tuple[Callable[[Filterd], list[int]], int]]  # what finds them, how often one of them dies
VICTIMS: Victims = {"front": (fronts, 50), "inspector": (inspectors, 35), "nursery": (nurseries, 15)}
LEDGERS_OWN = 10  # so often a session of PostgreSQL dies: the server ends all of them then, and recovers


def kill_one(filterd: Filterd, victims: Victims, rng: random.Random) -> str:
    """Kill one process of a random kind; its kind, or "" where there was none at that moment."""
    kind = rng.choices(list(victims), [weight for _, weight in victims.values()])[0]
    pids = victims[kind][0](filterd)
    return kind if pids and send_signal([rng.choice(pids)], signal.SIGKILL) else ""


class Killed(Stack):
    """A site whose daemon loses processes in the middle of anything; its ledger is in `server` where there is one."""

    def __init__(self, server: PostgresServer | None) -> None:
        """Nothing is started yet."""
        self._place = Place(server.url(server.fresh())) if server else Place()
        super().__init__({"quarantine": {"url": self._place.url}} if server else {})

    def make_filterd(self, folder: Path, settings: Settings) -> Filterd:
        """A line of the log may be cut."""
        return Filterd(folder, settings, killed=True)

    def quarantine(self) -> Quarantine:
        """As Stack.quarantine, wherever it is."""
        return open_quarantine(self._place, self.folder / "state" / "quarantine")


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer | None]:
    """A PostgreSQL for the ledger, or None."""
    if request.param == "sqlite":
        yield None
        return
    with postgres_server() as running:
        yield running


@pytest.mark.soak
@pytest.mark.threat("MTA-01")
@pytest.mark.threat("MTA-02")
@pytest.mark.threat("QUA-01")
def test_random_kills(server: PostgresServer | None) -> None:
    """Through Postfix: every 250 is delivered once or held byte for byte; held mail that came again is one entry."""
    seed = int(os.environ.get("FILTERD_SEED") or random.SystemRandom().randrange(1_000_000))
    rng = random.Random(seed)
    kills: Counter[str] = Counter()
    victims = {**VICTIMS, "session": (lambda _: server.sessions(), LEDGERS_OWN)} if server else VICTIMS
    with Killed(server) as stack:
        with load(stack, SENDERS, pause=PAUSE, per_session=5) as running:
            wait_for_load(running, SENDERS)
            while kills.total() < KILLS:
                time.sleep(rng.uniform(*GAPS))
                if kind := kill_one(stack.filterd, victims, rng):
                    kills[kind] += 1
            wait_for_load(running, SENDERS)
        found = account(stack, running.accepted)
        died = Counter([str(one["status"]) for one in stack.filterd.events("front_died")])
        with closing(stack.quarantine()) as quarantine:
            audit = quarantine.verify_audit()
        sys.stdout.write(
            f"seed {seed}: {dict(kills)}; {running.attempts} attempts, {dict(running.refused)}, {running.lost} broken;"
            f" {len(running.accepted)} taken: {found.delivered} delivered, {found.held} held in {found.copies} copies\n"
        )
    assert found.faults == {}, f"seed {seed}"
    assert running.troubles == [], f"seed {seed}"
    assert audit.broken is None, f"seed {seed}: {audit}"
    assert died == {str(-signal.SIGKILL): kills["front"]}, f"seed {seed}"


ATTEMPTS = 60  # messages tried until one's front is caught between commit and reply: most are
SPOOF_FIELDS, SPOOF_BODY = split_message(message("ceo@strict.test", "Urgent transfer"))


def spoof(number: int) -> Mail:
    """A message that is held, with bytes of its own."""
    return Mail("<x@elsewhere.test>", ["<u@local.test>"], SPOOF_FIELDS, SPOOF_BODY + b"%d\r\n" % number)


def greeted(filterd: Filterd) -> Session:
    """A session past HELO."""
    session = Session(filterd.listen, Offer())
    session.connect(address=STRANGER.address)
    session.helo(STRANGER.helo)
    return session


def caught(filterd: Filterd, ledger: sqlite3.Connection, mail: Mail, code: bytes = DISCARD) -> bool:
    """Send the message and stop its front once the entry is committed; killed where it had not replied by then."""
    count = "SELECT count(*) FROM entries"
    (before,) = ledger.execute(count).fetchone()
    (front,) = fronts(filterd)
    deadline = time.monotonic() + READY_WITHIN
    with greeted(filterd) as session:
        assert (session._envelope(mail), session._content(mail)) == (None, None)
        session.packet(b"E")
        session.flush()
        while ledger.execute(count).fetchone()[0] == before:  # without a pause: the window is below a millisecond
            assert time.monotonic() < deadline
        os.kill(front, signal.SIGSTOP)
        wait_until(lambda: stopped(front), "the front stopped")
        replied = bool(select.select([session._socket], [], [], 0)[0])
        os.kill(front, signal.SIGCONT if replied else signal.SIGKILL)
        if replied:
            assert session.answer().code == code
        else:
            with pytest.raises(MilterGoneError):
                session.answer()
    return not replied


@pytest.mark.threat("MTA-02")
@pytest.mark.threat("QUA-01")
def test_killed_between_custody_and_reply() -> None:
    """The MTA hears nothing and sends again: one entry with two copies, both whole, and nothing else."""
    with open_folder() as folder, DnsServer(zone()) as dns:
        nameservers = {"nameservers": [f"127.0.0.1:{dns.port}"]}
        with Filterd(folder, {"dns": nameservers, "milter": {"workers": 1}}) as filterd:
            with greeted(filterd) as session:
                assert session.message(spoof(0)).code == DISCARD
            with closing(sqlite3.connect(folder / "state/quarantine/ledger.sqlite")) as ledger:
                number = next(n for n in range(1, ATTEMPTS) if caught(filterd, ledger, spoof(n)))
            wait_until(lambda: fronts(filterd), "another front")
            with greeted(filterd) as session:
                assert session.message(spoof(number)).code == DISCARD
        with closing(Quarantine(Path(folder / "state" / "quarantine"))) as quarantine:
            entries = quarantine.entries()
            assert {entry.copies for entry in entries[1:]} <= {1}
            assert entries[0].copies == 2
            with quarantine.open_raw(entries[0].id) as source:
                assert source.read().endswith(spoof(number).body)


@pytest.mark.threat("MTA-02")
@pytest.mark.threat("MTA-18")
def test_killed_between_custody_of_a_part_and_reply() -> None:
    """Held for one of two: the MTA hears nothing, so nobody has got it; the retry is the same entry, for that one."""
    policies = {"open": {"recipients": ["open@local.test"], "off": True}}

    def two(number: int) -> Mail:
        return Mail("<x@elsewhere.test>", ["<u@local.test>", "<open@local.test>"], SPOOF_FIELDS, b"%d\r\n" % number)

    with open_folder() as folder, DnsServer(zone()) as dns:
        settings: Settings = {
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "milter": {"workers": 1},
            "policies": policies,
        }
        with Filterd(folder, settings) as filterd:
            with greeted(filterd) as session:
                assert session.message(two(0)).removed == [b"<u@local.test>"]
            with closing(sqlite3.connect(folder / "state/quarantine/ledger.sqlite")) as ledger:
                number = next(n for n in range(1, ATTEMPTS) if caught(filterd, ledger, two(n), ACCEPT))
            wait_until(lambda: fronts(filterd), "another front")
            with greeted(filterd) as session:
                answer = session.message(two(number))
                assert (answer.code, answer.removed) == (ACCEPT, [b"<u@local.test>"])
        with closing(Quarantine(Path(folder / "state" / "quarantine"))) as quarantine:
            newest = quarantine.entries()[0]
            assert (newest.recipients, newest.copies) == (("u@local.test",), 2)

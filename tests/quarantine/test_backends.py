"""The same claims for a quarantine of one host and for those of several nodes, against real servers."""

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from filterd.model.custody import CustodyError
from filterd.model.ids import new_id, public_id, sibling
from filterd.operations.retention import DAY, Bound, Class, due
from filterd.operations.upkeep import Limits, sweep
from filterd.quarantine import Actor, Attempt, EntryFilter, Lease, Quarantine, State
from filterd.quarantine import ledger as ledger_module
from filterd.quarantine.database import TOGETHER, Connection
from filterd.quarantine.entries import entry_of
from filterd.quarantine.ledger import Ledger, Pending, TakenError
from filterd.quarantine.opening import Place
from tests.quarantine.backends import Backend, hold, read, with_store
from tests.quarantine.samples import NOW, evidence, identifier, raw, whole
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.s3 import S3Server, s3_server

pytestmark = pytest.mark.integration
ME, YOU = Actor("me", "tty1"), Actor("you", "ssh from 192.0.2.1")
TO = ("to@b.test",)
KILLS = int(os.environ.get("FILTERD_KILLS", "19"))  # each; test_crash.py has those of SQLite
KINDS = ("sqlite", "sqlite, zstd", "postgresql", "postgresql and s3", "postgresql and s3, zstd")
SHARED = pytest.mark.parametrize("backend", KINDS[2:], indirect=True)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all of them."""
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    """An S3 store for all of them."""
    with s3_server() as running:
        yield running


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty place of each kind."""
    place = Place()
    if "postgresql" in request.param:
        server = request.getfixturevalue("server")
        place = Place(url=server.url(server.fresh()))
    if "s3" in request.param:
        place = with_store(place, request.getfixturevalue("store").fresh())
    place = replace(place, compress="zstd" in request.param)
    made = Backend(place, tmp_path / "quarantine")
    yield made
    made.close()


@pytest.fixture
def node(backend: Backend) -> Quarantine:
    """One node of it."""
    return backend.node()


def state(quarantine: Quarantine, number: int = 0) -> State:
    """What an entry is."""
    entry = quarantine.entry(identifier(number))
    assert entry is not None
    return entry.state


def _states(letters: str) -> list[State]:
    return [{"E": State.EXPIRED, "H": State.HELD}[letter] for letter in letters]


class TestBackends:
    """What every place must do."""

    @pytest.mark.threat("QUA-03")
    @pytest.mark.parametrize("body", [b"", b"\r\n\xff\0", b"x" * 300_000, b"\r\n" * 6_000_000], ids=len)
    def test_identical(self, node: Quarantine, body: bytes) -> None:
        """Stored bytes and evidence are those given, whatever the size."""
        held = hold(node, body=body)
        assert read(node, held) == whole(body)
        assert node.evidence(held) == evidence(0, whole(body))

    def test_entry(self, node: Quarantine) -> None:
        """An entry comes back as it was, hostile texts shown escaped and exact in the evidence."""
        with raw() as message:
            node.hold(evidence(sender="a\udc80@b", subject="a\0b'\"%?" + "\ud800" * 5000), message)
        entry = node.entry(identifier())
        assert entry is not None
        assert (entry.sender, entry.subject[:14], len(entry.subject)) == ("a\\udc80@b", "a\\x00b'\"%?\\ud8", 1000)
        assert (entry.score, entry.received, entry.files, entry.kept) == (12.5, evidence().received, True, False)
        assert node.evidence(identifier()).envelope.sender == "a\udc80@b"

    @pytest.mark.threat("QUA-07")
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (EntryFilter(sender="A_%"), [1]),
            (EntryFilter(sender="_"), [1]),
            (EntryFilter(sender="SENDER@"), [0]),
            (EntryFilter(sender="?"), []),
            (EntryFilter(recipient="to@b"), [1, 0]),
            (EntryFilter(recipient='"'), [1, 0]),
            (EntryFilter(subject="' OR 1=1 --"), []),
            (EntryFilter(symbol="SPF_FAIL"), [1, 0]),
            (EntryFilter(symbol="SPF"), []),
            (EntryFilter(code="score", min_score=10), [1, 0]),
            (EntryFilter(min_score=13), []),
            (EntryFilter(since=1_700_000_001.0), [1]),
            (EntryFilter(until=1_700_000_001.0), [0]),
            (EntryFilter(states=(State.DELETED, State.HELD)), [1, 0]),
            (EntryFilter(state=State.DELETED), []),
        ],
    )
    def test_filters(self, node: Quarantine, wanted: EntryFilter, found: list[int]) -> None:
        """Filters take their text literally and ignore case."""
        hold(node, 0)
        hold(node, 1, sender="a_%x@c.test")
        assert [entry.id for entry in node.entries(wanted)] == [identifier(number) for number in found]

    def test_listing(self, node: Quarantine) -> None:
        """Retries count as one, newest first, page by page; counts and statistics agree."""
        for number in range(5):
            hold(node, number, b"%d" % max(number, 1))  # the first two are one message
        first = node.entries(limit=2)
        second = node.entries(limit=9, before=first[-1].id)
        assert [(entry.id, entry.copies) for entry in (*first, *second)] == [
            (identifier(4), 1),
            (identifier(3), 1),
            (identifier(2), 1),
            (identifier(1), 2),
        ]
        assert node.totals() == {"score": (5, 5 * len(whole(b"1")))}
        assert node.stats(0.0) == [("held", "score", 5, 5 * len(whole(b"1")))]

    @pytest.mark.threat("QUA-04")
    def test_release(self, node: Quarantine) -> None:
        """A release goes through its states; put off, it is due at its time and counts its attempts."""
        hold(node, 0)
        hold(node, 1)
        lease, now = Lease("mine", time.time() + 600), time.time()
        assert node.begin_release(identifier(1), ME, TO, lease) is None
        assert (state(node, 1), state(node, 0)) == (State.RELEASING, State.DELETED)
        assert node.begin_release(identifier(1), YOU, TO, Lease("yours", 0)) is State.RELEASING
        assert node.delete(identifier(1), YOU) == "was releasing"
        assert node.end_attempt(identifier(1), ME, lease, Attempt(State.RELEASING, "451 later", now - 1))
        assert node.releases_due() == 1
        again = Lease("again", time.time() + 600)
        assert node.due_release(again) == identifier(1)
        assert not node.end_attempt(identifier(1), ME, lease, Attempt(State.FAILED, "550 no"))
        assert node.end_attempt(identifier(1), ME, again, Attempt(State.DELIVERED, "250 ok"))
        entry = node.entry(identifier(1))
        assert entry is not None
        assert (entry.state, entry.outcome, entry.targets, entry.attempts) == (State.DELIVERED, "250 ok", TO, 2)

    @pytest.mark.threat("QUA-12")
    def test_delete_restore_sweep(self, backend: Backend, node: Quarantine) -> None:
        """What is deleted can be restored until the sweep takes its files; a message another needs stays."""
        hold(node, 0)
        hold(node, 1, sender="other@a.test")
        assert (node.delete(identifier(0), ME), node.delete(identifier(0), ME)) == (None, "was deleted")
        assert node.restore(identifier(0), ME) is None
        node.delete(identifier(0), ME)
        assert node.sweep(time.time() + 1) == 1
        assert node.restore(identifier(0), ME) == "its files are gone"
        assert read(node, identifier(1)) == whole()
        with pytest.raises(KeyError):
            node.evidence(identifier(0))
        node.delete(identifier(1), ME)
        assert node.sweep(time.time() + 1) == 1
        with pytest.raises(KeyError):
            node.open_raw(identifier(1))
        assert backend.files() == set()

    @pytest.mark.threat("QUA-12")
    def test_purge_and_legal_hold(self, backend: Backend, node: Quarantine) -> None:
        """A purge leaves the audit alone; what is kept is neither deleted nor expired nor purged."""
        hold(node)
        node.keep(identifier(), ME, on=True)
        assert node.delete(identifier(), ME) == "under legal hold"
        assert (node.expire([(identifier(), "old")]), node.purge(identifier(), ME, "asked")) == (0, False)
        node.keep(identifier(), ME, on=False)
        assert node.purge(identifier(), ME, "asked")
        assert (node.entry(identifier()), backend.files()) == (None, set())
        assert [row.action for row in node.audit(identifier())] == [
            "hold",
            "keep",
            "delete",
            "purge",
            "unkeep",
            "purge",
        ]
        with pytest.raises(KeyError):
            node.purge(identifier(), ME, "asked")

    @pytest.mark.threat("QUA-12", "QUA-13")
    def test_retention_by_class(self, node: Quarantine) -> None:
        """Each class by its own age, number and bytes, the oldest first; then all together; never what is kept."""
        codes = ("score", "yara-eicar", "yara-other", "dmarc-reject", "score")
        for number in range(15):
            found = evidence(number, whole(b"%d" % number))
            with raw(b"%d" % number) as message:
                node.hold(replace(found, verdict=replace(found.verdict, code=codes[number % 5])), message)
        node.keep(identifier(1), ME, on=True)
        size = len(whole(b"1"))
        classes = (
            Class("malware", ("yara-*",), Bound(90 * DAY, most_messages=4)),
            Class("spam", ("score",), Bound(6.5)),
            Class("one", ("yara-other",), Bound(90 * DAY, most_bytes=2 * size + 1)),
        )
        limits = Limits(90 * DAY, DAY, most_messages=11, classes=classes)
        planned = list(due(node, limits.everything, limits.classes, NOW + 15))
        assert [(int(one.entry.changed - NOW), one.name) for one in planned] == [
            (0, "spam"),
            (4, "spam"),
            (5, "spam"),
            (2, "one"),
        ]
        assert sweep(node, limits, NOW + 15).expired == 4
        assert [state(node, number) for number in (0, 1, 2, 3)] == [*_states("EHEH")]
        assert (node.audit(identifier(0))[-1].action, node.audit(identifier(2))[-1].result) == (
            "expire",
            f"one: more than {2 * size + 1} bytes",
        )
        more = replace(limits, most_messages=8)
        assert [int(one.entry.changed - NOW) for one in due(node, more.everything, classes, NOW + 15)] == [3, 6, 7]
        assert sweep(node, more, NOW + 15).expired == 3
        assert (list(due(node, more.everything, classes, NOW + 15)), node.verify_audit().broken) == ([], None)

    @pytest.mark.threat("QUA-11")
    def test_audit(self, backend: Backend) -> None:
        """Two nodes that write at the same time make one chain, which is whole."""
        nodes = [backend.node(), backend.node()]
        hold(nodes[0])
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: nodes[number % 2].note(ME, "view", identifier()), range(40)))
        found = nodes[1].verify_audit()
        assert (found.broken, found.rows, found.uncovered) == (None, 41, 0)
        assert nodes[0].audit_has(found.head)

    @pytest.mark.threat("QUA-07")
    def test_named(self, backend: Backend) -> None:
        """By what a sender was told the entries of one message are found, and what is no such name finds nothing."""
        node = backend.node()
        one = new_id(NOW, b"0123456789")
        two = sibling(one, 1)
        for name in (one, two, new_id(NOW, b"9876543210")):
            with raw() as message:
                node.hold(replace(evidence(0, whole()), id=name), message)
        assert node.named(public_id(one)) == sorted([one, two], reverse=True)
        for wrong in (one, "%" * 10, "_" * 10, public_id(one).lower(), "' OR 1=1 --", ""):
            assert node.named(wrong) == []

    @pytest.mark.threat("QUA-16")
    def test_race(self, backend: Backend) -> None:
        """Of many on two nodes who release one message, one may."""
        nodes = [backend.node(), backend.node()]
        hold(nodes[0])

        def release(number: int) -> State | None:
            lease = Lease(str(number), time.time() + 60)
            return nodes[number % 2].begin_release(identifier(), Actor(str(number)), TO, lease)

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(release, range(6)))
        assert sorted(found, key=str) == [None, *[State.RELEASING] * 5]

    @pytest.mark.threat("QUA-16")
    def test_one_deletes_while_another_releases(self, backend: Backend) -> None:
        """On two nodes at the same moment: one of them has done it, the other is told, and the audit has both."""
        nodes = [backend.node(), backend.node()]
        for number in range(6):
            hold(nodes[0], number, b"body %d" % number)

        def act(number: int) -> State | str | None:
            name, node = identifier(number // 2), nodes[number % 2]
            if number % 2:
                return node.delete(name, Actor("deletes"))
            return node.begin_release(name, Actor("releases"), TO, Lease("one", time.time() + 60))

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(act, range(12)))
        for number in range(6):
            done = found[2 * number : 2 * number + 2]
            released = done[0] is None
            assert done == ([None, "was releasing"] if released else [State.DELETED, None])
            assert state(nodes[0], number) is (State.RELEASING if released else State.DELETED)
            assert {row.actor for row in nodes[0].audit(identifier(number))} == {"filterd", "deletes", "releases"}

    @pytest.mark.threat("QUA-01")
    def test_removal_beside_hold(self, backend: Backend) -> None:
        """A message that one node removes and another holds again is there for every entry that is held."""
        holding, removing = backend.node(), backend.node()
        stop = threading.Event()

        def remove() -> None:
            while not stop.is_set():
                for entry in removing.entries():
                    with suppress(CustodyError):
                        removing.delete(entry.id, ME)
                        removing.sweep(time.time() + 1)

        thread = threading.Thread(target=remove)
        thread.start()
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda number: hold(holding, number), range(40)))
        finally:
            stop.set()
            thread.join()
        held = hold(holding, 41)
        assert all(read(holding, entry.id) == whole() for entry in removing.entries())
        assert read(removing, held) == whole()
        assert holding.verify_audit().broken is None

    @pytest.mark.parametrize("body", [b"longer than it was", b"short", b"z" * 9_000_000], ids=len)
    def test_wrong_evidence(self, backend: Backend, node: Quarantine, body: bytes) -> None:
        """A message that is not the one described is refused, and nothing is left."""
        with raw(body) as message, pytest.raises(CustodyError):
            node.hold(evidence(), message)
        with raw(body) as message, pytest.raises(CustodyError):
            node.hold(evidence(0, whole(body[:-1] + b"!")), message)
        assert (backend.files(), node.entries()) == (set(), [])

    def test_id_taken(self, node: Quarantine) -> None:
        """A second message under one id is refused and the first stays as it is."""
        hold(node)
        with pytest.raises(CustodyError, match="taken"):
            hold(node, 0, b"another")
        assert (read(node, identifier()), node.evidence(identifier())) == (whole(), evidence())

    def test_id_taken_among_several(self, node: Quarantine) -> None:
        """Of entries that are committed together those whose ids are taken are refused, all others are there."""
        hold(node, 2)
        numbers = [0, 1, 2, 1, *range(10, 10 + TOGETHER)]
        with raw(b"another") as message:
            batch = [Pending(entry_of(evidence(number, whole(b"another")), message)) for number in numbers]
        Ledger(node._database).add_all(batch)
        refused = {number: type(pending.error) for number, pending in enumerate(batch) if pending.error}
        assert refused == {2: TakenError, 3: TakenError}
        assert all(node.entry(identifier(number)) for number in numbers)
        assert read(node, identifier(2)) == whole()
        assert (node.verify_audit().rows, node.verify_audit().broken) == (1 + 2 + TOGETHER, None)

    @pytest.mark.threat("QUA-12")
    def test_more_copies_than_a_page(self, node: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
        """However often a message was tried again, all its entries are found, newest first: a purge takes all."""
        monkeypatch.setattr(ledger_module, "MAX_PAGE", 2)
        for number in range(5):
            hold(node, number)
        hold(node, 9, sender="another@a.test")
        found = node.copies(node.entries()[1])
        assert [(entry.id, entry.copies) for entry in found] == [(identifier(number), 5) for number in (4, 3, 2, 1, 0)]

    def test_opened_before_a_fork(self, backend: Backend) -> None:
        """What was opened and prepared before processes were forked works in each of them."""
        backend.run("tests.quarantine.forker", json.dumps(asdict(backend.place)), str(backend.folder))
        node = backend.node()
        assert [read(node, identifier(number)) for number in range(2)] == [whole(b"0"), whole(b"1")]

    @pytest.mark.threat("QUA-01")
    @SHARED
    def test_no_callback_in_a_thread_of_libmilter(self, node: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
        """What fronts ask of a server is asked by a thread of Python's own: libpq and obstore call back."""
        asked = []
        changing = node._database.changing

        def watched() -> AbstractContextManager[Connection]:
            asked.append(threading.get_ident())
            return changing()

        monkeypatch.setattr(node._database, "changing", watched)
        hold(node)
        assert node.redeemed.redeem("nonce", NOW)
        assert len(asked) == 2
        assert threading.get_ident() not in asked

    @pytest.mark.threat("QUA-01")
    @pytest.mark.soak
    @pytest.mark.timeout(max(600, KILLS * 10))
    @SHARED
    def test_kill(self, backend: Backend) -> None:
        """Kill -9 at random moments: every returned id reads back whole, and the audit's chain is whole."""
        seed = int(os.environ.get("FILTERD_SEED") or random.SystemRandom().randrange(1_000_000))
        print(f"seed {seed}")  # noqa: T201  # pytest shows it where the test fails
        rng = random.Random(seed)
        returned: list[str] = []
        for turn in range(KILLS):
            returned += backend.run_and_kill(seed + turn, rng.uniform(0.0, 0.15))
        assert len(returned) >= KILLS
        node = backend.node()
        seen = set()
        for entry in node._ledger.with_files():
            data = read(node, entry.id)
            assert hashlib.sha256(data).hexdigest() == entry.sha256, f"seed {seed}"
            assert (node.evidence(entry.id).id, len(data)) == (entry.id, entry.size), f"seed {seed}"
            seen.add(entry.id)
        print(f"{KILLS} kills, {len(returned)} held and said so, {len(seen)} held")  # noqa: T201  # as above
        assert set(returned) <= seen, f"seed {seed}"
        assert node.verify_audit().broken is None, f"seed {seed}"

"""Two nodes, each behind a Postfix of its own, on one Redis that Sentinel watches, one PostgreSQL, one object store."""

import itertools
import json
import random
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from filterd.quarantine import Place, Quarantine, open_quarantine
from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.load import Load, account, load, wait_for_load
from tests.support.postgres import postgres_server
from tests.support.process import wait_until
from tests.support.s3 import s3_server
from tests.support.sentinel import Watched, watched_redis
from tests.support.smtp import Pose, SmtpClient
from tests.support.stack import Stack
from tests.support.world import GOOD, STRANGER, message, zone

pytestmark = pytest.mark.timeout(400)  # two of everything, on a host that others use too

DELAY = 2  # seconds of greylisting
RATE = 12  # recipients; a mailbox
SENDERS = 3
WITHIN = 10.0  # seconds after a fail-over: service on what is shared
SENDER = "anna@hard.test"  # whose domain says that the client may not send for it
OTHER = Pose("203.0.113.77", "[UNAVAILABLE]", "pc77.blocked.test")
NAMES = [f"cached{number}.test" for number in range(12)]
CACHED, CACHED_LATER = NAMES[:6], NAMES[6:]
NUMBERS = itertools.count(1)


def quiet_port() -> int:
    """A port that no client is given: while a node is down, one that retries would be connected to itself there."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port")


class Node(Stack):
    """One node; the policy service is asked, too."""

    def __init__(self, settings: Settings, place: Place) -> None:
        """`place` is where all nodes keep held mail."""
        port = quiet_port()
        names = {name: {"TXT": "v=spf1 ip4:192.0.2.10 -all", "MX": "10 mail.aligned.test"} for name in NAMES}
        super().__init__(
            {**settings, "policy": {"listen": f"inet:{port}@127.0.0.1"}},
            postfix={"smtpd_recipient_restrictions": f"check_policy_service inet:127.0.0.1:{port}"},
            records={**zone(), **names},
        )
        self._place = place

    def make_filterd(self, folder: Path, settings: Settings) -> Filterd:
        """A line of the log may be cut."""
        return Filterd(folder, settings, killed=True)

    def quarantine(self) -> Quarantine:
        """That of all nodes."""
        return open_quarantine(self._place, self.folder / "nothing")

    def command(self, *arguments: str) -> str:
        """What a command says here."""
        argv = [*COMMAND, *arguments, "--config", str(self.filterd.config)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rcpt(self, recipient: str) -> int:
        """What a client is told about one recipient; then it goes."""
        with SmtpClient(self.postfix.port, GOOD) as client:
            client.command("MAIL FROM:<alice@aligned.test>")
            reply = client.command(f"RCPT TO:<{recipient}>")
            client.quit()
        return reply.code


class Cluster:
    """Both nodes and their Redis."""

    def __init__(self, one: Node, two: Node, redis: Watched) -> None:
        """All of it runs."""
        self.one = one
        self.two = two
        self.redis = redis


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Everything, started once."""
    secret: Path = tmp_path_factory.mktemp("secret") / "s3"
    secret.touch(0o600)
    secret.write_text("secret\n")
    with ExitStack() as running:
        server = running.enter_context(postgres_server())
        bucket = running.enter_context(s3_server()).fresh()
        redis = running.enter_context(watched_redis())
        url = server.url(server.fresh())
        place = Place(url, "", bucket.url, bucket.endpoint, bucket.region, bucket.key, bucket.secret)
        held = {"url": url, "blobs": bucket.url, "endpoint": bucket.endpoint, "access_key": bucket.key}
        settings: dict[str, dict[str, Any]] = {
            "milter": {"workers": 1},
            "redis": {"url": redis.url},
            "quarantine": {**held, "secret_file": str(secret)},
            "actions": {"greylist": 0.5},
            "greylist": {"delay": DELAY, "early": False},
            "rates.box": {"by": "recipient", "limit": RATE},
        }
        nodes = [running.enter_context(Node(settings, place)) for _ in range(2)]
        yield Cluster(nodes[0], nodes[1], redis)


def test_greylist(cluster: Cluster) -> None:
    """Who was told by one node to come again is taken by the other."""
    number = next(NUMBERS)
    mail, recipients = message(SENDER, "Offer", number=number), [f"greylisted{number}@local.test"]
    first = cluster.one.send(mail, STRANGER, SENDER, recipients=recipients)
    assert (first.code, first.action) == (451, "greylist"), first.event

    def taken() -> bool:
        time.sleep(DELAY)  # a mailbox has a rate, too
        outcome = cluster.two.send(mail, STRANGER, SENDER, recipients=recipients)
        return outcome.code == 250 and "came back after" in outcome.event["note"]

    wait_until(taken, "greylisted mail accepted by the other node")


def test_limits(cluster: Cluster) -> None:
    """A mailbox's rate is one, whichever node its mail comes to."""
    recipient = f"limited{next(NUMBERS)}@local.test"
    codes = [(cluster.one if number % 2 else cluster.two).rcpt(recipient) for number in range(RATE + 2)]
    assert codes == [250] * RATE + [450] * 2


def test_lists(cluster: Cluster) -> None:
    """An entry that is added on one node counts on the other within seconds."""
    cluster.one.command("list", "block", "add", f"ip:{OTHER.address}", "--reason", "a test")

    def refused() -> bool:
        outcome = cluster.two.send(message("eve@elsewhere.test", "Hello"), OTHER, "eve@elsewhere.test")
        return outcome.code == 550

    wait_until(refused, "the other node to know", WITHIN)


def test_cache(cluster: Cluster) -> None:
    """What one node has asked the resolver, the other has from Redis: most of it, for the resolver races with that."""
    _looked_up_once(cluster, CACHED)


def _looked_up_once(cluster: Cluster, names: list[str]) -> None:
    for name in names:
        assert cluster.one.send(message(f"a@{name}", "Hello"), GOOD, f"a@{name}").code // 100 in {2, 4}
        assert cluster.one.dns.count(name, "TXT") > 0
    time.sleep(0.5)  # writes are gathered for 50 ms
    for name in names:
        assert cluster.two.send(message(f"a@{name}", "Hello"), GOOD, f"a@{name}").code // 100 in {2, 4}
    asked = [name for name in names if cluster.two.dns.count(name, "TXT")]
    assert len(asked) <= len(names) // 2, asked


def test_model(cluster: Cluster, tmp_path: Path) -> None:
    """What one node is taught the other knows."""
    path = tmp_path / "spam.eml"
    path.write_bytes(message("eve@bulk.test", f"You have won {next(NUMBERS)}"))
    before = _lessons(cluster.two)
    cluster.one.command("learn", "spam", str(path))
    wait_until(lambda: _lessons(cluster.two) == before + 1, "the other node to have learnt it", 3 * WITHIN)


def _lessons(node: Node) -> int:
    """How many spam messages this node's classifier has learnt."""
    found = [json.loads(line) for line in node.command("doctor", "--json").splitlines()]
    counts = [re.search(r"has learnt (\d+) spam", one["text"]) for one in found if one["subject"] == "classifier"]
    return sum(int(count[1]) for count in counts if count)


def test_held_mail(cluster: Cluster) -> None:
    """What one node holds, the other lists and shows byte for byte."""
    mail = message("ceo@strict.test", f"Urgent {next(NUMBERS)}")
    outcome = cluster.one.send(mail, GOOD, "x@elsewhere.test")
    assert (outcome.code, outcome.action) == (250, "quarantine")
    (entry,) = cluster.two.held(outcome)
    assert cluster.two.raw(entry) == cluster.one.raw(entry)


@pytest.mark.threat("QUA-01", "RES-03", "MTA-01")
def test_a_node_and_the_master_die(cluster: Cluster, tmp_path: Path) -> None:
    """Under load on both: each node is killed, then Redis' master; all that was answered 250 is there, once.

    The other node goes on meanwhile, and the one that was killed takes mail when it is back; what is shared works
    within ten seconds on the new master, for both: greylist, limits, lists, answers, lessons.
    """
    one, two = cluster.one, cluster.two
    with (
        load(one, SENDERS, pause=0.05, per_session=3, first=100_000) as first,
        load(two, SENDERS, pause=0.05, per_session=3, first=200_000) as second,
    ):
        wait_for_load(first, 10)
        for victim, its, others in ((one, first, second), (two, second, first)):
            wait_for_load(its, 10)
            victim.filterd.process.kill_session()
            wait_until(_takes(others), "mail taken by the other node", WITHIN)
            if victim is two:
                cluster.redis.fail_over()
                began = time.monotonic()
                wait_until(lambda: _shares(one), "what is shared to be there again", WITHIN)
                print(f"shared again after {time.monotonic() - began:.1f} s")  # noqa: T201  # shown where the test fails
                wait_until(_takes(others), "mail taken after the fail-over", WITHIN)
            victim.filterd.start()
            wait_for_load(its, 10)
    for node, running in ((one, first), (two, second)):
        assert running.troubles == []
        assert account(node, running.accepted).faults == {}, running.refused
    with cluster.redis.client() as client:
        assert client.role()[0] == b"master"
    one.command("quarantine", "verify")
    test_greylist(cluster)
    test_limits(cluster)
    _looked_up_once(cluster, CACHED_LATER)
    test_model(cluster, tmp_path)


def _takes(running: Load) -> Callable[[], bool]:
    """Whether one more message than now has been accepted."""
    before = len(running.accepted)
    return lambda: len(running.accepted) > before


def _shares(node: Node) -> bool:
    """Whether the daemon's own limits are counted in Redis: the last of a mailbox's rate is refused."""
    recipient = f"after{next(NUMBERS)}@local.test"
    return [node.rcpt(recipient) for _ in range(RATE + 1)][-1] == 450

"""Redis stopped and killed while recipients are greylisted and limited: DUNNO, counted, and hardly a wait."""

import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from tests.policy.asking import wire
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import free_port, open_folder, wait_until
from tests.support.redis import RedisServer
from tests.support.world import zone

pytestmark = pytest.mark.threat("POL-08")

# Seconds; ours is 0.2 for the store (figures: docs/performance.md), and a client without a bound would wait for ever:
# between them is noise of the host.
BOUND = 2.0
CLIENT, SENDER = "198.51.100.77", "anna@hard.test"  # SPF fails


class Site:
    """A daemon with one front, its policy service, and what it counts."""

    def __init__(self, filterd: Filterd, policy: int, metrics: int) -> None:
        """Take the running one and its ports."""
        self.filterd = filterd
        self._policy = policy
        self._metrics = metrics

    def ask(self, recipient: str, **changes: str) -> tuple[str, float]:
        """The answer about a recipient of a message of its own, and how many seconds it took."""
        values = {"client_address": CLIENT, "sender": SENDER, "recipient": recipient, "instance": recipient}
        request = wire(**(values | changes))
        with socket.create_connection(("127.0.0.1", self._policy), timeout=20) as connection:
            started = time.monotonic()
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\n\n"):
                piece = connection.recv(4096)
                assert piece, "closed without an answer"
                answer += piece
        return answer.decode().strip().removeprefix("action="), time.monotonic() - started

    def silent(self) -> dict[str, float]:
        """How many recipients passed unjudged so far, by gate."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as response:
            text = response.read().decode()
        found = re.findall(r'^filterd_gates_silent(?:_total)?\{gate="(\w+)"\} ([\d.]+)$', text, re.MULTILINE)
        return {name: float(value) for name, value in found}


@pytest.fixture(scope="module")
def site(server: RedisServer) -> Iterator[Site]:
    """One that greylists whoever fails SPF, and limits mailboxes."""
    policy, metrics = free_port(), free_port()
    with open_folder() as folder, DnsServer(zone()) as dns:
        settings: Settings = {
            "milter": {"workers": 1},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "redis": {"url": server.url},
            "policy": {"listen": f"inet:{policy}@127.0.0.1"},
            "metrics": {"listen": f"inet:{metrics}@127.0.0.1"},
            "actions": {"greylist": 0.5},
            "greylist": {"delay": 3600, "window": 86400},
            "rates.box": {"by": "recipient", "limit": 1},
        }
        with Filterd(folder, settings) as filterd:
            yield Site(filterd, policy, metrics)


@pytest.mark.parametrize("trouble", ["stopped", "killed"])
def test_lost_and_back(site: Site, server: RedisServer, trouble: str) -> None:
    """Recipients pass and are counted; after five failures nobody waits for it; when it is back it is asked again."""
    do: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "stopped": (server.freeze, server.thaw),
        "killed": (server.kill, server.start),
    }
    break_it, mend_it = do[trouble]
    assert site.ask(f"first-{trouble}@local.test")[0].startswith("DEFER_IF_PERMIT 4.7.1 Greylisted")
    before = site.silent()
    break_it()
    try:
        found = [site.ask(f"r{number}-{trouble}@local.test") for number in range(20)]
    finally:
        mend_it()
    assert {answer for answer, _ in found} == {"DUNNO"}
    assert max(seconds for _, seconds in found) < BOUND
    counted = {name: number - before.get(name, 0.0) for name, number in site.silent().items()}
    assert counted["greylist"] == 20
    assert counted["limits"] == 20

    def asked_again() -> bool:
        return site.ask(f"last-{trouble}@local.test")[0].startswith("DEFER_IF_PERMIT 4.7.1 Greylisted")

    wait_until(asked_again, "greylisted again")


@pytest.mark.threat("POL-09")
def test_stress(site: Site) -> None:
    """While Postfix is short of processes nobody new is told to come again; whoever waits already does."""
    assert site.ask("stressed@local.test", stress="yes")[0] == "DUNNO"
    assert site.ask("relaxed@local.test")[0].startswith("DEFER_IF_PERMIT")
    assert site.ask("relaxed@local.test", stress="yes", instance="2")[0].startswith("DEFER_IF_PERMIT")

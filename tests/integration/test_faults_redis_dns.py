"""DNS answers shared through a real Redis: one host asks for all, and a Redis in trouble makes no message wait."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeAlias

import msgspec
import pytest

from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.miltertalk import Mail, Offer, Session, split_message
from tests.support.process import open_folder, wait_until
from tests.support.redis import RedisServer
from tests.support.world import message

pytestmark = [pytest.mark.threat("POL-08", "RES-03")]

SENDERS = 4
EACH = 15  # messages of each sender: enough for the breakers of both fronts to open and to probe
MORE = 0.2  # seconds that a message may wait longer
RECOVERS = 10.0  # seconds
TURNS = 3  # at most: others at work on the same machine only ever add to a wait
NUMBERS = itertools.count()


class Host:
    """A daemon with a log of its own; all of a test share DNS and Redis."""

    def __init__(self, filterd: Filterd, dns: DnsServer) -> None:
        """Both run."""
        self.filterd = filterd
        self.dns = dns

    def send(self, number: int = -1) -> float:
        """A message from a domain, host and address of its number, new where none is given: the seconds it took."""
        number = next(NUMBERS) if number < 0 else number
        sender = f"a@d{number}.test"
        fields, body = split_message(message(sender, "Hello", f"See http://www.d{number}.test/\r\n", number=number))
        mail = Mail(f"<{sender}>", (f"<r{number}@local.test>",), fields, body, {"i": f"Q{number}"})
        start = time.monotonic()
        with Session(self.filterd.listen, Offer()) as session:
            session.connect(f"h{number}.test", f"198.51.{100 + number // 250}.{number % 250}")
            session.helo(f"h{number}.test")
            session.message(mail)
            session.quit()
        return time.monotonic() - start

    def symbols(self, number: int) -> list[str]:
        """What was found about the message of that number."""
        found = [one for one in self.filterd.events("message") if one["recipients"] == [f"r{number}@local.test"]]
        return [name.partition("=")[0] for name in found[-1]["symbols"]]

    def results(self, number: int) -> list[str]:
        """Those of them that speak of what the DNS says."""
        return [name for name in self.symbols(number) if name.startswith(("SPF_", "DMARC_", "IPREV_"))]

    def counted(self, outcome: str) -> float:
        """What the metrics page says of questions looked up in Redis."""
        address = str(self.filterd.settings["metrics"]["listen"]).removeprefix("unix:")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(address)
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            with client.makefile("r") as page:
                lines = page.read().splitlines()
        name = f'filterd_dns_shared_total{{outcome="{outcome}"}} '
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)

    def learns(self, server: RedisServer) -> bool:
        """Whether the daemon believes an answer that stands in Redis alone."""
        number = next(NUMBERS)
        text = f"v=spf1 ip4:198.51.{100 + number // 250}.0/24 -all"
        value = msgspec.msgpack.encode(("noerror", time.time(), 300, False, (text,)))
        with server.client() as client:
            client.set(f"filterd:dns1:TXT:d{number}.test", value, ex=300)
        self.send(number)
        return "SPF_PASS" in self.symbols(number)

    def teaches(self, server: RedisServer) -> bool:
        """Whether what the daemon asks on the wire soon stands in Redis."""
        number = next(NUMBERS)
        self.send(number)
        time.sleep(0.2)  # writes travel every 50 ms
        with server.client() as client:
            return bool(client.exists(f"filterd:dns1:TXT:d{number}.test"))

    def load(self) -> list[float]:
        """The seconds of each of many messages, some at the same time."""
        waits: list[float] = []

        def run() -> None:
            waits.extend([self.send() for _ in range(EACH)])

        threads = [threading.Thread(target=run) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(waits) == SENDERS * EACH, "a message got no answer"
        return waits


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A running server."""
    with open_folder() as folder:
        server = RedisServer(folder)
        server.start()
        yield server
        server.kill()


@pytest.fixture(scope="module")
def hosts(server: RedisServer) -> Iterator[list[Host]]:
    """Two daemons of one front each, behind one name server and one Redis."""
    with ExitStack() as running:
        dns = running.enter_context(DnsServer({}))
        found = []
        for _ in range(2):
            folder = running.enter_context(open_folder())
            settings: Settings = {
                "milter": {"workers": 1},
                "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
                "redis": {"url": server.url},
                "metrics": {"listen": f"unix:{folder}/metrics.sock"},
            }
            found.append(Host(running.enter_context(Filterd(folder, settings)), dns))
        yield found


def asked(host: Host, number: int) -> set[tuple[str, str]]:
    """What comes over the wire while the host gets the message of that number."""
    before = len(host.dns.asked)
    host.send(number)
    return {(name, rtype) for name, rtype, _ in host.dns.asked[before:]}


def test_one_host_asks_for_all(hosts: list[Host], server: RedisServer) -> None:
    """What one daemon has asked about a message, another one does not put on the wire again."""
    first, second = hosts
    wait_until(lambda: second.learns(server) and first.teaches(server), "answers in Redis", RECOVERS)
    again: list[set[tuple[str, str]]] = []
    hits = 0.0
    while len(again) < TURNS and all(again):  # a machine that is too busy for 5 ms asks itself, but not every time
        number = next(NUMBERS)
        questions = asked(first, number)
        assert {(f"d{number}.test", "TXT"), (f"_dmarc.d{number}.test", "TXT")} <= questions
        time.sleep(0.2)  # writes travel every 50 ms
        hits = second.counted("hit")
        again.append(questions & asked(second, number))
        assert first.results(number) == second.results(number)
    assert again[-1] == set()
    assert second.counted("hit") > hits


@contextmanager
def killed(server: RedisServer) -> Iterator[None]:
    """Gone."""
    server.kill()
    yield
    server.start()


@contextmanager
def stopped(server: RedisServer) -> Iterator[None]:
    """SIGSTOP: it takes connections and questions."""
    server.freeze()
    yield
    server.thaw()


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    """Every write is refused."""
    with server.client() as client:
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "16mb")


@contextmanager
def read_only(server: RedisServer) -> Iterator[None]:
    """A replica, of a server that is away."""
    with server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        yield
        client.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def empty_replica(server: RedisServer) -> Iterator[None]:
    """A replica that has not got its data yet: it refuses reads too."""
    with server.client() as client:
        client.config_set("replica-serve-stale-data", "no")
        with read_only(server):
            yield
        client.config_set("replica-serve-stale-data", "yes")


Fault: TypeAlias = Callable[[RedisServer], AbstractContextManager[None]]


def more(host: Host, server: RedisServer, fault: Fault) -> float:
    """How much longer the slowest message takes when this begins while mail flows; healed when it returns."""
    usual = host.load()
    with ExitStack() as trouble:
        begin = threading.Timer(0.1, lambda: trouble.enter_context(fault(server)))
        begin.start()
        waits = host.load() + host.load()
        begin.join()
    return max(waits) - max(usual)


@pytest.mark.parametrize("fault", [killed, stopped, full, read_only, empty_replica])
def test_trouble_under_load(hosts: list[Host], server: RedisServer, fault: Fault) -> None:
    """No message waits 200 ms more, and once it is over Redis is read and written again within 10 s."""
    host = hosts[0]

    def works() -> bool:
        return host.learns(server) and host.teaches(server)

    wait_until(works, "answers from Redis", RECOVERS)
    added: list[float] = []
    while len(added) < TURNS and min(added, default=MORE) >= MORE:
        added.append(more(host, server, fault))
        wait_until(works, "answers from Redis again", RECOVERS)
    assert min(added) < MORE
    assert host.filterd.crashes() == []
    assert "Traceback" not in host.filterd.log.read_text()

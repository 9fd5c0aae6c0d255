"""The stub resolver against real servers: knot with the zones, unbound before it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from filterd.dns.addresses import reverse_name
from filterd.dns.codec import encode_query, encode_question
from filterd.dns.loop import LoopThread
from filterd.dns.nameserver import Nameserver
from filterd.dns.stub import StubResolver
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from tests.support.process import Process, free_port, open_folder, require_program

WAIT = 30.0  # seconds until a test is given up
EXAMPLE_ZONE = f"""$ORIGIN example.test.
$TTL 300
@ 600 IN SOA ns.example.test. hostmaster.example.test. 1 3600 900 86400 60
@ NS ns
@ TXT "v=spf1 include:_spf.example.test" " -all"
@ MX 20 mx2
@ MX 10 MX1
ns A 127.0.0.1
mx1 A 192.0.2.1
mx1 AAAA 2001:db8::1
mx2 A 192.0.2.2
alias CNAME mx1
loop CNAME pool
pool CNAME loop
away CNAME mail.elsewhere.test.
nullmx MX 0 .
*.list A 127.0.0.2
big TXT {" ".join(['"' + "k" * 250 + '"'] * 8)}
"""
REVERSE_ZONE = """$ORIGIN 2.0.192.in-addr.arpa.
$TTL 300
@ SOA ns.example.test. hostmaster.example.test. 1 3600 900 86400 60
@ NS ns.example.test.
1 PTR mx1.example.test.
"""
KNOT = """
server:
    rundir: "{folder}/run"
    listen: 127.0.0.1@{port}
database:
    storage: "{folder}/db"
control:
    listen: "{folder}/run/knot.sock"
template:
  - id: default
    storage: "{folder}/zones"
    file: "%s.zone"
    zonefile-load: whole
    journal-content: none
    zonefile-sync: -1
zone:
  - domain: example.test
  - domain: 2.0.192.in-addr.arpa
"""
UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    do-daemonize: no
    chroot: ""
    username: ""
    directory: "{folder}"
    pidfile: "{folder}/unbound.pid"
    use-syslog: no
    module-config: "iterator"
    do-not-query-localhost: no
    do-ip6: no
    local-zone: "test." nodefault
    unblock-lan-zones: yes
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{upstream}
"""


class Servers(NamedTuple):
    """Ports, and the knot process."""

    knot: int
    unbound: int
    thread: LoopThread

    def ask(self, port: int, name: str, rtype: RRType) -> Answer:
        """One question to one of them."""

        async def scene() -> Answer:
            stub = StubResolver([Nameserver("127.0.0.1", port)], self.thread.loop)
            try:
                return await stub.resolve(Question(name, rtype))
            finally:
                stub.close()

        return self.thread.call(scene(), WAIT)


def _answers(port: int) -> bool:
    """Whether a server answers a first question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.01)
        probe.connect(("127.0.0.1", port))
        try:
            probe.send(encode_query(1, encode_question(Question("example.test", RRType.SOA))))
            return bool(probe.recv(1232))
        except OSError:
            return False


def _start(stack: ExitStack, argv: list[str], folder: Path, port: int) -> None:
    """A server in the foreground, ready."""
    process = Process(argv, folder / "log")
    stack.callback(process.stop)
    process.wait_ready(lambda: _answers(port))


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Knot, unbound and a loop."""
    require_program("knotd", "unbound")
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        for name in ("run", "db", "zones"):
            (folder / name).mkdir()
        (folder / "zones/example.test.zone").write_text(EXAMPLE_ZONE)
        (folder / "zones/2.0.192.in-addr.arpa.zone").write_text(REVERSE_ZONE)
        knot, unbound = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
        (folder / "knot.conf").write_text(KNOT.format(folder=folder, port=knot))
        (folder / "unbound.conf").write_text(UNBOUND.format(folder=folder, port=unbound, upstream=knot))
        _start(stack, ["/usr/sbin/knotd", "-c", f"{folder}/knot.conf"], folder, knot)
        _start(stack, ["/usr/sbin/unbound", "-d", "-c", f"{folder}/unbound.conf"], folder, unbound)
        thread = LoopThread()
        thread.start()
        stack.callback(thread.stop)
        yield Servers(knot, unbound, thread)


RECORDS = [
    ("example.test", RRType.TXT, ("v=spf1 include:_spf.example.test -all",)),
    ("example.test", RRType.MX, ("mx1.example.test", "mx2.example.test")),
    ("example.test", RRType.NS, ("ns.example.test",)),
    ("example.test", RRType.SOA, ("ns.example.test hostmaster.example.test 1 3600 900 86400 60",)),
    ("mx1.example.test", RRType.AAAA, ("2001:db8::1",)),
    ("alias.example.test", RRType.A, ("192.0.2.1",)),
    ("alias.example.test", RRType.CNAME, ("mx1.example.test",)),
    ("nullmx.example.test", RRType.MX, (".",)),
    ("99.2.0.192.list.example.test", RRType.A, ("127.0.0.2",)),
    ("big.example.test", RRType.TXT, ("k" * 2000,)),
    (reverse_name("192.0.2.1"), RRType.PTR, ("mx1.example.test",)),
]


@pytest.mark.parametrize("server", ["knot", "unbound"])
@pytest.mark.parametrize(("name", "rtype", "records"), RECORDS)
def test_real_servers_records_are_read(
    servers: Servers, server: str, name: str, rtype: RRType, records: tuple[str, ...]
) -> None:
    """Compressed names, aliases, wildcards, several character-strings, and what needs TCP."""
    answer = servers.ask(getattr(servers, server), name, rtype)
    assert (answer.status, answer.records, answer.cause) == (AnswerStatus.NOERROR, records, "")
    assert 0 < answer.ttl <= 600


@pytest.mark.parametrize("server", ["knot", "unbound"])
def test_real_servers_negative_answers_are_read(servers: Servers, server: str) -> None:
    """NXDOMAIN and NODATA with a TTL of at most the SOA's minimum."""
    port = getattr(servers, server)
    nothing, other = servers.ask(port, "no.example.test", RRType.A), servers.ask(port, "ns.example.test", RRType.MX)
    assert (nothing.status, other.status) == (AnswerStatus.NXDOMAIN, AnswerStatus.NODATA)
    assert 0 < nothing.ttl <= 60
    assert 0 < other.ttl <= 60


def test_an_authoritative_server_is_no_resolver(servers: Servers) -> None:
    """An alias into a foreign zone, and a foreign name: unknown, not empty."""
    away = servers.ask(servers.knot, "away.example.test", RRType.A)
    foreign = servers.ask(servers.knot, "elsewhere.test", RRType.A)
    assert (away.status, away.cause) == (AnswerStatus.TEMPFAIL, "no recursion")
    assert (foreign.status, foreign.cause) == (AnswerStatus.TEMPFAIL, "refused")


def test_a_broken_upstream_is_a_failure(servers: Servers) -> None:
    """Unbound says SERVFAIL where its upstream refuses."""
    answer = servers.ask(servers.unbound, "elsewhere.test", RRType.A)
    assert (answer.status, answer.cause, answer.rcode) == (AnswerStatus.TEMPFAIL, "servfail", 2)

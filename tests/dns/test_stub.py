"""The stub resolver against a server with every fault, over real sockets on loopback."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest

from filterd.dns.loop import LoopThread
from filterd.dns.nameserver import Nameserver
from filterd.dns.server import QUERIES_PER_SOCKET, SOCKETS
from filterd.dns.stub import StubResolver
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from tests.support.dnsserver import DnsServer, ZoneData
from tests.support.process import wait_until

T = TypeVar("T")

pytestmark = pytest.mark.integration

WAIT = 30.0  # seconds until a test is given up
A = Question("a.test", RRType.A)
ZONE: ZoneData = {
    "a.test": {"A": "192.0.2.1", "MX": ["20 b.a.test", "10 c.a.test"], "TXT": ["v=spf1 -all", "\xff" * 600]},
    "alias.test": {"CNAME": "a.test"},
    "*.wild.test": {"A": "127.0.0.2"},
    "big.test": {"TXT": ["y" * 900, "z" * 900]},
}


class Bed:
    """Servers, a loop and a stub resolver between them."""

    def __init__(self, stack: ExitStack) -> None:
        """One server."""
        self._stack = stack
        self.thread = LoopThread()
        self.thread.start()
        stack.callback(self.thread.stop)
        self.server = self.another()

    def another(self) -> DnsServer:
        """One more server with the same zone."""
        return self._stack.enter_context(DnsServer(ZONE))

    def stub(self, *ports: int, lifetime: float = 5.0, try_timeout: float = 1.0) -> StubResolver:
        """A stub resolver for these servers."""
        servers = [Nameserver("127.0.0.1", port) for port in ports or (self.server.port,)]
        stub = StubResolver(servers, self.thread.loop, lifetime=lifetime, try_timeout=try_timeout)
        self._stack.callback(lambda: self.run(_close(stub)))
        return stub

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """A coroutine's result."""
        return self.thread.call(coroutine, WAIT)

    def ask(self, question: Question = A, **options: float) -> Answer:
        """One question to the one server."""
        return self.run(self.stub(**options).resolve(question))


async def _close(stub: StubResolver) -> None:
    """Close in the loop."""
    stub.close()


@pytest.fixture
def bed() -> Iterator[Bed]:
    """A server and a loop."""
    with ExitStack() as stack:
        yield Bed(stack)


@pytest.fixture
def nobody() -> int:
    """A port where nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("name", "rtype", "records"),
    [
        ("a.test", RRType.A, ("192.0.2.1",)),
        ("a.test", RRType.TXT, ("v=spf1 -all", "\xff" * 600)),
        ("a.test", RRType.MX, ("c.a.test", "b.a.test")),
        ("alias.test", RRType.A, ("192.0.2.1",)),
        ("x.wild.test", RRType.A, ("127.0.0.2",)),
    ],
)
def test_records_arrive(bed: Bed, name: str, rtype: RRType, records: tuple[str, ...]) -> None:
    """As the model says, with the TTL and a time."""
    answer = bed.ask(Question(name, rtype))
    assert (answer.status, answer.records, answer.ttl) == (AnswerStatus.NOERROR, records, 300)
    assert answer.received > 0


def test_negative_answers_carry_the_soas_ttl(bed: Bed) -> None:
    """NXDOMAIN and NODATA are two things."""
    nothing, other = bed.ask(Question("no.test", RRType.A)), bed.ask(Question("a.test", RRType.AAAA))
    assert (nothing.status, nothing.ttl, nothing.rcode) == (AnswerStatus.NXDOMAIN, 60, 3)
    assert (other.status, other.ttl, other.rcode) == (AnswerStatus.NODATA, 60, 0)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("servfail", "servfail"),
        ("refused", "refused"),
        ("formerr", "formerr"),
        ("referral", "no recursion"),
        ("malformed", "malformed"),
        ("drop", "timeout"),
        ("garbage", "timeout"),
        ("wrongid", "timeout"),
        ("wrongname", "timeout"),
    ],
)
@pytest.mark.threat("DNS-05")
def test_a_fault_is_unknown_with_its_cause(bed: Bed, fault: str, cause: str) -> None:
    """Never empty, never absent: TEMPFAIL, and what happened in a word."""
    bed.server.fault(fault)
    answer = bed.ask(lifetime=0.2, try_timeout=0.05)
    assert (answer.status, answer.records, answer.cause) == (AnswerStatus.TEMPFAIL, (), cause)


@pytest.mark.threat("DNS-05")
def test_a_silent_server_is_asked_again_until_the_time_is_over(bed: Bed) -> None:
    """Ten tries of 50 ms fit into 500 ms."""
    bed.server.fault("drop")
    assert bed.ask(lifetime=0.5, try_timeout=0.05).cause == "timeout"
    assert 2 <= bed.server.count("a.test", "A") <= 10


@pytest.mark.threat("DNS-05")
def test_a_slow_answer_to_an_earlier_try_counts(bed: Bed) -> None:
    """An answer that takes longer than one try is not thrown away."""
    bed.server.fault("", delay=0.3)
    assert bed.ask(lifetime=10.0, try_timeout=0.1).records == ("192.0.2.1",)


@pytest.mark.parametrize("fault", ["servfail", "refused", "drop", "malformed", "referral"])
@pytest.mark.threat("DNS-05")
def test_the_next_server_is_asked(bed: Bed, fault: str) -> None:
    """One broken server of two costs no answer."""
    bed.server.fault(fault)
    second = bed.another()
    stub = bed.stub(bed.server.port, second.port, try_timeout=0.1)
    assert bed.run(stub.resolve(A)).records == ("192.0.2.1",)


@pytest.mark.threat("DNS-05")
def test_nobody_listening_is_noticed(bed: Bed, nobody: int) -> None:
    """ICMP ends the waiting: with one server the answer is "no nameserver", with two the second one's."""
    alone = bed.run(bed.stub(nobody, lifetime=WAIT, try_timeout=WAIT).resolve(A))
    assert (alone.status, alone.cause) == (AnswerStatus.TEMPFAIL, "no nameserver")
    assert bed.run(bed.stub(nobody, bed.server.port, lifetime=WAIT, try_timeout=WAIT).resolve(A)).records


def test_without_any_server_the_answer_is_unknown(bed: Bed) -> None:
    """And comes at once."""
    stub = StubResolver([], bed.thread.loop)
    assert bed.run(stub.resolve(A)).cause == "no nameserver"


@pytest.mark.threat("DNS-05")
def test_a_truncated_answer_is_fetched_over_tcp(bed: Bed) -> None:
    """All of it, whatever its size."""
    answer = bed.ask(Question("big.test", RRType.TXT))
    assert answer.records == ("y" * 900, "z" * 900)
    assert [transport for *_, transport in bed.server.asked] == ["udp", "tcp"]


@pytest.mark.threat("DNS-05")
def test_an_answer_in_the_wrong_case_is_checked_over_tcp(bed: Bed) -> None:
    """0x20: it may be forged, and TCP cannot be."""
    bed.server.fault("wrongcase")
    assert bed.ask().records == ("192.0.2.1",)
    assert [transport for *_, transport in bed.server.asked] == ["udp", "tcp"]


def test_a_distant_server_is_asked_in_random_case(bed: Bed) -> None:
    """The answer must repeat it; names compare as before."""
    stub = bed.stub()
    stub._servers[0].local = False
    name = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".lower() + ".wild.test"
    answer = bed.run(stub.resolve(Question(name, RRType.A)))
    assert answer.records == ("127.0.0.2",)
    assert bed.server.asked == [(name, "A", "udp")]


@pytest.mark.parametrize(
    "name", ["a..test", "l" * 64 + ".test", ".".join(["a" * 60] * 5), "a\0.test", "ä.test", "", "a b.test"]
)
@pytest.mark.threat("DNS-07")
def test_an_impossible_name_is_not_asked(bed: Bed, name: str) -> None:
    """NXDOMAIN "invalid name" without a packet."""
    answer = bed.ask(Question(name, RRType.A))
    assert (answer.status, answer.cause) == (AnswerStatus.NXDOMAIN, "invalid name")
    assert bed.server.asked == []


@pytest.mark.parametrize("name", ["*.a.test", "_dmarc._x.a.test", "!$%.a.test", "l" * 63 + ".test"])
@pytest.mark.threat("DNS-07")
def test_an_odd_name_is_asked_as_it_stands(bed: Bed, name: str) -> None:
    """The server decides whether it exists."""
    assert bed.ask(Question(name, RRType.A)).status is not AnswerStatus.TEMPFAIL
    assert bed.server.asked == [(name, "A", "udp")]


def test_many_questions_at_once_all_get_their_own_answer(bed: Bed) -> None:
    """Ids do not collide, sockets are replaced on the way, nothing is left pending."""
    count = SOCKETS * QUERIES_PER_SOCKET + 1_000
    stub = bed.stub()

    async def scene() -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, count, 200):
            names = [f"n{number}.wild.test" for number in range(start, min(start + 200, count))]
            answers += await asyncio.gather(*[stub.resolve(Question(name, RRType.A)) for name in names])
        return answers

    answers = bed.run(scene())
    assert [answer.question.name for answer in answers] == [f"n{number}.wild.test" for number in range(count)]
    assert {answer.records for answer in answers} == {("127.0.0.2",)}
    assert not stub._outstanding
    assert not any(channel.pending for channel in stub._servers[0]._channels)
    assert len(stub._servers[0]._channels) == SOCKETS


@pytest.mark.parametrize(("trusted", "expected"), [(None, True), (False, False)])
@pytest.mark.threat("DNS-06")
def test_the_ad_bit_counts_only_from_a_trusted_server(bed: Bed, *, trusted: bool | None, expected: bool) -> None:
    """Loopback is trusted unless told otherwise."""
    bed.server.authenticated = True
    stub = StubResolver([Nameserver("127.0.0.1", bed.server.port)], bed.thread.loop, trusted=trusted)
    answer = bed.run(stub.resolve(A))
    bed.run(_close(stub))
    assert answer.authenticated is expected


@pytest.mark.threat("DNS-06")
def test_a_distant_server_is_not_trusted_by_itself(bed: Bed) -> None:
    """AD travels over an open network there."""
    stub = StubResolver([Nameserver("192.0.2.53")], bed.thread.loop)
    assert not stub._servers[0].trusted


def test_closing_answers_what_is_outstanding(bed: Bed) -> None:
    """Nobody waits for ever: TEMPFAIL "closed", also for questions that come later."""
    bed.server.fault("drop")
    stub = bed.stub()

    async def scene() -> tuple[Answer, Answer]:
        outstanding = asyncio.ensure_future(stub.resolve(A))
        await asyncio.sleep(0)
        stub.close()
        return await outstanding, await stub.resolve(A)

    assert [answer.cause for answer in bed.run(scene())] == ["closed", "closed"]


def test_a_server_that_fails_goes_to_the_end_of_the_line(bed: Bed) -> None:
    """After three silences the second server is asked first."""
    bed.server.fault("drop")
    second = bed.another()
    stub = bed.stub(bed.server.port, second.port, try_timeout=0.02)
    for number in range(4):
        bed.run(stub.resolve(Question(f"n{number}.wild.test", RRType.A)))
    assert [name for name, *_ in bed.server.asked] == [f"n{number}.wild.test" for number in range(3)]


def test_heard_again(bed: Bed) -> None:
    """A name server that comes back is heard on every socket: none is deaf for the errors it had to report before."""
    with DnsServer(ZONE) as server:
        port = server.port
    stub = bed.stub(port)
    questions = [Question(f"n{number}.wild.test", RRType.A) for number in range(2 * SOCKETS)]
    gone = [bed.run(stub.resolve(question)).cause for question in questions]
    assert gone == ["no nameserver"] * len(questions)
    with DnsServer(ZONE, port=port) as server:
        back = [bed.run(stub.resolve(question)).status for question in questions]
        assert back == [AnswerStatus.NOERROR] * len(questions)
        assert len(server.asked) == len(questions)  # none was sent twice


def test_nobody_waits_for_a_silent_server(bed: Bed) -> None:
    """Where none has answered for a lifetime questions fail unasked, but for one that finds out when they are back."""
    bed.server.fault("drop")
    stub = bed.stub(lifetime=0.5, try_timeout=0.1)

    def ask(number: int) -> Answer:
        return bed.run(stub.resolve(Question(f"n{number}.wild.test", RRType.A)))

    causes = [ask(number).cause for number in range(4)]
    assert causes[0] == "timeout"
    assert causes[-1] == "no nameserver"
    before = {name for name, _, _ in bed.server.asked}
    assert [ask(number).cause for number in range(10, 60)] == ["no nameserver"] * 50
    assert len({name for name, _, _ in bed.server.asked} - before) <= 5  # one a second, and fifty take no second
    bed.server.heal()
    answers: list[Answer] = []

    def back() -> bool:
        answers.append(ask(100 + len(answers)))
        return answers[-1].status is AnswerStatus.NOERROR

    wait_until(back, "an answer")

"""Policy service and milter side by side: the same judgement, each lookup made once, a reload, and Redis in trouble."""

import itertools
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import pytest

from filterd.model.early import GATE_SECONDS
from filterd.ownlists import Entry, Kind, Which
from tests.policy.asking import wire
from tests.support.daemon import Settings
from tests.support.dnsserver import ZoneData
from tests.support.policy_stack import PATIENCE, PolicyStack, converse
from tests.support.process import wait_until
from tests.support.redis import RedisServer, redis_server
from tests.support.smtp import Pose, SmtpClient
from tests.support.world import GOOD, LISTED, STRANGER, message, zone

BLOCKED: Final = Pose("203.0.113.130", "[UNAVAILABLE]", "pc130.dialup.test")
ALLOWED: Final = Pose("198.51.100.100", "[UNAVAILABLE]", "pc100.dialup.test")
ENTRIES: Final = (
    Entry(Which.BLOCK, Kind.IP, "203.0.113.128/25", reason="told so"),
    Entry(Which.ALLOW, Kind.IP, "198.51.100.96/27", reason="our printer"),
)
SETTINGS: Final[Settings] = {
    "actions": {"greylist": 0.5},
    "early": {"reject": ["SPF_FAIL", "DNSBL_SPAMHAUS_XBL"], "milter": True, "wait": 5.0},
    "greylist": {"delay": 3600, "window": 86_400},
    "rates.box": {"by": "recipient", "limit": 2, "per": 86_400},
}
CLEAN: Final = (GOOD, "alice@aligned.test")
FAILING: Final = (STRANGER, "anna@hard.test")


def records() -> ZoneData:
    """And a domain that doubts its clients."""
    return {**zone(), "soft.test": {"TXT": "v=spf1 ip4:192.0.2.1 ~all"}}


@pytest.fixture(scope="module")
def stack() -> Iterator[PolicyStack]:
    """One front, asked by Postfix through the milter, and by the tests through the policy service."""
    settings = {**SETTINGS, "milter": {"workers": 1}}
    with PolicyStack(settings, records=records(), entries=ENTRIES, restrictions={}) as running:
        yield running


@pytest.mark.parametrize(
    ("pose", "sender", "code"),
    [
        (LISTED, "x@elsewhere.test", "listed"),
        (BLOCKED, "x@elsewhere.test", "blocked-client"),
        (*FAILING, "spf-fail"),
        (STRANGER, "bob@soft.test", "greylisted"),
    ],
    ids=["listed", "blocked", "failing", "doubtful"],
)
def test_both_refuse_the_same(stack: PolicyStack, pose: Pose, sender: str, code: str) -> None:
    """Action, reason, score and symbols are those of the other, and so is what the client is told."""
    asked, given = f"{code}-a@local.test", f"{code}-b@local.test"
    answer = stack.ask(asked, pose, sender)
    reply = stack.rcpt(given, pose, sender)
    policy, milter = stack.told(asked), stack.told(given, "milter")
    alike = ("action", "code", "score", "symbols", "client", "helo", "sender", "trust")
    assert {name: policy[name] for name in alike} == {name: milter[name] for name in alike}
    assert policy["code"] == code
    words = answer.split(" ")
    assert (words[0], reply.code) in {("550", 550), ("DEFER_IF_PERMIT", 451)}
    assert words[1:-1] == reply.text.split(" ")[:-1]


@pytest.mark.parametrize(("pose", "sender"), [CLEAN, (ALLOWED, "anna@hard.test")], ids=["clean", "allowed"])
def test_both_let_in_the_same(stack: PolicyStack, pose: Pose, sender: str) -> None:
    """Who may pass one passes the other, and the end of the message too."""
    assert stack.ask(f"in-{pose.address}@local.test", pose, sender) == "DUNNO"
    assert stack.send(message(sender, "Minutes"), pose, sender).sent.stage == "."


def test_both_draw_from_the_same_rate(stack: PolicyStack) -> None:
    """What one has let in the other counts, too."""
    pose, sender = CLEAN
    box = "box@local.test"
    assert (stack.ask(box, pose, sender), stack.rcpt(box, pose, sender).code) == ("DUNNO", 250)
    assert stack.ask(box, pose, sender).startswith("DEFER_IF_PERMIT 4.7.1 Too many messages")
    assert stack.rcpt(box, pose, sender).code == 451


def new_site(stack: PolicyStack, number: int) -> tuple[Pose, str, tuple[tuple[str, str], ...]]:
    """A sender whom nobody has asked about, and what must be asked about him, once."""
    address, domain = f"192.0.2.{150 + number}", f"new{number}.test"
    host, back = f"mail.{domain}", f"{150 + number}.2.0.192.in-addr.arpa"
    stack.dns.set(domain, "TXT", f"v=spf1 a:{host} -all")
    stack.dns.set(host, "A", address)
    stack.dns.set(host, "TXT", "v=spf1 a -all")
    stack.dns.set(back, "PTR", host)
    questions = ((domain, "TXT"), (host, "TXT"), (host, "A"), (back, "PTR"))
    return Pose(address, host, host), f"anna@{domain}", questions


def asked_once(stack: PolicyStack, questions: tuple[tuple[str, str], ...]) -> None:
    """Each of them, and of each of their names nothing twice."""
    names = {name for name, _ in questions}
    counted = Counter((name, rtype) for name, rtype, _ in list(stack.dns.asked) if name in names)
    assert counted.keys() >= set(questions)
    assert set(counted.values()) == {1}


def test_the_milter_finds_what_the_policy_service_asked(stack: PolicyStack) -> None:
    """Nothing of it is asked of the name server again."""
    pose, sender, questions = new_site(stack, 1)
    assert stack.ask("one@local.test", pose, sender) == "DUNNO"
    before = len([one for one in stack.dns.asked if one[:2] in questions])
    assert before == len(questions)
    assert stack.send(message(sender, "Minutes"), pose, sender).code == 250
    asked_once(stack, questions)


def test_the_policy_service_finds_what_the_milter_asked(stack: PolicyStack) -> None:
    """The other way round: not one question goes out for it."""
    pose, sender, questions = new_site(stack, 2)
    assert stack.send(message(sender, "Minutes"), pose, sender).code == 250
    before = len(stack.dns.asked)
    assert stack.ask("two@local.test", pose, sender) == "DUNNO"
    assert len(stack.dns.asked) == before
    asked_once(stack, questions)


# --- a reload


@dataclass
class Flow:
    """Clients that go on asking until they are told to stop, and what was answered otherwise than it should."""

    stack: PolicyStack
    answered: int = 0
    again: int = 0
    wrong: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def by_postfix(self, number: int) -> None:
        """One session after the other."""
        while not self.over.is_set():
            for (pose, sender), code in ((CLEAN, 250), (FAILING, 550)):
                with SmtpClient(self.stack.postfix.port, pose) as client:
                    client.command(f"MAIL FROM:<{sender}>")
                    replies = [client.command(f"RCPT TO:<p{number}n{one}@local.test>") for one in range(5)]
                    client.quit()
                self.note([str(reply) for reply in replies if reply.code != code], len(replies))

    def by_hand(self, number: int) -> None:
        """Requests on one connection; where it is closed instead of an answer, once more on a new one."""
        connection = socket.create_connection(("127.0.0.1", self.stack.policy_port), PATIENCE)
        for turn in range(1_000_000):
            if self.over.is_set():
                break
            (pose, sender), word = (CLEAN, "DUNNO") if turn % 2 else (FAILING, "550")
            known = {"client_address": pose.address, "helo_name": pose.helo, "client_name": pose.name, "sender": sender}
            request = wire(**known, instance=f"{number}.{turn}", recipient=f"h{number}n{turn}@local.test")
            try:
                answer = converse(connection, request)
            except ConnectionError:  # reset or closed between two requests: as Postfix, ask once more
                connection.close()
                with self.lock:
                    self.again += 1
                connection = socket.create_connection(("127.0.0.1", self.stack.policy_port), PATIENCE)
                answer = converse(connection, request)
            self.note([] if answer.split(" ")[0] == word else [answer], 1)
        connection.close()

    def note(self, wrong: list[str], count: int) -> None:
        """Count answers."""
        with self.lock:
            self.answered += count
            self.wrong += wrong


def test_reload_under_load() -> None:
    """Four reloads while clients ask: every request is answered, the second time at the latest, and rightly."""
    settings: Settings = {"milter": {"workers": 2}, "early": {"reject": ["SPF_FAIL"]}}
    with PolicyStack(
        settings, records=records(), restrictions={"smtpd_recipient_restrictions": "{policy}", "smtpd_milters": ""}
    ) as stack:
        flow = Flow(stack)
        with ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(flow.by_postfix, number) for number in range(3)]
            jobs += [pool.submit(flow.by_hand, number) for number in range(3)]
            try:
                for turn in range(4):
                    done = flow.answered
                    wait_until(lambda done=done: flow.answered > done + 100, "requests answered")  # type: ignore[misc]  # the loop's variable
                    stack.filterd.process.signal(signal.SIGUSR1)
                    wait_until(lambda turn=turn: len(stack.filterd.events("reloaded")) > turn, "reloaded", 60.0)  # type: ignore[misc]  # the same
                done = flow.answered
                wait_until(lambda: flow.answered > done + 100, "requests answered after it")
            finally:
                flow.over.set()
            for job in jobs:
                job.result()
        assert flow.wrong == []
        assert stack.count("filterd_policy_failures") == 0


# --- stress


@pytest.mark.threat("POL-09")
def test_postfix_under_stress() -> None:
    """With `stress = yes` nobody new is greylisted; what is refused for good still is."""
    settings: Settings = {**SETTINGS, "milter": {"workers": 1}, "early": {"reject": ["SPF_FAIL"]}}
    main = {"smtpd_recipient_restrictions": "{policy}", "smtpd_milters": "", "stress": "yes"}
    with PolicyStack(settings, records=records(), restrictions=main) as stack:
        assert stack.rcpt("new@local.test", STRANGER, "bob@soft.test").code == 250
        assert stack.count("filterd_greylist", result="spared") == 1
        assert stack.rcpt("never@local.test", *FAILING).code == 550


# --- Redis


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """The Redis that both fronts share."""
    with redis_server() as running:
        yield running


@pytest.fixture(scope="module")
def shared(server: RedisServer) -> Iterator[PolicyStack]:
    """Two fronts whose Postfix asks the policy service alone, without a milter."""
    settings = {**SETTINGS, "milter": {"workers": 2}, "redis": {"url": server.url}}
    main = {"smtpd_recipient_restrictions": "{policy}", "smtpd_milters": ""}
    with PolicyStack(settings, records=records(), entries=ENTRIES, restrictions=main) as running:
        yield running


def test_fronts_find_what_another_asked(shared: PolicyStack, server: RedisServer) -> None:
    """With Redis a lookup is made once for all fronts, whichever of them Postfix' connections have come to."""
    pose, sender, questions = new_site(shared, 3)
    with server.client() as client:
        stored = client.dbsize()
        assert shared.ask("first@local.test", pose, sender) == "DUNNO"
        wait_until(lambda: client.dbsize() >= stored + len(questions), "answers written")
    hits = shared.count("filterd_dns_shared", outcome="hit")

    def found() -> bool:
        """Whether the other front has had to look there."""
        assert shared.ask(f"f{time.monotonic()}@local.test", pose, sender) == "DUNNO"
        return shared.count("filterd_dns_shared", outcome="hit") >= hits + len(questions)

    wait_until(found, "both fronts asked")
    asked_once(shared, questions)


def greylisted(shared: PolicyStack, name: str) -> None:
    """Every front makes clients come again: as soon as Redis answers it, whatever trouble another test has made."""
    numbers = itertools.count()

    def several() -> bool:
        those = [f"{name}-{next(numbers)}@local.test" for _ in range(8)]
        return all(shared.rcpt(one, STRANGER, "bob@soft.test").code == 450 for one in those)

    wait_until(several, "greylisted by every front")


@pytest.mark.threat("POL-08")
@pytest.mark.parametrize("trouble", ["stopped", "killed"])
def test_redis_in_trouble(shared: PolicyStack, server: RedisServer, trouble: str) -> None:
    """Greylist and limits pass who cannot be asked about, counted; lists and checks go on; then all is as before."""
    do: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "stopped": (server.freeze, server.thaw),
        "killed": (server.kill, server.start),
    }
    break_it, mend_it = do[trouble]
    greylisted(shared, f"before-{trouble}")
    counted = {gate: shared.count("filterd_gates_silent", gate=gate) for gate in ("greylist", "limits")}
    waits = []
    break_it()
    try:
        for number in range(20):
            with SmtpClient(shared.postfix.port, STRANGER) as client:
                client.command("MAIL FROM:<bob@soft.test>")
                started = time.monotonic()
                reply = client.command(f"RCPT TO:<{trouble}{number}@local.test>")
                waits.append(time.monotonic() - started)
                client.quit()
            assert reply.code == 250
        assert shared.rcpt("refused@local.test", *FAILING).code == 550
        assert shared.rcpt("blocked@local.test", BLOCKED, "x@elsewhere.test").code == 550
    finally:
        mend_it()
    # One bound of ours, and much room for a loaded host; a client that waited for Redis would wait for ever.
    assert max(waits) < 10 * GATE_SECONDS
    late = shared.count("filterd_gate_failures")
    for gate, before in counted.items():
        assert 20 - late <= shared.count("filterd_gates_silent", gate=gate) - before <= 20
    greylisted(shared, f"after-{trouble}")

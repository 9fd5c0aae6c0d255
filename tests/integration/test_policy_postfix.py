"""The policy service asked by a real Postfix: ten clients at once, and every one of them told what is his."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pytest

from filterd.model.ids import public_id
from filterd.ownlists import Entry, Kind, Which
from tests.policy.asking import wire
from tests.support.daemon import Settings
from tests.support.dnsserver import Records, ZoneData
from tests.support.policy_stack import PolicyStack, converse
from tests.support.process import wait_until
from tests.support.smtp import Pose, Reply, SmtpClient
from tests.support.world import message, zone

CLIENTS: Final = 10
BATCHES: Final = 10  # of each client, each of one kind of mail, over a connection of its own
EACH: Final = 10  # recipients of a batch
DELAY: Final = 2  # seconds; what an operator has is minutes
ROOM: Final = 25  # messages to one mailbox
FULL: Final = "full@local.test"


def records() -> ZoneData:
    """Ten sites in order, a domain that doubts its clients, and listed addresses."""
    found: dict[str, dict[str, Records]] = {"soft.test": {"TXT": "v=spf1 ip4:192.0.2.1 ~all"}}
    for number in range(CLIENTS):
        address, domain = f"192.0.2.{100 + number}", f"clean{number}.test"
        found[domain] = {"TXT": f"v=spf1 ip4:{address} -all", "A": address, "MX": f"10 mail.{domain}"}
        found[f"mail.{domain}"] = {"A": address, "TXT": "v=spf1 a -all"}
        found[f"{100 + number}.2.0.192.in-addr.arpa"] = {"PTR": f"mail.{domain}"}
        found[f"{20 + number}.113.0.203.zen.spamhaus.org"] = {"A": "127.0.0.4"}
    return {**zone(), **found}


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of mail: the network its clients are in, its sender, and what it is told at first and on its retry.

    `{}` stands for the client's number. An empty `code` (the log's) is that of mail which is let in.
    """

    network: str
    first: int
    sender: str
    reply: tuple[int, str]
    code: str = ""
    retry: int = 0
    named: bool = False

    def pose(self, client: int) -> Pose:
        """The client of that number."""
        name = f"mail.clean{client}.test" if self.named else "[UNAVAILABLE]"
        helo = name if self.named else f"pc{client}.dialup.test"
        return Pose(f"{self.network}{self.first + client}", name, helo)


SORTS: Final = {
    "clean": Sort("192.0.2.", 100, "anna@clean{}.test", (250, ""), named=True),
    "listed": Sort("203.0.113.", 20, "x@elsewhere.test", (550, "5.7.1 "), "listed"),
    "blocked": Sort("203.0.113.", 130, "y@elsewhere.test", (550, "5.7.1 "), "blocked-client"),
    "failing": Sort("198.51.100.", 1, "anna@hard.test", (550, "5.7.23 "), "spf-fail"),
    "allowed": Sort("198.51.100.", 64, "anna@hard.test", (250, "")),
    "doubtful": Sort("198.51.100.", 200, "bob@soft.test", (450, "4.7.1 "), "greylisted", 250),
}
ENTRIES: Final = (
    Entry(Which.BLOCK, Kind.IP, "203.0.113.128/25", reason="told so"),
    Entry(Which.ALLOW, Kind.IP, "198.51.100.64/27", reason="our printer"),
)
SETTINGS: Final[Settings] = {
    "milter": {"workers": 2},
    "actions": {"greylist": 0.5},
    "early": {"reject": ["SPF_FAIL", "DNSBL_SPAMHAUS_XBL"]},
    "greylist": {"delay": DELAY, "window": 3600},
    "rates.box": {"by": "recipient", "limit": ROOM, "per": 86_400},
}


@pytest.fixture(scope="module")
def stack() -> Iterator[PolicyStack]:
    """Two fronts, with everything that a recipient can be judged by before its content."""
    restrictions = {"smtpd_recipient_restrictions": "{policy}", "milter_default_action": "accept"}
    with PolicyStack(SETTINGS, records=records(), entries=ENTRIES, restrictions=restrictions) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told about one recipient."""

    sort: str
    client: int
    recipient: str
    reply: Reply


def batches(stack: PolicyStack, client: int) -> list[Told]:
    """All that one client sends, each batch of another sort than its neighbours at the same moment."""
    found = []
    for batch in range(BATCHES):
        name = list(SORTS)[(client + batch) % len(SORTS)]
        sort = SORTS[name]
        with SmtpClient(stack.postfix.port, sort.pose(client)) as session:
            session.command(f"MAIL FROM:<{sort.sender.format(client)}>")
            for number in range(EACH):
                recipient = f"c{client}b{batch}n{number}@local.test"
                found.append(Told(name, client, recipient, session.command(f"RCPT TO:<{recipient}>")))
            session.quit()
    return found


def everybody(stack: PolicyStack) -> list[Told]:
    """All clients at once."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [one for found in pool.map(lambda client: batches(stack, client), range(CLIENTS)) for one in found]


def let_in(told: Told, *, retry: bool) -> bool:
    """Whether it should have been."""
    sort = SORTS[told.sort]
    return (sort.retry if retry and sort.retry else sort.reply[0]) == 250


@pytest.mark.threat("POL-07")
def test_a_thousand_recipients_of_ten_clients(stack: PolicyStack) -> None:
    """Each is told what is right for him, under the id of his own row; who was told to come again is taken then.

    What a gate does not say in time passes and is counted: on a host that is too slow for it that is right, too.
    """
    first = everybody(stack)
    time.sleep(DELAY + 1)
    second = everybody(stack)
    assert (len(first), len(second)) == (1_000, 1_000)
    rows = {one["id"]: one for one in stack.filterd.events("recipient")}
    shorts = {public_id(identifier): row for identifier, row in rows.items()}
    unasked = 0
    for told, retry in [(one, False) for one in first] + [(one, True) for one in second]:
        sort, reply = SORTS[told.sort], told.reply
        if reply.code == 250:
            assert let_in(told, retry=retry) or told.sort == "doubtful", told
            unasked += not let_in(told, retry=retry)
            continue
        if told.sort == "doubtful":
            assert not retry or told.recipient in {one.recipient for one in first if one.reply.code == 250}, told
        assert (reply.code, reply.text.startswith(sort.reply[1])) == (sort.reply[0], True), told
        row = shorts[reply.text.rsplit(" ", 1)[1]]
        pose = sort.pose(told.client)
        assert (row["recipients"], row["client"], row["helo"]) == ([told.recipient], pose.address, pose.helo)
        assert (row["code"], row["sender"]) == (sort.code, sort.sender.format(told.client))
    assert unasked <= stack.count("filterd_gates_silent") + stack.count("filterd_gate_failures")
    assert stack.count("filterd_policy_failures") == 0
    assert stack.count("filterd_policy_requests", state="RCPT") >= 2_000


def test_a_mailbox_takes_as_many_as_its_rate(stack: PolicyStack) -> None:
    """Ten clients at once, two fronts: not one more than that, all others are told to come again."""

    def turn(client: int) -> list[int]:
        clean = SORTS["clean"]
        return [stack.rcpt(FULL, clean.pose(client), clean.sender.format(client)).code for _ in range(5)]

    silent = stack.count("filterd_gates_silent", gate="limits") + stack.count("filterd_gate_failures")
    with ThreadPoolExecutor(CLIENTS) as pool:
        codes = [code for found in pool.map(turn, range(CLIENTS)) for code in found]
    unasked = stack.count("filterd_gates_silent", gate="limits") + stack.count("filterd_gate_failures") - silent
    assert set(codes) == {250, 450}
    assert ROOM <= codes.count(250) <= ROOM + unasked
    assert stack.told(FULL)["code"] == "rate-limited"


@pytest.mark.threat("POL-07")
def test_a_thousand_requests_on_one_connection(stack: PolicyStack) -> None:
    """Two messages in turn by their instance: each request has its own answer, and the connection stays open."""
    fine, bad = SORTS["clean"], SORTS["failing"]
    messages = [(fine.pose(3), fine.sender.format(3), "a.1"), (bad.pose(3), bad.sender, "b.2")]
    answers: list[list[str]] = [[], []]
    with socket.create_connection(("127.0.0.1", stack.policy_port), 60) as connection:
        for number in range(1_000):
            pose, sender, instance = messages[number % 2]
            name = pose.name if pose.name[0] != "[" else "unknown"
            known = {"client_address": pose.address, "client_name": name, "helo_name": pose.helo, "sender": sender}
            request = wire(**known, recipient=f"one{number}@local.test", instance=instance)
            answers[number % 2].append(converse(connection, request))
    assert set(answers[0]) == {"DUNNO"}
    assert {one.rsplit(" ", 1)[0] for one in answers[1]} == {
        "550 5.7.23 Sender not authenticated; ask postmaster about"
    }
    assert len(set(answers[1])) == 500


@pytest.mark.threat("POL-03")
def test_without_an_answer_postfix_defers(stack: PolicyStack) -> None:
    """It asks once more, then says 451 4.3.5 by itself; nobody gets in unasked, and the next one is asked again."""
    clean = SORTS["clean"]
    assert stack.filterd.stop() == 0
    try:
        refused = stack.rcpt("lost@local.test", clean.pose(6), "anna@clean6.test")
        assert (refused.code, refused.text[:6]) == (451, "4.3.5 ")
    finally:
        stack.filterd.start()
    assert stack.rcpt("back@local.test", clean.pose(6), "anna@clean6.test").code == 250


EVERYWHERE: Final = {
    "smtpd_delay_reject": "no",
    "smtpd_client_restrictions": "{policy}",
    "smtpd_helo_restrictions": "{policy}",
    "smtpd_sender_restrictions": "{policy}",
    "smtpd_recipient_restrictions": "{policy}, check_recipient_access inline:{gone@local.test=REJECT}",
    "smtpd_relay_restrictions": "{policy}, reject_unauth_destination",
    "smtpd_data_restrictions": "{policy}",
    "smtpd_end_of_data_restrictions": "{policy}",
    "milter_default_action": "accept",
}


@pytest.fixture(scope="module")
def asked() -> Iterator[PolicyStack]:
    """A Postfix that asks at every stage, before it looks whether it is to relay, and before a list of its own."""
    with PolicyStack(SETTINGS, records=records(), entries=ENTRIES, restrictions=EVERYWHERE) as running:
        yield running


STATES: Final = ("CONNECT", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE")


def test_at_every_stage(asked: PolicyStack) -> None:
    """Asked at CONNECT, HELO, MAIL, RCPT, DATA and at the end, a clean message gets through, a failing one does not."""
    clean, failing = SORTS["clean"], SORTS["failing"]
    before = {state: asked.count("filterd_policy_requests", state=state) for state in STATES}
    outcome = asked.send(message("anna@clean1.test", "Minutes"), clean.pose(1), "anna@clean1.test", recipients=2)
    assert (outcome.code, outcome.action) == (250, "accept")
    counted = {state: asked.count("filterd_policy_requests", state=state) - before[state] for state in STATES}
    assert min(counted["CONNECT"], counted["EHLO"] + counted["HELO"], counted["MAIL"]) > 0
    assert (counted["RCPT"], counted["DATA"], counted["END-OF-MESSAGE"]) == (4, 1, 1)
    refused = asked.send(message("anna@hard.test", "Offer"), failing.pose(1), "anna@hard.test")
    assert (refused.code, refused.sent.stage) == (550, "RCPT")


def test_postmaster_is_written_to(asked: PolicyStack) -> None:
    """Asked at DATA and at the end too, nobody refuses a message to postmaster: he is greylisted and then written to.

    Where the gate did not say so in time, the recipient passes, and it is the end of the message that says it.
    """
    failing = SORTS["failing"]
    mail, stages = message("anna@hard.test", "You refuse our mail"), set[str]()

    def taken() -> bool:
        """Whoever is greylisted comes again."""
        sent = asked.send(mail, failing.pose(2), "anna@hard.test", recipients=["postmaster@local.test"]).sent
        stages.add(f"{sent.stage} {sent.last.code}")
        return sent.last.code == 250

    wait_until(taken, "postmaster written to")
    assert stages <= {"RCPT 450", ". 451", ". 250"}


@pytest.mark.threat("POL-05")
@pytest.mark.parametrize("sort", SORTS)
def test_nobody_relays(asked: PolicyStack, sort: str) -> None:
    """Asked before reject_unauth_destination, the service opens no relay, to allowed clients neither."""
    those = SORTS[sort]
    reply = asked.rcpt("anybody@elsewhere.test", those.pose(4), those.sender.format(4))
    assert (reply.code, reply.text[:2]) in {(554, "5."), (550, "5.")}


@pytest.mark.threat("POL-06")
def test_a_later_refusal_goes_before_a_deferral(asked: PolicyStack) -> None:
    """DEFER_IF_PERMIT: whoever is greylisted, but is written to nobody, hears the 5xx at once."""
    doubtful = SORTS["doubtful"]
    waiting = asked.rcpt("later@local.test", doubtful.pose(5), doubtful.sender)
    gone = asked.rcpt("gone@local.test", doubtful.pose(5), doubtful.sender)
    assert asked.told("gone@local.test")["code"] == "greylisted"
    assert (waiting.code, gone.code, gone.text[:6]) == (450, 554, "5.7.1 ")

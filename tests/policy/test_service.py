"""From requests to answers: what is refused, what is remembered of a message, and what happens on trouble."""

import threading
import time
from collections.abc import MutableMapping
from typing import Any
from unittest.mock import Mock

import pytest

from filterd.checks.contract import View
from filterd.checks.registry import Tools, make_all
from filterd.dns.cache import AnswerCache
from filterd.dns.fake import FakeResolver
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.model.early import GateAnswer
from filterd.model.identity import Identities
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action
from filterd.pipeline.early import early_checks
from filterd.pipeline.transaction import Peer, Transaction
from filterd.policy import known, service
from filterd.policy.codec import Decoder
from filterd.policy.messages import MOST, Asking, Messages
from filterd.store import SelectorMemory
from tests.pipeline.fakes import FakeCheck, Front, Gate
from tests.policy.asking import DUNNO, MAIL, NOTHING, STRANGER, Desk, FakeGate, failing, request, watching

REFUSED = b"action=550 5.7.23 Sender not authenticated; ask postmaster about "


class Reading(FakeCheck):
    """Reads the records of the sender's domain."""

    def run(self, view: View) -> Plan[CheckReport]:
        """As Check."""
        self.saw.append((view.envelope.sender, {}))
        yield (Question(view.envelope.sender_domain, RRType.TXT),)
        return CheckReport(self.name, Outcome.OK)


class Cached(FakeResolver):
    """Answers from a cache, and keeps there what it is asked for."""

    def __init__(self, cache: AnswerCache) -> None:
        """Nothing but names that do not exist, beside the cache."""
        super().__init__()
        self.cache = cache

    def peek(self, question: Question) -> Answer | None:
        """What the cache has."""
        return self.cache.peek(question)

    async def resolve(self, question: Question) -> Answer:
        """As ever, and remembered."""
        return self.cache.peek(question) or self.cache.settle(self.lookup(question))


LATER = GateAnswer(Action.GREYLIST, "greylisted", "come again")


def test_a_symbol_of_the_list_refuses(front: Front) -> None:
    """A stranger whose mail fails SPF hears what the milter would tell it."""
    assert (Desk(failing(front)).ask() or b"").startswith(REFUSED)


def test_nothing_is_refused_as_shipped(front: Front) -> None:
    """Without a word in [early] the answer is DUNNO, and nothing is looked up for it."""
    desk = Desk(failing(front), NOTHING)
    assert desk.ask() == DUNNO
    assert desk.early.idle


@pytest.mark.threat("POL-01")
@pytest.mark.parametrize(
    "changes",
    [
        {"request": "something_else"},
        {"request": ""},
        {"protocol_state": "ETRN"},
        {"protocol_state": "VRFY"},
        {"protocol_state": ""},
        {"client_address": ""},
        {"client_address": "unknown"},
        {"client_address": "not an address"},
    ],
    ids=repr,
)
def test_what_cannot_be_judged_is_left_to_others(front: Front, changes: dict[str, str]) -> None:
    """Other kinds of request, states without a message and clients without an address get DUNNO."""
    assert Desk(failing(front)).ask(**changes) == DUNNO


@pytest.mark.threat("POL-01")
def test_what_contradicts_itself_is_left_to_others(front: Front) -> None:
    """An attribute with two values could be somebody's trick: neither is believed."""
    (asked,) = Decoder().receive(b"".join([f"{n}={v}\n".encode() for n, v in MAIL.items()]) + b"sender=x@y.test\n\n")
    assert Desk(failing(front)).answer(asked) == DUNNO


@pytest.mark.parametrize("state", ["CONNECT", "EHLO", "HELO", "MAIL"])
def test_before_a_recipient_is_named_lookups_only_begin(front: Front, state: str) -> None:
    """Nobody is refused before it is known whether it is postmaster who is written to."""
    check = FakeCheck("iprev", Stage.CONNECT, symbols=frozenset({"SPF_FAIL"}))
    front.checks = (check,)
    assert Desk(front).ask(protocol_state=state) == DUNNO
    assert len(check.saw) == 1


@pytest.mark.parametrize(("state", "sender"), [("EHLO", ""), ("MAIL", "anna@sender.test")])
def test_the_sender_is_looked_up_from_mail_on(front: Front, state: str, sender: str) -> None:
    """Before that an empty sender would be taken for the null sender."""
    check = FakeCheck("spf", Stage.MAIL)
    front.checks = (check,)
    Desk(front).ask(protocol_state=state, sender=sender)
    assert [seen[0] for seen in check.saw] == ([sender] if sender else [])


@pytest.mark.parametrize("state", ["DATA", "END-OF-MESSAGE"])
def test_a_whole_message_is_refused(front: Front, state: str) -> None:
    """Asked at DATA, the message is refused for what a recipient would be refused for."""
    assert (Desk(failing(front)).ask(protocol_state=state, recipient="") or b"").startswith(REFUSED)


@pytest.mark.parametrize("state", ["DATA", "END-OF-MESSAGE"])
def test_gates_are_asked_about_recipients_only(front: Front, state: str) -> None:
    """At DATA nobody is greylisted or counted a second time."""
    gate = FakeGate(LATER)
    assert Desk(front, gates=[gate]).ask(protocol_state=state) == DUNNO
    assert gate.saw == []


def test_postmaster_is_spared(front: Front) -> None:
    """Who is refused by mistake must be able to say so (RFC 5321, section 4.5.1)."""
    assert Desk(failing(front)).ask(recipient="Postmaster@local.test") == DUNNO


def test_a_message_to_postmaster_too_is_spared_at_data(front: Front) -> None:
    """Else its other recipients would lose postmaster's copy."""
    desk = Desk(failing(front))
    desk.ask(recipient="postmaster@local.test")
    assert desk.ask(protocol_state="DATA", recipient="", recipient_count="2") == DUNNO


def test_a_recipient_whose_policy_is_off_is_spared(front: Front) -> None:
    """Whoever wants no filtering gets none before DATA either."""
    desk = Desk(failing(front), exempt=lambda recipient: recipient == "bert@local.test")
    assert desk.ask() == DUNNO
    assert desk.ask(recipient="carl@local.test") != DUNNO


@pytest.mark.parametrize(
    ("changes", "trust"),
    [
        ({"client_address": "127.0.0.1"}, TrustClass.LOCAL),
        ({"client_address": "192.0.2.1"}, TrustClass.RELAY),
        ({"sasl_username": "anna", "sasl_method": "PLAIN"}, TrustClass.AUTHENTICATED),
    ],
)
def test_checks_refuse_strangers_only(front: Front, changes: dict[str, str], trust: TrustClass) -> None:
    """Our users, our networks and relays are not judged by what is known of strangers; gates know who they are."""
    gate = FakeGate()
    assert Desk(failing(front), gates=[gate]).ask(**changes) == DUNNO
    assert [(facts.trust, facts.user) for facts in gate.saw] == [(trust, changes.get("sasl_username", ""))]


def test_behind_a_relay_nothing_is_looked_up(front: Front) -> None:
    """Whom it speaks for stands in the header, which is not there yet."""
    check = FakeCheck("iprev", Stage.CONNECT)
    front.checks = (check,)
    assert Desk(front).ask(client_address="192.0.2.1") == DUNNO
    assert check.saw == []


def test_the_null_sender_is_not_refused_for_spf(front: Front) -> None:
    """A bounce of a host without a record for its own name is wanted (MTA-17)."""
    assert Desk(failing(front)).ask(sender="") == DUNNO


def test_the_operators_senders_are_spared(front: Front) -> None:
    """Whoever is on [trust] allow by his address is refused by no check."""
    assert Desk(failing(front), allow=Identities.parse(["ip:198.51.100.0/24"])).ask() == DUNNO


def test_scores_refuse_and_defer_where_asked_for(front: Front) -> None:
    """SPF_FAIL weighs 3 here."""
    desk = Desk(failing(front), watching(reject=frozenset(), defer_score=3.0))
    assert (desk.ask() or b"").startswith(b"action=DEFER_IF_PERMIT 4.7.1 ")
    assert desk.journalled() == [("defer", "spf-fail")]


@pytest.mark.parametrize("slow", ["dnsbl", "spf"])
def test_of_two_reasons_the_same_one_is_told(front: Front, slow: str) -> None:
    """Whichever answer came first: else milter and policy service would say different things of one client."""
    front.checks = tuple(
        FakeCheck(name, stage, symbols=frozenset({symbol}), rounds=(("a.test",),) if name == slow else ())
        for name, stage, symbol in (("spf", Stage.MAIL, "SPF_FAIL"), ("dnsbl", Stage.CONNECT, "HELD"))
    )
    desk = Desk(front, watching(reject=frozenset({"SPF_FAIL", "HELD"})))
    desk.ask()
    assert desk.journalled() == [("reject", "listed")]


def test_in_observe_mode_nothing_is_refused(front: Front) -> None:
    """What would have been done is in journal and counts."""
    desk = Desk(failing(front), watching(observe=True))
    assert desk.ask() == DUNNO
    assert [(row.action, row.observed) for row in front.journal.rows] == [("accept", "reject")]
    assert desk.counted("recipient") == [("policy", "reject")]


def test_a_refused_recipient_leaves_a_row(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """Trace finds who was refused before DATA, under the id that the client was told; so does the log."""
    desk = Desk(failing(front))
    reply = desk.ask(queue_id="")
    (row,) = front.journal.rows
    assert (row.action, row.code, row.recipients, row.queue_id) == (
        "reject",
        "spf-fail",
        ("bert@local.test",),
        "NOQUEUE",
    )
    assert row.id[-10:].encode() in (reply or b"")
    (event,) = [one for one in log if one["event"] == "recipient"]
    assert (event["by"], event["action"], event["sender"]) == ("policy", "reject", "anna@sender.test")


def test_a_recipient_that_passes_leaves_no_row(front: Front) -> None:
    """The milter's verdict on the message will be its row."""
    desk = Desk(front)
    assert desk.ask() == DUNNO
    assert front.journal.rows == []
    assert desk.counted("recipient") == [("policy", "accept")]


# --- one message


@pytest.mark.threat("POL-07")
def test_a_message_is_judged_once_for_all_its_recipients(front: Front) -> None:
    """The second recipient costs no lookup and no check."""
    desk = Desk(failing(front))
    replies = [desk.ask(recipient=f"r{number}@local.test") for number in range(20)]
    assert all((reply or b"").startswith(REFUSED) for reply in replies)
    assert len(desk.front.checks[0].saw) == 1
    assert len({row.id for row in front.journal.rows}) == 20


@pytest.mark.threat("POL-07")
def test_messages_interleaved_by_instance_do_not_mix(front: Front) -> None:
    """Two messages on one connection, one recipient of each in turn: each keeps its own sender and count."""
    gate = FakeGate()
    desk = Desk(front, gates=[gate])
    for _ in range(3):
        desk.ask(instance="a", sender="a@a.test")
        desk.ask(instance="b", sender="b@b.test")
    assert [(facts.sender, facts.earlier) for facts in gate.saw] == [
        (f"{name}@{name}.test", earlier) for earlier in range(3) for name in "ab"
    ]


@pytest.mark.threat("POL-07")
def test_an_instance_alone_is_not_believed(front: Front) -> None:
    """The same instance with another client or sender is another message."""
    desk = Desk(failing(front))
    desk.ask()
    desk.ask(sender="anna@other.test")
    desk.ask(client_address="198.51.100.8")
    assert len(desk.front.checks[0].saw) == 3


def test_what_one_connection_says_another_does_not_know(front: Front) -> None:
    """Instances are remembered by connection: two of the same name are two messages."""
    gate = FakeGate()
    desk = Desk(front, gates=[gate])
    desk.ask()
    desk.answer(request(), Messages())
    assert [facts.earlier for facts in gate.saw] == [0, 0]


def test_without_an_instance_every_request_stands_for_itself(front: Front) -> None:
    """There is nothing to know the message by."""
    gate = FakeGate()
    desk = Desk(front, gates=[gate])
    desk.ask(instance="")
    desk.ask(instance="")
    assert [facts.earlier for facts in gate.saw] == [0, 0]


def test_a_connection_remembers_a_bounded_number_of_messages(front: Front) -> None:
    """The first falls out when there are too many."""
    gate = FakeGate()
    desk = Desk(front, gates=[gate])
    for number in range(MOST + 1):
        desk.ask(instance=str(number))
    desk.ask(instance=str(MOST))
    desk.ask(instance="0")
    assert [facts.earlier for facts in gate.saw[-2:]] == [1, 0]


# --- the next message of the same sender


def test_the_next_message_of_a_domain_costs_no_check(front: Front) -> None:
    """A burst is evaluated once; each of its messages is another to the gates, and has its own sender and row."""
    gate = FakeGate(LATER)
    desk = Desk(failing(front), watching(reject=frozenset()), gates=[gate])
    for number in range(3):
        desk.front.epoch.now += 1
        desk.ask(instance=str(number), client_port=str(5000 + number), sender=f"n{number}@sender.test")
    assert len(desk.front.checks[0].saw) == 1
    assert len({facts.id for facts in gate.saw}) == 3
    assert [facts.client.port for facts in gate.saw] == [5000, 5001, 5002]
    assert [facts.now - gate.saw[0].now for facts in gate.saw] == [0.0, 1.0, 2.0]
    assert [(facts.score, "spf" in facts.reports) for facts in gate.saw] == [(3.0, True)] * 3
    assert [facts.sender for facts in gate.saw] == ["n0@sender.test", "n1@sender.test", "n2@sender.test"]
    assert [row.sender for row in front.journal.rows] == [facts.sender for facts in gate.saw]
    assert len({row.id for row in front.journal.rows}) == 3


@pytest.mark.parametrize(("record", "evaluated"), [("v=spf1 a:%{o} ~all", 1), ("v=spf1 exists:%{L}.a.test ~all", 2)])
def test_a_record_may_ask_who_it_is(front: Front, record: str, evaluated: int) -> None:
    """Where SPF asks for the local part, each sender of the domain is evaluated, once."""
    cache = AnswerCache()
    cache.settle(Answer(Question("sender.test", RRType.TXT), AnswerStatus.NOERROR, (record,), 300))
    front.checks = (Reading("spf", Stage.MAIL),)
    front.resolver = Cached(cache)
    desk = Desk(front)
    for number, local_part in enumerate(["anna", "berta", "anna", "berta"]):
        desk.ask(instance=str(number), sender=f"{local_part}@sender.test")
    assert len(front.checks[0].saw) == evaluated


@pytest.mark.parametrize(("size", "evaluated"), [(known.MAX_TEXT, 1), (known.MAX_TEXT + 1, 2)])
def test_what_is_kept_is_bounded(front: Front, size: int, evaluated: int) -> None:
    """Whoever publishes endless records is evaluated each time, and takes no memory."""
    cache = AnswerCache()
    cache.settle(Answer(Question("sender.test", RRType.TXT), AnswerStatus.NOERROR, ("x" * size,), 300))
    front.checks = (Reading("spf", Stage.MAIL),)
    front.resolver = Cached(cache)
    desk = Desk(front)
    for instance in "12":
        desk.ask(instance=instance)
    assert len(front.checks[0].saw) == evaluated


def test_only_spf_sees_the_sender() -> None:
    """A check before the content that saw the whole sender would make one person's mail be judged by another's."""
    early = {
        check.name
        for check in early_checks(make_all(Tools(Mock(spec=SelectorMemory))))
        if check.stage is not Stage.CONNECT
    }
    assert early == {"spf"}


@pytest.mark.threat("POL-07")
@pytest.mark.parametrize(
    "changes",
    [
        {"client_address": "198.51.100.8"},
        {"client_name": "other.sender.test"},
        {"helo_name": "other.sender.test"},
        {"sender": "anna@other.test"},
        {"sender": "anna@SENDER.test"},
        {"sender": "sender.test"},
        {"sender": ""},
        {"sasl_username": "anna"},
        {"sasl_method": "PLAIN"},
    ],
    ids=repr,
)
def test_anything_that_checks_see_makes_it_another(front: Front, changes: dict[str, str]) -> None:
    """What was found of one sender is never said of another."""
    front.checks = (FakeCheck("spf", Stage.MAIL), FakeCheck("iprev", Stage.CONNECT))
    desk = Desk(front, gates=[FakeGate()])
    desk.ask(instance="1")
    desk.ask(instance="2", **changes)
    assert [len(check.saw) for check in front.checks] == [2, 2]


def test_a_burst_ends(front: Front) -> None:
    """What hangs on more than the DNS is read anew after a while."""
    desk = Desk(failing(front))
    desk.ask(instance="1")
    front.monotonic.now += known.SECONDS + 0.1
    desk.ask(instance="2")
    assert len(front.checks[0].saw) == 2


@pytest.mark.parametrize("change", ["another answer", "forgotten"])
def test_another_answer_is_evaluated(front: Front, change: str) -> None:
    """As soon as the cache gives another answer, or none, the sender is judged by what the DNS says now."""
    front.checks = (FakeCheck("iprev", Stage.CONNECT, rounds=(("a.test",),), symbols=frozenset({"SPF_FAIL"})),)
    cache = AnswerCache()
    front.resolver = Cached(cache)
    desk = Desk(front)
    for instance in "12":
        desk.ask(instance=instance)
    assert len(front.checks[0].saw) == 1
    if change == "forgotten":
        cache.forget("test")
    else:
        cache.settle(Answer(Question("a.test", RRType.A), AnswerStatus.NOERROR, ("192.0.2.7",), 300))
    desk.ask(instance="3")
    assert len(front.checks[0].saw) == 2


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.CRASHED])
def test_what_is_unknown_is_tried_again(front: Front, outcome: Outcome) -> None:
    """A failure of the moment is not the whole burst's."""
    front.checks = (FakeCheck("iprev", Stage.CONNECT, outcome=outcome),)
    desk = Desk(front)
    desk.ask(instance="1")
    desk.ask(instance="2")
    assert len(front.checks[0].saw) == 2


def test_what_was_late_is_looked_up_again(front: Front, gate: Gate) -> None:
    """Judged without a lookup's end, a sender is not known by that."""
    front.checks = (FakeCheck("iprev", Stage.CONNECT, rounds=(("a.test",),)),)
    front.resolver = gate
    desk = Desk(front, seconds=0.02)
    desk.ask(instance="1")
    desk.ask(instance="2")
    assert len(front.checks[0].saw) == 2


def test_a_bounded_number_of_domains_is_known(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one evaluated longest ago falls out."""
    monkeypatch.setattr(known, "MOST", 3)
    desk = Desk(failing(front))
    for number in (1, 2, 3, 1, 4, 3, 1):
        desk.ask(instance="", sender=f"anna@s{number}.test")
    assert [sender for sender, _ in front.checks[0].saw] == [f"anna@s{number}.test" for number in (1, 2, 3, 4, 1)]


def test_what_is_over_takes_no_memory(front: Front) -> None:
    """The next one that is remembered takes the place of all that are too old to be of use."""
    desk = Desk(failing(front))
    case = desk.early.case(Transaction(desk.parts, Peer(Client(STRANGER))))
    recent = known.Known()
    for number, now in enumerate([0.0, 1.0, 2.0, known.SECONDS + 1.5]):
        recent.keep(Asking.of(request(sender=f"anna@s{number}.test")), case, {}, now)
    assert len(recent) == 2


# --- gates


def test_a_gate_defers(front: Front) -> None:
    """Greylisting's answer is DEFER_IF_PERMIT, with the row that trace shows."""
    desk = Desk(front, gates=[FakeGate(LATER)])
    assert (desk.ask() or b"").startswith(b"action=DEFER_IF_PERMIT 4.7.1 ")
    assert desk.journalled() == [("greylist", "greylisted")]


def test_gates_behind_are_not_asked_about_what_is_refused(front: Front) -> None:
    """Who is refused for good uses up no rate."""
    gate = FakeGate(LATER)
    assert (Desk(failing(front), gates=[gate]).ask() or b"").startswith(REFUSED)
    assert gate.saw == []


def test_a_gate_ahead_settles_the_matter(front: Front) -> None:
    """The operator's list goes before what checks found and before greylisting."""
    behind = FakeGate(LATER)
    ahead = FakeGate(GateAnswer(code="allowed", settled=True), name="list", ahead=True)
    assert Desk(failing(front), gates=[behind, ahead]).ask() == DUNNO
    assert behind.saw == []


def test_a_gate_ahead_refuses(front: Front) -> None:
    """A blocked client is refused, whatever the checks say."""
    ahead = FakeGate(GateAnswer(Action.REJECT, "blocked", "by hand"), ahead=True)
    assert (Desk(front, gates=[ahead]).ask() or b"").startswith(b"action=550 5.7.1 ")


def test_a_gate_is_told_what_is_known(front: Front) -> None:
    """Score, reports, helo and how many recipients came before."""
    gate = FakeGate()
    desk = Desk(failing(front), watching(reject=frozenset()), gates=[gate])
    desk.ask()
    (facts,) = gate.saw
    assert (facts.score, facts.helo, facts.recipient, facts.earlier, facts.stress) == (
        3.0,
        "mail.sender.test",
        "bert@local.test",
        0,
        False,
    )
    assert "spf" in facts.reports


@pytest.mark.parametrize("waits", [False, True])
def test_only_who_has_to_wait_does_so_in_a_thread(front: Front, waits: bool) -> None:  # noqa: FBT001  # a column above
    """What a gate knows at once is said in the loop; what it must wait for holds up nobody else."""
    seen = []
    gate = FakeGate(LATER, does=lambda _facts: seen.append(threading.current_thread().name), waits=waits)
    assert (Desk(front, gates=[gate]).ask() or b"").startswith(b"action=DEFER_IF_PERMIT")
    assert [name.startswith("gates") for name in seen] == [waits]


def test_no_gate_is_asked_twice(front: Front) -> None:
    """One that has answered at once is not asked again where the next one has to wait: it may count."""
    gates = [FakeGate(name="a", ahead=True, waits=False), FakeGate(name="b", waits=False), FakeGate(LATER, name="c")]
    assert (Desk(front, gates=gates).ask() or b"").startswith(b"action=DEFER_IF_PERMIT")
    assert [len(gate.saw) for gate in gates] == [1, 1, 1]


@pytest.mark.threat("POL-08")
@pytest.mark.crashes_expected
@pytest.mark.parametrize("waits", [False, True])
def test_a_gate_that_crashes_lets_mail_pass(front: Front, waits: bool) -> None:  # noqa: FBT001  # a column above
    """Greylisting and limits fail open; it is counted."""

    def crash(_facts: object) -> None:
        raise RuntimeError("no store")

    desk = Desk(front, gates=[FakeGate(LATER, does=crash, waits=waits)])
    assert desk.ask() == DUNNO
    assert desk.counted("gate_failed") == [("crashed",)]


@pytest.mark.threat("POL-08")
def test_a_gate_that_hangs_lets_mail_pass(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer for it than its bound; the loop answers others meanwhile."""
    monkeypatch.setattr(service, "GATE_SECONDS", 0.02)
    release = threading.Event()
    desk = Desk(front, gates=[FakeGate(LATER, does=lambda _facts: release.wait(10))])
    started = time.monotonic()
    try:
        assert desk.ask() == DUNNO
        assert time.monotonic() - started < 5
    finally:
        release.set()
    assert desk.counted("gate_failed") == [("late",)]


# --- trouble


@pytest.mark.threat("POL-03")
@pytest.mark.crashes_expected
def test_our_bug_is_no_answer(
    front: Front, monkeypatch: pytest.MonkeyPatch, log: list[MutableMapping[str, Any]]
) -> None:
    """None: the connection is to be closed, and Postfix asks again. The log says why."""
    desk = Desk(failing(front))

    def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(desk.early, "case", crash)
    assert desk.ask() is None
    assert desk.counted("policy_failed") == [("crashed",)]
    assert [event["callback"] for event in log if event["event"] == "callback_crashed"] == ["policy"]


@pytest.mark.threat("POL-09")
def test_under_stress_lookups_get_less_time(front: Front, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered without them, long before the usual time is over; gates hear of the stress."""
    monkeypatch.setattr(service, "STRESS_SECONDS", 0.02)
    front.checks = (FakeCheck("iprev", Stage.CONNECT, rounds=(("a.test",),), symbols=frozenset({"SPF_FAIL"})),)
    front.resolver = gate
    asked = FakeGate()
    desk = Desk(front, seconds=60.0, gates=[asked])
    assert desk.ask(stress="yes") == DUNNO
    assert [facts.stress for facts in asked.saw] == [True]


def test_a_lookup_that_is_late_does_not_refuse(front: Front, gate: Gate) -> None:
    """What is not known in time counts nothing: DUNNO, and the milter will know."""
    front.checks = (FakeCheck("iprev", Stage.CONNECT, rounds=(("a.test",),), symbols=frozenset({"SPF_FAIL"})),)
    front.resolver = gate
    assert Desk(front, seconds=0.02).ask() == DUNNO


def test_an_answer_in_time_is_waited_for(front: Front) -> None:
    """A check that has to ask is judged by when it has its answer."""
    front.checks = (
        FakeCheck("iprev", Stage.CONNECT, rounds=(("a.test",), ("b.test",)), symbols=frozenset({"SPF_FAIL"})),
    )
    assert (Desk(front).ask() or b"").startswith(REFUSED)


def test_checks_of_the_content_are_not_made(front: Front) -> None:
    """What stands at the end of the message is the milter's."""
    late = FakeCheck("dmarc", Stage.EOM, symbols=frozenset({"SPF_FAIL"}))
    front.checks = (late,)
    assert Desk(front).ask() == DUNNO
    assert late.saw == []


def test_requests_are_counted_by_state(front: Front) -> None:
    """Every one, those that are left to others too."""
    desk = Desk(front)
    desk.ask()
    desk.answer(request(protocol_state="DATA"))
    assert desk.counted("policy_request") == [("RCPT",), ("DATA",)]

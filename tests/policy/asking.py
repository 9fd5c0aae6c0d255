"""Requests as Postfix writes them, and a service to ask in a loop of its own."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from filterd.model.early import PASS, EarlyFacts, EarlyGate, GateAnswer
from filterd.model.identity import Identities
from filterd.model.report import Stage
from filterd.pipeline.early import Early, EarlyPolicy, early_checks
from filterd.pipeline.parts import Parts
from filterd.policy.codec import Decoder, Request
from filterd.policy.messages import Messages
from filterd.policy.service import PolicyService
from tests.pipeline.fakes import FakeCheck, FakeCounters, Front

STRANGER = "198.51.100.7"
DUNNO = b"action=DUNNO\n\n"
MAIL = {
    "request": "smtpd_access_policy",
    "protocol_state": "RCPT",
    "protocol_name": "ESMTP",
    "helo_name": "mail.sender.test",
    "queue_id": "",
    "sender": "anna@sender.test",
    "recipient": "bert@local.test",
    "recipient_count": "0",
    "client_address": STRANGER,
    "client_name": "mail.sender.test",
    "reverse_client_name": "mail.sender.test",
    "instance": "123.456.7",
    "sasl_method": "",
    "sasl_username": "",
    "sasl_sender": "",
    "size": "12345",
    "ccert_subject": "",
    "encryption_protocol": "TLSv1.3",
    "etrn_domain": "",
    "stress": "",
    "client_port": "4711",
    "policy_context": "",
    "server_address": "192.0.2.25",
    "server_port": "25",
}


def wire(**changes: str) -> bytes:
    """A request of that message, changed so."""
    return b"".join([f"{name}={value}\n".encode() for name, value in (MAIL | changes).items()]) + b"\n"


def request(**changes: str) -> Request:
    """The same, decoded."""
    (found,) = Decoder().receive(wire(**changes))
    return found


class Counting(FakeCounters):
    """Counts what the policy service counts, too."""

    def recipient(self, by: str, action: str) -> None:
        """A recipient that was judged."""
        self.calls.append(("recipient", by, action))

    def gate_failed(self, kind: str) -> None:
        """A gate without an answer."""
        self.calls.append(("gate_failed", kind))

    def policy_request(self, state: str) -> None:
        """A request."""
        self.calls.append(("policy_request", state))

    def policy_failed(self, kind: str) -> None:
        """A connection that got no answer."""
        self.calls.append(("policy_failed", kind))

    def policy_connection(self, change: int) -> None:
        """A connection that came or went."""
        self.calls.append(("policy_connection", change))


@dataclass
class FakeGate:
    """Says to everybody what it was told to say, after doing what it was told to do."""

    said: GateAnswer = PASS
    name: str = "gate"
    ahead: bool = False
    does: Callable[[EarlyFacts], object] = lambda _facts: None
    waits: bool = True
    saw: list[EarlyFacts] = field(default_factory=list)

    def at_once(self, facts: EarlyFacts) -> GateAnswer | None:
        """As an EarlyGate."""
        return None if self.waits else self.ask(facts)

    def ask(self, facts: EarlyFacts) -> GateAnswer:
        """As an EarlyGate."""
        self.saw.append(facts)
        self.does(facts)
        return self.said


def failing(front: Front) -> Front:
    """The front, with an SPF check that finds a failure for everybody."""
    front.checks = (FakeCheck("spf", Stage.MAIL, symbols=frozenset({"SPF_FAIL"})),)
    return front


REFUSING = EarlyPolicy(reject=frozenset({"SPF_FAIL"}), spared=frozenset({"postmaster"}))


@dataclass
class Desk:
    """A service over a front of fakes."""

    front: Front
    policy: EarlyPolicy = REFUSING
    gates: Sequence[EarlyGate] = ()
    allow: Identities | None = None
    exempt: Callable[[str], bool] = lambda _recipient: False
    seconds: float = 5.0
    counters: Counting = field(default_factory=Counting)
    messages: Messages = field(default_factory=Messages)

    def __post_init__(self) -> None:
        """Build it."""
        self.front.counters = self.counters
        parts = self.front.parts()
        names = frozenset([check.name for check in early_checks(self.front.checks)])
        self.early = Early(
            self.policy,
            parts.scores,
            parts.replies.reply,
            self.counters,
            awaited=names,
            gates=self.gates,
            allow=self.allow,
            exempt=self.exempt,
        )
        self.parts: Parts = replace(parts, early=self.early)
        self.service = PolicyService(self.parts, self.early, self.counters, self.front.loop.loop, self.seconds)

    def ask(self, /, **changes: str) -> bytes | None:
        """The answer to one request."""
        return self.answer(request(**changes))

    def answer(self, asked: Request, messages: Messages | None = None) -> bytes | None:
        """The same for a request as it is."""
        found: list[bytes | None] = []
        told = threading.Event()

        def done(reply: bytes | None) -> None:
            found.append(reply)
            told.set()

        loop = self.front.loop.loop
        loop.call_soon_threadsafe(self.service.ask, asked, messages or self.messages, done)
        assert told.wait(10), "no answer"
        assert len(found) == 1
        return found[0]

    def journalled(self) -> list[tuple[str, str]]:
        """Action and code of the journal's rows."""
        return [(row.action, row.code) for row in self.front.journal.rows]

    def counted(self, name: str) -> list[tuple[Any, ...]]:
        """What was counted under a name."""
        return [call[1:] for call in self.counters.calls if call[0] == name]


def watching(**changes: Any) -> EarlyPolicy:
    """That policy, changed so."""
    return replace(REFUSING, **changes)


NOTHING = EarlyPolicy(reject_score=inf)

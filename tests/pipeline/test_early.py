"""What is said about recipients before the content: by the client's name for itself, by its network, and told later."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from filterd.model.early import PASS, EarlyFacts, GateAnswer
from filterd.model.session import Client
from filterd.model.verdict import Action, Verdict
from filterd.operations.trace import traced
from filterd.pipeline.early import Early, EarlyCase, EarlyPolicy
from filterd.pipeline.early_records import note_recipient
from filterd.pipeline.transaction import Peer, Transaction
from filterd.quarantine import Journal, JournalFilter
from filterd.reputation import Memory, Outcome, Tally
from filterd.score import load_scores
from filterd.store import MemoryStore
from tests.pipeline.fakes import NOW, Front
from tests.policy.asking import Counting, FakeGate

RULES: Final = Path(__file__).resolve().parents[2] / "rules" / "scores.toml"
ADDRESS: Final = "8.8.8.8"
NETWORK: Final = "8.8.8.0/24"
SENDER, RECIPIENT = "anna@sender.test", "bert@local.test"


def early_of(front: Front, policy: EarlyPolicy, gate: FakeGate | None = None, memory: Memory | None = None) -> Early:
    """Who judges, by the shipped scores."""
    gates = () if gate is None else (gate,)
    return Early(policy, load_scores(RULES), front.parts().replies.reply, Counting(), gates=gates, memory=memory)


def case_of(front: Front, early: Early, helo: str = "mail.sender.test", address: str = ADDRESS) -> EarlyCase:
    """What is known of a message at RCPT."""
    transaction = Transaction(front.parts(), Peer(Client(address)))
    transaction.hello(helo)
    transaction.mail(SENDER, (), {})
    found = early.case(transaction)
    transaction.close()
    return found


@pytest.mark.parametrize(
    ("helo", "symbol"),
    [("8.8.8.8", "HELO_BARE_ADDRESS"), ("office-pc", "HELO_UNQUALIFIED"), ("[192.0.2.9]", "HELO_FALSE_ADDRESS")],
)
def test_a_name_that_is_none_refuses(front: Front, helo: str, symbol: str) -> None:
    """Where the operator names the symbol; a host that says who it is passes."""
    early = early_of(front, EarlyPolicy(reject=frozenset({symbol})))
    assert early.judge(case_of(front, early, helo), RECIPIENT, "id").action is Action.REJECT
    assert early.judge(case_of(front, early), RECIPIENT, "id").action is Action.ACCEPT


@pytest.mark.parametrize(("address", "action"), [(ADDRESS, Action.DEFER), ("127.0.0.9", Action.ACCEPT)])
def test_a_network_of_bad_standing_defers(front: Front, address: str, action: Action) -> None:
    """What its mail turned out to be before counts before the content, too; ours is not judged by it."""
    store = MemoryStore()
    memory = Memory(store, Tally(store, interval=3600))
    memory.connected(NETWORK, NOW)
    for _ in range(40):
        memory.experienced(NETWORK, None, Outcome.BAD, Outcome.BAD, NOW)
    early = early_of(front, EarlyPolicy(defer=frozenset({"REPUTATION_NETWORK_BAD"})), memory=memory)
    verdict = early.judge(case_of(front, early, address=address), RECIPIENT, "id")
    assert (verdict.action, verdict.code) == (action, "reputation" if action is Action.DEFER else "clean")


@pytest.mark.parametrize("code", ["greylisted", "rate-limited", "blocked-sender"])
def test_postmaster_is_spared_what_checks_find_alone(front: Front, code: str) -> None:
    """What a gate says (lists, greylist, rate limits) holds for him, too."""
    said = GateAnswer(Action.REJECT if code == "blocked-sender" else Action.DEFER, code, "told so")
    policy = EarlyPolicy(reject=frozenset({"HELO_UNQUALIFIED"}), spared=frozenset({"postmaster"}))
    early = early_of(front, policy, gate := FakeGate())
    case = case_of(front, early, "office-pc")
    assert early.judge(case, "postmaster@local.test", "id").action is Action.ACCEPT
    gate.said = said
    assert early.judge(case, "postmaster@local.test", "id").action is said.action


@pytest.mark.parametrize(
    ("action", "code", "became"),
    [
        (Action.GREYLIST, "greylisted", "told to come again"),
        (Action.DEFER, "rate-limited", "told to come again"),
        (Action.REJECT, "blocked-sender", "refused"),
    ],
)
def test_an_attempt_before_the_content_is_found(
    front: Front, tmp_path: Path, action: Action, code: str, became: str
) -> None:
    """Whoever asks about a sender or a recipient finds it, with what the client was told and why."""
    journal = Journal(tmp_path / "journal.sqlite", clock=front.epoch)
    parts = replace(front.parts(), journal=journal)

    def says(facts: EarlyFacts) -> None:
        gate.said = GateAnswer(action, code, "why it was") if facts.recipient == RECIPIENT else PASS

    gate = FakeGate(does=says)
    early = early_of(front, EarlyPolicy(), gate)
    case = case_of(front, early)

    def judged(recipient: str, identifier: str) -> Verdict:
        verdict = early.judge(case, recipient, identifier)
        note_recipient(parts, case, recipient, verdict, identifier, by="policy")
        return verdict

    refused, _ = (
        judged(RECIPIENT, "01HQ3KZ0000000000000000001"),
        judged("carol@local.test", "01HQ3KZ0000000000000000002"),
    )
    journal.flush()
    for wanted in (
        JournalFilter(sender="sender.test"),
        JournalFilter(recipient="bert@"),
        JournalFilter(client=ADDRESS),
    ):
        (row,) = journal.search(wanted)
        told = traced(row, lambda _: None)
        assert (told["became"], told["code"], told["note"]) == (became, code, "why it was")
        assert refused.reply is not None
        assert told["public_id"] in refused.reply.text
    assert journal.search(JournalFilter(recipient="carol@")) == []
    journal.close()

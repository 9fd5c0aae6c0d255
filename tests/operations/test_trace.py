"""What became of a message, told from journal and ledger."""

from dataclasses import replace

import pytest

from filterd.model.custody import CustodyError
from filterd.model.verdict import Action
from filterd.operations.trace import lines, traced
from filterd.quarantine import Entry, State
from filterd.quarantine.entries import entry_of
from tests.quarantine.samples import evidence, identifier, journal_row, raw


def _entry(state: State) -> Entry:
    with raw() as message:
        return replace(entry_of(evidence(), message), state=state)


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.QUARANTINE])
def test_every_action_has_its_words(action: Action) -> None:
    """The ledger is not asked about a message that was not held."""

    def ledger(_identifier: str) -> Entry | None:
        raise AssertionError

    found = traced(journal_row(action=action.value), ledger)
    assert found["state"] is None
    assert found["became"] not in {"", action.value}


@pytest.mark.parametrize("state", State)
def test_a_held_message_is_what_the_ledger_says(state: State) -> None:
    """Held, released, refused, deleted, expired: the state and words for it."""
    found = traced(journal_row(action="quarantine"), lambda _: _entry(state))
    assert found["state"] == state.value
    assert "held" in found["became"]


def test_a_release_is_told() -> None:
    """To whom, how often it was tried, and what the MTA said."""
    entry = replace(_entry(State.DELIVERED), targets=("to@b.test",), attempts=2, outcome="250 ok")
    found = traced(journal_row(action="quarantine"), lambda _: entry)
    assert found["release"] == {"to": ["to@b.test"], "attempts": 2, "outcome": "250 ok"}
    assert "released    to to@b.test: 250 ok" in list(lines(found))


def test_a_note_is_told() -> None:
    """What became of a greylisted message that came back."""
    found = traced(journal_row(note="greylisted, came back after 312 s"), lambda _: None)
    assert found["note"] == "greylisted, came back after 312 s"
    assert "note        greylisted, came back after 312 s" in list(lines(found))
    assert not any(line.startswith("note") for line in lines(traced(journal_row(), lambda _: None)))


def test_a_ledger_without_an_answer_does_not_hide_the_journal() -> None:
    """Gone from the ledger and a ledger that cannot be read are two things, and both are said."""

    def broken(_identifier: str) -> Entry | None:
        raise CustodyError("no such disk")

    row = journal_row(action="quarantine")
    assert (traced(row, lambda _: None)["state"], traced(row, broken)["state"]) == ("gone", "unknown")


def test_observed_only_is_said() -> None:
    """What was handed on although it would not have been."""
    assert "would be reject" in traced(journal_row(observed="reject"), lambda _: None)["became"]


def test_all_of_it_in_words() -> None:
    """A line for each thing that is known."""
    text = "\n".join(lines(traced(journal_row(), lambda _: None)))
    for words in (identifier(), "handed on", "192.0.2.7", "to@b.test", "cc@b.test", "<1@a.test>", "4BxQ", "SPF_PASS"):
        assert words in text


def test_the_policy_is_told_where_there_is_one() -> None:
    """Which of the operator's tables decided."""
    told = list(lines(traced(journal_row(policy="sales"), lambda _: None)))
    assert "policy      sales" in told
    assert not any(line.startswith("policy") for line in lines(traced(journal_row(), lambda _: None)))

"""Several policies, one answer."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.model.ids import is_id, new_id, public_id, sibling
from filterd.model.session import Recipient
from filterd.model.verdict import Action, SmtpReply, Verdict
from filterd.pipeline.policies import Policies, Policy, entry_key
from filterd.pipeline.shares import DELIVERED, NOT_YET, Share, by_policy, combined, concerning, severest, whole
from tests.pipeline.fakes import NOW, POLICY, SCORES

ID = new_id(NOW, b"\xff" * 10)
KEPT = frozenset({Action.QUARANTINE, Action.DISCARD})
REPLIES = {
    Action.REJECT: SmtpReply(550, "5.7.1", "no"),
    Action.DEFER: SmtpReply(451, "4.7.1", "later"),
    Action.GREYLIST: SmtpReply(451, "4.7.1", "later"),
}


def _recipient(address: str) -> Recipient:
    return Recipient(address, f"<{address}>")


def _shares(*actions: Action) -> list[Share]:
    """A share for each action, of two recipients."""
    return [
        Share(
            ID,
            tuple([_recipient(f"{number}{letter}@local.test") for letter in "ab"]),
            Verdict(action, f"code-{number}", "text", 1.0, (), REPLIES.get(action), policy=f"p{number}"),
        )
        for number, action in enumerate(actions)
    ]


def test_recipients_are_shared_out_in_their_order() -> None:
    """Each policy once, at the place of its first recipient; who has none is under the site's own."""
    policies = Policies({entry_key("a.test"): Policy(replace(POLICY, name="a"), SCORES)}, "+")
    people = [_recipient(one) for one in ("x@a.test", "y@b.test", "z@A.test", "x@c.test")]
    found = [("" if policy is None else policy.name, those) for policy, those in by_policy(people, policies)]
    assert found == [("a", (people[0], people[2])), ("", (people[1], people[3]))]


@pytest.mark.threat("MTA-19")
def test_an_odd_spelling_has_the_policy_of_the_mailbox_it_is_taken_for() -> None:
    """Where the MTA says which; a name without a domain (as Sendmail says) is none."""
    policies = Policies({entry_key("a.test"): Policy(replace(POLICY, name="a"), SCORES)}, "+")
    for resolved, name in (("x@a.test", "a"), ("", ""), ("x", ""), ('"x y"@A.test', "a")):
        ((policy, _),) = by_policy([Recipient("x@a.test;", "<x@a.test;>", resolved)], policies)
        assert ("" if policy is None else policy.name) == name


def test_without_policies_there_is_one_share() -> None:
    """Of everybody, nobody at all included."""
    people = (_recipient("x@a.test"), _recipient("y@b.test"))
    assert by_policy(people, None) == [(None, people)]
    assert by_policy((), Policies({}, "")) == [(None, ())]


@given(st.lists(st.sampled_from(list(Action)), min_size=1, max_size=5))
def test_every_recipient_gets_what_was_decided_or_something_safer(actions: list[Action]) -> None:
    """No share is delivered that was not to be, none vanishes; a refusal or deferral is everybody's or nobody's."""
    told, shares = combined(_shares(*actions))
    assert sorted(one.address for share in shares for one in share.recipients) == sorted(
        one.address for share in _shares(*actions) for one in share.recipients
    )
    after = {one: share.verdict.action for share in shares for one in share.recipients}
    for before in _shares(*actions):
        for one in before.recipients:
            was, now = before.verdict.action, after[one]
            assert now is was or now in NOT_YET or (was is Action.REJECT and now is Action.QUARANTINE)
    if told.action in NOT_YET | {Action.REJECT}:
        assert set(after.values()) == {told.action}
        assert told.reply is not None
    elif told.action in DELIVERED:
        assert told.action.rank == max(action.rank for action in after.values() if action in DELIVERED)
    else:
        assert set(after.values()) <= KEPT
        assert (told.action is Action.QUARANTINE) == (Action.QUARANTINE in after.values())


@given(st.lists(st.sampled_from(list(Action)), min_size=1, max_size=5))
def test_every_held_share_has_an_id_of_its_own(actions: list[Action]) -> None:
    """The first has the message's; all have the part that a sender may be told."""
    _, shares = combined(_shares(*actions))
    ids = [share.id for share in shares if share.verdict.action is Action.QUARANTINE]
    assert len(set(ids)) == len(ids)
    assert ids[:1] in ([], [ID])
    assert all(is_id(one) and public_id(one) == public_id(ID) for one in ids)


def test_one_share_is_what_it_is() -> None:
    """Nothing changes for a site without policies."""
    for action in Action:
        (share,) = _shares(action)
        assert combined([share]) == (share.verdict, (share,))


@pytest.mark.parametrize("other", [Action.ACCEPT, Action.ADD_HEADER, Action.QUARANTINE, Action.DISCARD])
def test_a_refusal_for_some_is_a_hold(other: Action) -> None:
    """A milter's 5xx is for all recipients: those who would have been refused have it held, with the reason."""
    _, shares = combined(_shares(Action.REJECT, other))
    verdict = shares[0].verdict
    assert (verdict.action, verdict.code, verdict.reply) == (Action.QUARANTINE, "code-0", None)
    assert verdict.text == "held, for not all recipients are refused: text"
    assert shares[1].verdict.action is other


def test_a_refusal_for_all_is_one() -> None:
    """Each with its own reason; the sender is told the first."""
    told, shares = combined(_shares(Action.REJECT, Action.REJECT))
    assert (told.code, [share.verdict.code for share in shares]) == ("code-0", ["code-0", "code-1"])


@pytest.mark.parametrize(("first", "second"), list(product([Action.DEFER, Action.GREYLIST], Action)))
def test_what_is_to_come_again_comes_again_for_all(first: Action, second: Action) -> None:
    """Nobody has got it, so nobody gets it twice; the severer of two reasons is told."""
    told, shares = combined(_shares(second, first))
    assert len(shares) == 1
    assert told.action is (Action.DEFER if Action.DEFER in (first, second) else Action.GREYLIST)
    assert shares[0].verdict is told


@pytest.mark.threat("MTA-19")
@pytest.mark.parametrize("action", [Action.QUARANTINE, Action.DISCARD, Action.REJECT])
def test_who_may_not_be_found_again_keeps_the_message_from_all(action: Action) -> None:
    """Who is spelt oddly cannot be taken out for sure: then nobody gets the message, and each share has an entry."""
    first, tagged, plain = _shares(action, Action.ADD_HEADER, Action.ACCEPT)
    odd = replace(first, recipients=(*first.recipients, Recipient("@r:x@local.test", "<@r:x@local.test>")))
    told, shares = combined([odd, tagged, plain])
    held = [share for share in shares if share.verdict.action is Action.QUARANTINE]
    assert told.action is Action.QUARANTINE
    assert [share.verdict.code for share in held[-2:]] == ["recipient", "recipient"]
    assert [share.id for share in held] == [sibling(ID, number) for number in range(len(held))]
    assert "else: add_header, text" in held[-2].verdict.text
    assert all(share.verdict.action in KEPT for share in shares)


@pytest.mark.threat("MTA-19")
def test_an_odd_spelling_of_somebody_who_gets_it_does_not_matter() -> None:
    """Nobody has to find that one."""
    held, plain = _shares(Action.QUARANTINE, Action.ACCEPT)
    odd = replace(plain, recipients=(Recipient("@r:x@local.test", "<@r:x@local.test>"),))
    assert combined([held, odd])[0].action is Action.ACCEPT


def test_fields_are_those_of_the_strictest_who_gets_it() -> None:
    """A tag for one is on the message of all; who only observes does not keep the others' fields away."""
    told, _ = combined(_shares(Action.ACCEPT, Action.ADD_HEADER, Action.QUARANTINE))
    assert told.code == "code-1"
    observing, plain = _shares(Action.ACCEPT, Action.ACCEPT)
    observing = replace(observing, verdict=replace(observing.verdict, observed=Action.REJECT))
    assert combined([observing, plain])[0] is plain.verdict


def test_the_verdict_for_some_is_their_severest() -> None:
    """What an entry was held for, asked again under other policies."""
    shares = _shares(Action.ACCEPT, Action.QUARANTINE, Action.ADD_HEADER)
    assert severest(concerning(shares, ["0a@local.test"])).action is Action.ACCEPT
    assert severest(concerning(shares, ["0b@local.test", "2a@local.test"])).action is Action.ADD_HEADER
    assert severest(concerning(shares, [])).action is Action.QUARANTINE
    assert severest(concerning(shares, ["gone@local.test"])).action is Action.QUARANTINE


def test_a_whole_share_is_of_everybody() -> None:
    """With the message's id."""
    shares = _shares(Action.ACCEPT, Action.ACCEPT)
    assert len(whole(shares, shares[0].verdict).recipients) == 4

"""What Postfix is told: one line, from a closed list of words."""

import re

import pytest

from filterd.config import Replies as Texts
from filterd.model.verdict import Action, SmtpReply, Verdict
from filterd.pipeline.replies import Replies
from filterd.policy.answers import Word, answer, encode

ID = "0" * 26
SHAPE = re.compile(rb"action=(DUNNO|(550 5|DEFER_IF_PERMIT 4)\.[0-9]\.[0-9]{1,3} [ -~]{1,480})\n\n")


def verdict(action: Action, reply: SmtpReply | None) -> Verdict:
    """One with that action and reply."""
    return Verdict(action, "code", "text\naction=OK\n\n", reply=reply)


@pytest.mark.threat("POL-04")
@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_one_line_of_the_list(action: Action) -> None:
    """Whatever is decided, what is sent is DUNNO, DEFER_IF_PERMIT or 550, and never OK."""
    sent = answer(verdict(action, Replies(Texts()).reply(action, "score", ID)))
    assert SHAPE.fullmatch(sent)
    assert b"OK" not in sent


@pytest.mark.threat("POL-04")
@pytest.mark.parametrize("text", ["a\naction=OK\n\n", "gr\u00fc\u00dfe \udcff", "action=OK", "OK", "x" * 600])
def test_a_text_from_data_stays_one_line(text: str) -> None:
    """Even a reply that was made around its own checks cannot add a line or a word of its own."""
    reply = SmtpReply(550, "5.7.1", "fine")
    object.__setattr__(reply, "text", text)
    assert SHAPE.fullmatch(encode(Word.REFUSE, reply))


def test_the_words_are_a_closed_list() -> None:
    """Three of them; OK, PERMIT and what runs something are not among them."""
    assert {"DUNNO", "DEFER_IF_PERMIT", "550"} == {word.value for word in Word}


@pytest.mark.parametrize(
    ("word", "reply"),
    [
        (Word.REFUSE, None),
        (Word.REFUSE, SmtpReply(451, "4.7.1", "later")),
        (Word.DEFER_IF_PERMIT, SmtpReply(550, "5.7.1", "never")),
        (Word.DEFER_IF_PERMIT, None),
    ],
)
def test_word_and_reply_cannot_contradict_each_other(word: Word, reply: SmtpReply | None) -> None:
    """A deferral with a permanent code is a bug of ours, and no answer."""
    with pytest.raises(ValueError, match="needs a reply"):
        encode(word, reply)


@pytest.mark.threat("POL-06")
@pytest.mark.parametrize("action", [Action.DEFER, Action.GREYLIST])
def test_what_may_come_again_is_deferred_only_where_nobody_refuses_it(action: Action) -> None:
    """DEFER_IF_PERMIT, never DEFER: a later restriction's 5xx goes before it."""
    sent = answer(verdict(action, Replies(Texts()).reply(action, "greylisted", ID)))
    assert sent.startswith(b"action=DEFER_IF_PERMIT 4.7.1 ")


@pytest.mark.threat("POL-05")
def test_what_is_not_refused_is_left_to_the_others() -> None:
    """DUNNO: restrictions behind the policy service still decide about relaying."""
    assert answer(verdict(Action.ACCEPT, None)) == b"action=DUNNO\n\n"

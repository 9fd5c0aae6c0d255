"""What the client is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.config import Replies as Texts
from filterd.model.ids import new_id, public_id
from filterd.model.verdict import MAX_REPLY_TEXT, Action
from filterd.pipeline.reasons import BY_CHECK, Reason
from filterd.pipeline.replies import Replies

ID = new_id(1_700_000_000.0, b"0123456789")
CODES = [*Reason, "dmarc-reject", "dmarc-quarantine", "unscannable-archive", "spf-unknown"]


@pytest.mark.parametrize("code", CODES)
def test_class_of_code_and_enhanced_code_agree_with_the_action(code: str) -> None:
    """A rejection is 5xx with 5.x.x, a deferral 4xx with 4.x.x, and what is told 250 has no reply."""
    replies = Replies(Texts())
    rejected, deferred = replies.reply(Action.REJECT, code, ID), replies.reply(Action.DEFER, code, ID)
    assert rejected is not None
    assert deferred is not None
    assert (rejected.code, rejected.enhanced[:2]) == (550, "5.")
    assert (deferred.code, deferred.enhanced[:2]) == (451, "4.")
    for action in (Action.ACCEPT, Action.ADD_HEADER, Action.QUARANTINE, Action.DISCARD):
        assert replies.reply(action, code, ID) is None


@pytest.mark.parametrize(
    ("code", "enhanced"),
    [
        ("dmarc-reject", "5.7.26"),
        (Reason.AUTHENTICATION, "5.7.26"),
        (Reason.CLIENT_NAME, "5.7.25"),
        (Reason.LISTED, "5.7.1"),
        (Reason.MALWARE, "5.7.1"),
        ("unscannable-archive", "5.7.1"),
    ],
)
def test_refused_authentication_has_the_codes_of_rfc_7372(code: str, enhanced: str) -> None:
    """RFC 7372 has codes for failed authentication and reverse names; everything else is policy."""
    reply = Replies(Texts()).reply(Action.REJECT, code, ID)
    assert reply is not None
    assert reply.enhanced == enhanced


@pytest.mark.parametrize(
    ("code", "enhanced"), [(Reason.CUSTODY, "4.3.0"), (Reason.INSPECTION_FAILED, "4.3.0"), ("spf-unknown", "4.7.1")]
)
def test_our_own_trouble_is_told_from_a_policy(code: str, enhanced: str) -> None:
    """RFC 3463: 4.3.0 is a system's trouble, 4.7.1 somebody's policy."""
    reply = Replies(Texts()).reply(Action.DEFER, code, ID)
    assert reply is not None
    assert reply.enhanced == enhanced


def test_the_cause_is_not_in_the_reply() -> None:
    """Texts are generic: contact and the random part of the id, no symbol, no score, no time of arrival."""
    for code in [*BY_CHECK.values(), Reason.SCORE]:
        reply = Replies(Texts(contact="postmaster@filterd.test")).reply(Action.REJECT, code, ID)
        assert reply is not None
        assert reply.text.endswith(f"; ask postmaster@filterd.test about {public_id(ID)}")
        assert ID not in reply.text


def test_each_group_of_reasons_has_its_text() -> None:
    """Block lists, authentication, and everything else are told apart as far as the operator wants to."""
    replies = Replies(Texts(reject="content {id}", reject_authentication="sender {id}", reject_listed="listed {id}"))
    found = {}
    for code in (Reason.LISTED, Reason.AUTHENTICATION, "dmarc-reject", Reason.MALWARE):
        reply = replies.reply(Action.REJECT, code, ID)
        assert reply is not None
        found[str(code)] = reply.text.partition(" ")[0]
    assert found == {"listed": "listed", "authentication": "sender", "dmarc-reject": "sender", "malware": "content"}


def test_each_way_to_come_again_has_its_text() -> None:
    """Greylisting, a rate and trouble of ours are told apart as far as the operator wants to; all are 451."""
    replies = Replies(Texts(defer="trouble {id}", greylist="greylisted {id}", limited="enough {id}"))
    found = []
    for action, code in (
        (Action.GREYLIST, Reason.GREYLISTED),
        (Action.DEFER, Reason.RATE_LIMITED),
        (Action.DEFER, Reason.CUSTODY),
    ):
        reply = replies.reply(action, code, ID)
        assert reply is not None
        found.append((reply.code, reply.enhanced, reply.text.partition(" ")[0]))
    assert found == [(451, "4.7.1", "greylisted"), (451, "4.7.1", "enough"), (451, "4.3.0", "trouble")]


@given(
    text=st.text(max_size=3_000)
    | st.sampled_from(["100 % sure", "a\r\n250 ok", "\N{PILE OF POO}", "\u202eevil", "x" * 2_000])
)
@pytest.mark.threat("MTA-21")
def test_whatever_a_text_holds_the_reply_is_one_line_of_ascii_with_its_code(text: str) -> None:
    """Per cent signs, line ends, 2,000 bytes, emoji and bidi neither break the line nor turn the 550 into a 451."""
    texts = Texts.model_construct(contact="c", reject=text, reject_authentication="", reject_listed="", defer=text)
    for action, code in ((Action.REJECT, 550), (Action.DEFER, 451)):
        reply = Replies(texts).reply(action, Reason.SCORE, ID)
        assert reply is not None
        assert reply.code == code
        assert reply.text.isascii()
        assert all(c.isprintable() for c in reply.text)
        assert len(reply.text) <= MAX_REPLY_TEXT

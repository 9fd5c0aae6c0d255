"""A decision carried out through libmilter's functions."""

import milter
import pytest

from filterd.milter.apply import carry_out
from filterd.model.verdict import Action, DeleteHeader, DeleteRecipient, InsertHeader, SmtpReply, Verdict
from filterd.pipeline.finish import Decision
from tests.milter.context import FakeContext

EDITS = (
    DeleteHeader("X-Old", 3),
    InsertHeader(0, "X-New", "one\r\n\ttwo"),
    DeleteRecipient("<User@Local.test>"),
)


@pytest.mark.parametrize(("leading_space", "blank"), [(True, " "), (False, "")])
@pytest.mark.threat("MTA-19")
def test_edits_are_made_in_order(*, leading_space: bool, blank: str) -> None:
    """The blank is ours only where HDR_LEADSPC was agreed, folds are LF, recipients keep the MTA's own spelling."""
    context = FakeContext()
    decision = Decision(Verdict(Action.ACCEPT, "clean", ""), EDITS)
    assert carry_out(context, decision, leading_space=leading_space) == milter.ACCEPT
    assert context.edits == [
        ("change", 3, "X-Old", ""),
        ("add", 0, "X-New", f"{blank}one\n\ttwo"),
        ("remove", "<User@Local.test>"),
    ]
    assert context.reply is None


@pytest.mark.threat("MTA-21")
def test_a_per_cent_sign_is_doubled_for_libmilter() -> None:
    """It reads the text as a format; one alone would turn the 550 into a 451."""
    context = FakeContext()
    reply = SmtpReply(550, "5.7.1", "100% %s %% %")
    assert carry_out(context, Decision(Verdict(Action.REJECT, "score", "", reply=reply), ()), leading_space=True) == (
        milter.REJECT
    )
    assert context.reply == ("550", "5.7.1", "100%% %%s %%%% %%")

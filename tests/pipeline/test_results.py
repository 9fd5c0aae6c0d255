"""A check's one result, and what is told about DMARC."""

import pytest

from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcOverride,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.verdict import Action
from filterd.pipeline.results import Disposition, disposition, result_of

HELO = SpfResult(SpfStatus.FAIL, "mx.example", SpfScope.HELO)
FAILED = DmarcResult(DmarcStatus.FAIL, "a.example", policy=DmarcPolicy.REJECT)
SPARED = DmarcResult(
    DmarcStatus.FAIL,
    "a.example",
    policy=DmarcPolicy.REJECT,
    override=DmarcOverride.MAILING_LIST,
    override_comment="talk by lists.example",
)


@pytest.mark.parametrize(
    ("results", "word"),
    [
        ((), ""),
        ((HELO,), ""),
        ((HELO, SpfResult(SpfStatus.SOFTFAIL, "a.example", SpfScope.MAILFROM)), "softfail"),
        ((DkimResult(DkimStatus.FAIL, "a.example"), DkimResult(DkimStatus.PASS, "b.example")), "pass"),
        ((DkimResult(DkimStatus.PERMERROR, "a.example"), DkimResult(DkimStatus.FAIL, "b.example")), "permerror"),
        ((FAILED,), "fail"),
        ((SPARED,), ""),
    ],
)
def test_a_check_has_one_result(results: tuple[AuthResult, ...], word: str) -> None:
    """SPF's is the envelope sender's, DKIM's a pass where there is one, DMARC's none where it is spared."""
    assert result_of(results) == word


@pytest.mark.parametrize(
    ("result", "action", "expected"),
    [
        (DmarcResult(DmarcStatus.PASS, policy=DmarcPolicy.REJECT), Action.REJECT, Disposition()),
        (DmarcResult(DmarcStatus.FAIL, policy=DmarcPolicy.NONE), Action.QUARANTINE, Disposition()),
        (FAILED, Action.REJECT, Disposition(DmarcPolicy.REJECT)),
        (
            FAILED,
            Action.QUARANTINE,
            Disposition(DmarcPolicy.QUARANTINE, DmarcOverride.LOCAL_POLICY, "action quarantine"),
        ),
        (FAILED, Action.ACCEPT, Disposition(DmarcPolicy.NONE, DmarcOverride.LOCAL_POLICY, "action accept")),
        (
            SPARED,
            Action.ACCEPT,
            Disposition(DmarcPolicy.NONE, DmarcOverride.MAILING_LIST, "talk by lists.example"),
        ),
    ],
)
def test_what_was_done_is_told_with_its_reason(result: DmarcResult, action: Action, expected: Disposition) -> None:
    """Where it is not what the author's domain asks for, one of the reasons that reports know stands beside it."""
    assert disposition(result, action) == expected

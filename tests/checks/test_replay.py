"""A signed message that is delivered again and again to people it does not name."""

from dataclasses import replace

import pytest

from filterd.checks.replay import ReplayCheck, Uncounted
from filterd.mime.address import read_author
from filterd.model.authentication import DkimResult, DkimStatus, SignatureFacts
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Envelope, Recipient
from filterd.store import MemoryStore
from filterd.store.replays import ReplayCounter
from tests.checks.views import FakeView, run, symbols

FACTS = SignatureFacts(
    "good.example", "s", "rsa-sha256", header_digest=b"\1" * 32, signed_fields=("from", "to", "cc"), tag="AAAA"
)
PASS = DkimResult(DkimStatus.PASS, "good.example", "s", tag="AAAA")
FROM = b"anna@good.example"


def _view(*recipients: str, to: bytes = b"bob@first.example", facts: SignatureFacts = FACTS) -> FakeView:
    inspection = Inspection(read_author((FROM,)), signatures=(facts,))
    return FakeView(
        envelope=Envelope("", tuple([Recipient(one, f"<{one}>") for one in recipients])),
        fields=((b"From", FROM), (b"To", to)),
        inspection=inspection,
        reports={"dkim": CheckReport("dkim", Outcome.OK, auth_results=(PASS,))},
    )


def _check(threshold: int = 100) -> ReplayCheck:
    return ReplayCheck(ReplayCounter(MemoryStore(), interval=60), threshold)


@pytest.mark.threat("AUTH-08")
def test_a_thousand_copies_to_others_are_reported() -> None:
    """The signature passes each time; from the hundredth copy on it is said."""
    check = _check()
    found = [symbols(run(check, _view(f"user{number}@local.test"))) for number in range(1_000)]
    assert found == [[]] * 99 + [["DKIM_REPLAYED"]] * 901


@pytest.mark.threat("AUTH-08")
def test_who_is_named_in_a_signed_field_is_no_stranger() -> None:
    """The message that its author sent, to all whom he wrote it to."""
    people = b", ".join([b"<User%d@local.test>" % number for number in range(1_000)])
    names = [f"user{number}@local.test" for number in range(1_000)]
    assert symbols(run(_check(), _view(*names, to=people))) == []


@pytest.mark.threat("AUTH-08")
def test_a_field_that_is_not_signed_names_nobody() -> None:
    """Whoever replays a message writes there what he likes."""
    view = _view("user@local.test", to=b"user@local.test", facts=replace(FACTS, signed_fields=("from",)))
    assert symbols(run(_check(1), view)) == ["DKIM_REPLAYED"]


def test_each_recipient_counts() -> None:
    """One delivery to many is as good as many to one each."""
    view = _view(*[f"user{number}@local.test" for number in range(100)])
    assert symbols(run(_check(), view)) == ["DKIM_REPLAYED"]


def test_a_message_that_does_not_verify_is_not_counted() -> None:
    """Anybody can send a signature that fails as often as he likes."""
    view = replace(
        _view("user@local.test"),
        reports={"dkim": CheckReport("dkim", Outcome.OK, auth_results=(replace(PASS, status=DkimStatus.FAIL),))},
    )
    assert symbols(run(_check(1), view)) == []


def test_without_inspection_unknown() -> None:
    """Nobody has read the signatures."""
    assert run(ReplayCheck(Uncounted()), replace(_view("a@b.test"), inspection=None)).outcome is Outcome.UNKNOWN

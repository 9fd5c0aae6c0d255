"""What the end of a message has to do with the classifier: what is asked, what is offered, what is kept."""

from dataclasses import replace

import pytest

from filterd.model.inspection import Classified, Inspection
from filterd.model.session import Client
from filterd.model.verdict import Action
from filterd.pipeline.case import Case
from filterd.pipeline.finish import finish
from filterd.pipeline.transaction import Peer, Transaction
from tests.pipeline.fakes import FakeInspectors, Front, everywhere

OPINION = Classified(2.0, 0.88, 0.0, "7-abc", 300, 200)
FACTS = Inspection(classified=OPINION, features=b"features", digest=b"digest")


class Pupil:
    """Keeps what it sees, or has a bug."""

    def __init__(self, *, bug: bool = False) -> None:
        """Nothing seen yet."""
        self.cases: list[Case] = []
        self._bug = bug

    def saw(self, case: Case) -> None:
        """As Autolearn."""
        self.cases.append(case)
        if self._bug:
            raise ValueError("our bug")


def finished(front: Front, pupil: Pupil | None, *recipients: str) -> Action:
    """One message through to its end."""
    parts = replace(front.parts(), autolearn=pupil)
    transaction = Transaction(parts, Peer(Client("198.51.100.7")))
    transaction.mail("anna@sender.test", (), {})
    for recipient in recipients or ("user@Local.test",):
        transaction.rcpt(recipient, f"<{recipient}>")
    transaction.header(b"Subject", b" x")
    transaction.end_of_headers()
    transaction.chunk(b"Hello\r\n")
    try:
        return finish(transaction).verdict.action
    finally:
        transaction.close()


def holding(front: Front) -> Front:
    """A front that holds everything, whose classifier has an opinion."""
    broken = replace(front, inspectors=FakeInspectors(FACTS))
    return broken.deciding(quarantine=-1.0, add_header=-1.0, on_unknown={"inspector": everywhere(Action.DEFER)})


def test_features_are_wanted_only_where_they_may_be_learnt(front: Front) -> None:
    """Who learns nothing does not have every inspector send them."""
    finished(front, None)
    finished(front, Pupil())
    assert [job.features for job, _ in front.inspectors.jobs] == [False, True]


@pytest.mark.parametrize(
    ("recipients", "domain"),
    [
        (["a@Local.test", "b@local.test"], "local.test"),
        (["a@local.test", "b@other.test"], ""),
        (["a@b\xfccher.test"], "xn--bcher-kva.test"),
        (["postmaster"], ""),
    ],
)
def test_the_domain_is_that_of_all_recipients(front: Front, recipients: list[str], domain: str) -> None:
    """In the form in which it was taught; mail for two domains is judged by what is the same for all."""
    finished(front, None, *recipients)
    assert front.inspectors.jobs[-1][0].domain == domain


def test_what_may_be_learnt_is_shown_once_and_not_kept(front: Front) -> None:
    """The pupil gets features and digest; the evidence keeps the opinion and the model's name, and not those."""
    pupil, front = Pupil(), holding(front)
    assert finished(front, pupil) is Action.QUARANTINE
    (case,) = pupil.cases
    assert (case.features, case.digest) == (b"features", b"digest")
    ((kept, _),) = front.custodian.held
    assert kept.inspection is not None
    assert (kept.inspection.features, kept.inspection.digest) == (b"", b"")
    assert (kept.inspection.classified, kept.model_id) == (OPINION, "7-abc")


@pytest.mark.crashes_expected
def test_a_bug_in_learning_changes_no_verdict(front: Front) -> None:
    """The message is delivered as if nobody had wanted to learn from it."""
    pupil = Pupil(bug=True)
    assert finished(front, pupil) is Action.ACCEPT
    assert len(pupil.cases) == 1

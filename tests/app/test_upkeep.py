"""What the upkeep of held mail says of its work."""

import pytest
from structlog.testing import capture_logs

from filterd.app.upkeep import tell
from filterd.operations.release import Released
from filterd.operations.upkeep import Done
from filterd.quarantine import State
from tests.quarantine.samples import identifier

REFUSED = "550 5.1.1 <anna@a.test>: no such user"


@pytest.mark.threat("OPS-09")
@pytest.mark.parametrize(("whole", "answer"), [(True, REFUSED), (False, "550 5.1.1 <(an address)>: no such user")])
def test_a_release_that_ended(answer: str, *, whole: bool) -> None:
    """What the MTA said is in the log, without addresses where the site wants none; what goes on is not told."""
    released = (
        Released(identifier(0), State.FAILED, REFUSED),
        Released(identifier(1), State.RELEASING, "451 later"),
    )
    with capture_logs() as log:
        tell(Done(released=released), whole=whole)
    assert [(one["event"], one["id"], one["answer"]) for one in log] == [("release_ended", identifier(0), answer)]

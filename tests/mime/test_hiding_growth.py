"""What hides twice as much costs at most twice the time, for every trick of the generator."""

import random
from collections.abc import Callable
from typing import Final

import pytest

from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from tests.mime.hiding import boundaries, encodings, inside, kinds
from tests.mime.hiding.kit import PROGRAM, TRICKS, Attachment, Trick
from tests.support.growth import LINEAR, growth

ODD: Final = bytes(1 + -len(PROGRAM) % 57)  # to one byte beyond whole lines
NOISE: Final = random.Random(1).randbytes(400_000)
SIZE: Final = 57 * 1_800  # bytes hidden: whole lines of base64, that the doubled ones end in the same way
HAVE_TRICKS: Final = (boundaries, encodings, inside, kinds)  # modules that fill TRICKS


@pytest.mark.parametrize("hide", [function for _, function in TRICKS], ids=lambda function: function.__name__)
@pytest.mark.threat("MIME-03", "MIME-04", "MIME-05", "MIME-06", "MIME-07", "MIME-08")
def test_every_trick_costs_in_proportion(hide: Trick) -> None:
    """The whole inspection but for rules."""

    def build(size: int) -> Callable[[], object]:
        raw = hide(Attachment("update.dat", PROGRAM + ODD + NOISE[:size]), random.Random(1))
        fields, start = split(raw)
        job = InspectionJob("x", fields, len(raw) - start, 60, 1_767_268_800.0)
        return lambda: inspect(job, memoryview(raw)[start:], None)

    assert growth(build, SIZE) <= LINEAR

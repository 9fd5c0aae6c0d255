"""From margins to probabilities."""

import math
from typing import Final

_MOST: Final = 500.0  # of a margin, beyond which the exponential function has no float


def probability(margin: float) -> float:
    """The probability of spam that a margin, the logarithm of the odds, stands for."""
    return 1 / (1 + math.exp(-max(min(margin, _MOST), -_MOST)))

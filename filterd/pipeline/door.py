"""What admits mail that we give back ourselves, as a transaction sees it (admission.py, returning.py)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filterd.quarantine.keys import Key


@dataclass(frozen=True, slots=True)
class Door:
    """Keys of tokens by name (KeyFileError), and who writes down that a token was used.

    `redeem` is False where it was used before, and `redeem_all` where one of several was, which uses none of them then;
    CustodyError: nobody knows. Without `tokens` what passes is what comes back with a mark alone.
    """

    key_of: Callable[[str], Key | None]
    redeem: Callable[[str, float], bool]
    redeem_all: Callable[[Sequence[str], float], bool]
    tokens: bool = True

"""What admits mail that we give back ourselves, as a transaction sees it (admission.py)."""

from collections.abc import Callable
from dataclasses import dataclass

from filterd.quarantine.keys import Key


@dataclass(frozen=True, slots=True)
class Door:
    """Keys of tokens by name (KeyFileError), and who writes down that a token was used.

    `redeem` is False where it was used before; CustodyError: nobody knows.
    """

    key_of: Callable[[str], Key | None]
    redeem: Callable[[str, float], bool]

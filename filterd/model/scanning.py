"""What a virus scanner of another make said of a message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scanned:
    """`virus` is the signature's name, empty where nothing was found; `cause` says why nothing is known, else empty."""

    virus: str = ""
    cause: str = ""

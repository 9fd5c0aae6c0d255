"""Handing mail over with a token that lets it pass our own milter."""

from dataclasses import dataclass

from filterd.operations.release import Deliver
from filterd.quarantine.keys import KeyFileError
from filterd.quarantine.relay import Answer, Fate
from filterd.quarantine.tokens import Stamp


@dataclass(frozen=True, slots=True)
class Stamped:
    """Implements Deliver. Every attempt has a token of its own: one that was handed over may have been used."""

    deliver: Deliver
    stamp: Stamp

    def __call__(self, sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        """As Deliver; without a key it is put off, for an operator can mend that."""
        try:
            stamped = self.stamp.on(sender, recipients, message)
        except KeyFileError as error:
            return Answer(Fate.LATER, f"no token: {error}")
        return self.deliver(sender, recipients, stamped)

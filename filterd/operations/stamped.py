"""Handing mail over with what lets it pass our own milter: a token at once, a mark where it is brought back."""

from dataclasses import dataclass

from filterd.model.ids import new_id
from filterd.operations.release import Deliver
from filterd.quarantine.keys import KeyFileError
from filterd.quarantine.marks import Marker
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


@dataclass(frozen=True, slots=True)
class Marked:
    """Implements Deliver, for mail of our own, of which there is no entry: a digest looks like what was held."""

    deliver: Deliver
    marker: Marker

    def __call__(self, sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        """As Deliver."""
        name = new_id(self.marker.clock(), self.marker.randomness(10))
        return self.deliver(sender, recipients, self.marker.on(message, name, 1, passes=True))

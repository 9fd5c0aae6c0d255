"""What a message was told of its sender, as evidence keeps it, and a memory that tells the same again."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Final

from filterd.reputation.counts import Outcome, Record
from filterd.reputation.keys import digest
from filterd.reputation.memory import Memory
from filterd.reputation.people import Known, People
from filterd.reputation.responsible import Responsible
from filterd.reputation.tally import Tally
from filterd.store import MemoryStore

FIRST_CONTACT: Final = "first_contact"  # the name under which it is kept what the inspector was told
NOT_AT_HAND: Final = "-"  # the store had not answered by then
_FIELDS: Final = len(Record._fields)


def people_note(address: str) -> str:
    """Under which name it is kept who knows a correspondent."""
    return f"known:{digest('correspondent', address)}"


def standing_note(domain: str) -> str:
    """Under which name it is kept whether a domain is in good standing."""
    return f"standing:{digest('domain', domain)}"


def record_text(record: Record | None) -> str:
    """A record as text."""
    return NOT_AT_HAND if record is None else " ".join([str(number) for number in record])


def known_text(known: Known | None) -> str:
    """Who knows a correspondent, as text."""
    return NOT_AT_HAND if known is None else f"{' '.join(sorted(known.wrote))};{' '.join(sorted(known.read))}"


def record_of(text: str) -> Record | None:
    """The record in a text; None for what is none."""
    words = text.split(" ")
    if len(words) != _FIELDS or not all(word.isascii() and word.isdigit() for word in words):
        return None
    return Record(*[int(word) for word in words])


def known_of(text: str) -> Known | None:
    """Who knows a correspondent, from a text; None for what is none."""
    wrote, semicolon, read = text.partition(";")
    return Known(frozenset(wrote.split()), frozenset(read.split())) if semicolon else None


class RecalledMemory(Memory):
    """Tells what evidence says was told then, and learns nothing. What it cannot tell is put into `missing`."""

    def __init__(
        self, state: Mapping[str, str], missing: MutableMapping[str, None], *, ours: Callable[[str], bool]
    ) -> None:
        """`state` is the evidence's; `ours` says which addresses are no strangers'."""
        store = MemoryStore(most=1)
        tally = Tally(store)
        super().__init__(store, tally, ours=ours)
        self.people = _RecalledPeople(state, missing, tally)
        self._state = state
        self._missing = missing

    def connected(self, network: str, now: float) -> None:
        """Nothing is read."""

    def announced(self, network: str, sender: str, now: float) -> None:
        """Nothing is read."""

    def record(self, key: str) -> Record | None:
        """What was counted under a key then."""
        return record_of(_told(self._state, key, self._missing))

    def in_good_standing(self, domain: str, now: float) -> bool:  # noqa: ARG002  # it is as of then
        """Whether the domain was known for good mail then."""
        return _told(self._state, standing_note(domain), self._missing) == str(True)

    def first_contact(self, sender: str, now: float) -> bool | None:  # noqa: ARG002  # of the message's own sender
        """What the inspector was told then."""
        text = _told(self._state, FIRST_CONTACT, self._missing)
        return None if text not in {"true", "false"} else text == "true"

    def answered(self, sender: str, domain: str) -> None:
        """Nothing is learnt."""

    def experienced(
        self,
        network: str,
        answers: Responsible | None,
        on_network: Outcome | None,
        on_domain: Outcome | None,
        now: float,
    ) -> None:
        """Nothing is learnt."""


class _RecalledPeople(People):
    """As RecalledMemory."""

    def __init__(self, state: Mapping[str, str], missing: MutableMapping[str, None], tally: Tally) -> None:
        super().__init__(tally, lambda: 0.0, 0.0)
        self._state = state
        self._missing = missing

    def known(self, address: str) -> Known | None:
        return known_of(_told(self._state, people_note(address), self._missing))

    def met(self, address: str, recipients: Sequence[str]) -> None:
        pass

    def wrote(self, sender: str, recipients: Sequence[str]) -> None:
        pass


def _told(state: Mapping[str, str], key: str, missing: MutableMapping[str, None]) -> str:
    if key not in state:
        missing[key] = None
    return state.get(key, NOT_AT_HAND)

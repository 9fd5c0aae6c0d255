"""What became of the mail that was held, from the ledger: what was given back was held by mistake."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from filterd.quarantine import EntryFilter, Quarantine, State

MAX_RELEASED: Final = 20_000  # released messages whose symbols are looked at: people release some thousands in a month
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class HeldFor:
    """Held for one reason, and what has become of it; `waiting` with what the MTA refused when it was released."""

    code: str
    held: int
    waiting: int
    released: int
    deleted: int
    expired: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Held:
    """All that was held, by reason. `symbols` are how often each was on a released message; `partly`: on the newest."""

    reasons: tuple[HeldFor, ...]
    symbols: Mapping[str, int]
    partly: bool = False

    @property
    def total(self) -> HeldFor:
        """All reasons together."""
        sums = [
            sum([getattr(one, name) for one in self.reasons])
            for name in ("held", "waiting", "released", "deleted", "expired", "bytes")
        ]
        return HeldFor("all", *sums)


_BECAME: Final = {
    State.HELD: "waiting",
    State.RELEASING: "released",
    State.DELIVERED: "released",
    State.FAILED: "waiting",
    State.DELETED: "deleted",
    State.EXPIRED: "expired",
}


def look(quarantine: Quarantine, since: float) -> Held:
    """What was received since then and held. CustodyError where the ledger does not answer."""
    counts: dict[str, Counter[str]] = {}
    for state, code, entries, size in quarantine.stats(since):
        counts.setdefault(code, Counter()).update({"held": entries, "bytes": size, _BECAME[State(state)]: entries})
    reasons = [
        HeldFor(code, one["held"], one["waiting"], one["released"], one["deleted"], one["expired"], one["bytes"])
        for code, one in counts.items()
    ]
    symbols, partly = _released(quarantine, since)
    return Held(tuple(sorted(reasons, key=lambda one: (-one.held, one.code))), symbols, partly)


def _released(quarantine: Quarantine, since: float) -> tuple[Mapping[str, int], bool]:
    """The symbols of what was given back; copies of one message count once."""
    found: Counter[str] = Counter()
    wanted = EntryFilter(states=(State.DELIVERED, State.RELEASING), since=since)
    seen, before = 0, None
    while page := quarantine.entries(wanted, before=before, limit=PAGE):
        for entry in page:
            found.update(set(entry.symbols))
        seen += len(page)
        before = page[-1].id
        if seen >= MAX_RELEASED:
            return dict(found), True
    return dict(found), False

"""What rules cost, as `filterd rules profile` has measured it, kept so that `filterd rules list` can show it.

At work all rules are asked at once and libyara does not tell them apart, so nothing is measured there. A profile times
every file by itself, and the rules of the slowest files one by one: of other rules only their file's cost is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from filterd.model.store import Store
from filterd.reputation.keys import digest

KEPT: Final = 90 * 86_400  # seconds; by then nobody knows which machine and which mail it was
AT_ONCE: Final = 100  # rules that the store is asked about in one call


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds per message, when that was measured (epoch), and whether they are those of the rule's whole file."""

    ms: float
    measured: float
    whole_file: bool


def keep(store: Store, files: Mapping[str, float], rules: Mapping[str, float], now: float) -> None:
    """Keep milliseconds per message, by file (its namespace) and by rule. StoreError."""
    for kind, costs in (("file", files), ("rule", rules)):
        for name, ms in costs.items():
            store.put(_key(kind, name), b"%.6f %.0f" % (ms, now), KEPT)


def costs(store: Store, rules: Sequence[tuple[str, str]]) -> dict[str, Cost]:
    """What is known of rules, each given with its file's namespace. StoreError."""
    found: dict[str, Cost] = {}
    for start in range(0, len(rules), AT_ONCE):
        some = rules[start : start + AT_ONCE]
        values = store.get_many([key for rule, space in some for key in (_key("rule", rule), _key("file", space))])
        for place, (rule, _) in enumerate(some):
            own, whole = _read(values[2 * place], whole=False), _read(values[2 * place + 1], whole=True)
            # A profile without this rule's file among the slowest says nothing of the rule: the later one counts.
            known = [cost for cost in (own, whole) if cost is not None]
            if known:
                found[rule] = max(known, key=lambda cost: cost.measured)
    return found


def _read(value: bytes | None, *, whole: bool) -> Cost | None:
    try:
        ms, measured = map(float, (value or b"").split())
    except ValueError:
        return None
    return Cost(ms, measured, whole)


def _key(kind: str, name: str) -> str:
    return f"rule:cost:{kind}:{digest('rule', name)}"

"""What rules cost: kept by a profile, and found again by rule."""

from filterd.pipeline.rule_costs import AT_ONCE, Cost, costs, keep
from filterd.store import MemoryStore

NOW = 1_700_000_000.0


def test_a_rule_has_its_own_cost_or_that_of_its_file() -> None:
    """A profile times only the slowest files' rules one by one; what it did not time is not known."""
    store = MemoryStore()
    keep(store, {"slow": 2.5, "fast": 0.125}, {"greedy": 2.25}, NOW)
    found = costs(store, [("greedy", "slow"), ("other", "slow"), ("third", "fast"), ("unknown", "new")])
    assert found == {
        "greedy": Cost(2.25, NOW, whole_file=False),
        "other": Cost(2.5, NOW, whole_file=True),
        "third": Cost(0.125, NOW, whole_file=True),
    }


def test_the_later_profile_counts() -> None:
    """A file that is not among the slowest any more says more than what its rule once cost."""
    store = MemoryStore()
    keep(store, {"file": 9.0}, {"greedy": 8.0}, NOW)
    keep(store, {"file": 0.5}, {}, NOW + 1)
    assert costs(store, [("greedy", "file")]) == {"greedy": Cost(0.5, NOW + 1, whole_file=True)}


def test_any_number_of_rules_can_be_asked_for() -> None:
    """More than one call takes; values that are none are as if they were not there."""
    store = MemoryStore()
    names = [f"rule{number}" for number in range(2 * AT_ONCE + 1)]
    keep(store, {}, dict.fromkeys(names, 1.0), NOW)
    assert list(costs(store, [(name, "file") for name in names])) == names
    for key in list(store._entries):
        store.put(key, b"none", 60)
    assert costs(store, [(name, "file") for name in names]) == {}
